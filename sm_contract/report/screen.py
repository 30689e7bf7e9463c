"""One broken requirement, on one screen: what, why, what the cloud would say, how to mend it, how to see it again."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from sm_contract.record import Event, Life
from sm_contract.report.cloud import cloud_words
from sm_contract.report.text import Line, Page, plural, width_of, wrap
from sm_contract.result import ImageResult
from sm_contract.verdict import Judgement

LOG_LINES = 6
MOST = 5  # lines of a text that an image may have filled
_MOST_OF_LOG = 3  # lines of the page for one of the log
_MOMENTS = 12
_EVIDENCE = 3
_STATUS = re.compile(r"(?<![\w.])(?<!\d:)[1-5]\d\d(?![\w.:])")
_TROUBLE = re.compile(r"error|exception|fail|traceback|time ?out", re.IGNORECASE)


def failure(
    judgement: Judgement, result: ImageResult, page: Page, *, number: int, of: int, options: Sequence[str] = ()
) -> list[Line]:
    """The screen of one failure. ``options`` are those of this run that another one needs to see it again."""
    title = f"{number} of {of} {page.mark('──')} {judgement.id}"
    return [
        page.rule(title, "red bold"),
        *_what(judgement, page),
        ((("", ""),)),
        *page.row("expected", judgement.expected, most=MOST),
        *page.row("observed", judgement.observed, style="bold", most=MOST),
        *because(judgement, page),
        *_cloud(judgement, result, page),
        *page.row("fix", judgement.fix, style="green", most=MOST),
        ((("", ""),)),
        *_evidence(judgement, page),
        *_lives(judgement, result, page),
        *_sources(judgement.sources, page),
        *_by_hand(judgement, result, page),
        *page.beside("again", rerun(result, judgement.id, page, options), style="cyan"),
    ]


def warning(judgement: Judgement, result: ImageResult, page: Page) -> list[Line]:
    """A warning or a note in a few lines."""
    return [
        *entitled(judgement, page, "yellow bold"),
        *page.row("observed", judgement.observed, most=3),
        *because(judgement, page),
        *page.row("fix", judgement.fix, style="green", most=3),
        *_sources(judgement.sources[:1], page),
        *_by_hand(judgement, result, page),
    ]


def because(judgement: Judgement, page: Page) -> list[Line]:
    """The cause, where the log or an answer names it."""
    return page.row("because", judgement.because, most=MOST) if judgement.because else []


def entitled(judgement: Judgement, page: Page, style: str) -> list[Line]:
    """Id, level and title, as a short entry begins."""
    parts = wrap(page.safe(f"{judgement.id} {judgement.level} · {judgement.title}"), page.width - 4)
    id = page.safe(judgement.id)
    first = ((" ", ""), (id, style), (parts[0].removeprefix(id), ""))
    return [first, *(((" " * 4, ""), (part, "")) for part in parts[1:])]


def rerun(result: ImageResult, id: str, page: Page, options: Sequence[str] = ()) -> list[str]:
    """The command that judges one requirement again, in lines that can be copied together."""
    pair = result.record.training_image
    images = [f"--image={shlex.quote(result.reference)}"]
    if any(word.startswith("--sm-judge=") for word in options):  # the journal holds the images
        images = []
    elif pair is not None:
        images = [
            f"--training-image={shlex.quote(pair.reference)}",
            f"--inference-image={shlex.quote(result.reference)}",
        ]
    lines = ["pytest"]
    for word in (*images, *options, f"--sm-only={id}"):
        text = page.safe(word)
        if width_of(lines[-1]) + width_of(text) + 16 <= page.width or lines[-1].strip() in ("pytest", ""):
            lines[-1] += f" {text}"
        else:
            lines[-1] += " \\"
            lines.append(f"  {text}")
    return lines


def bad_life(judgement: Judgement, result: ImageResult) -> Life | None:
    """The first life that went wrong, of those a verdict rests on."""
    return next((life for life in _shown_lives(judgement, result) if not life.good), None)


def course(life: Life, page: Page) -> Iterator[Line]:
    """How a life went: its events, and the end of its log."""
    yield from _timeline(life, page)
    yield from _log(life, page)


def _shown_lives(judgement: Judgement, result: ImageResult) -> list[Life]:
    lives = [result.record.lives[name] for name in judgement.lives if name in result.record.lives]
    return sorted(lives, key=lambda life: life.good)


def _what(judgement: Judgement, page: Page) -> list[Line]:
    lines = page.row("", f"{judgement.level} · {judgement.title}", style="bold", column=1)
    if judgement.evidence_class not in ("DOC", "DERIVED", ""):
        lines += page.row("", f"rests on {judgement.evidence_class}: it warns and never fails", column=1)
    return lines


def _cloud(judgement: Judgement, result: ImageResult, page: Page) -> list[Line]:
    words = cloud_words(judgement, result.record)
    if not words:
        return []
    return page.row("cloud", f"SageMaker would say: {words}", style="purple", most=MOST)


def _sources(urls: Sequence[str], page: Page) -> list[Line]:
    return page.beside("source", [page.safe(url) for url in urls], style="light") if urls else []


def _by_hand(judgement: Judgement, result: ImageResult, page: Page) -> list[Line]:
    script = page.safe(str(Path(result.report, judgement.by_hand)))  # in one piece, so that it can be copied
    return page.beside("by hand", [script]) if judgement.by_hand else []


def _lives(judgement: Judgement, result: ImageResult, page: Page) -> Iterator[Line]:
    lives = _shown_lives(judgement, result)
    if not lives:
        return
    yield from course(lives[0], page)
    # beside one that went wrong, the nearest that did not: their difference is the cause
    contrast = next((life for life in lives if life.good), None) if not lives[0].good else None
    if contrast is not None:
        yield from _timeline(contrast, page)


def _evidence(judgement: Judgement, page: Page) -> Iterator[Line]:
    told = list(judgement.evidence[:_EVIDENCE])
    if len(judgement.evidence) > _EVIDENCE:
        told.append(f"… {len(judgement.evidence) - _EVIDENCE} more, see result.json")
    for position, text in enumerate(told):
        yield from page.row("" if position else "evidence", text, most=2)


def _good_ping(line: str) -> bool:
    """Whether a line of a log is no more than a server's note of a ping that it answered with 200."""
    before, path, after = line.partition("/ping")
    if not path or after[:1].isalnum() or _TROUBLE.search(line):
        return False
    told = _STATUS.findall(after)[:1] or _STATUS.findall(before)[-1:]
    return told[0] == "200" if told else "GET" in line


def _timeline(life: Life, page: Page) -> Iterator[Line]:
    label = f"{life.name}, {life.role} on {life.network} network" if life.network else life.name
    yield from page.row("timeline", label, style="light")
    yield from page.items("", moments(life.events), between=" ─ ")


def moments(events: Sequence[Event]) -> list[str]:
    """The events of a life, repeated ones counted, the middle of a long row left out."""
    texts = []
    for what, group in groupby(events, key=lambda event: event.what):
        several = list(group)
        count = f" x{len(several)} to {several[-1].at:.2f}" if len(several) > 1 else ""
        texts.append(f"{several[0].at:.2f} {what}{count}")
    if len(texts) > _MOMENTS:
        left_out = len(texts) - _MOMENTS
        texts[_MOMENTS // 2 : -_MOMENTS // 2] = [f"… {left_out} more …"]
    return texts


def _log(life: Life, page: Page) -> Iterator[Line]:
    if not life.log:
        yield from page.row("log", "empty", style="light")
        return
    # our own pings come several times a second: what else was said has scrolled away under them
    others = [line for line in life.log if not _good_ping(line.text)] if len(life.log) > LOG_LINES else []
    tail = (others or life.log)[-LOG_LINES:]
    told = f"last {len(tail)} of {plural(len(life.log), 'line')}" if len(life.log) > len(tail) else "all of it"
    if others and len(others) < len(life.log):
        told += f", {plural(len(life.log) - len(others), 'line')} of good pings left out"
    if life.stop is not None and not any(line.at > life.stop.at for line in life.log):
        told += ", none after SIGTERM"
    if life.log_cut:
        told += ", cut at our limit"
    yield from page.row("log", told, style="light")
    bar = page.mark("│")
    for line in tail:
        # a log keeps a line of the image's as one, to be found again; a screen has no place for more than a few
        room = page.width - 14
        parts = [page.clipped(line.text, room)] if page.whole else page.lines(line.text, room, _MOST_OF_LOG)
        for at, part in zip((f"{line.at:7.2f}", *[" " * 7] * len(parts)), parts, strict=False):
            yield ((f"   {bar} ", "light"), (f"{at} {part}", ""))
