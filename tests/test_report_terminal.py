"""What a person sees, whole and piece by piece."""

from __future__ import annotations

import os
import re
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
import report_examples as examples
from hypothesis import given, settings
from hypothesis import strategies as st
from report_examples import (
    CASES,
    DEAF,
    SERVED,
    STATUS,
    TRAINED,
    hostile,
    image,
    judged,
    one,
    plain,
    record,
    written,
)

from sm_contract.catalogue import catalogue
from sm_contract.record import INFERENCE, TRAINING, Event, LogLine
from sm_contract.report.cloud import CANNOT_START, PING_FAILED, cloud_words
from sm_contract.report.screen import moments, rerun
from sm_contract.report.terminal import engine_text, judged_lines, plan_text
from sm_contract.report.text import Page, bare, width_of
from sm_contract.verdict import Verdict

SNAPSHOTS = Path(__file__).parent / "snapshots"
ANYTHING = st.text(st.characters(exclude_categories=()), max_size=300)


@pytest.mark.parametrize("colour", [False, True], ids=["plain", "colour"])
@pytest.mark.parametrize("case", CASES)
def test_the_whole_text_is_as_on_record(case: str, colour: bool) -> None:
    """After a wanted change, run with UPDATE_SNAPSHOTS=1, and read the difference."""
    text = written(CASES[case](), colour=colour, status=STATUS[case])
    snapshot = SNAPSHOTS / f"{case}.{'ansi' if colour else 'txt'}"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        snapshot.parent.mkdir(exist_ok=True)
        snapshot.write_text(text, encoding="utf-8")
    assert text == snapshot.read_text(encoding="utf-8")


@pytest.mark.parametrize("case", CASES)
def test_colour_adds_nothing_but_colour(case: str) -> None:
    result = CASES[case]()
    assert plain(written(result, colour=True)) == written(result)


def too_wide(text: str, width: int) -> list[str]:
    """Lines wider than the page; an address, a path and a command stay one thing to copy."""
    whole = ("https://", "--", "/show.sh")
    return [line for line in plain(text).splitlines() if width_of(line) > width and not any(w in line for w in whole)]


@pytest.mark.parametrize("width", [40, 60, 80, 100])
@pytest.mark.parametrize("verbosity", [0, 1])
@pytest.mark.parametrize("case", CASES)
def test_every_line_fits_and_no_id_is_cut(case: str, verbosity: int, width: int) -> None:
    result = CASES[case]()
    text = written(result, page=Page(width), verbosity=verbosity)
    assert not too_wide(text, width)
    for judgement in result.judgements:
        if verbosity or judgement.verdict.broken or judgement.verdict in (Verdict.BLOCKED, Verdict.NOT_TESTABLE):
            assert re.search(rf"(?<![\w-]){judgement.id}(?![\w-])", text)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "cp437", "no-such-encoding"])
@pytest.mark.parametrize("case", CASES)
def test_an_encoding_without_the_marks_gets_letters(case: str, encoding: str) -> None:
    text = written(CASES[case](), page=Page(encoding=encoding))
    assert text.encode("ascii" if encoding == "no-such-encoding" else encoding)
    assert not too_wide(text, 80)


def test_a_failure_stands_on_one_screen() -> None:
    noisy = replace(
        examples.STOP,
        observed="what the server said: " + "x " * 5000,
        evidence=tuple(f"ping at {n}" for n in range(500)),
        sources=examples.STOP.sources[:2],
    )
    life = replace(SERVED, events=tuple(Event(at=n, what=f"thing {n}") for n in range(900)), log=SERVED.log * 500)
    text = written(one(noisy, lives={life.name: life}))
    screen = text[text.index("1 of 1") : text.index(" summary ")]
    assert len(screen.splitlines()) <= 40


def test_the_passed_are_folded_unless_asked_for() -> None:
    result = CASES["conformant"]()
    assert "SM-INFER-PING-02" not in written(result)
    assert "SM-INFER-PING-02" in written(result, verbosity=1)


def test_what_blocks_most_is_told_first() -> None:
    text = written(CASES["failing"]())
    assert text.index("1 of 2 ── SM-INFER-PING-01") < text.index("2 of 2 ── SM-INFER-STOP-01")
    assert "SM-INFER-PING-01 blocks 4:" in text


def test_what_our_sample_met_is_shown_where_data_is_asked_for() -> None:
    unseen = judged("SM-TRAIN-RUN-01", Verdict.NOT_TESTABLE, reason="declare a channel", lives=(TRAINED.name,))
    text = written(one(unseen, replace(unseen, id="SM-TRAIN-RUN-06")))
    assert text.count("ValueError: epochs must be positive") == 1


def test_beside_a_life_that_went_wrong_stands_one_that_did_not() -> None:
    good = replace(SERVED, name="serve.bare", ended="stopped")
    deaf = replace(DEAF, name="serve.deaf")
    broken = replace(examples.PING, lives=(good.name, deaf.name))
    text = written(one(broken, lives={good.name: good, deaf.name: deaf}))
    assert text.index("serve.deaf, inference") < text.index("serve.bare, inference")


def test_the_first_and_the_last_lines_name_the_waivers() -> None:
    lines = written(CASES["waived"]()).splitlines()
    assert any("SM-INFER-INVOKE-01 to 2027-01-31 (ml-platform)" in line for line in lines[:8])
    assert "conformant with waivers (SM-INFER-INVOKE-01)" in " ".join(lines[-2:])


def test_a_fault_of_ours_shows_its_traceback() -> None:
    fault = judged(
        "SM-INFER-PING-02", Verdict.NOT_JUDGED, reason="a fault of sm_contract", traceback="Traceback\nKeyError"
    )
    text = written(one(fault))
    assert "KeyError" in text
    assert "1 not judged" in text


def test_a_strict_run_shows_a_warning_as_the_failure_it_is() -> None:
    assert "1 of 1 ── SM-TRAIN-FAIL-02" in written(one(examples.FAILURE_FILE, strict=True))


def test_a_command_for_a_pair_names_both_images() -> None:
    pair = one(examples.STOP)
    pair = replace(pair, record=replace(pair.record, training_image=image(reference="a trainer:1")))
    command = " ".join(rerun(pair, "SM-INFER-STOP-01", Page(), ["--sm-config=x.toml"])).replace("\\", "")
    assert command.split() == [
        "pytest",
        "--training-image='a",
        "trainer:1'",
        "--inference-image=my-image:tag",
        "--sm-config=x.toml",
        "--sm-only=SM-INFER-STOP-01",
    ]


def test_the_cause_is_told_wherever_one_is_known() -> None:
    said = "the log says: OSError: [Errno 30] Read-only file system: '/etc/x'"
    for broken in (examples.FAILURE_FILE, replace(examples.FAILURE_FILE, level="MAY", verdict=Verdict.NOTED)):
        assert f"because     {said}" in written(one(replace(broken, because=said)))
    waived = written(one(replace(examples.WAIVED, because=said)))
    assert f"because     {said}" in waived


@pytest.mark.parametrize(
    ("line", "left_out"),
    [
        ('172.17.0.1 - - [20/Nov/2026:10:14:02 +0000] "GET /ping HTTP/1.1" 200 503', True),
        ('INFO:     172.17.0.1:443 - "GET /ping HTTP/1.1" 200 OK', True),
        ("[I 261120 10:14:02 web:2271] 200 GET /ping (172.17.0.1) 0.53ms", True),
        ('{"method":"GET","path":"/ping","status":200}', True),
        ("handling GET /ping", True),
        ('172.17.0.1 - - [20/Nov/2026:10:14:02 +0000] "GET /ping HTTP/1.1" 503 200', False),
        ("[W 261120 10:14:02 web:2271] 404 GET /ping (172.17.0.1) 0.53ms", False),
        ("GET /pings 200", False),
        ("exception in the handler of GET /ping", False),
        ("no /ping yet", False),
    ],
)
def test_what_the_log_says_is_not_lost_under_our_own_pings(line: str, left_out: bool) -> None:
    said = [LogLine(at=n / 10, stream="stderr", text=f"line {n}") for n in range(9)]
    pings = [LogLine(at=1 + n, stream="stderr", text=line) for n in range(9)]
    life = replace(SERVED, log=(*said, *pings))
    text = written(one(examples.STOP, lives={life.name: life}), page=Page(140))
    assert (line not in text) is left_out
    assert ("last 6 of 18 lines, 9 lines of good pings left out" in text) is left_out
    assert ("line 8" in text) is left_out


def test_a_log_of_nothing_but_pings_is_shown() -> None:
    pings = tuple(LogLine(at=n, stream="stderr", text='"GET /ping HTTP/1.1" 200') for n in range(9))
    assert "last 6 of 9 lines\n" in written(one(examples.STOP, lives={SERVED.name: replace(SERVED, log=pings)}))


def test_what_makes_a_run_partial_is_named_and_what_does_not_is_said_to() -> None:
    text = written(CASES["partial"]())
    assert "2 MUSTs not testable (SM-INFER-INVOKE-01, SM-INFER-INVOKE-02)" in text
    assert "   SM-INFER-STOP-01\n   no effect on the exit status\n" in text  # it is accepted
    assert text.count("no effect on the exit status") == 1


def test_a_role_of_which_nothing_was_selected_is_not_concluded_of() -> None:
    unclear = dict.fromkeys((TRAINING, INFERENCE), examples.UNCLEAR)
    left_out = {e.id for e in catalogue().values() if e.scope in examples.BASE} - {"SM-INFER-INVOKE-01"}
    text = written(one(judged("SM-INFER-INVOKE-01"), roles=unclear, filtered=left_out), status=7)
    assert "training: not selected\n" in text
    assert text.splitlines()[-1] == "my-image:tag: inference partial: declare roles (exit status 7)"


def test_repeated_events_are_counted_and_a_long_row_is_cut_in_its_middle() -> None:
    assert moments([Event(at=n, what="ping 200") for n in (1, 2, 3)]) == ["1.00 ping 200 x3 to 3.00"]
    many = moments([Event(at=n, what=f"e{n}") for n in range(100)])
    assert len(many) == 13
    assert many[6] == "… 88 more …"


def test_small_texts() -> None:
    assert engine_text({}) == "no engine"
    assert engine_text(examples.ENGINE) == "docker 28.2 (linux/amd64)"
    told = plan_text(requirements=43, from_image=12, starts=1)
    assert told == "43 requirements · 12 from the image · 31 from 1 container"


@settings(max_examples=60, deadline=None)
@given(text=ANYTHING, encoding=st.sampled_from(["utf-8", "ascii"]), width=st.sampled_from([60, 80]))
def test_no_text_of_an_image_breaks_the_page(text: str, encoding: str, width: int) -> None:
    result = hostile(text)
    told = written(result, page=Page(width, encoding), verbosity=1)
    assert not too_wide(told, width)
    assert not [c for c in told if unicodedata.category(c)[0] == "C" and c != "\n"]
    assert told.encode(encoding)


@pytest.mark.parametrize(
    ("judgement", "life", "words"),
    [
        (examples.PING, DEAF, PING_FAILED),
        (examples.PING, replace(DEAF, start_error="exec: serve: not found", ended="never started"), CANNOT_START),
        (examples.STOP, SERVED, ""),
        (examples.FAILURE_FILE, TRAINED, "AlgorithmError: , exit code: 1"),
        (
            examples.FAILURE_FILE,
            replace(TRAINED, start_error="no such file", ended="never started", result=None),
            "ClientError: Artifact upload failed:API error (400): no such file",
        ),
        (examples.FAILURE_FILE, replace(TRAINED, exit_code=0, result=None), ""),
        (examples.PING, replace(DEAF, hit_limits=("memory",)), ""),
        (replace(examples.PING, verdict=Verdict.PASSED), DEAF, ""),
        (replace(examples.PING, cloud="its own words"), DEAF, "its own words"),
    ],
)
def test_the_cloud_speaks_by_the_life(judgement, life, words: str) -> None:
    assert cloud_words(replace(judgement, lives=(life.name,)), record(lives={life.name: life})) == words


def test_judged_lines_fit_beside_a_long_id_of_the_owners() -> None:
    mine = replace(judged("SM-INFER-PING-02"), id="ACME-" + "LONG-" * 6 + "01")
    assert mine.id in next(bare(judged_lines(mine, Page())))
