"""Whose a thing in the engine is: the session that made it, its labels, its names, and when it may be removed."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import secrets
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

PREFIX = "sm-contract"
SESSION = f"{PREFIX}.session"
PURPOSE = f"{PREFIX}.purpose"
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
KEPT = "-there-before"  # end of a tag of ours on an image that was in the engine before us
_SHAPE = re.compile(r"(?P<place>[0-9a-f]{12})-(?P<pid>[0-9a-z]+)-(?P<start>[0-9a-z]+)-(?P<end>[0-9a-z]+)-[0-9a-f]{6}k?")


def _short(number: int) -> str:
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = DIGITS[digit] + text
    return text or "0"


def process_start(pid: int) -> int:
    """When a process of this PID namespace started, in clock ticks since boot; 0 if it is gone (or a zombie)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return 0
    values = text[text.rfind(")") + 2 :].split()  # the command before it may hold anything
    return 0 if values[0] in "ZX" else int(values[19])


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


@dataclass(frozen=True)
class Place:
    """Where a process number means something: a host, since its last boot, in one PID namespace."""

    host: str = field(default_factory=socket.gethostname)
    boot: str = field(default_factory=lambda: _read("/proc/sys/kernel/random/boot_id"))
    namespace: str = field(default_factory=lambda: _link("/proc/self/ns/pid"))

    @property
    def known(self) -> bool:
        """Whether the kernel tells enough that a missing process can be called gone."""
        return bool(self.boot and self.namespace)

    @property
    def digest(self) -> str:
        return hashlib.sha256("\0".join((self.host, self.boot, self.namespace)).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Session:
    """One run. Its id says all that a sweep must know, since a loaded image can carry nothing but a tag."""

    id: str
    place: Place
    pid: int
    start: int
    deadline: int  # seconds since the epoch
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1), repr=False, compare=False)

    @staticmethod
    def begin(deadline_seconds: float, keep: bool = False) -> Session:
        """This process's session, which nobody else removes for ``deadline_seconds``."""
        place, pid = Place(), os.getpid()
        start, deadline = process_start(pid), int(time.time() + deadline_seconds) + 1
        parts = (place.digest, _short(pid), _short(start), _short(deadline), secrets.token_hex(3))
        return Session("-".join(parts) + ("k" if keep else ""), place, pid, start, deadline)

    def labels(self, purpose: str) -> dict[str, str]:
        """What every thing of this session carries from its creation on."""
        values = {
            "session": self.id,
            "host": self.place.host,
            "boot": self.place.boot,
            "pid-namespace": self.place.namespace,
            "pid": str(self.pid),
            "start": str(self.start),
            "deadline": str(self.deadline),
            "purpose": purpose,
        }
        return {f"{PREFIX}.{key}": value for key, value in values.items()}

    def name(self, purpose: str) -> str:
        """A name that is taken by nothing else; a network's or container's purpose stays readable in it."""
        readable = re.sub(r"[^a-zA-Z0-9_.-]+", "-", purpose).strip("-.")[:60]
        return f"{PREFIX}-{self.id}-{next(self._numbers)}-{readable or 'thing'}"

    @property
    def repository(self) -> str:
        return f"{PREFIX}/{self.id}"

    def tag(self) -> str:
        return f"{self.repository}:{next(self._numbers)}"


@dataclass(frozen=True)
class Owner:
    """What a session's id says to others."""

    place: str
    pid: int
    start: int
    deadline: int
    kept: bool

    @staticmethod
    def read(session: str) -> Owner | None:
        """None for what is no session id of ours: such a thing is not touched."""
        found = _SHAPE.fullmatch(session)
        if not found:
            return None
        pid, start, deadline = (int(found[name], 36) for name in ("pid", "start", "end"))
        return Owner(found["place"], pid, start, deadline, kept=session.endswith("k"))

    def gone(self, here: Place, now: float, start_of: Callable[[int], int] = process_start) -> str:
        """Why its things may be removed; empty if they may not."""
        if now > self.deadline:
            return "past its deadline"
        if self.kept or not here.known or self.place != here.digest or not self.start or sys.platform != "linux":
            return ""
        return "" if start_of(self.pid) == self.start else "its run has ended"
