"""What a run waits for while a container starts or trains: for how long already, how long at most, and what for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

from sm_contract.report.text import Page, bare, duration

FIRST = 5.0  # seconds until a wait is worth a line in a log; the next ones come after twice as long each
_REDRAWN = 0.2  # seconds between two drawings of the live line
_CLEAR = "\r\x1b[K"
_NOTE = 4  # the column of what is noted


@dataclass
class _Wait:
    what: str
    since: float
    until: float
    next: float  # when a log gets its next line on it


class Progress:
    """Tells of waits: on a terminal one line, rewritten; in a log a line now and then.

    ``waiting`` may be called often and from any thread. A wait announced once goes on being told
    until ``done``; what is ``noted`` stays where it was written. ``close`` ends the telling and leaves
    no other line behind.
    """

    def __init__(
        self,
        stream: TextIO,
        is_tty: bool,
        *,
        width: int = 80,
        clock: Callable[[], float] = time.monotonic,
        alone: bool = False,
    ) -> None:
        """``alone``: no thread of its own; somebody calls ``tick``."""
        self._stream = stream
        self._tty = is_tty
        self._page = Page(width, getattr(stream, "encoding", None) or "utf-8", whole=not is_tty)
        self._clock = clock
        self._waits: dict[str, _Wait] = {}
        self._noted: set[str] = set()
        self._lock = threading.RLock()
        self._drawn = ""
        self._drawn_at = float("-inf")
        self._closed = threading.Event()
        self._thread = None if alone else threading.Thread(target=self._run, name="sm-contract-progress", daemon=True)

    def waiting(self, name: str, what: str, since: float, until: float) -> None:
        """A life waits for something, since and until a time of the monotonic clock."""
        with self._lock:
            if self._closed.is_set():
                return
            known = self._waits.get(name)
            if known is None or (known.what, known.since) != (what, since):
                self._waits[name] = _Wait(what=what, since=since, until=until, next=since + FIRST)
            else:
                known.until = until
            if self._thread is not None and not self._thread.is_alive():
                self._thread.start()
        self.tick()

    def noted(self, text: str) -> None:
        """Something worth knowing before the wait is over; two lives that show the same say it once."""
        with self._lock:
            if self._closed.is_set() or text in self._noted:
                return
            self._noted.add(text)
            self._erase()
            self._write("\n".join(bare(self._page.row("!", text, column=_NOTE))) + "\n")
        self.tick()

    def done(self, name: str) -> None:
        """The life has ended, or waits no longer."""
        with self._lock:
            self._waits.pop(name, None)
            if not self._waits:
                self._noted.clear()  # the next image is another one
                self._erase()

    def close(self) -> None:
        """Tell nothing more."""
        with self._lock:
            self._closed.set()
            self._waits.clear()
            self._erase()

    def tick(self) -> None:
        """Tell what is due."""
        with self._lock:
            now = self._clock()
            if self._tty:
                self._draw(now)
            else:
                self._log(now)

    def _run(self) -> None:
        while not self._closed.wait(_REDRAWN):
            self.tick()

    def _draw(self, now: float) -> None:
        if now - self._drawn_at < _REDRAWN or not self._waits:
            return
        oldest_first = sorted(self._waits.items(), key=lambda pair: pair[1].since)
        (name, wait), *others = oldest_first
        more = self._page.mark(f" · {len(others)} more" if others else "")
        text = self._page.clipped(f"  … {_told(name, wait, now)}", self._page.width - 1 - len(more)) + more
        if text != self._drawn:
            self._write(_CLEAR + text)
        self._drawn, self._drawn_at = text, now

    def _log(self, now: float) -> None:
        for name, wait in self._waits.items():
            if now >= wait.next:
                self._write(self._page.clipped(f"  … {_told(name, wait, now)}", self._page.width) + "\n")
                wait.next = wait.since + max(2 * (wait.next - wait.since), now - wait.since + FIRST)

    def _erase(self) -> None:
        if self._drawn:
            self._write(_CLEAR)
        self._drawn, self._drawn_at = "", float("-inf")

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # a terminal that has gone away must not end the run
            self._closed.set()


def _told(name: str, wait: _Wait, now: float) -> str:
    return (
        f"{name}: {duration(max(0.0, now - wait.since))} of at most {duration(wait.until - wait.since)} for {wait.what}"
    )
