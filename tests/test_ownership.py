"""Nothing is left behind, nothing else is touched: each end of a run is done for real."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import engine_support as support
import pytest

from sm_contract.engine import connect, removal
from sm_contract.engine.docker import DockerEngine
from sm_contract.engine.ownership import Owner, Place, Session, process_start
from sm_contract.engine.protocol import ContainerSpec, EngineError, EngineLost, Mount

NAME = f"sm-ownership-test-{os.getpid()}"
ROOT = Path(__file__).parent.parent

# A run of its own process: makes one of everything, says so, and then does as it is told.
RUN = """
    import os, sys, threading, time, signal
    sys.path.insert(0, sys.argv[1])
    from sm_contract.engine.connect import open_engine
    from sm_contract.engine.protocol import ContainerSpec, Mount
    import engine_support as support

    url, image, then = sys.argv[2] or None, sys.argv[3], sys.argv[4]
    engine = open_engine(url, deadline_seconds=float(sys.argv[5]), keep=then == "keep")
    volume = engine.volume("input")
    network = engine.network("internal") if not url else engine.network("none")
    container = engine.create(ContainerSpec(
        image=image, command=("/bin/sh", "-c", "trap '' TERM; sleep 600"), purpose="train.full", network=network,
        mounts=(Mount(volume=volume, target="/opt/ml/model"),)))
    container.start()
    engine.files(image).stat("/bin/sh")
    if not url:
        engine.commit(container)
    print(engine.session.id, engine.watchdog.pid, flush=True)
    if then == "create":  # creates side by side, to be killed in the middle of one
        def again():
            for _ in range(4):
                engine.create(ContainerSpec(image=image, command=("x",), purpose="flood", network=network))
                engine.volume("flood")
        for _ in range(6):
            threading.Thread(target=again, daemon=True).start()
    if then == "raise":
        try:
            raise RuntimeError("a fault of ours")
        finally:
            engine.close()
    if then == "interrupt":
        try:
            for _ in range(400):  # longer than it takes to be interrupted, and an end where nobody does
                engine.create(ContainerSpec(image=image, command=("x",), purpose="flood", network=network))
        finally:
            engine.close()
            engine.close()
    if then == "keep":
        engine.leave([(engine.resolve(image), "train.full")])
        engine.close()
        os._exit(0)
    time.sleep(120)
"""


@pytest.fixture(scope="module")
def image(api: Any) -> Iterator[str]:
    yield support.import_image(api, NAME, support.member("mark", NAME.encode()))
    api.remove_image(f"{NAME}:1", force=True)


class Run:
    def __init__(self, image: str, then: str, url: str = "", seconds: float = 600) -> None:
        arguments = [str(Path(__file__).parent), url, image, then, str(seconds)]
        self.process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(RUN), *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(self.process.communicate()[1])
        self.session, watchdog = line.split()
        self.watchdog = int(watchdog)

    def watched(self) -> bool:
        return process_start(self.watchdog) > 0


@pytest.fixture
def engine() -> Iterator[DockerEngine]:
    yield from support.opened()


def _fill(engine: DockerEngine, image: str) -> None:
    volume = engine.volume("v")
    mounts = (Mount(volume=volume, target="/opt/ml/model"),)
    network = engine.network("ordinary")
    for number in range(6):
        command = ("/bin/sh", "-c", "trap '' TERM; sleep 600")
        spec = ContainerSpec(image=image, command=command, purpose=f"c{number}", network=network, mounts=mounts)
        engine.create(spec).start()


def test_everything_carries_its_labels_from_its_creation_on(api: Any, engine: DockerEngine, image: str) -> None:
    _fill(engine, image)
    session = engine.session.id
    label = {"label": f"sm-contract.session={session}"}
    labels = [item["Labels"] for item in api.containers(filters=label)]
    labels += [item["Labels"] for item in api.networks(filters=label)]
    labels += [item["Labels"] for item in api.volumes(filters=label)["Volumes"]]
    assert len(labels) == 8
    for found in labels:
        assert found["sm-contract.host"] == os.uname().nodename
        assert found["sm-contract.boot"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        assert found["sm-contract.pid-namespace"] == os.readlink("/proc/self/ns/pid")
        assert int(found["sm-contract.pid"]) == os.getpid()
        assert int(found["sm-contract.start"]) == process_start(os.getpid())
        assert 500 < int(found["sm-contract.deadline"]) - time.time() < 700
    owner = Owner.read(session)
    assert owner == Owner(Place().digest, os.getpid(), process_start(os.getpid()), engine.session.deadline, kept=False)


def test_a_normal_end_leaves_nothing_and_is_quick(api: Any, engine: DockerEngine, image: str) -> None:
    _fill(engine, image)
    assert len(support.things(api, engine.session.id)) == 8
    start = time.monotonic()
    engine.close()
    assert time.monotonic() - start < 5
    assert support.things(api, engine.session.id) == []
    engine.close()
    with pytest.raises(EngineError):
        engine.volume("too late")
    assert support.until(lambda: process_start(engine.watchdog.pid) == 0, 2)


def test_the_watchdog_has_imported_what_it_needs_before_it_is_needed(engine: DockerEngine) -> None:
    def loaded() -> bool:
        return "/_ssl." in Path(f"/proc/{engine.watchdog.pid}/maps").read_text()  # of docker's own imports

    assert support.until(loaded, 20)


def test_a_forked_child_owns_nothing(api: Any, engine: DockerEngine) -> None:
    engine.volume("v")
    child = os.fork()
    if not child:
        with contextlib.suppress(BaseException):
            engine.close()
        os._exit(0)
    os.waitpid(child, 0)
    assert len(support.things(api, engine.session.id)) == 1
    assert process_start(engine.watchdog.pid)


@pytest.mark.parametrize("how", ["raise", "interrupt"])
def test_an_exception_and_ctrl_c_leave_nothing(api: Any, image: str, how: str) -> None:
    run = Run(image, how)
    if how == "interrupt":
        time.sleep(0.3)
        os.killpg(run.process.pid, signal.SIGINT)
    start = time.monotonic()
    run.process.wait(10)
    assert time.monotonic() - start < 5
    support.until(lambda: support.things(api, run.session) == [], 5)
    support.until(lambda: not run.watched(), 10)
    assert support.things(api, run.session) == []  # a create that was broken off did not come after


@pytest.mark.parametrize("then", ["wait", "create"])
def test_after_kill_9_all_is_gone_within_five_seconds(api: Any, image: str, then: str) -> None:
    run = Run(image, then)
    if then == "create":
        time.sleep(0.2)
    else:
        assert len(support.things(api, run.session)) > 5
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # they reach the run's group, and not the watchdog
        os.kill(run.watchdog, name)
    assert os.getpgid(run.watchdog) != os.getpgid(run.process.pid)
    os.killpg(run.process.pid, signal.SIGKILL)
    run.process.wait()
    killed = time.monotonic()
    support.until(lambda: support.things(api, run.session) == [], 5)
    assert time.monotonic() - killed < 5
    support.until(lambda: not run.watched(), 10)
    assert support.things(api, run.session) == []
    assert run.process.stderr is not None
    assert "sm-contract" not in run.process.stderr.read()


def test_a_forked_child_that_holds_the_pipe_does_not_hide_the_death(api: Any, image: str) -> None:
    run = Run(image, "wait")
    script = f"import os, time; os.open('/proc/{run.process.pid}/fd/' + N, os.O_WRONLY); time.sleep(60)"
    pipe = next(fd for fd in os.listdir(f"/proc/{run.process.pid}/fd") if _is_pipe_of(run, fd))
    holder = subprocess.Popen([sys.executable, "-c", script.replace("N", repr(pipe))])
    try:
        time.sleep(0.3)
        run.process.kill()
        support.until(lambda: support.things(api, run.session) == [], 5)
    finally:
        holder.kill()
        holder.wait()


def _is_pipe_of(run: Run, descriptor: str) -> bool:
    here = os.readlink(f"/proc/{run.process.pid}/fd/{descriptor}")
    return here.startswith("pipe:") and here == os.readlink(f"/proc/{run.watchdog}/fd/0")


def test_a_sweep_takes_what_is_dead_or_expired_and_nothing_else(api: Any, image: str, engine: DockerEngine) -> None:
    dead, alive, kept = Run(image, "wait"), Run(image, "wait"), Run(image, "keep")
    expired = Run(image, "wait", seconds=0.5)
    inherits = f"sm-inherits-{os.getpid()}"
    labels = Session.begin(-100).labels("an heir's")
    try:
        os.kill(dead.watchdog, signal.SIGKILL)
        dead.process.kill()
        dead.process.wait()
        time.sleep(1.6)
        # what an image inherited from ours, what is the user's, and a name without a label
        api.create_container_from_config({"Image": image, "Cmd": ["x"], "Labels": labels}, inherits)
        api.create_volume(inherits, labels={"sm-contract.session": "not one of ours"})
        api.create_volume(f"{inherits}-bare")
        swept = removal.sweep(engine.cleaner, engine.session)
        assert support.things(api, dead.session) == []
        assert support.things(api, expired.session) == []
        assert len(support.things(api, alive.session)) >= 6
        # asked for, and not yet past its deadline: the container with its volume and network, and nothing else
        assert sorted(thing.kind for thing in removal.find(api, kept.session)) == ["container", "network", "volume"]
        assert not any(item["State"] == "running" for item in _containers(api, kept.session))
        # any other run on this engine may have been first
        assert {line.rpartition(": ")[2] for line in swept.removed} <= {"past its deadline", "its run has ended"}
        assert not any(alive.session in line or kept.session in line for line in swept.removed)
        assert api.inspect_container(inherits)
        assert {inherits, f"{inherits}-bare"} <= {volume["Name"] for volume in api.volumes()["Volumes"]}
        assert alive.watched()
    finally:
        for run in (dead, expired, alive, kept):
            run.process.kill()
            run.process.wait()
        api.remove_container(inherits, force=True)
        api.remove_volume(inherits)
        api.remove_volume(f"{inherits}-bare")
        for thing in removal.find(api, kept.session):
            removal.remove(api, thing)
        for thing in removal.find(api, kept.session):
            removal.remove(api, thing)


def _containers(api: Any, session: str) -> list[Any]:
    return list(api.containers(all=True, filters={"label": f"sm-contract.session={session}"}))


def test_whose_process_is_gone_is_told_by_start_time_place_and_deadline() -> None:
    session, here, now = Session.begin(100), Place(), time.time()
    owner = Owner.read(session.id)
    assert owner is not None
    assert owner.gone(here, now) == ""
    assert owner.gone(here, now, lambda pid: 0) == "its run has ended"
    assert owner.gone(here, now, lambda pid: owner.start + 1) == "its run has ended"  # the number is another's now
    other = Place(host="elsewhere", boot=here.boot, namespace=here.namespace)
    assert owner.gone(other, now, lambda pid: 0) == ""
    assert owner.gone(Place(boot=""), now, lambda pid: 0) == ""
    assert owner.gone(other, now + 102) == "past its deadline"
    kept = Owner.read(Session.begin(100, keep=True).id)
    assert kept is not None
    assert kept.gone(here, now, lambda pid: 0) == ""
    assert Owner.read("somebody-else") is None


# --- an engine that dies ------------------------------------------------------------------------------


@pytest.fixture
def second() -> Iterator[support.Dockerd]:
    with support.second_engine() as made:
        yield made


def test_an_engine_that_dies_is_lost_in_every_call_and_what_remains_is_said(second: support.Dockerd) -> None:
    image = support.import_image(second.client(), NAME)
    run = Run(image, "wait", url=second.url)
    engine = connect.open_engine(second.url, deadline_seconds=600)
    spec = ContainerSpec(image=image, command=("/bin/sleep", "600"), purpose="t", network=engine.network("none"))
    container = engine.create(spec)
    container.start()
    second.die()
    assert container.exited.wait(5)  # a wait for the exit ends, and what asks for its code hears why
    for call in (
        container.exit_code,
        container.state,
        container.start,
        container.remove,
        lambda: container.signal("SIGTERM"),
        lambda: container.endpoint(8080),
        lambda: engine.create(spec),
        lambda: engine.volume("v"),
        lambda: engine.resolve("x"),
        lambda: engine.files(image).stat("/bin"),
        lambda: engine.load([b""]),
        lambda: engine.network("ordinary"),
        lambda: engine.commit(container),
    ):
        with pytest.raises(EngineLost, match="was lost while"):
            call()
    start = time.monotonic()
    engine.close()
    assert time.monotonic() - start < 5

    run.process.kill()
    assert run.process.stderr is not None
    said = run.process.stderr.read()  # until the watchdog has ended
    assert time.monotonic() - start < 10
    assert f"the engine at {second.url} does not answer any more" in said
    assert f"container sm-contract-{run.session}" in said
    assert f"--filter label=sm-contract.session={run.session}" in said

    second.start()
    later = connect.open_engine(second.url, deadline_seconds=60)  # the next run
    later.close()
    assert len(later.swept.removed) >= 3
    remaining = second.client().volumes(filters={"label": f"sm-contract.session={run.session}"})["Volumes"]
    assert not remaining
