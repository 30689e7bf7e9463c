"""What is told while a life goes on."""

from __future__ import annotations

import io
import re

from sm_contract.report.progress import Progress
from sm_contract.report.text import width_of


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_log_gets_a_line_after_five_seconds_and_then_more_rarely() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = Progress(stream, False, clock=clock, alone=True)
    for tick in range(480):
        clock.now = 100.0 + tick
        progress.waiting("serve.full", "a first 200 of /ping", 100.0, 580.0)
    progress.done("serve.full")
    lines = stream.getvalue().splitlines()
    assert [re.sub(r" of at most.*", "", line.split(": ")[1]) for line in lines] == [
        "5.0 s",
        "10 s",
        "20 s",
        "40 s",
        "1 min 20 s",
        "2 min 40 s",
        "5 min 20 s",
    ]
    assert lines[0] == "  … serve.full: 5.0 s of at most 8 min 00 s for a first 200 of /ping"


def test_a_terminal_gets_one_line_that_is_rewritten_and_removed() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = Progress(stream, True, clock=clock, alone=True)
    for tick in range(40):
        clock.now = 100.0 + tick / 4
        progress.waiting("serve.full", "a first 200 of /ping", 100.0, 580.0)
        progress.waiting("train.full", "the training's end", 102.0, 3700.0)
    assert "\n" not in stream.getvalue()
    assert all(width_of(line) < 80 for line in stream.getvalue().split("\r\x1b[K"))
    assert "serve.full: 9.8 s of at most" in stream.getvalue()
    progress.done("serve.full")
    progress.done("train.full")
    assert stream.getvalue().endswith("\r\x1b[K")


def test_progress_goes_on_by_itself_and_stops_at_once() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = Progress(stream, False, clock=clock)
    progress.waiting("serve.full", "an answer of /invocations", 94.0, 160.0)
    first = stream.getvalue()
    progress.close()
    progress.waiting("serve.full", "an answer of /invocations", 50.0, 160.0)
    assert first.count("\n") == 1
    assert stream.getvalue() == first


def test_a_terminal_that_went_away_does_not_end_the_run() -> None:
    stream = io.StringIO()
    stream.close()
    progress = Progress(stream, True, alone=True)
    progress.waiting("serve.full", "a first 200", 0.0, 10.0)
    progress.done("serve.full")


def test_what_is_noted_stays_above_the_line_and_is_said_once() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = Progress(stream, True, clock=clock, alone=True)
    progress.waiting("serve.bare", "the server to become healthy", 100.0, 580.0)
    progress.waiting("serve.full", "the server to become healthy", 100.0, 580.0)
    clock.now += 3
    for _ in range(2):
        progress.noted(
            "the server listens on 127.0.0.1:8080 only, and SageMaker needs 0.0.0.0:8080; waiting until 480 s"
        )
    kept = [line.rpartition("\x1b[K")[2] for line in stream.getvalue().split("\n")[:-1]]
    assert kept[0].startswith(" !  the server listens on 127.0.0.1:8080 only")
    assert kept[1] == "    waiting until 480 s"
    assert len(kept) == 2
    assert all(width_of(line) <= 80 for line in kept)
    assert stream.getvalue().rpartition("\x1b[K")[2].endswith(" · 1 more"), "the live line goes on below"


def test_a_log_is_told_whole() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = Progress(stream, False, width=60, clock=clock, alone=True)
    clock.now += 9
    progress.waiting("serve.bare+hidden folders", "as long as it takes for the server to become healthy", 100.0, 580.0)
    assert stream.getvalue().endswith("for as long as it takes for the server to become healthy\n")
