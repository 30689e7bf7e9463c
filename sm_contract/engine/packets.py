"""What a container tries to reach: names looked up and addresses tried, off the packets that leave it.

Two raw sockets: one on the bridge from before the start, where a packet is known by its sender's address, and one in
the container's network namespace, which is there only once it runs. Nothing is answered, nothing is held up. The
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
_OWN = "lo"
_READ_AT_ONCE = 2048  # bytes of a frame


class Packets:
    """Listens from when it is made until ``end``; ``inside`` makes a socket in the container's network namespace."""

    def __init__(self, inside: Callable[[], socket.socket | None], bridge: str, mac: str) -> None:
        self._inside = inside
        self._found: dict[str, float] = {}
        self._over = threading.Event()
        self._sender = bytes.fromhex(mac.replace(":", ""))
        self._seen = False  # whether a packet of this container could be told from others, or came from inside it
        self._threads: list[threading.Thread] = []
        if bridge and mac:
            with contextlib.suppress(OSError):
                line = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
                line.bind((bridge, ETH_P_ALL))
                self._begin(line, lambda frame, _: frame[SENDER] == self._sender)

    def started(self) -> None:
        """Listen inside the container, too."""
        with contextlib.suppress(NotReachable, OSError):
            if line := self._inside():
                self._seen = True
                self._begin(line, lambda _, where: where[2] == OUTGOING and where[0] != _OWN)

    def end(self) -> dict[str, float] | None:
        """What was tried ("weights.example.com", "203.0.113.7:443"), each with when first (monotonic).

        None if none of its packets could have been seen.
        """
        self._over.set()
        for thread in self._threads:
            thread.join(2.0)
        return dict(self._found) if self._seen else None

    def _begin(self, line: socket.socket, ours: Callable[[bytes, Any], bool]) -> None:
        line.settimeout(0.2)
        name = "sm-contract-packets"
        self._threads.append(threading.Thread(target=self._listen, args=(line, ours), name=name, daemon=True))
        self._threads[-1].start()

    def _listen(self, line: socket.socket, ours: Callable[[bytes, Any], bool]) -> None:
        with line, contextlib.suppress(OSError):
            while not self._over.is_set():
                try:
                    frame, where = line.recvfrom(_READ_AT_ONCE)
                except TimeoutError:
                    continue
                if not ours(frame, where):
                    continue
                self._seen = True
                what = attempt(where[1], frame[14:])
                if what and (what in self._found or len(self._found) < MOST):
                    self._found.setdefault(what, time.monotonic())


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
