"""pytest-xdist: the workers share one record through a lock and the journal, so that an image is run once."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sm_contract.engine.protocol import Left
from sm_contract.journal import unwritten

INPUT = "sm_contract_shared"  # the folder's name among what the controller tells a worker


class Shared:
    """The folder in which the workers of one run meet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.journal = folder / "journal.jsonl"
        self._problem, self._left = folder / "problem.json", folder / "left.json"

    @contextmanager
    def turn(self) -> Iterator[None]:
        """One worker at a time; a worker that is killed loses its turn."""
        with (self.folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def publish(self, journal: Path) -> None:
        """Put a finished journal where the others look, whole or not at all."""
        part = self.journal.with_suffix(".part")
        try:
            shutil.copyfile(journal, part)
        except OSError as error:
            part.unlink(missing_ok=True)  # the word of it that is left next needs room as well
            raise unwritten(self.folder, error) from error
        os.replace(part, self.journal)

    def report(self, kind: str, text: str) -> None:
        """Leave word of why there is no record: the others need not try again."""
        self._problem.write_text(json.dumps([kind, text]), encoding="utf-8")

    def leave(self, left: Left) -> None:
        """Leave word of the containers that are still there."""
        self._left.write_text(json.dumps([left.names, left.remove]), encoding="utf-8")

    def left(self) -> Left | None:
        """The containers that are still there, as the worker that recorded says."""
        if not self._left.exists():
            return None
        names, remove = json.loads(self._left.read_text(encoding="utf-8"))
        return Left(tuple(names), str(remove))

    def problem(self) -> tuple[str, str] | None:
        """Why there is no record (kind and text), if another worker left word of it."""
        try:
            kind, text = json.loads(self._problem.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return str(kind), str(text)


def record_once(shared: Shared, record: Callable[[], Path], read_back: Callable[[Path], None]) -> None:
    """Record in one worker, read back in all others. ``record`` returns its finished journal."""
    with shared.turn():
        if shared.problem() is not None:
            return
        if shared.journal.exists():
            read_back(shared.journal)
        else:
            shared.publish(record())
