"""A container's namespaces, looked at from outside: through /proc, as root on the kernel that runs the engine."""

from __future__ import annotations

import contextlib
import ctypes
import ipaddress
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sm_contract.engine.cgroup import PROC, holds
from sm_contract.engine.packets import ETH_P_ALL, Packets
from sm_contract.engine.protocol import Container, EngineFacts, Network, NotReachable, Process
from sm_contract.record import Listener

if TYPE_CHECKING:
    from sm_contract.engine.link import Address

NEEDS = "needs root on a local Linux engine"
NEWNET = 0x40000000
LISTEN = "0A"
RESOLVER = "127.0.0.11"  # docker's own, in the namespace of every container on a network of ours
SIGTERM_BIT = 1 << (signal.SIGTERM - 1)


def inside_or_why(facts: EngineFacts, address: Address) -> tuple[LinuxInside | None, str]:
    """Whether containers can be looked into at all; each one is proved by its control group later."""
    if sys.platform != "linux" or not facts.local:
        return None, NEEDS
    if os.geteuid() != 0:
        return None, f"{NEEDS}: this run has user id {os.geteuid()}"
    if not _peer(address.socket_path):
        return None, f"{NEEDS}: the engine's processes are not visible from here (another PID namespace)"
    return LinuxInside(), ""


def _peer(path: str) -> int:
    """The process behind a Unix socket, 0 if it is in no PID namespace we see."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(2)
            line.connect(path)
            return int.from_bytes(line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[:4], sys.byteorder)
    except OSError:
        return 0


def _setns(descriptor: int) -> None:
    """Move this thread into a network namespace."""
    if sys.version_info >= (3, 12):
        os.setns(descriptor, NEWNET)
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, NEWNET) != 0:
        raise OSError(ctypes.get_errno(), f"setns: {os.strerror(ctypes.get_errno())}")


def socket_in(namespace: int, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM) -> socket.socket:
    """A socket of another network namespace (an open /proc/<pid>/ns/net). It stays there, its maker does not."""
    made: list[socket.socket] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            _setns(namespace)
            made.append(socket.socket(family, kind, socket.htons(ETH_P_ALL) if kind == socket.SOCK_RAW else 0))
        except BaseException as error:  # handed to the caller
            failed.append(error)

    thread = threading.Thread(target=work, name="sm-contract-netns")  # ends at once, and its namespace with it
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return made[0]


class LinuxInside:
    """Implements ``protocol.Inside``. Raises NotReachable for a container whose processes are not seen here."""

    def _first(self, container: Container) -> int:
        """The container's first process; 0 when it has ended. Proved to be the container's."""
        pid = container.state().pid
        if pid and not holds(pid, container.id):
            if container.exited.wait(0.2) or not container.state().pid:
                return 0
            raise NotReachable(NEEDS)
        return pid

    def _members(self, container: Container) -> list[int]:
        pids = (int(entry) for entry in os.listdir(PROC) if entry.isdigit())
        return [pid for pid in pids if holds(pid, container.id)]

    def opener(self, container: Container) -> Callable[[], socket.socket] | None:
        """A maker of sockets in the container's network namespace; None when it has ended."""
        namespace = self._namespace(container)
        return namespace.stream if namespace else None

    def packets(self, container: Container, network: Network) -> Packets:
        """Whoever listens to the packets that leave a container of this network; made before its start."""
        return Packets(lambda: self._packets_of(container), container.mac, network.bridge)

    def _packets_of(self, container: Container) -> socket.socket | None:
        namespace = self._namespace(container)
        return socket_in(namespace.descriptor, socket.AF_PACKET, socket.SOCK_RAW) if namespace else None

    def _namespace(self, container: Container) -> Namespace | None:
        pid = self._first(container)
        if not pid:
            return None
        try:
            namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
        except OSError:
            return None
        if not holds(pid, container.id):  # the number was another's by the time it was opened
            os.close(namespace)
            return None
        return Namespace(namespace)

    def listeners(self, container: Container) -> tuple[Listener, ...]:
        """The TCP sockets in state LISTEN, and what their holders do with SIGTERM."""
        first = self._first(container)
        if not first:
            return ()
        holders = _holders(self._members(container))
        found = []
        for address, port, inode in _listening(first):
            pids = holders.get(inode, [])
            if not pids and address == RESOLVER:
                continue
            # PID 1 is who gets the signal; without it, those who serve.
            asked = [first] if first in pids else pids
            masks = [mask for mask in map(_sigterm, asked) if mask is not None]
            found.append(
                Listener(
                    address=address,
                    port=port,
                    pid_one=first in pids,
                    pids=tuple(sorted(pids)),
                    catches_sigterm=any(caught for caught, _ in masks) if masks else None,
                    ignores_sigterm=all(ignored for _, ignored in masks) if masks else None,
                )
            )
        return tuple(found)

    def processes(self, container: Container) -> tuple[Process, ...]:
        first = self._first(container)
        if not first:
            return ()
        facts = {pid: fact for pid in self._members(container) if (fact := _process(pid)) is not None}
        masks = {pid: _sigterm(pid, waits=True) or (False, False) for pid in facts}
        tasks = {pid: tuple(_tasks(pid)) for pid in facts}

        def depth(pid: int) -> int:
            steps = 0
            while pid != first and pid in facts and steps < len(facts):
                pid, steps = facts[pid][0], steps + 1
            return steps

        return tuple(
            Process(
                pid=pid,
                parent=parent,
                command=command,
                rss=rss,
                depth=depth(pid),
                catches_sigterm=masks[pid][0],
                ignores_sigterm=masks[pid][1],
                waits_for_child=("S", "do_wait") in tasks[pid][:1],
                waits_for_pipe=any(place.startswith("wait_for_partner") for _, place in tasks[pid]),
                at_work=any(state in ("R", "D") for state, _ in tasks[pid]),
            )
            for pid, (parent, command, rss) in sorted(facts.items())
        )

    def zombies(self, container: Container) -> int:
        """How many children of the first process have ended and were not waited for."""
        first = self._first(container)
        stats = (_stat(int(entry)) for entry in os.listdir(PROC) if entry.isdigit())
        return sum(first > 0 and stat[:2] == ["Z", str(first)] for stat in stats)

    def kill(self, container: Container, pid: int, name: str = "SIGKILL") -> None:
        """Signal one process of the container; raises ProcessLookupError if it is not (any more) the container's."""
        descriptor = os.pidfd_open(pid)  # from here on the number cannot become another's
        try:
            if not holds(pid, container.id):
                raise ProcessLookupError(f"process {pid} is not in {container.name}")
            signal.pidfd_send_signal(descriptor, signal.Signals[name])
        finally:
            os.close(descriptor)


class Namespace:
    """An open network namespace, closed with its last user."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def stream(self) -> socket.socket:
        return socket_in(self.descriptor)

    def __del__(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self.descriptor)


def _listening(pid: int) -> Iterator[tuple[str, int, str]]:
    """Address, port and inode of each listening socket in a process's network namespace."""
    for table in ("tcp", "tcp6"):
        try:
            lines = Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == LISTEN:
                address, _, port = fields[1].partition(":")
                yield _address(address), int(port, 16), fields[9]


def _address(text: str) -> str:
    """The kernel prints each 32-bit word in the machine's own byte order."""
    words = [int(text[i : i + 8], 16).to_bytes(4, sys.byteorder) for i in range(0, len(text), 8)]
    return str(ipaddress.ip_address(b"".join(words)))


def _holders(pids: list[int]) -> dict[str, list[int]]:
    """Socket inode to the processes that have it open."""
    found: dict[str, list[int]] = {}
    for pid in pids:
        with contextlib.suppress(OSError):
            for entry in os.scandir(f"/proc/{pid}/fd"):
                with contextlib.suppress(OSError):
                    target = os.readlink(entry.path)
                    if target.startswith("socket:["):
                        found.setdefault(target[8:-1], []).append(pid)
    return found


def _sigterm(pid: int, *, waits: bool = False) -> tuple[bool, bool] | None:
    """Whether a process catches and whether it ignores SIGTERM; one that blocks it may catch it by a wait for it."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    lines = (line.split(":\t", 1) for line in text.splitlines() if line.startswith(("SigCgt", "SigIgn", "SigBlk")))
    has = {name: bool(int(mask, 16) & SIGTERM_BIT) for name, mask in lines}
    return has["SigCgt"] or (waits and has["SigBlk"]), has["SigIgn"]


def _tasks(pid: int) -> Iterator[tuple[str, str]]:
    """The state of each thread, the first one's first, and where in the kernel it waits."""
    with contextlib.suppress(OSError):
        for task in sorted(Path(f"/proc/{pid}/task").iterdir(), key=lambda path: int(path.name)):
            with contextlib.suppress(OSError):
                stat = (task / "stat").read_text(errors="replace")
                yield stat[stat.rfind(")") + 2 :][:1], (task / "wchan").read_text()


def _stat(pid: int) -> list[str]:
    """What the kernel says of a process from its state and its parent on; empty when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return []
    return text[text.rfind(")") + 2 :].split()


def _process(pid: int) -> tuple[int, str, int] | None:
    """Parent, command line and resident memory of a process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return None
    values = stat[stat.rfind(")") + 2 :].split()
    if values[0] in "ZX":
        return None
    name = stat[stat.find("(") + 1 : stat.rfind(")")]
    return int(values[1]), command or f"[{name}]", int(values[21]) * os.sysconf("SC_PAGE_SIZE")
