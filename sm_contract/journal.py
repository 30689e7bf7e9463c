"""The record on disk: JSON lines with a header and a footer, so that a truncated one is recognised."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import cattrs

from sm_contract import __version__
from sm_contract.catalogue import CURRENT
from sm_contract.record import Life, Record

FORMAT = 1


class JournalError(Exception):
    """A journal that cannot be read or written; the text names the file, the line and the way out."""


@dataclass(frozen=True)
class Journal:
    """What a journal held: a record per image, and whether the run that wrote it came to its end."""

    records: dict[str, Record]
    complete: bool
    suite: str
    contract: str
    faults: tuple[str, ...] = ()


class JournalWriter:
    """Writes a journal as the run goes on, so that an interrupted run loses nothing it has seen.

    Lines are flushed one by one; ``close(complete=False)`` marks a run that was cut short.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._line(kind="header", format=FORMAT, suite=__version__, contract=CURRENT)

    def life(self, subject: str, life: Life) -> None:
        """One container's life, when it has ended."""
        self._line(kind="life", subject=subject, life=cattrs.unstructure(life))

    def record(self, subject: str, record: Record) -> None:
        """Everything else known of one image; written when its last life has ended."""
        self._line(kind="record", subject=subject, record=cattrs.unstructure(replace(record, lives={})))

    def close(self, *, complete: bool, faults: Iterable[str] = ()) -> None:
        """End the journal; ``faults`` are tracebacks of scenarios that broke by a fault of the suite."""
        self._line(kind="footer", complete=complete, faults=list(faults))
        self._stream.close()

    def _line(self, **fields: object) -> None:
        try:
            self._stream.write(json.dumps(fields, ensure_ascii=True, separators=(",", ":")) + "\n")
            self._stream.flush()
        except OSError:
            with contextlib.suppress(OSError):  # what it still holds is refused again
                self._stream.close()
            raise


def unwritten(folder: Path | None, error: OSError) -> JournalError:
    """What to say of a journal that a folder for temporary files had no room for."""
    place = folder or os.environ.get("TMPDIR") or "/tmp"
    return JournalError(
        f"the journal could not be written to the folder for temporary files, {place} ({error.strerror or error}); "
        "make room there, or set TMPDIR to a folder that has it"
    )


def write_journal(path: Path, records: dict[str, Record], *, complete: bool = True) -> None:
    """Write whole records at once."""
    with path.open("w", encoding="utf-8") as stream:
        writer = JournalWriter(stream)
        for subject, record in records.items():
            for life in record.lives.values():
                writer.life(subject, life)
            writer.record(subject, record)
        writer.close(complete=complete)


def read_journal(path: Path) -> Journal:
    """Read a journal back.

    A missing footer, or a last line that breaks off, gives ``complete=False``; anything else that is
    wrong raises JournalError.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise JournalError(f"{path}: there is no such journal; give the journal.jsonl of an earlier run") from None
    except (OSError, UnicodeDecodeError) as error:
        raise JournalError(f"{path}: cannot be read ({error}); give the journal.jsonl of an earlier run") from None
    header, *rest = list(_parsed(path, lines)) or [{}]
    if header.get("kind") != "header":
        raise JournalError(f"{path}: is no journal of sm_contract (it has no header); give a journal.jsonl")
    if header.get("format") != FORMAT:
        raise JournalError(f"{path}: has format {header.get('format')}, this suite reads {FORMAT}; run the image again")
    lives: dict[str, dict[str, Life]] = {}
    records: dict[str, Record] = {}
    complete = False
    faults: tuple[str, ...] = ()
    for number, line in enumerate(rest, start=2):
        try:
            if line["kind"] == "life":
                life = cattrs.structure(line["life"], Life)
                lives.setdefault(line["subject"], {})[life.name] = life
            elif line["kind"] == "record":
                records[line["subject"]] = cattrs.structure(line["record"], Record)
            elif line["kind"] == "footer":
                complete, faults = bool(line["complete"]), tuple(map(str, line.get("faults", ())))
        except (cattrs.BaseValidationError, KeyError, TypeError, ValueError) as error:
            raise JournalError(
                f"{path}, line {number}: does not fit format {FORMAT} ({type(error).__name__})"
            ) from None
    return Journal(
        records={name: replace(record, lives=lives.get(name, {})) for name, record in records.items()},
        complete=complete and lives.keys() <= records.keys(),
        suite=str(header.get("suite", "")),
        contract=str(header.get("contract", "")),
        faults=faults,
    )


def _parsed(path: Path, lines: list[str]) -> Iterable[dict[str, Any]]:
    for number, text in enumerate(lines, start=1):
        try:
            line = json.loads(text)
        except json.JSONDecodeError:
            if number == len(lines):
                return  # broken off in the middle of a line: the missing footer says so
            what = "is not JSON; the file was changed after it was written"
            if number == 1:
                what = "is no journal of sm_contract; give the journal.jsonl of an earlier run"
            raise JournalError(f"{path}, line {number}: {what}") from None
        if not isinstance(line, dict):
            raise JournalError(f"{path}, line {number}: is not an object; give a journal.jsonl")
        yield line
