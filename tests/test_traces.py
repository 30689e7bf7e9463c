"""What an ended container left behind, and what its processes do with SIGTERM, on the real engine."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import engine_support as support
import pytest
from test_engine import Run

from sm_contract.engine import connect
from sm_contract.engine.docker import DockerEngine
from sm_contract.engine.protocol import Mount, Process

NAME = f"sm-traces-test-{os.getpid()}"
MB = 1_000_000


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerEngine]:
    support.client()
    made = connect.open_engine(None, deadline_seconds=600)
    yield made
    made.close()


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    api = support.client()
    yield support.import_image(
        api, NAME, support.folder("root"), support.folder("tmp"), support.member("root/old", b"x" * 400_000)
    )
    api.remove_image(f"{NAME}:1", force=True)


def _zeros(path: str, megabytes: int, more: str = ">") -> str:
    return f"dd if=/dev/zero bs=1000000 count={megabytes} 2>/dev/null {more} {path}"


def test_what_grew_outside_of_the_free_places_is_measured(engine: DockerEngine, image: str) -> None:
    volume = engine.volume("output")
    script = "; ".join(
        (
            "cd /root && /bin/busybox mkdir -p data/deep __pycache__ /tmp/x /srv/new",
            _zeros("data/deep/train.bin", 3),
            _zeros("old", 1, ">>"),
            _zeros("__pycache__/module.pyc", 9),
            _zeros("/tmp/x/scratch", 9),
            _zeros("/opt/ml/output/model", 9),
            _zeros("/opt/ml/other", 9),
            _zeros("/srv/new/log", 2),
        )
    )
    run = Run(engine, image, script, mounts=(Mount(volume=volume, target="/opt/ml/output"),))
    assert run.finish() == 0, run.lines
    written = run.container.written(at_least=MB)
    assert written.bytes == 6 * MB
    assert [(file.path, file.size) for file in written.biggest] == [
        ("/root/data/deep/train.bin", 3 * MB),
        ("/srv/new/log", 2 * MB),
        ("/root/old", MB),
    ]
    assert run.container.written(at_least=10**9).bytes == 0
    run.container.remove()
    engine.remove_volume(volume)


def test_a_write_is_timed_from_the_end(engine: DockerEngine, image: str) -> None:
    volume = engine.volume("output")
    script = "echo no rows > /opt/ml/output/failure; sleep 1.5; exit 1"
    run = Run(engine, image, script, mounts=(Mount(volume=volume, target="/opt/ml/output"),))
    assert run.finish() == 1
    before = run.container.before_end("/opt/ml/output/failure")
    assert before is not None
    assert 1.4 < before < 15
    assert run.container.before_end("/opt/ml/output/nothing") is None
    run.container.remove()
    engine.remove_volume(volume)


def test_who_would_hear_sigterm_is_seen(engine: DockerEngine, image: str) -> None:
    inside = engine.inside
    if inside is None:
        pytest.skip(engine.inside_needs)

    def settled(run: Run) -> list[Process]:
        """A shell and its child, once the shell has come to its wait."""
        time.sleep(0.3)
        found = sorted(inside.processes(run.container), key=lambda one: one.depth)
        return found if [one.command.split()[0] for one in found] == ["/bin/sh", "sleep"] else []

    for script, caught, waiting in (
        ("sleep 30; true", False, True),
        ("trap 'exit 0' TERM; sleep 30 & wait; true", True, False),
    ):
        run = Run(engine, image, script)
        first, child = support.until(lambda run=run: settled(run))
        assert (first.catches_sigterm, first.ignores_sigterm, first.waits_for_child) == (caught, False, waiting)
        assert (child.catches_sigterm, child.waits_for_child, child.at_work) == (False, False, False)
        run.container.remove()
    busy = Run(engine, image, "while true; do true; done")
    support.until(lambda: any(one.at_work for one in inside.processes(busy.container)))
    busy.container.remove()
    held = Run(engine, image, "mkfifo /tmp/pipe; cat /tmp/pipe")
    support.until(lambda: any(one.waits_for_pipe for one in inside.processes(held.container)))
    held.container.remove()
