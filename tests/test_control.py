"""The control server: a program without anything else, and what a run makes of it when the machine is too busy."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import engine_support as support
import pytest
from command_support import command

from fixtures import declaration
from fixtures.build import REFERENCE, reference_declaration, reference_image
from fixtures.faults.fault import MODEL, ONLY_SERVING
from fixtures.layers import Docker
from sm_contract.alone import is_alone
from sm_contract.engine import connect
from sm_contract.engine.docker import DockerEngine
from sm_contract.engine.protocol import ContainerSpec
from sm_contract.journal import read_journal
from sm_contract.platform.http import exchange
from sm_contract.resources import resource
from sm_contract.status import Exit

HOME = resource("engine", "control")
SCRIPT = Path(__file__).parent.parent / "scripts" / "build-control.sh"
COMPILER = "x86_64-linux-gnu-gcc"


@pytest.fixture
def engine() -> Iterator[DockerEngine]:
    support.client()
    made = connect.open_engine(None, deadline_seconds=600)
    yield made
    made.close()


def test_the_programs_were_built_of_this_source() -> None:
    recorded = dict(reversed(line.split()) for line in (HOME / "SHA256SUMS").read_text().splitlines())
    found = {name: hashlib.sha256((HOME / name).read_bytes()).hexdigest() for name in recorded}
    assert recorded == found, "run scripts/build-control.sh"
    assert recorded.keys() == {"control.c", "control-amd64", "control-arm64"}
    assert max((HOME / f"control-{name}").stat().st_size for name in ("amd64", "arm64")) < 2048


@pytest.mark.parametrize("rebuilt", [False, True], ids=["as shipped", "rebuilt"])
def test_it_answers_every_request_with_an_empty_200(engine: DockerEngine, rebuilt: bool, tmp_path: Path) -> None:
    if not rebuilt:
        image = engine.control()
        assert image is not None
        assert engine.control() == image
    elif shutil.which(COMPILER) is None or engine.facts.architecture != "amd64":
        pytest.skip(f"needs {COMPILER} and an amd64 engine")
    else:
        subprocess.run([SCRIPT, "amd64", tmp_path], check=True)
        image = engine.images.of_program((tmp_path / "control-amd64").read_bytes())
    container = engine.create(ContainerSpec(image=image, command=None, purpose="x", network=engine.network("internal")))
    container.start()
    reach = container.endpoint(8080)
    support.until(lambda: exchange(reach, "GET", "/ping", headers={}, limit=2).status)
    for method, path in (("GET", "/ping"), ("POST", "/invocations")):
        answer = exchange(reach, method, path, headers={"Accept": "*/*"}, body=b"", limit=5)
        assert (answer.status, answer.body_bytes, answer.error) == (200, 0, "")
    assert engine.starts == 1

    labels = support.client().inspect_image(image)["Config"]["Labels"]
    assert labels["sm-contract.session"] == engine.session.id
    assert any(thing.startswith("images") for thing in support.things(support.client(), engine.session.id))
    engine.close()
    assert support.things(support.client(), engine.session.id) == []


# --- a whole run -----------------------------------------------------------------------------------------

PING_LIMIT = 1.0  # seconds
HELD = 1.7
THROUGH = 2.5  # seconds after the first invocation they are over, and only pings are left


class BusyMachine(threading.Thread):
    """Keeps the processor from a life, and from what runs beside it alone, for longer than a ping may take."""

    def __init__(self, image: str) -> None:
        super().__init__(daemon=True)
        self._image = image
        self._end = threading.Event()
        self.held: set[str] = set()  # names of containers

    def run(self) -> None:
        for life in ("serve.bare", "serve.bare@alone"):
            while not self._invoked(self._running(life)) and not self._end.wait(0.1):
                pass
            if not self._end.wait(THROUGH):
                self._hold(self._running(life))

    def _running(self, life: str) -> list[str]:
        """The container of a life, and that of the control beside it."""
        labelled = "--filter=label=sm-contract.purpose="
        names = '{{.Names}} {{.Label "sm-contract.session"}}'
        found = support.docker(
            "ps", f"--filter=ancestor={self._image}", f"{labelled}{life}", f"--format={names}"
        ).split()
        if not found:
            return []
        name, session = found
        control = (f"{labelled}{life}-control", f"--filter=label=sm-contract.session={session}")
        return [name, *support.docker("ps", *control, "--format={{.Names}}").split()]

    def _invoked(self, names: list[str]) -> bool:
        return any("/invocations" in _log(name) for name in names[:1])

    def _hold(self, names: list[str]) -> None:
        self.held.update(names)
        for signal, after in (("STOP", HELD), ("CONT", 0)):
            for name in names:
                subprocess.run(["docker", "kill", f"--signal={signal}", name], capture_output=True, check=False)
            time.sleep(after)

    def end(self) -> None:
        self._end.set()
        self.join()


def _log(name: str) -> str:
    done = subprocess.run(["docker", "logs", name], capture_output=True, text=True, check=False)  # it may be gone
    return done.stdout + done.stderr


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """An image of the reference server that nobody else runs, and its declaration."""
    support.client()
    docker = Docker()
    reference = reference_image(docker)
    config = declaration.write(
        declaration.varied(
            reference_declaration(docker, reference), {**ONLY_SERVING, "inference": {"model": "model/"}}
        ),
        tmp_path / "candidate",
        REFERENCE / "data",
    )
    (config.parent / "model").mkdir()
    (config.parent / "model" / "model.json").write_bytes(MODEL)
    with support.copy_of(reference) as image:
        yield image, config


def test_late_only_because_the_machine_is_too_busy(server: tuple[str, Path], tmp_path: Path) -> None:
    image, config = server
    machine = BusyMachine(image)
    machine.start()
    options = (f"--sm-ping-limit={PING_LIMIT}", "--sm-only=SM-INFER-PING-02", "--sm-report=report")
    ran = command(tmp_path, f"--image={image}", f"--sm-config={config}", *options)
    machine.end()

    assert ran.status == Exit.PARTIAL, ran.text
    result = json.loads((tmp_path / "report" / "result.json").read_text("utf-8"))["images"][0]
    (verdict,) = result["verdicts"]
    assert verdict["verdict"] == "not testable", ran.text
    assert verdict["reason"].startswith("machine too busy: ")
    assert "in serve.bare@alone, while a control server of ours was" in verdict["reason"]
    evidence = " ".join(verdict["evidence"])
    assert "pings of serve.bare@alone, the slowest of" in evidence
    assert "pings of the control beside serve.bare@alone, the slowest of" in evidence
    assert any("serve.bare-alone-control" in name for name in machine.held), machine.held

    lives = read_journal(tmp_path / "report" / "journal.jsonl").records[image].lives
    controls = [life.control for name, life in lives.items() if is_alone(name)]
    assert result["container_starts"] == len(lives) + len(controls)
    assert all(control is not None and len(control) > 20 for control in controls)
    assert {life.control for name, life in lives.items() if not is_alone(name)} == {None}
