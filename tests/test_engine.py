"""The engine room on the real engine: what a container's life, its volumes, networks and limits look like from here."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import engine_support as support
import pytest

from sm_contract.engine import connect
from sm_contract.engine.docker import DockerEngine
from sm_contract.engine.protocol import (
    Container,
    ContainerSpec,
    Engine,
    EngineFull,
    EngineMissing,
    ImageUnknown,
    Mount,
    NotReachable,
    StartError,
)

NAME = f"sm-engine-test-{os.getpid()}"


def _link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return support.member(name, type=tarfile.SYMTYPE, linkname=target)


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    api = support.client()
    yield support.import_image(
        api,
        NAME,
        _link("absolute", "/bin/sh"),
        _link("circle", "circle2"),
        _link("circle2", "circle"),
        _link("dangling", "/no/where"),
        _link("escape", "../../../../etc/passwd"),
        support.folder("opt"),
        support.folder("opt/ml"),
        support.folder("opt/ml/model"),
        support.member("opt/ml/model/baked", b"x" * 70_000, uid=12, gid=13, mode=0o4755),
        support.member("opt/ml/pipe", type=tarfile.FIFOTYPE),
        _link("opt/ml/link", "/etc"),
    )
    api.remove_image(f"{NAME}:1", force=True)


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerEngine]:
    support.client()
    made = connect.open_engine(None, deadline_seconds=600)
    yield made
    made.close()
    assert support.things(support.client(), made.session.id) == []


class Run:
    """A container with its log."""

    def __init__(self, engine: DockerEngine, image: str, script: str, network: str = "none", **fields: Any) -> None:
        self.lines: list[tuple[float, str, str]] = []
        spec = ContainerSpec(
            image=image,
            command=("/bin/sh", "-c", script),
            purpose="test",
            network=engine.network(network),
            **fields,
        )
        self.container: Container = engine.create(spec)
        self.container.follow(lambda *line: self.lines.append(line))
        self.container.start()

    def finish(self, seconds: float = 20) -> int | None:
        assert self.container.exited.wait(seconds), "it did not end"
        assert self.container.drained(5)
        return self.container.exit_code()

    def text(self, stream: str = "stdout") -> list[str]:
        return [text for _, name, text in self.lines if name == stream]


def _conforms(engine: DockerEngine) -> Engine:
    """For the type checker."""
    return engine


# --- a life -------------------------------------------------------------------------------------------


def test_a_life_from_first_line_to_exit_code(engine: DockerEngine, image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.invalid:1")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the host")
    before = engine.starts
    run = Run(
        engine,
        image,
        "echo a; echo b >&2; printf '\\377half'; test -t 0 || echo no tty; cat; "
        "while read line; do case $line in Cap[BE]*|Seccomp:*) echo $line;; esac; done </proc/self/status; "
        "set; ls -d /dev/shm; exit 7",
        environment={"TRAINING_JOB_NAME": "job"},
        hostname="algo-1",
    )
    assert run.finish() == 7
    assert run.text("stderr") == ["b"]
    out = run.text()
    assert out[0] == "a"
    assert "�halfno tty" in out[1]  # undecodable bytes are shown, not lost
    text = "\n".join(out)
    assert "CapEff: 00000000a80425fb" in text  # docker's default set
    assert "Seccomp: 2" in text
    assert "TRAINING_JOB_NAME='job'" in text
    assert "HOSTNAME='algo-1'" in text
    assert "proxy.invalid" not in text
    assert "of the host" not in text
    assert run.container.state().exit_code == 7
    assert engine.starts == before + 1
    found = support.client().inspect_container(run.container.id)["HostConfig"]
    assert (found["ShmSize"], found["Init"], found["Binds"]) == (64 * 1024 * 1024, False, None)


def test_a_container_that_ends_at_once_is_seen_with_all_its_lines(engine: DockerEngine, image: str) -> None:
    for number in range(3):
        run = Run(engine, image, f"echo {number}; exit {number}")
        assert run.finish(5) == number
        assert run.text() == [str(number)]
        run.container.remove()
        run.container.remove()  # one that is gone


def test_the_stop_sequence(engine: DockerEngine, image: str) -> None:
    polite = Run(engine, image, "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.1; done")
    deaf = Run(engine, image, "trap '' TERM; echo up; while :; do sleep 0.1; done")
    for run in (polite, deaf):
        support.until(run.text)
        run.container.signal("SIGTERM")
    assert polite.finish(5) == 0
    assert polite.text()[-1] == "bye"
    assert not deaf.container.exited.wait(0.5)
    deaf.container.signal("SIGKILL")
    assert deaf.finish(5) == 137
    deaf.container.signal("SIGTERM")  # nothing, it has ended


def test_a_start_error_holds_the_words_of_the_engine(engine: DockerEngine, image: str) -> None:
    spec = ContainerSpec(image=image, command=("train",), purpose="t", network=engine.network("none"))
    container = engine.create(spec)
    with pytest.raises(StartError, match=r"exec: \"train\": executable file not found"):
        container.start()
    assert container.exited.is_set()
    assert container.exit_code() is None

    api = support.client()
    api.import_image_from_data(
        support.busybox_tar(), repository=f"{NAME}-user", tag="1", changes=["USER nobody-here", 'CMD ["/bin/sh"]']
    )
    try:
        with pytest.raises(StartError, match="nobody-here"):
            engine.create(
                ContainerSpec(
                    image=engine.resolve(f"{NAME}-user:1"), command=None, purpose="t", network=engine.network("none")
                )
            ).start()
        with pytest.raises(StartError, match=r"(?i)no command"):
            engine.create(ContainerSpec(image=image, command=None, purpose="t", network=engine.network("none")))
    finally:
        for found in api.containers(all=True, filters={"ancestor": f"{NAME}-user:1"}):
            api.remove_container(found["Id"], force=True)
        api.remove_image(f"{NAME}-user:1", force=True)


def test_a_terminal_is_typed_to(engine: DockerEngine, image: str) -> None:
    run = Run(engine, image, "test -t 0 && echo tty; read word; echo got $word", terminal=True)
    support.until(run.text)
    run.container.type(b"hello\n")
    assert run.finish() == 0
    assert run.text()[0] == "tty"
    assert "got hello" in run.text()


# --- log ----------------------------------------------------------------------------------------------


def test_times_of_lines_and_what_is_too_long(engine: DockerEngine, image: str) -> None:
    run = Run(engine, image, "echo one; sleep 0.5; echo two; head -c 200000 /dev/zero | cat; echo; printf 'no end'")
    assert run.finish() == 0
    times = {text[:6]: at for at, _, text in run.lines}
    assert 0.4 < times["two"] - times["one"] < 2
    long = run.text()[2]
    assert len(long) == 64 * 1024 + 1
    assert long.endswith("…")
    assert run.text()[3:] == ["no end"]
    assert not run.container.log_cut


def test_a_log_without_end_is_cut_and_does_not_stop_the_container(engine: DockerEngine, image: str) -> None:
    run = Run(
        engine,
        image,
        "head -c 3000000 /dev/zero | cat | tr '\\0' 'y' ; yes | head -n 400000; exit 5",
        log_bytes=100_000,
    )
    assert run.finish(60) == 5
    assert run.container.log_cut
    assert run.container.hit_limits() == ("log",)
    assert sum(len(text) for text in run.text()) <= 100_001


# --- limits of ours -----------------------------------------------------------------------------------

EAT = "x=0123456789abcdef; while :; do x=$x$x; done"


def test_out_of_our_memory_is_told_apart(engine: DockerEngine, image: str) -> None:
    first = Run(engine, image, EAT, memory=32 << 20)
    child = Run(engine, image, f"({EAT}); echo child $?; exit 4", memory=32 << 20)
    fine = Run(engine, image, "kill -9 $$; exit 9", memory=32 << 20)
    assert first.finish() == 137
    assert first.container.hit_limits() == ("memory",)
    assert child.finish() == 4  # its first process survives, and hides it
    assert child.container.hit_limits() == ("memory",)
    assert fine.finish() == 9
    assert fine.container.hit_limits() == ()
    assert support.client().inspect_container(fine.container.id)["HostConfig"]["MemorySwap"] == 32 << 20


def test_out_of_our_processes_is_told_apart(engine: DockerEngine, image: str) -> None:
    bomb = Run(engine, image, "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1 & done; sleep 0.2; exit 3", processes=5)
    fine = Run(engine, image, "sleep 0.3 & sleep 0.3; exit 3", processes=5)
    bomb.finish()
    assert bomb.container.hit_limits() == ("processes",)
    assert fine.finish() == 3
    assert fine.container.hit_limits() == ()


# --- volumes ------------------------------------------------------------------------------------------


def test_a_volume_keeps_owner_mode_and_time_through_fill_and_read(engine: DockerEngine, image: str) -> None:
    members = [
        support.folder("./", uid=1000, gid=1000, mode=0o750, mtime=1_500_000_001),
        support.member("./plain", b"data" * 1000, uid=7, gid=8, mode=0o640, mtime=1_500_000_002),
        support.member("./setuid", b"", uid=0, gid=9, mode=0o4711, mtime=1_500_000_003),
        support.folder("./folder", uid=3, gid=4, mode=0o1777, mtime=1_500_000_004),
        support.member("./folder/päth " + "n" * 120, b"x", uid=5, mtime=1_500_000_005),
        support.member("./pipe", type=tarfile.FIFOTYPE, uid=6, mode=0o622, mtime=1_500_000_006),
        _link("./link", "plain"),
    ]
    volume = engine.volume("input")
    engine.fill(volume, image, iter([support.tar(*members)]))
    found = support.read_tar(engine.read(volume, image))
    assert set(found) == {".", *(m.name.removeprefix("./") for m, _ in members[1:])}
    for info, _ in members:
        there = found[info.name.removeprefix("./") or "."]
        assert (there.type, there.uid, there.gid, there.mtime) == (info.type, info.uid, info.gid, info.mtime), info.name
        assert there.size == info.size
        if not info.issym():
            assert there.mode & 0o7777 == info.mode, info.name
    # … and as the container sees it, which may not write there
    run = Run(
        engine,
        image,
        "cd /opt/ml/input; stat -c '%n %u %g %a' . plain pipe; (echo x > new) 2>&1; ls /opt/ml/out | head; id",
        mounts=(Mount(volume=volume, target="/opt/ml/input", read_only=True),),
    )
    run.finish()
    assert run.text()[:3] == [". 1000 1000 750", "plain 7 8 640", "pipe 6 0 622"]
    assert "Read-only file system" in "\n".join(run.text())
    run.container.remove()
    engine.remove_volume(volume)
    engine.remove_volume(volume)  # one that is gone


def test_a_fresh_volume_hides_what_the_image_holds_there(engine: DockerEngine, image: str) -> None:
    volume = engine.volume("model")
    mount = Mount(volume=volume, target="/opt/ml/model")
    run = Run(engine, image, "ls /opt/ml/model; echo made > /opt/ml/model/new", mounts=(mount,))
    assert run.finish() == 0
    assert run.text() == []
    assert set(support.read_tar(engine.read(volume, image))) == {".", "new"}


def test_a_big_stream_is_never_held_and_a_failing_source_is_not_the_engines(engine: DockerEngine, image: str) -> None:
    volume = engine.volume("big")
    size = 64 << 20

    def source() -> Iterator[bytes]:
        info, _ = support.member("big")
        info.size = size
        yield info.tobuf()
        for _ in range(size >> 20):
            yield b"\0" * (1 << 20)
        yield b"\0" * 1024

    start = time.monotonic()
    engine.fill(volume, image, source())
    sizes = [len(chunk) for chunk in engine.read(volume, image)]
    assert sum(sizes) > size
    assert max(sizes) <= 1 << 20
    assert time.monotonic() - start < 20

    def broken() -> Iterator[bytes]:
        yield support.member("x")[0].tobuf()
        raise FileNotFoundError("the owner's file")

    with pytest.raises(FileNotFoundError, match="the owner's file"):
        engine.fill(volume, image, broken())
    reading = engine.read(volume, image)  # a reader that stops early leaves nothing open
    next(reading)
    reading.close()  # type: ignore[attr-defined]


def test_a_full_disk_of_the_engine_has_a_name() -> None:
    with support.second_engine(disk="48m") as second:
        image = support.import_image(second.client(), NAME)
        engine = connect.open_engine(second.url, deadline_seconds=60)
        volume = engine.volume("big")
        big = support.tar(support.member("big", b"\0" * (100 << 20)))
        with pytest.raises(EngineFull, match=r"data disk \(/tmp/.*is full.*docker system df"):
            engine.fill(volume, image, (big[i : i + (1 << 20)] for i in range(0, len(big), 1 << 20)))
        engine.close()
        assert engine.remains() == []


# --- networks and ports -------------------------------------------------------------------------------

SERVE = "nc -l -p 8080 -e /bin/cat"


def _echo(run: Run) -> bytes:
    connect_to = run.container.endpoint(8080)

    def trial() -> bytes:
        try:
            with connect_to(2) as line:
                line.sendall(b"hello")
                return line.recv(5)
        except ConnectionRefusedError:
            return b""

    return bytes(support.until(trial))


@pytest.mark.parametrize("kind", ["internal", "ordinary", "none"])
def test_an_endpoint_is_reached_on_every_network(engine: DockerEngine, image: str, kind: str) -> None:
    run = Run(engine, image, f"cat /etc/hosts; {SERVE}; sleep 60", kind, hosts={"algo-1": "127.0.0.1"})
    try:
        assert _echo(run) == b"hello"
        connect_to = run.container.endpoint(8080)
    except NotReachable as missing:
        assert kind == "none"
        pytest.skip(str(missing))
    assert any(line.split() == ["127.0.0.1", "algo-1"] for line in run.text())
    with pytest.raises(ConnectionRefusedError):
        connect_to(2)  # nc has ended, the container has not
    run.container.signal("SIGKILL")
    run.finish()
    with pytest.raises(ConnectionRefusedError):
        connect_to(2)  # its address may be another's by now
    with pytest.raises(ConnectionRefusedError):
        run.container.endpoint(8080)(2)
    assert run.container.endpoint is not None


@pytest.fixture
def outside() -> Iterator[str]:
    """The address of a server beyond this machine's own: in a network namespace of its own, behind a cable."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("needs root and iproute2")
    name, near, far = f"smc{os.getpid()}", "198.18.77.1", "198.18.77.2"
    commands = (
        f"ip netns add {name}",
        f"ip link add {name} type veth peer name eth0 netns {name}",
        f"ip addr add {near}/30 dev {name}",
        f"ip link set {name} up",
        f"ip -n {name} addr add {far}/30 dev eth0",
        f"ip -n {name} link set eth0 up",
    )
    server = None
    try:
        for command in commands:
            done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"{command}: {done.stderr}")
        server = subprocess.Popen(
            ["ip", "netns", "exec", name, str(support.BUSYBOX), "nc", "-ll", "-p", "9999", "-e", "/bin/true"]
        )
        yield far
    finally:
        if server:
            server.kill()
            server.wait()
        subprocess.run(["ip", "link", "del", name], capture_output=True, check=False)
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def test_only_the_ordinary_network_has_a_way_out(engine: DockerEngine, image: str, outside: str) -> None:
    out = f"(echo hi | nc -w 2 {outside} 9999 && echo reached || echo not reached) 2>/dev/null"
    runs = {kind: Run(engine, image, out, kind) for kind in ("ordinary", "internal", "none")}
    said = {kind: (run.finish(), run.text()[-1])[1] for kind, run in runs.items()}
    assert said == {"ordinary": "reached", "internal": "not reached", "none": "not reached"}
    assert engine.network("internal") is engine.network("internal")


def test_a_name_on_the_network_resolves(engine: DockerEngine, image: str) -> None:
    first = Run(engine, image, SERVE, "internal", aliases=("algo-2",))
    second = Run(engine, image, "echo over the wire | nc -w 5 algo-2 8080", "internal")
    assert second.finish() == 0
    assert second.text() == ["over the wire"]
    first.container.remove()


def test_a_port_is_published_where_the_address_is_not_ours(
    engine: DockerEngine, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sm_contract.engine.networks.is_ours", lambda address: False)
    other = connect.open_engine(None, deadline_seconds=60)
    try:
        run = Run(other, image, f"while :; do {SERVE}; done", "internal")  # the endpoint tries the port first
        bindings = support.client().inspect_container(run.container.id)["NetworkSettings"]["Ports"]
        assert [bound["HostIp"] for bound in bindings["8080/tcp"]] == ["127.0.0.1"]
        connect_to = run.container.endpoint(8080)

        def trial() -> bytes:
            try:
                with connect_to(2) as line:
                    line.sendall(b"hello")
                    return line.recv(5)
            except OSError:  # the port's owner accepts for a container that does not listen yet
                return b""

        assert support.until(trial, seconds=30) == b"hello"
    finally:
        other.close()


# --- inside -------------------------------------------------------------------------------------------


def test_listeners_their_holders_and_what_those_do_with_sigterm(engine: DockerEngine, image: str) -> None:
    if engine.inside is None:
        pytest.skip(engine.inside_needs)
    child = Run(engine, image, "trap 'exit 0' TERM; nc -l -p 8080 & while :; do sleep 0.1; done", "internal")
    itself = Run(engine, image, "trap '' TERM; exec nc -l -p 8081")
    (found,) = support.until(lambda: engine.inside and engine.inside.listeners(child.container))
    assert (found.port, found.pid_one, found.ignores_sigterm, found.catches_sigterm) == (8080, False, False, False)
    (found,) = support.until(lambda: engine.inside and engine.inside.listeners(itself.container))
    assert (found.address, found.port, found.pid_one) == ("::", 8081, True)
    assert (found.ignores_sigterm, found.catches_sigterm) == (True, False)

    processes = engine.inside.processes(child.container)
    shell = next(process for process in processes if process.depth == 0)
    server = next(process for process in processes if process.command.startswith("nc "))
    assert (server.depth, server.parent) == (1, shell.pid)
    assert shell.rss > 0
    with pytest.raises(ProcessLookupError):
        engine.inside.kill(itself.container, server.pid)  # another container's
    with pytest.raises(ProcessLookupError):
        engine.inside.kill(child.container, os.getpid())
    engine.inside.kill(child.container, server.pid)
    support.until(lambda: engine.inside and not engine.inside.listeners(child.container))
    assert not child.container.exited.is_set()
    for run in (child, itself):
        run.container.remove()
    assert engine.inside.listeners is not None


def test_processor_time_is_known_and_remembered(engine: DockerEngine, image: str) -> None:
    run = Run(engine, image, "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done")
    used = support.until(run.container.cpu_seconds)
    run.finish()
    assert (run.container.cpu_seconds() or 0) >= used > 0


# --- images -------------------------------------------------------------------------------------------


def test_references_are_resolved_without_a_pull(engine: DockerEngine, image: str) -> None:
    short = image.removeprefix("sha256:")[:12]
    assert {engine.resolve(reference) for reference in (f"{NAME}:1", image, short)} == {image}
    with pytest.raises(ImageUnknown, match=f"no image '{NAME}'.*Did you mean {NAME}:1"):
        engine.resolve(NAME)  # :latest, as docker has it
    with pytest.raises(ImageUnknown, match=f"Did you mean {NAME}:1"):
        engine.resolve(f"{NAME[:-1]}:1")
    for reference in ("Upper/Case:1", "a b", "", "nowhere.invalid/x@sha256:" + "0" * 64):
        with pytest.raises(ImageUnknown, match="no image"):
            engine.resolve(reference)
    assert engine.inspect(image)["Id"] == image


def test_an_image_is_read_as_its_container_would_see_it(engine: DockerEngine, image: str) -> None:
    files = engine.files(image)
    expected = {
        "/absolute": ("/bin/busybox", "file"),
        "/escape": ("/etc/passwd", "file"),
        "/opt/ml/link/passwd": ("/etc/passwd", "file"),
        "/opt/ml/link/../ml/pipe": None,  # /etc/../ml, as the kernel has it
        "/circle": ("/circle", "symlink"),
        "/dangling": ("/dangling", "symlink"),
        "/opt/ml/pipe": ("/opt/ml/pipe", "other"),
        "/opt/ml": ("/opt/ml", "directory"),
        "/": ("/", "directory"),
        "/etc/passwd/x": None,
        "/nothing": None,
    }
    for path, there in expected.items():
        found = files.stat(path)
        assert (found and (found.real_path, found.kind)) == there, path
    baked = files.stat("/opt/ml/model/baked")
    assert baked is not None
    assert (baked.uid, baked.gid, baked.mode, baked.size) == (12, 13, 0o4755, 70_000)
    assert (files.read("/escape", 4), files.read("/dangling"), files.read("/opt/ml")) == (b"root", None, None)
    assert len(files.read("/opt/ml/model/baked", 70_000) or b"") == 70_000
    walked = {fact.path: fact.kind for fact in files.walk("/opt/ml")}
    assert walked == {
        "/opt/ml/model": "directory",
        "/opt/ml/model/baked": "file",
        "/opt/ml/pipe": "other",
        "/opt/ml/link": "symlink",
    }
    assert len(files.walk("/", 3)) == 3
    assert files.walk("/nothing") == []


def test_a_stopped_container_becomes_an_image(engine: DockerEngine, image: str) -> None:
    run = Run(engine, image, "echo trained > /result", environment={"A": "B"})
    run.finish()
    made = engine.commit(run.container)
    assert engine.files(made).read("/result") == b"trained\n"
    found: Any = engine.inspect(made)
    assert [tag.rpartition(":")[0] for tag in found["RepoTags"]] == [engine.session.repository]
    assert found["Config"]["Labels"]["sm-contract.session"] == engine.session.id


# --- finding the engine -------------------------------------------------------------------------------


def _missing(url: str | None) -> str:
    start = time.monotonic()
    with pytest.raises(EngineMissing) as caught:
        connect.open_engine(url, deadline_seconds=60)
    assert time.monotonic() - start < 5
    return str(caught.value)


def test_no_engine_gives_one_clear_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    text = _missing(f"unix://{tmp_path}/none.sock")
    assert "--sm-engine" in text
    assert "no such socket" in text
    closed = socket.socket(socket.AF_UNIX)
    closed.bind(f"{tmp_path}/closed.sock")
    assert "refused" in _missing(f"unix://{tmp_path}/closed.sock")
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    text = _missing(None)
    assert "DOCKER_HOST" in text
    assert "refused" in text
    assert "is no engine URL" in _missing("ftp://x")
    monkeypatch.delenv("DOCKER_HOST")
    monkeypatch.setenv("DOCKER_CONTEXT", "elsewhere")
    assert "docker context 'elsewhere'" in _missing(None)
    if os.geteuid() == 0:
        monkeypatch.setattr(socket.socket, "connect", _forbidden)
        assert "usermod -aG docker" in _missing(f"unix://{tmp_path}/closed.sock")


def _forbidden(self: Any, target: Any) -> None:
    raise PermissionError(13, "Permission denied")


def test_what_listens_but_is_no_engine_does_not_hang_us(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "no answer within" in _missing(f"tcp://127.0.0.1:{silent.getsockname()[1]}")
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer() -> None:
            line, _ = other.accept()  # the knock
            line.close()
            line, _ = other.accept()
            line.recv(1000)
            line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
            line.close()

        threading.Thread(target=answer, daemon=True).start()
        assert "does not answer as a container engine" in _missing(f"tcp://127.0.0.1:{other.getsockname()[1]}")


def test_a_docker_context_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import hashlib  # noqa: PLC0415
    import json  # noqa: PLC0415

    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    home = tmp_path / "contexts" / "meta" / hashlib.sha256(b"ci").hexdigest()
    home.mkdir(parents=True)
    (home / "meta.json").write_text(
        json.dumps({"Name": "ci", "Endpoints": {"docker": {"Host": "unix:///var/run/docker.sock"}}})
    )
    (tmp_path / "config.json").write_text('{"currentContext": "ci"}')
    found = connect.find(None)
    assert (found.url, found.source) == ("unix:///var/run/docker.sock", "docker context 'ci'")
