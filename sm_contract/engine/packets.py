"""What a container tries to reach: names looked up and addresses tried, off the packets that leave it.

Two raw sockets: one in the container's network namespace, which is there only once it runs, and one on the bridge from
before that, where its first packets are known by their sender's address. Nothing is answered, nothing is held up. The
packets are somebody's untrusted program's: whatever cannot be read is passed over, and the list is bounded.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from sm_contract.engine.protocol import NotReachable

MOST = 200  # different attempts that are kept
ETH_P_ALL = 3
OUTGOING = 4  # sll_pkttype
SENDER = slice(6, 12)  # of an Ethernet frame
IPV4, IPV6 = 0x0800, 0x86DD
TCP, UDP = 6, 17
SYN, ACK = 0x02, 0x10
DNS = 53
RESOLVER = ipaddress.ip_address("127.0.0.11").packed
_LOOPBACK = "lo"
_INSIDE = b"inside"
_READ_AT_ONCE = 2048  # bytes of a frame


class Packets:
    """Listens from when it is made until ``end``.

    ``inside`` makes a socket in the container's network namespace, ``mac`` asks for its address on ``bridge``.
    """

    def __init__(self, inside: Callable[[], socket.socket | None], mac: Callable[[], str], bridge: str) -> None:
        self._inside, self._mac = inside, mac
        self._found: dict[bytes, dict[str, float]] = {_INSIDE: {}}  # by sender
        self._own: set[bytes] = set()
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        if bridge:
            with contextlib.suppress(OSError):
                line = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
                line.bind((bridge, ETH_P_ALL))
                self._begin(line, lambda frame, where: b"" if where[2] == OUTGOING else frame[SENDER])

    def started(self) -> None:
        """The container has been started: find out which packets are its own."""
        with contextlib.suppress(NotReachable, OSError):
            if mac := self._mac():
                self._own.add(bytes.fromhex(mac.replace(":", "")))
            if line := self._inside():
                self._own.add(_INSIDE)
                self._begin(line, lambda _, where: _INSIDE if where[2] == OUTGOING else b"")

    def end(self) -> dict[str, float] | None:
        """What was tried ("weights.example.com", "203.0.113.7:443"), each with when first (monotonic).

        None if it ended before it could be told which packets were its own.
        """
        self._over.set()
        for thread in self._threads:
            thread.join(2.0)
        first: dict[str, float] = {}
        for sender in self._own:
            for what, at in self._found.get(sender, {}).items():
                first[what] = min(at, first.get(what, at))
        return first if self._own else None

    def _begin(self, line: socket.socket, sender: Callable[[bytes, Any], bytes]) -> None:
        line.settimeout(0.2)
        name = "sm-contract-packets"
        self._threads.append(threading.Thread(target=self._listen, args=(line, sender), name=name, daemon=True))
        self._threads[-1].start()

    def _listen(self, line: socket.socket, sender: Callable[[bytes, Any], bytes]) -> None:
        with line, contextlib.suppress(OSError):
            while not self._over.is_set():
                try:
                    frame, where = line.recvfrom(_READ_AT_ONCE)
                except TimeoutError:
                    continue
                by = sender(frame, where)
                reads = lookup if where[0] == _LOOPBACK else attempt
                what = reads(where[1], frame[14:]) if by else ""
                if what and (by in self._found or len(self._found) < MOST):
                    found = self._found.setdefault(by, {})
                    if len(found) < MOST:
                        found.setdefault(what, time.monotonic())


def attempt(protocol: int, packet: bytes) -> str:
    """The name that a packet asks for, or the address it tries to open; "" for any other packet."""
    try:
        if protocol == IPV4:
            size, kind, target = (packet[0] & 0x0F) * 4, packet[9], ipaddress.ip_address(packet[16:20])
        elif protocol == IPV6:
            size, kind, target = 40, packet[6], ipaddress.ip_address(packet[24:40])
        else:
            return ""
        segment = packet[size:]
        port = int.from_bytes(segment[2:4], "big")
        if kind == UDP and port == DNS:
            return _question(segment[8:])
        if target.is_multicast or (target.is_link_local and ":" in str(target)):
            return ""
        opens = kind == TCP and segment[13] & (SYN | ACK) == SYN
        return f"{target}:{port}" if opens or kind == UDP else ""
    except (IndexError, ValueError):
        return ""


def lookup(protocol: int, packet: bytes) -> str:
    """The name that the engine's own resolver is asked for; "" for any other packet.

    It is inside the container, behind a port that changes. Newer engines hand on nothing of an internal network.
    """
    try:
        to_it = protocol == IPV4 and packet[9] == UDP and packet[16:20] == RESOLVER
        return _question(packet[(packet[0] & 0x0F) * 4 + 8 :]) if to_it else ""
    except IndexError:
        return ""


def _question(message: bytes) -> str:
    """The first name of a DNS query; "" for addresses looked up backwards and for names without a dot."""
    labels: list[str] = []
    at = 12
    while size := message[at]:
        if size > 63 or len(labels) > 32:
            return ""
        labels.append(message[at + 1 : at + 1 + size].decode("ascii", "backslashreplace"))
        at += 1 + size
    name = ".".join(labels)
    return "" if len(labels) < 2 or name.endswith(".arpa") or not name.isprintable() else name[:253].lower()
