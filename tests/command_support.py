"""Running the command as a user does: a process of its own, in a folder of its own, on a journal or without one."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import dedent

from good_record import good_record

from sm_contract.journal import write_journal
from sm_contract.record import Record

# hypothesis' own plugin takes longer than all the rest of a run
PYTEST = (sys.executable, "-m", "pytest", "-p", "no:hypothesispytest")
NO_START = "needs a container engine"


@dataclass(frozen=True)
class Ran:
    """What a run left."""

    status: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err

    def ids(self, verdict: str) -> list[str]:
        """The ids that ``-v`` shows with a mark."""
        return re.findall(rf"^ *{re.escape(verdict)} (SM-[A-Z0-9-]+)", self.out, re.MULTILINE)


def command(
    folder: Path, *arguments: str, environment: Mapping[str, str] | None = None, within: Sequence[str] = ()
) -> Ran:
    """Run pytest in a folder, as the argument of another command. The options of the outer run do not reach it."""
    done = subprocess.run(
        [*within, *PYTEST, *arguments],
        cwd=folder,
        env=_environment(environment),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def meanwhile(
    folder: Path, *arguments: str, do: Callable[[subprocess.Popen[str]], object], within: Sequence[str] = ()
) -> Ran:
    """Run pytest in a folder, and do something to it as it goes on."""
    process = subprocess.Popen(
        [*within, *PYTEST, *arguments],
        cwd=folder,
        env=_environment(None),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        do(process)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    return Ran(process.returncode, out, err)


def interrupted(folder: Path, *arguments: str, when: Path, by: int = signal.SIGINT) -> Ran:
    """Run pytest in a folder and send it a signal as soon as a file is there."""

    def send(process: subprocess.Popen[str]) -> None:
        deadline = time.monotonic() + 60
        while not when.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(by)

    return meanwhile(folder, *arguments, do=send)


def _environment(more: Mapping[str, str] | None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    return {**kept, "COLUMNS": "100", "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1", **(more or {})}


def named(reference: str, **facts: object) -> Record:
    """The good record under another name, with other facts about the image."""
    good = good_record()
    return replace(good, image=replace(good.image, reference=reference, **facts))  # type: ignore[arg-type]


def looked_at(reference: str, **facts: object) -> Record:
    """An image that was only looked at: what needs a start is not testable."""
    return replace(named(reference, **facts), lives={}, engine={}, unstartable=NO_START)


def journal(folder: Path, *records: Record, label: str = "", complete: bool = True) -> str:
    """The option that judges these records, read from a journal beside the folder."""
    path = folder.parent / f"{folder.name}-{len(list(folder.parent.iterdir()))}.jsonl"
    write_journal(path, {label or each.image.reference: each for each in records}, complete=complete)
    return f"--sm-judge={path}"


ARCH = "SM-IMAGE-ARCH-01"
OS = "SM-IMAGE-OS-01"
GOOD = named("good:1")
BAD = named("bad:1", architecture="arm64")
LOOKED_AT = looked_at("seen:1")
A_CONFTEST_THAT_RAISES = {"conftest.py": "raise RuntimeError('a conftest of the folder')"}


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(dedent(text), encoding="utf-8")
