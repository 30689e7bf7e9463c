"""TOML, with the line on which a key stands: the standard parser keeps no positions."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Sequence
from typing import Any

_toml = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")


class TOMLError(ValueError):
    """Not TOML; the text says what is wrong, with line and column."""


def loads(text: str) -> dict[str, Any]:
    """Parse TOML. Raises TOMLError."""
    try:
        table: dict[str, Any] = _toml.loads(text)
    except _toml.TOMLDecodeError as error:
        last = max(1, len(text.rstrip().splitlines()))
        raise TOMLError(str(error).replace("(at end of document)", f"(at the end, line {last})")) from None
    return table


_BARE_OR_QUOTED = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_DOTTED = rf"{_BARE_OR_QUOTED}(?:\s*\.\s*{_BARE_OR_QUOTED})*"
_HEADER = re.compile(rf"^\s*(\[\[?)\s*({_DOTTED})\s*\]\]?")
_ASSIGNMENT = re.compile(rf"^\s*({_DOTTED})\s*=")


def line_of(text: str, path: Sequence[str | int]) -> int | None:
    """The line on which the value at ``path`` is written, or that of the nearest part around it.

    None where not even the first part is found. Good enough for messages: a key inside an inline
    table or a multi-line array is found on the line on which that begins.
    """
    best: tuple[int, int] | None = None  # how many parts of the path were met, and where
    table: tuple[str | int, ...] = ()
    counts: dict[tuple[str | int, ...], int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = _resolve(_parts(header[2]), counts, opens=header[1] == "[[")
            place = table
        elif assignment := _ASSIGNMENT.match(line):
            place = (*table, *_parts(assignment[1]))
        else:
            continue
        met = _shared(place, path)
        if met and (best is None or met > best[0]):
            best = (met, number)
    return best[1] if best else None


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(_BARE_OR_QUOTED, dotted))


def _resolve(parts: tuple[str, ...], counts: dict[tuple[str | int, ...], int], *, opens: bool) -> tuple[str | int, ...]:
    """The full path of a table header, indices of arrays of tables put in."""
    place: tuple[str | int, ...] = ()
    for position, part in enumerate(parts):
        place = (*place, part)
        if opens and position == len(parts) - 1:
            counts[place] = counts.get(place, -1) + 1
        if place in counts:
            place = (*place, counts[place])
    return place


def _shared(place: Sequence[str | int], path: Sequence[str | int]) -> int:
    met = 0
    for here, wanted in zip(place, path, strict=False):
        if here != wanted:
            break
        met += 1
    return met
