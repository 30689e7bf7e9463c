"""Folders for temporary files: locked while their run lives, so that others know which nobody needs any more."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

PREFIX = "sm-contract-tmp-"
_LOCK = ".run"
_held: dict[Path, int] = {}


def folder() -> Path:
    """Make one, which is there until ``remove``. Raises OSError."""
    made = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        lock = os.open(made / f"{_LOCK}.new", os.O_CREAT | os.O_RDWR, 0o600)
        _held[made] = lock
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.rename(made / f"{_LOCK}.new", made / _LOCK)  # there only once it is held
    except OSError:
        remove(made)
        raise
    return made


def remove(made: Path) -> None:
    """Remove a folder with all that is in it."""
    shutil.rmtree(made, ignore_errors=True)
    release(made)


def release(made: Path) -> None:
    """Leave a folder to whoever wants to read it: from now on nobody removes it."""
    (made / _LOCK).unlink(missing_ok=True)
    lock = _held.pop(made, None)
    if lock is not None:
        os.close(lock)


def sweep() -> None:
    """Remove the folders of this user whose runs have ended without a word."""
    for found in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # another's, or just being removed
            if not found.is_symlink() and found.stat().st_uid == os.getuid():
                _remove_if_left(found)


def _remove_if_left(found: Path) -> None:
    lock = os.open(found / _LOCK, os.O_RDWR)  # one without is being made, or somebody's to read
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(found, ignore_errors=True)
    finally:
        os.close(lock)
