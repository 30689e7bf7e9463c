"""For tests on a real engine: a tiny image made through its API, tar streams, and waits that are bounded."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker as docker_py
import pytest

from fixtures import packages
from sm_contract.engine import connect
from sm_contract.engine.docker import DockerEngine
from sm_contract.engine.protocol import Container, ContainerSpec

NAME = f"sm-engine-test-{os.getpid()}"
TOOLS = (
    "sh",
    "sleep",
    "cat",
    "nc",
    "id",
    "ls",
    "head",
    "mkfifo",
    "dd",
    "yes",
    "nslookup",
    "wget",
    "stat",
    "test",
    "awk",
)


def client() -> Any:
    """The test's own view of the engine, skipping where there is none."""
    try:
        return docker_py.APIClient(version="1.40", timeout=60)
    except docker_py.errors.DockerException as error:
        pytest.skip(f"no engine: {error}")


def member(name: str, data: bytes | None = b"", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    """A tar member; ``type``, ``mode``, ``uid`` … as fields."""
    info = tarfile.TarInfo(name)
    for field, value in {"mode": 0o644, "mtime": 1_600_000_000, **fields}.items():
        setattr(info, field, value)
    info.size = len(data or b"")
    return info, data or b""


def folder(name: str, **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, type=tarfile.DIRTYPE, **{"mode": 0o755, **fields})


def tar(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data) if info.isreg() else None)
    return buffer.getvalue()


def link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, type=tarfile.SYMTYPE, linkname=target)


def read_tar(chunks: Iterator[bytes]) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
        return {info.name.removeprefix("./") or ".": info for info in archive}


def busybox_program() -> Path:
    """A static busybox, skipping where there is none to be had."""
    try:
        return packages.busybox_program()
    except packages.NoPackage as error:
        pytest.skip(str(error))


def busybox_tar(*extra: tuple[tarfile.TarInfo, bytes]) -> bytes:
    links = [member(f"bin/{tool}", type=tarfile.SYMTYPE, linkname="busybox") for tool in TOOLS]
    return tar(
        folder("bin"),
        member("bin/busybox", busybox_program().read_bytes(), mode=0o755),
        *links,
        folder("etc"),
        member("etc/passwd", b"root:x:0:0::/:/bin/sh\nowner:x:1000:1000::/:/bin/sh\n"),
        *extra,
    )


def import_image(api: Any, name: str, *extra: tuple[tarfile.TarInfo, bytes], changes: list[str] | None = None) -> str:
    """An image of busybox and ``extra``; returns its id. The caller removes ``name``."""
    api.import_image_from_data(busybox_tar(*extra), repository=name, tag="1", changes=changes)
    return str(api.inspect_image(f"{name}:1")["Id"])


def docker(*arguments: str, given: str = "") -> str:
    """What the docker command answers."""
    done = subprocess.run(["docker", *arguments], input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextlib.contextmanager
def copy_of(image: str) -> Iterator[str]:
    """The id of an image that is like another, and that nobody else on this engine runs."""
    mark = uuid.uuid4().hex
    tag = f"sm-contract-test/{mark}:1"
    docker("build", "-q", "-t", tag, "-", given=f"FROM {image}\nLABEL sm-contract-test={mark}\n")
    try:
        yield docker("image", "inspect", "--format", "{{.Id}}", tag).strip()
    finally:
        docker("rmi", tag)


def opened() -> Iterator[DockerEngine]:
    """The engine as a run has it; nothing of it is left."""
    client()
    made = connect.open_engine(None, deadline_seconds=600)
    yield made
    made.close()
    assert things(client(), made.session.id) == []


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


def until(what: Callable[[], Any], seconds: float = 10.0, every: float = 0.05) -> Any:
    """Wait for something to be true and return it."""
    end = time.monotonic() + seconds
    while not (found := what()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(every)
    return found


def promised(seconds: float) -> float:
    """How long may take what is promised in so many seconds, on a machine that others may keep busy meanwhile."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def things(api: Any, session: str) -> list[str]:
    """Everything in the engine with a session's marks, asked of the docker command and not of the code under test."""
    commands = (
        ["ps", "-aq", "--filter", f"label=sm-contract.session={session}"],
        ["network", "ls", "-q", "--filter", f"label=sm-contract.session={session}"],
        ["volume", "ls", "-q", "--filter", f"label=sm-contract.session={session}"],
        ["images", "-q", f"sm-contract/{session}"],
        ["images", "-q", "--filter", f"label=sm-contract.session={session}"],
    )
    found = []
    for command in commands:
        output = subprocess.run(["docker", *command], capture_output=True, text=True, check=True).stdout
        found += [f"{command[0]} {line}" for line in output.split()]
    return found


class Dockerd:
    """A second engine with nothing in common with the first."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.disk = home / "data"
        self.url = f"unix://{home}/engine.sock"
        self.process = self.start()

    @property
    def within(self) -> tuple[str, ...]:
        """What to put before a command that is to reach this engine's containers: its network is its own."""
        return ("nsenter", f"--target={self.process.pid}", "--net")

    def bring(self, image: str) -> None:
        """Bring in an image of the first engine."""
        self.client().load_image(b"".join(client().get_image(image)))

    def things(self) -> list[str]:
        """Every container and volume there is."""
        containers = [name[1:] for found in self.client().containers(all=True) for name in found["Names"]]
        return containers + [volume["Name"] for volume in self.client().volumes()["Volumes"] or []]

    def start(self) -> subprocess.Popen[bytes]:
        home = self.home
        flags = [f"--data-root={self.disk}", f"--exec-root={home}/exec", f"--pidfile={home}/pid", f"-H={self.url}"]
        with (home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                # in a network of its own: an engine without a bridge removes docker0, which is the first one's
                [
                    "unshare",
                    "--net",
                    "dockerd",
                    *flags,
                    "--bridge=none",
                    "--iptables=false",
                    "--ip-forward=false",
                    "--ip-masq=false",
                ],
                stdout=log,
                stderr=log,
            )
        until(self.answers, 30)
        return self.process

    def answers(self) -> bool:
        with contextlib.suppress(Exception):
            return bool(self.client().ping())
        return False

    def client(self) -> Any:
        return docker_py.APIClient(base_url=self.url, version="1.40", timeout=20)

    def die(self) -> None:
        """As by a power cut: the engine and its containerd; what they started goes on."""
        containerd = int((self.home / "exec" / "containerd" / "containerd.pid").read_text())
        self.process.kill()
        os.kill(containerd, signal.SIGKILL)
        self.process.wait()

    def end(self) -> None:
        """Start it again if need be, so that it takes its containers and its containerd with it."""
        if self.process.poll() is not None:
            self.start()
        for found in self.client().containers(all=True):
            self.client().remove_container(found["Id"], force=True)
        self.process.terminate()
        self.process.wait(30)


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """A disk of this size ("48m") on a folder."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small disk")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=False)
    if done.returncode:
        pytest.skip("needs to mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=False)


def fill(disk: Path) -> None:
    """Write to a disk until it is full."""
    with (disk / "filling").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)


@contextlib.contextmanager
def second_engine(disk: str = "") -> Iterator[Dockerd]:
    """A second dockerd for as long as it is needed, on a disk of its own size if one is given ("48m")."""
    if os.geteuid() != 0 or not shutil.which("dockerd"):
        pytest.skip("needs root and dockerd")
    home = Path(tempfile.mkdtemp(prefix="smc-", dir="/tmp"))  # a socket's path is short
    try:
        (home / "data").mkdir()
        with small_disk(home / "data", disk) if disk else contextlib.nullcontext():
            made = Dockerd(home)
            try:
                yield made
            finally:
                made.end()
    finally:
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines() if str(home) in line]
        for mount in sorted(mounts, reverse=True):
            subprocess.run(["umount", "-l", mount], check=False)
        shutil.rmtree(home, ignore_errors=True)
