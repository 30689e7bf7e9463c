"""What the suite asks of a container engine. ``engine.docker`` implements it; nothing else knows docker-py."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from sm_contract.record import FileFact, Listener, Written


class EngineError(Exception):
    """The engine is missing, refused us, or was lost. ``args[0]`` names the input and the way out."""

    cut_short = "the container engine refused a call"  # why a run that met it did not come to its end


class EngineMissing(EngineError):
    """No engine answers where one was looked for."""

    cut_short = ""  # nothing was begun


class EngineLost(EngineError):
    """An engine that answered before does not any more."""

    cut_short = "the container engine was lost"


class EngineFull(EngineError):
    """The engine's disk is full (or its quota): a limit of the machine, never a verdict."""

    cut_short = "the disk of the container engine is full"


class ImageUnknown(Exception):
    """The reference names no image in the engine; the text names it and near ones."""


class StartError(Exception):
    """The engine could not start the container; ``args[0]`` is the engine's own text."""


@dataclass(frozen=True, kw_only=True)
class EngineFacts:
    name: str  # "docker" or "podman"
    version: str
    os: str
    architecture: str  # "amd64", "arm64"
    cpus: int
    memory: int  # bytes
    url: str
    local: bool  # reached through a local socket, on this kernel
    emulates: tuple[str, ...] = ()  # foreign architectures it could run by emulation
    withheld: frozenset[str] = frozenset()  # capabilities that this machine has not to give, as far as is known


@dataclass(frozen=True, kw_only=True)
class Volume:
    name: str


@dataclass(frozen=True, kw_only=True)
class Network:
    kind: str  # "internal", "none", "ordinary"
    name: str  # the engine's name; "none" for kind none
    gateway: str = ""  # its address on the engine's host
    published: bool = False  # reached by ports on 127.0.0.1, since its addresses cannot be
    bridge: str = ""  # the interface of this machine that its packets pass on their way out; empty where there is none


@dataclass(frozen=True, kw_only=True)
class Mount:
    volume: Volume
    target: str
    read_only: bool = False


SHM = 64 * 1024 * 1024  # bytes of /dev/shm that the platform gives, and the engine


@dataclass(frozen=True, kw_only=True)
class ContainerSpec:
    """A container exactly as the platform would have it, unless a field says otherwise."""

    image: str  # id
    command: tuple[str, ...] | None  # None: the image's own CMD
    purpose: str  # for its name and for messages: "train.full"
    network: Network
    environment: Mapping[str, str] = field(default_factory=dict)
    hostname: str = ""  # empty: the engine's default
    hosts: Mapping[str, str] = field(default_factory=dict)  # extra names → addresses
    aliases: tuple[str, ...] = ()  # names on its network
    mounts: tuple[Mount, ...] = ()
    terminal: bool = False  # tty and standard input, for a diagnosis only
    capabilities: tuple[str, ...] = ()  # added, for a diagnosis only; the engine refuses those of ``withheld``
    devices: tuple[str, ...] = ()
    seccomp: bool = True
    shm: int = SHM  # bytes
    privileged: bool = False
    dropped: bool = False  # no capability at all, and no way to one (no-new-privileges)
    read_only_root: bool = False  # with a tmpfs on /tmp
    user: str = ""  # in the place of the image's own, as uid:gid
    open_files: int = 0  # soft and hard limit; 0: the engine's
    healthcheck: bool = True  # the image's own is run
    memory: int = 0  # bytes; 0: none. Swap is never added
    processes: int = 0  # 0: none
    log_bytes: int = 64 * 1024 * 1024  # how much of the log is kept
    ports: tuple[int, ...] = (8080,)  # published on 127.0.0.1, only where its address cannot be reached
    dns: tuple[str, ...] = ()  # resolvers; none: the engine's


@dataclass(frozen=True, kw_only=True)
class State:
    running: bool
    exit_code: int | None
    out_of_memory: bool
    error: str
    pid: int  # of the first process, as the engine's host numbers it; 0 when not running
    address: str  # on its network; empty for none


@dataclass(frozen=True, kw_only=True)
class Process:
    pid: int  # as this host numbers it
    parent: int
    command: str
    rss: int  # bytes
    depth: int  # generations below the container's first process
    catches_sigterm: bool = False  # by a handler, or waits for it
    ignores_sigterm: bool = False
    waits_for_child: bool = False  # it does nothing else just now
    waits_for_pipe: bool = False  # for the other end of a named pipe to be opened
    at_work: bool = False  # a thread of it runs, would if it got a processor, or waits for a disk


class Container(Protocol):
    """One container of ours. ``exited`` is set by a blocked wait that begins with ``start``."""

    id: str
    name: str
    exited: threading.Event

    def start(self) -> None:
        """Start it, begin the blocked wait. Raises StartError with the engine's words."""

    def follow(self, line: Callable[[float, str, str], None]) -> None:
        """Call ``line(time.monotonic(), stream, text)`` for each log line, in a thread; call before start."""

    def drained(self, timeout: float) -> bool:
        """Wait until the log was read to its end after the exit; False if it was not within ``timeout``."""

    @property
    def log_cut(self) -> bool:
        """Whether more was logged than is kept."""

    def state(self) -> State: ...

    def exit_code(self) -> int | None:
        """The exit code once ``exited`` is set."""

    def signal(self, name: str) -> None:
        """Send "SIGTERM" or "SIGKILL" to the first process; nothing if it has ended."""

    def type(self, text: bytes) -> None:
        """Write to the standard input of a container made with a terminal."""

    def cpu_seconds(self) -> float | None:
        """Processor time used so far, None if the engine does not say."""

    def written(self, at_least: int) -> Written:
        """What an ended one left in its own file system; nothing if all it wrote there is less than ``at_least``."""

    def before_end(self, path: str) -> float | None:
        """How many seconds before its end a file was last written, by the engine's clock; None if it is not there."""

    def hit_limits(self) -> tuple[str, ...]:
        """Limits of ours that were hit: "memory", "processes", "log"."""

    def mac(self) -> str:
        """Its address on the bridge of its network, while it runs; empty where it has none."""

    def endpoint(self, port: int) -> Callable[[float], socket.socket]:
        """A function that opens a TCP connection to ``port`` within a time-out in seconds.

        It goes to the container's address where that can be reached, else through a port published
        on 127.0.0.1, and for a network of kind none through the container's network namespace.
        Raises NotReachable with what it would need.
        """

    def remove(self) -> None:
        """Kill and remove it with its anonymous volumes; never fails on one that is gone."""


class NotReachable(Exception):
    """An endpoint cannot be reached on this engine; the text says what it would need ("needs …")."""


class Packets(Protocol):
    """What a container tries to reach, from when this was made."""

    def started(self) -> None:
        """The container has been started: find out which packets are its own."""

    def end(self) -> dict[str, float] | None:
        """What was tried ("weights.example.com", "203.0.113.7:443"), each with when first (monotonic).

        None if none of its packets could have been seen.
        """


class Inside(Protocol):
    """A container's namespaces, looked at from outside: root on the kernel that runs the engine."""

    def listeners(self, container: Container) -> tuple[Listener, ...]: ...

    def processes(self, container: Container) -> tuple[Process, ...]: ...

    def zombies(self, container: Container) -> int:
        """How many children of the first process have ended and were not waited for."""

    def opener(self, container: Container) -> Callable[[], socket.socket] | None:
        """A maker of sockets in the container's network namespace; None when it has ended."""

    def packets(self, container: Container, network: Network) -> Packets:
        """Whoever listens to the packets that leave a container of this network; made before its start."""

    def kill(self, container: Container, pid: int, name: str = "SIGKILL") -> None:
        """Signal one process of the container; raises ProcessLookupError if it is not (any more) the container's."""


@dataclass(frozen=True)
class Left:
    """Containers that are to be looked at after the run, with what they use."""

    names: tuple[str, ...]
    remove: str  # the commands that remove all of it


class Engine(Protocol):
    """One connection to an engine, and the owner of all that is made through it."""

    facts: EngineFacts
    inside: Inside | None  # None where it cannot be had
    inside_needs: str  # what it would need: "needs root on a local Linux engine"
    starts: int  # containers started so far
    left: Left | None  # what close() left there

    def create(self, spec: ContainerSpec) -> Container: ...

    def volume(self, purpose: str) -> Volume: ...

    def fill(self, volume: Volume, image: str, tar: Iterable[bytes]) -> None:
        """Unpack a tar stream into a volume, owner, mode and mtime exact, through a never-started helper."""

    def read(self, volume: Volume, image: str) -> Iterator[bytes]:
        """A volume's content as a tar stream (members below "./")."""

    def network(self, kind: str) -> Network:
        """A network of the kind, made once per session and kind ("internal", "ordinary"; "none" is there)."""

    def commit(self, container: Container) -> str:
        """The stopped container's file system as an image of ours; returns its id."""

    def load(self, tar: Iterable[bytes]) -> str:
        """Stream a docker archive in, whose only tag is ours; returns the image id."""

    def check_room(self) -> None:
        """Raise EngineFull if its disk is full, as far as that can be seen from here."""

    def tag(self) -> str:
        """The next tag of ours: ``sm-contract/<session>:<n>``."""

    def control(self) -> str | None:
        """The image of the control server, brought in when first asked for; None where none is built for it."""

    def resolve(self, reference: str) -> str:
        """Tag, digest or id to the image id. Never pulls. Raises ImageUnknown."""

    def inspect(self, image: str) -> dict[str, object]:
        """The engine's own description of an image id (docker's JSON)."""

    def files(self, image: str) -> FileSystem:
        """The merged file system of an image, through one never-started container."""

    def remove_volume(self, volume: Volume) -> None: ...

    def leave(self, containers: Collection[tuple[str, str]]) -> None:
        """Let close() leave these containers (image id, purpose), with what they use; one that keeps still has them."""

    def close(self) -> None:
        """Remove all that is ours; safe to call twice, from a signal handler's thread, and after a lost engine."""


class FileSystem(Protocol):
    """A read-only file tree: an image in the engine, or the merged layers of an archive."""

    def stat(self, path: str) -> FileFact | None:
        """What is at an absolute path, symbolic links followed; None if nothing is."""

    def read(self, path: str, limit: int = 65536) -> bytes | None:
        """The first ``limit`` bytes of a regular file, symbolic links followed."""

    def walk(self, path: str, limit: int = 1000) -> list[FileFact]:
        """What lies below a directory, recursively, links not followed; at most ``limit`` entries."""

    def every(self) -> Iterator[FileFact]:
        """All there is, links not followed. As long as it takes to read the whole image, in constant memory."""
