"""How many lives run side by side, and which ran beside which."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(eq=False)  # two lives with as many neighbours are not the same one
class Neighbours:
    """How many other lives ran at the same time, at most."""

    most: int = 0


@dataclass
class Machine:
    """Slots for lives that run side by side; an exclusive life waits until it has the machine to itself."""

    slots: int
    _condition: threading.Condition = field(default_factory=threading.Condition)
    _running: list[Neighbours] = field(default_factory=list)
    _exclusive: bool = False
    closed: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def life(self, *, alone: bool = False) -> Iterator[Neighbours]:
        """Hold a slot for one life. Raises Closed once the run is being ended."""
        mine = Neighbours()
        with self._condition:
            self._condition.wait_for(lambda: self.closed.is_set() or self._free(alone))
            if self.closed.is_set():
                raise Closed
            self._exclusive = alone
            self._running.append(mine)
            for one in self._running:
                one.most = max(one.most, len(self._running) - 1)
        try:
            yield mine
        finally:
            with self._condition:
                self._running.remove(mine)
                if alone:
                    self._exclusive = False
                self._condition.notify_all()

    def _free(self, alone: bool) -> bool:
        if self._exclusive or (alone and self._running):
            return False
        return len(self._running) < self.slots

    def close(self) -> None:
        """End every wait: no life begins any more, and those that run see ``closed``."""
        self.closed.set()
        with self._condition:
            self._condition.notify_all()


class Closed(Exception):
    """The run is being ended; no further life begins."""
