"""What a container tries to reach: names looked up and addresses tried, off the packets that leave its own network.

A raw socket in the container's network namespace: nothing is answered, nothing is held up, and no other container is
seen. The packets are somebody's untrusted program's: whatever cannot be read is passed over, and the list is bounded.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
import time
from collections.abc import Callable

MOST = 200  # different attempts that are kept
ETH_P_ALL = 3
OUTGOING = 4  # sll_pkttype
IPV4, IPV6 = 0x0800, 0x86DD
TCP, UDP = 6, 17
SYN, ACK = 0x02, 0x10
DNS = 53
_OWN = "lo"


class Packets:
    """Listens from when it is made until ``end``."""

    def __init__(self, made: Callable[[], socket.socket]) -> None:
        self._found: dict[str, float] = {}
        self._over = threading.Event()
        self._socket = made()
        self._socket.settimeout(0.2)
        self._thread = threading.Thread(target=self._listen, name="sm-contract-packets", daemon=True)
        self._thread.start()

    def end(self) -> dict[str, float]:
        """What was tried ("weights.example.com", "203.0.113.7:443"), each with when first (monotonic)."""
        self._over.set()
        self._thread.join(2.0)
        return dict(self._found)

    def _listen(self) -> None:
        with self._socket, contextlib.suppress(OSError):
            while not self._over.is_set():
                try:
                    frame, where = self._socket.recvfrom(2048)
                except TimeoutError:
                    continue
                if where[2] == OUTGOING and where[0] != _OWN and len(self._found) < MOST:
                    what = attempt(where[1], frame[14:])
                    if what:
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
