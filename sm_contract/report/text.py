"""Text that is safe to show and fits its place. What an image wrote is hostile until it went through here."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

Span = tuple[str, str]  # a text and its markup: names of pytest's terminal writer, such as "red bold"
Line = tuple[Span, ...]

# workflow commands that a CI system reads out of a log, wherever (##…) or at the start of a line (::…)
_COMMAND_ANYWHERE = re.compile(r"##(?=\[|vso\[|teamcity\[)")
_COMMAND_AT_START = re.compile(r"(\s*)::(?=\s*[A-Za-z])")
_TYPOGRAPHY = "…–—─│→·≥≤‘’“”✔✘⊘"  # noqa: RUF001  # ours, and common in what we quote
_PLAIN = ("...", "-", "-", "-", "|", "->", "|", ">=", "<=", "'", "'", '"', '"', "+", "x", "o")
_BELOW = 3  # the column of what stands below its label
_LONGEST = 2000  # characters of one line of a log: a progress bar may be a line of megabytes
_PLAIN_TYPOGRAPHY = str.maketrans(dict(zip(_TYPOGRAPHY, _PLAIN, strict=True)))


def shown(text: str) -> str:
    """One line of text in which nothing can move a cursor, hide, reorder, or pass for a command to a CI system.

    Control, format, private and unassigned characters become escapes, as does a line break.
    """
    escaped = "".join(_shown(character) for character in text)
    return _COMMAND_ANYWHERE.sub(r"#\\#", escaped)


def _shown(character: str) -> str:
    if character == "\t":
        return "    "
    if " " <= character <= "~":
        return character
    if unicodedata.category(character)[0] != "C" and character not in "\u2028\u2029":
        return character
    if character in "\n\r":
        return "\\n" if character == "\n" else "\\r"
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def width_of(text: str) -> int:
    """Columns a shown text takes at most; a combining mark counts as one, so a pile of them can't run off."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def clip(text: str, width: int, ellipsis: str = "…") -> str:
    """The text, cut to a width; that it was cut shows."""
    if width_of(text) <= width:
        return text
    head, _ = _split(text, max(width - len(ellipsis), 0))
    return head.rstrip() + ellipsis


def wrap(text: str, width: int) -> list[str]:
    """The text in lines of a width, none of which a CI system takes for a command: see ``broken``."""
    return [_harmless(line) for line in broken(text, width)]


def broken(text: str, width: int) -> list[str]:
    """The text in lines of a width: broken between words, never inside an id or an address.

    Only a word that is wider than a line is broken, and an address not even then: a terminal breaks
    it by itself, and it stays one thing to click or copy.
    """
    rest = text.lstrip(" ")
    lines, line = [], " " * min(len(text) - len(rest), width // 2)  # a traceback is read by its indents
    for word in rest.split(" "):
        candidate = f"{line} {word}" if line.strip(" ") else line + word
        if width_of(candidate) <= width:
            line = candidate
            continue
        if line.strip(" "):
            lines.append(line)
        line = word
        while width_of(line) > width and not line.startswith(("https://", "http://")):
            head, line = _split(line, width)
            lines.append(head)
    if line.strip(" ") or not lines:
        lines.append(line)
    return [line.rstrip(" ") for line in lines]


def _harmless(line: str) -> str:
    return _COMMAND_AT_START.sub(r"\1:\\:", line)


def _split(text: str, width: int) -> tuple[str, str]:
    """Cut after as many characters as fit, one at least."""
    used = 0
    for index, character in enumerate(text):
        used += width_of(character)
        if used > width and index:
            return text[:index], text[index:]
    return text, ""


def size(count: int) -> str:
    """``6.2 GB``, as engines count."""
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if amount >= 100 or unit == "B" else f"{amount:.1f} {unit}"


def duration(seconds: float) -> str:
    """``0.9 s``, ``48 s``, ``2 min 05 s``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if round(seconds) < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def milliseconds(seconds: float) -> str:
    """``< 1 ms``, ``12 ms``, ``3.5 s``."""
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.001 else "< 1 ms"


def plural(count: int, thing: str) -> str:
    """``1 start``, ``2 starts``."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


@dataclass(frozen=True)
class Page:
    """What a text is laid out for."""

    width: int = 80
    encoding: str = "utf-8"
    whole: bool = False  # a log, which is searched and kept: nothing is cut to fit a screen

    @property
    def plain(self) -> bool:
        """Whether the encoding lacks the marks, so that letters have to do."""
        try:
            _TYPOGRAPHY.encode(self.encoding)
        except (UnicodeEncodeError, LookupError):
            return True
        return False

    def mark(self, text: str) -> str:
        """Typography of ours, replaced where the encoding lacks it."""
        return text.translate(_PLAIN_TYPOGRAPHY) if self.plain else text

    def safe(self, text: str) -> str:
        """Any text, shown, with what the encoding lacks written out."""
        marked = self.mark(shown(text))
        try:
            return marked.encode(self.encoding, "backslashreplace").decode(self.encoding)
        except LookupError:  # an encoding nobody knows
            return marked.encode("ascii", "backslashreplace").decode("ascii")

    def clipped(self, text: str, width: int) -> str:
        """One line of a text: cut to the width on a screen, and in a log only where it has no end."""
        return clip(self.safe(text), _LONGEST if self.whole else width, self.mark("…"))

    def rule(self, title: str = "", style: str = "") -> Line:
        """A line across the page with a title in its middle."""
        dash = self.mark("─")
        if not title:
            return ((dash * self.width, style),)
        inner = f" {self.clipped(title, self.width - 6)} "
        left = (self.width - width_of(inner)) // 2
        right = self.width - left - width_of(inner)
        return ((dash * left + inner + dash * right, style),)

    def row(self, label: str, text: str, *, style: str = "", column: int = 13, most: int = 0) -> list[Line]:
        """A label and its text beside it, wrapped; on a screen at most ``most`` lines of it, if given."""
        parts = [_harmless(part) for part in self.lines(text, self._room(column), most)]
        return self.beside(label, parts, style=style, column=column)

    def lines(self, text: str, width: int, most: int = 0) -> list[str]:
        """A text in lines of a width; on a screen at most ``most``, if given."""
        parts = broken(self.safe(text), width)
        if most and len(parts) > most and not self.whole:
            rest = " ".join(parts[most - 1 : most + 1])  # more than a line, so that it is seen to be cut
            parts = [*parts[: most - 1], clip(rest, width, self.mark("…"))]
        return parts

    def items(
        self, label: str, things: Iterable[str], *, style: str = "", column: int = 13, between: str = ", "
    ) -> list[Line]:
        """A label and a list beside it, wrapped between its things and not inside them."""
        lines = [""]
        for thing in things:
            text, glue = self.safe(thing), self.mark(between)
            if lines[-1] and width_of(lines[-1] + glue + text + glue.rstrip()) <= self._room(column):
                lines[-1] += glue + text
                continue
            if lines[-1]:
                lines[-1] += glue.rstrip()
                lines.append("")
            lines[-1:] = wrap(text, self._room(column) - len(glue.rstrip()))
        return self.beside(label, lines, style=style, column=column)

    def beside(self, label: str, parts: list[str], *, style: str = "", column: int = 13) -> list[Line]:
        """A label, and lines that are laid out already, beside it, or below it where a screen has no place for them."""
        if label and column > _BELOW and not self.whole and any(width_of(part) > self._room(column) for part in parts):
            return [((f" {label}", "light"),), *self.beside("", parts, style=style, column=_BELOW)]
        heads = [f" {label}".ljust(column) if column else "", *[" " * column] * (len(parts) - 1)]
        return [((head, "light"), (part, style)) for head, part in zip(heads, parts, strict=True)]

    def _room(self, column: int) -> int:
        return max(self.width - column, 20)


class Sink(Protocol):
    """Where a report is written: pytest's TerminalReporter, its TerminalWriter, or a StreamSink."""

    def write(self, content: str, *, flush: bool = False, **markup: bool) -> None: ...


_CODES = {"bold": 1, "light": 2, "red": 31, "green": 32, "yellow": 33, "blue": 34, "purple": 35, "cyan": 36}


class StreamSink:
    """A text stream as a sink, with or without colour."""

    def __init__(self, stream: object, *, colour: bool = False) -> None:
        self._stream = stream
        self._colour = colour

    def write(self, content: str, *, flush: bool = False, **markup: bool) -> None:
        codes = ";".join(str(_CODES[name]) for name, on in markup.items() if on and name in _CODES)
        if self._colour and codes and content:
            content = f"\x1b[{codes}m{content}\x1b[0m"
        self._stream.write(content)  # type: ignore[attr-defined]  # any text stream
        if flush:
            self._stream.flush()  # type: ignore[attr-defined]


def emit(sink: Sink, lines: Iterable[Line]) -> None:
    """Write lines to a sink, each with its markup."""
    for line in lines:
        for text, style in line:
            sink.write(text, **dict.fromkeys(style.split(), True))
        sink.write("\n")


def bare(lines: Iterable[Line]) -> Iterator[str]:
    """The lines without their markup."""
    return ("".join(text for text, _ in line).rstrip() for line in lines)
