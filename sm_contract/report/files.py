"""The folder of a run's reports: checked before the run, written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from sm_contract.report.junit import junit_xml
from sm_contract.report.result_json import result_json
from sm_contract.result import ImageResult

RESULT, JUNIT, JOURNAL = "result.json", "junit.xml", "journal.jsonl"


class ReportError(Exception):
    """A report cannot be written; the text names the folder and the way out."""


def check_folder(folder: Path) -> None:
    """Make the folder, and see that a file can be written there. Raises ReportError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder, buffering=0) as trial:
            trial.write(b"a full disk takes names and no text")
    except OSError as error:
        raise cannot_write(folder, error) from error


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is there whole or, after a crash or on a full disk, not at all. Raises ReportError."""
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with open(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        os.chmod(temporary, 0o666 & ~_umask())  # mkstemp's 0600 would hide it from the CI's next step
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            raise cannot_write(path.parent, error) from error
        raise


def write_reports(folder: Path, results: Sequence[ImageResult], *, status: int | None = None) -> list[Path]:
    """Write ``result.json`` and ``junit.xml``. Raises ReportError; what could be written stays."""
    texts = {RESULT: result_json(results, status=status), JUNIT: junit_xml(results)}
    for name, text in texts.items():
        write_whole(folder / name, text)
    return [folder / name for name in texts]


def write_refusal(folder: Path, error: str, *, status: int, judged: Path | None = None) -> None:
    """Write a ``result.json`` of a run that judges nothing, in the place of all older reports. Raises ReportError."""
    clear_reports(folder, judged)
    write_whole(folder / RESULT, result_json((), status=status, error=error))


def clear_reports(folder: Path, judged: Path | None = None) -> None:
    """Remove older reports: they speak of another run, and may be taken for this one's where it comes to nothing.

    ``judged``: a journal that is still to be read. Makes the folder. Raises ReportError.
    """
    check_folder(folder)
    try:
        for path in (folder / name for name in (RESULT, JUNIT, JOURNAL)):
            if path.exists() and not (judged is not None and judged.exists() and path.samefile(judged)):
                path.unlink()
    except OSError as error:
        raise cannot_write(folder, error) from error


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def cannot_write(folder: Path, error: OSError) -> ReportError:
    """What to tell of a report that cannot be written."""
    way_out = "make room there" if error.errno == 28 else "name a folder that can, or make it writable"
    return ReportError(f"--sm-report: {folder} cannot be written ({error.strerror or error}); {way_out}")
