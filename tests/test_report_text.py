"""Text of an image, made safe and laid out."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sm_contract.report.text import Page, bare, clip, duration, shown, size, width_of, wrap

ANYTHING = st.text(st.characters(exclude_categories=()), max_size=300)


@pytest.mark.parametrize(
    ("hostile", "safe"),
    [
        ("\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
        ("a\tb\nc\r", "a    b\\nc\\r"),
        ("abc\u202edef\u200b", "abc\\u202edef\\u200b"),
        ("\ud800\x9b\x7f\u2028", "\\ud800\\x9b\\x7f\\u2028"),
        ("##vso[task.setvariable] ##[group] ##teamcity[x]", "#\\#vso[task.setvariable] #\\#[group] #\\#teamcity[x]"),
        ("größe 日本 é", "größe 日本 é"),
    ],
)
def test_hostile_text_is_shown(hostile: str, safe: str) -> None:
    assert shown(hostile) == safe


def test_no_wrapped_line_starts_with_a_command_to_a_ci_system() -> None:
    assert wrap("some words and then ::error file=x::boo", 20)[1].startswith(":\\:error")


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("", 10, [""]),
        ("one two three", 7, ["one two", "three"]),
        ("SM-INFER-PING-02 is broken", 20, ["SM-INFER-PING-02 is", "broken"]),
        ("x" * 12, 5, ["xxxxx", "xxxxx", "xx"]),
        ("日本語の長い文", 6, ["日本語", "の長い", "文"]),
        ("    a line of a traceback", 16, ["    a line of a", "traceback"]),
        ("see https://docs.aws.amazon.com/x/y now", 12, ["see", "https://docs.aws.amazon.com/x/y", "now"]),
    ],
)
def test_wrapping(text: str, width: int, lines: list[str]) -> None:
    assert wrap(text, width) == lines


@given(ANYTHING)
def test_nothing_shown_is_a_control(text: str) -> None:
    assert not [c for c in shown(text) if unicodedata.category(c)[0] == "C" or c in "\u2028\u2029"]


@given(ANYTHING, st.integers(2, 90))
def test_nothing_is_wider_than_its_place(text: str, width: int) -> None:
    assert all(width_of(line) <= width + 1 for line in wrap(shown(text), width) if "http" not in line)
    assert width_of(clip(shown(text), width)) <= width


@given(ANYTHING)
def test_wrapping_loses_nothing(text: str) -> None:
    kept = "".join(wrap(shown(text), 30)).replace(":\\:", "::")
    assert kept.replace(" ", "") == shown(text).replace(":\\:", "::").replace(" ", "")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.94, "0.9 s"), (48.2, "48 s"), (59.7, "1 min 00 s"), (125, "2 min 05 s"), (480, "8 min 00 s")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(("count", "text"), [(5, "5 B"), (6_212_000_000, "6.2 GB"), (250_000_000, "250 MB")])
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


def test_what_needs_the_whole_width_of_a_screen_stands_below_its_label() -> None:
    url = f"https://docs.aws.amazon.com/{'x' * 45}"
    assert list(bare(Page(80).beside("source", [url]))) == [" source", f"   {url}"]
    assert list(bare(Page(80, whole=True).beside("source", [url]))) == [f" source      {url}"]


def test_a_thing_that_fits_its_row_is_not_broken() -> None:
    name = "x" * 67
    assert list(bare(Page(80).items("image", [name, "amd64"], between="  "))) == [
        f" image       {name}",
        "             amd64",
    ]
