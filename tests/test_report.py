"""The result model and the reports made from it."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import subprocess
import sys
import unicodedata
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
import report_examples as examples
from hypothesis import given, settings
from hypothesis import strategies as st
from report_examples import CASES, DEAF, SERVED, STATUS, TRAINED, image, judged, record

from sm_contract.catalogue import catalogue
from sm_contract.coverage import applies, counts_unjudged, role_of
from sm_contract.record import INFERENCE, TRAINING, Event, Invocation, LogLine, RoleFact
from sm_contract.report.cloud import CANNOT_START, PING_FAILED, cloud_words
from sm_contract.report.files import ReportError, check_folder, write_reports, write_whole
from sm_contract.report.junit import case, clean, junit_xml
from sm_contract.report.progress import Progress
from sm_contract.report.result_json import document, result_json
from sm_contract.report.screen import moments, rerun
from sm_contract.report.terminal import Terminal, engine_text, judged_line, plan_text
from sm_contract.report.text import Page, StreamSink, bare, clip, duration, shown, size, width_of, wrap
from sm_contract.resources import resource
from sm_contract.result import Conclusion, ImageResult, conclude, exit_status
from sm_contract.status import Exit
from sm_contract.verdict import Verdict

SNAPSHOTS = Path(__file__).parent / "snapshots"
ANYTHING = st.text(st.characters(exclude_categories=()), max_size=300)
SCHEMA = jsonschema.Draft202012Validator(
    json.loads(resource("schemas", "result.schema.json").read_text(encoding="utf-8"))
)


def written(
    result: ImageResult, *, page: Page | None = None, colour: bool = False, verbosity: int = 0, status: int | None = 0
) -> str:
    """The whole terminal text of a run."""
    stream = io.StringIO()
    terminal = Terminal(StreamSink(stream, colour=colour), page or Page(), verbosity=verbosity)
    terminal.head(examples.head(result))
    for judgement in result.judgements:
        terminal.judged(judgement)
    terminal.finish(result, reports=["sm-report/result.json", "sm-report/junit.xml"], status=status)
    return stream.getvalue()


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


# --- what a run concludes


def role(result: ImageResult, name: str):
    return next(each for each in result.roles if each.role == name)


@pytest.mark.parametrize(
    ("case", "training", "inference", "status"),
    [
        ("conformant", "conformant", "conformant", Exit.CONFORMANT),
        ("failing", "conformant", "not conformant", Exit.BROKEN),
        ("partial", "conformant", "partial", Exit.PARTIAL),
        ("waived", "conformant", "conformant with waivers", Exit.BROKEN),  # by the waiver that is not needed
        ("undeclared", "conformant", "partial: declare roles", Exit.PARTIAL),
        ("interrupted", "partial", "partial", Exit.PARTIAL),
    ],
)
def test_each_role_has_its_conclusion(case: str, training: str, inference: str, status: Exit) -> None:
    result = CASES[case]()
    assert (role(result, TRAINING).text, role(result, INFERENCE).text) == (training, inference)
    assert exit_status([result]) is status


def one(*judgements, **options) -> ImageResult:
    changes = {name: options.pop(name) for name in ("roles", "candidate", "lives") if name in options}
    return conclude(record(**changes), list(judgements), suite_version="0.1.0", **options)


BLOCKED = judged("SM-INFER-PING-02", Verdict.BLOCKED, reason="rests on SM-INFER-PING-01, which is broken")
UNSEEN = judged("SM-INFER-PING-02", Verdict.NOT_TESTABLE, reason="needs what is not here")
HINT = judged("SM-INFER-PING-05", Verdict.NOT_TESTABLE, reason="needs what is not here")
REGISTRY = judged("SM-IMAGE-MANIFEST-01", Verdict.NOT_TESTABLE, reason="needs a registry")
BROKEN_IMAGE = judged("SM-IMAGE-ARCH-01", Verdict.FAILED, expected="amd64", observed="arm64", fix="build for amd64")


@pytest.mark.parametrize(
    ("judgement", "options", "conclusion"),
    [
        (judged("SM-INFER-PING-02"), {}, "conformant"),
        (BLOCKED, {}, "partial"),
        (UNSEEN, {}, "partial"),
        (HINT, {}, "conformant"),  # no MUST
        (UNSEEN, {"accept_not_testable": ["SM-INFER-PING-02"]}, "partial"),  # said, though it costs nothing
        (REGISTRY, {}, "conformant"),
        (REGISTRY, {"profile": "isolation"}, "partial"),  # by what is not built
        (examples.FAILURE_FILE, {}, "conformant"),
        (examples.WAIVED, {}, "conformant with waivers"),
        (examples.STOP, {}, "not conformant"),
        (BROKEN_IMAGE, {}, "not conformant"),
        (replace(UNSEEN, verdict=Verdict.NOT_JUDGED), {}, "partial"),
        (judged("SM-INFER-PING-02"), {"incomplete": "interrupted"}, "partial"),
        (judged("SM-INFER-PING-02"), {"filtered": ["SM-INFER-PING-03"]}, "partial"),
        (judged("SM-INFER-PING-02"), {"filtered": ["SM-TRAIN-FS-01", "SM-INFER-PING-05"]}, "conformant"),
    ],
)
def test_a_role_is_partial_by_any_applicable_must_that_was_not_judged(judgement, options, conclusion) -> None:
    assert role(one(judgement, **options), INFERENCE).conclusion.value == conclusion


def test_what_concerns_the_image_counts_for_each_claimed_role() -> None:
    result = one(BROKEN_IMAGE)
    assert [each.conclusion for each in result.roles] == [Conclusion.NOT_CONFORMANT] * 2


def test_what_concerns_the_image_counts_for_a_role_nobody_made_out_too() -> None:
    roles = {TRAINING: examples.DECLARED, INFERENCE: examples.UNCLEAR}
    result = one(replace(BROKEN_IMAGE, roles=(TRAINING,)), roles=roles)
    assert role(result, INFERENCE).broken == ("SM-IMAGE-ARCH-01",)


def test_a_role_that_is_unclear_leaves_the_other_one_alone() -> None:
    result = CASES["undeclared"]()
    assert not role(result, TRAINING).gaps
    assert role(result, INFERENCE).gaps[0].kind == "declare roles"


def test_a_record_without_roles_claims_none_of_them_absent() -> None:
    result = one(judged("SM-IMAGE-ARCH-01"), roles={})
    assert [each.text for each in result.roles] == ["partial: declare roles"] * 2


def test_a_role_that_is_not_claimed_has_no_conclusion() -> None:
    absent = RoleFact(claimed=False, how="declared", why="roles in sm-contract.toml")
    result = one(judged("SM-TRAIN-FS-01"), roles={TRAINING: examples.DECLARED, INFERENCE: absent})
    assert [each.role for each in result.roles] == [TRAINING]
    assert "inference: not claimed" in written(result)


def test_coverage_is_computed_from_the_catalogue() -> None:
    result = CASES["conformant"]()
    can_fail = [e for e in catalogue().values() if e.level == "MUST" and e.evidence in ("DOC", "DERIVED")]
    mine = [e for e in can_fail if e.scope in examples.BASE and role_of(e) in ("image", TRAINING)]
    assert role(result, TRAINING).coverage.can_fail == len(can_fail) == 271
    assert role(result, TRAINING).coverage.judged == len(mine)
    assert str(result.coverage).endswith("of the 271 MUSTs of contract 2026-11 that can fail a run")


def test_a_profile_widens_what_can_fail_and_asks_for_what_is_not_built() -> None:
    result = one(judged("SM-INFER-PING-02"), profile="isolation", built=["SM-INFER-PING-02"])
    stricter = sum(e.fails("isolation") for e in catalogue().values())
    assert result.coverage.can_fail == stricter > 271
    kinds = {gap.kind for gap in role(result, INFERENCE).gaps}
    assert kinds == {"not built"}
    assert "SM-OFFLINE-DNS-01" in {gap.id for gap in role(result, INFERENCE).gaps}


def test_not_built_lists_what_applies_and_nothing_else() -> None:
    result = one(judged("SM-INFER-PING-02"), built=["SM-INFER-PING-02"])
    assert "SM-INFER-PING-02" not in result.not_built
    assert "SM-INFER-PING-01" in result.not_built
    assert not any(id.startswith(("SM-MME", "SM-DOC", "SM-MKT", "SM-BATCH")) for id in result.not_built)


@pytest.mark.parametrize(
    ("id", "roles", "features", "profile", "expected"),
    [
        ("SM-TRAIN-FS-01", [TRAINING], (), None, True),
        ("SM-TRAIN-FS-01", [INFERENCE], (), None, False),
        ("SM-IMAGE-ARCH-01", [INFERENCE], (), None, True),
        ("SM-IMAGE-ARCH-01", [], (), None, False),
        ("SM-BATCH-01", [INFERENCE], (), None, False),
        ("SM-BATCH-01", [INFERENCE], ("batch",), None, True),
        ("SM-TRAIN-CKPT-01", [TRAINING], ("checkpoints",), None, True),
        ("SM-MKT-SCAN-01", [TRAINING], (), None, False),
        ("SM-MKT-SCAN-01", [TRAINING], (), "marketplace", True),
    ],
)
def test_what_applies(id: str, roles, features, profile, expected: bool) -> None:
    assert applies(catalogue()[id], roles=roles, features=features, profile=profile) is expected


def test_a_scanner_is_asked_for_by_the_marketplace_alone() -> None:
    entry = catalogue()["SM-MKT-SCAN-01"]
    assert [counts_unjudged(entry, profile) for profile in (None, "isolation", "marketplace")] == [False, False, True]


def test_the_eight_counts_are_always_there() -> None:
    assert [verdict.value for verdict in one().counts] == [
        "passed",
        "failed",
        "warned",
        "noted",
        "waived",
        "blocked",
        "not testable",
        "not applicable",
    ]


def test_shortened_waits_are_gathered() -> None:
    result = CASES["failing"]()
    assert [(s.wait, s.used, s.contract, s.lives) for s in result.shortened] == [
        ("start", 60.0, 480.0, ("serve.full", "serve.bare")),
        ("stop", 5.0, 30.0, ("serve.full",)),
    ]


@pytest.mark.parametrize(
    ("options", "flags", "status"),
    [
        ({}, {}, Exit.CONFORMANT),
        ({}, {"interrupted": True, "engine_lost": True, "fault": True}, Exit.INTERRUPTED),
        ({}, {"engine_lost": True, "fault": True}, Exit.ENGINE),
        ({"waiver_problems": ["expired"]}, {"fault": True}, Exit.FAULT),
        ({"waiver_problems": ["expired"], "incomplete": "cut short"}, {}, Exit.BROKEN),
        ({"incomplete": "cut short"}, {}, Exit.PARTIAL),
        ({"incomplete": "cut short", "partial_ok": True}, {}, Exit.CONFORMANT),
    ],
)
def test_of_several_exit_statuses_the_first_of_the_table_holds(options, flags, status: Exit) -> None:
    assert exit_status([one(judged("SM-INFER-PING-02"), **options)], **flags) is status


@pytest.mark.parametrize(
    ("judgements", "options", "status"),
    [
        ([], {}, Exit.NOTHING_JUDGED),
        ([UNSEEN], {}, Exit.PARTIAL),
        ([UNSEEN], {"partial_ok": True}, Exit.NOTHING_JUDGED),  # never 0 where nothing was judged
        ([UNSEEN, judged("SM-INFER-PING-01")], {"partial_ok": True}, Exit.CONFORMANT),
        ([UNSEEN, judged("SM-INFER-PING-01")], {"accept_not_testable": [UNSEEN.id]}, Exit.CONFORMANT),
        ([BLOCKED, judged("SM-INFER-PING-01")], {"accept_not_testable": [BLOCKED.id]}, Exit.PARTIAL),
        ([replace(UNSEEN, verdict=Verdict.NOT_JUDGED)], {}, Exit.FAULT),
        ([examples.FAILURE_FILE], {"strict": True}, Exit.BROKEN),
        ([examples.FAILURE_FILE], {}, Exit.CONFORMANT),
        ([examples.WAIVED], {}, Exit.CONFORMANT),
    ],
)
def test_the_exit_status_of_one_image(judgements, options, status: Exit) -> None:
    assert exit_status([one(*judgements, **options)]) is status


# --- text


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


# --- the terminal


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
    """Lines wider than the page; an address and a command stay one thing to copy."""
    lines = plain(text).splitlines()
    return [line for line in lines if width_of(line) > width and "https://" not in line and "--" not in line]


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


def test_repeated_events_are_counted_and_a_long_row_is_cut_in_its_middle() -> None:
    assert moments([Event(at=n, what="ping 200") for n in (1, 2, 3)]) == ["1.00 ping 200 x3 to 3.00"]
    many = moments([Event(at=n, what=f"e{n}") for n in range(100)])
    assert len(many) == 13
    assert many[6] == "… 88 more …"


def test_small_texts() -> None:
    assert engine_text({}) == "no engine"
    assert engine_text(examples.ENGINE) == "docker 28.2 (linux/amd64)"
    assert (
        plan_text(requirements=43, from_image=12, starts=1) == "43 requirements · 12 from the image · 31 from 1 start"
    )


@settings(max_examples=60, deadline=None)
@given(text=ANYTHING, encoding=st.sampled_from(["utf-8", "ascii"]), width=st.sampled_from([60, 80]))
def test_no_text_of_an_image_breaks_the_page(text: str, encoding: str, width: int) -> None:
    result = hostile(text)
    told = written(result, page=Page(width, encoding), verbosity=1)
    assert not too_wide(told, width)
    assert not [c for c in told if unicodedata.category(c)[0] == "C" and c != "\n"]
    assert told.encode(encoding)


def hostile(text: str) -> ImageResult:
    """A result in which everything that an image or its owner can write is one text."""
    said = text.strip() or "x"
    life = replace(
        SERVED,
        log=(LogLine(at=0.0, stream="stdout", text=text),),
        events=(Event(at=0.0, what=text),),
        invocations=(
            Invocation(name="plain", request=0, content_type="a/b", at=1, seconds=1, status=500, client_sees=text),
        ),
    )
    broken = replace(
        examples.STOP,
        expected=said,
        observed=said,
        because=text,
        fix=said,
        evidence=(text, text),
        lives=("serve.full",),
    )
    invoke = replace(broken, id="SM-INFER-INVOKE-01", verdict=Verdict.WARNED)
    unseen = replace(UNSEEN, reason=said)
    facts = image(entrypoint=(text,), reference="my-image:tag", digest=text)
    return conclude(record(image=facts, lives={life.name: life}), [broken, invoke, unseen], suite_version="0.1.0")


# --- the cloud's words


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


# --- result.json


@pytest.mark.parametrize("case", CASES)
def test_the_document_follows_its_schema(case: str) -> None:
    result = CASES[case]()
    told = json.loads(result_json([result], status=STATUS[case]))
    SCHEMA.validate(told)
    assert told["incomplete"] is (case == "interrupted")
    (only,) = told["images"]
    assert only["roles"]["inference"]["conclusion"] == role(result, INFERENCE).conclusion.value
    assert only["counts"]["passed"] == sum(each["verdict"] == "passed" for each in only["verdicts"])
    assert sum(only["counts"].values()) == len(only["verdicts"])


def test_a_pair_has_the_training_image_beside_it() -> None:
    result = one(judged("SM-INFER-PING-02"))
    result = replace(result, record=replace(result.record, training_image=image(reference="trainer:1")))
    told = document([result])
    SCHEMA.validate(told)
    assert told["images"][0]["training_image"]["reference"] == "trainer:1"


@settings(max_examples=60, deadline=None)
@given(ANYTHING)
def test_no_text_of_an_image_breaks_the_document(text: str) -> None:
    told = result_json([hostile(text)])
    assert told.isascii()
    SCHEMA.validate(json.loads(told))


# --- junit.xml


def cases_of(xml: str) -> dict[str, ET.Element]:
    return {element.get("name", "").split()[0]: element for element in ET.fromstring(xml).iter("testcase")}


@pytest.mark.parametrize("case", CASES)
def test_junit_says_the_same_as_the_document(case: str) -> None:
    result = CASES[case]()
    cases = cases_of(junit_xml([result]))
    assert list(cases) == [judgement.id for judgement in result.judgements]
    for judgement in result.judgements:
        kinds = {child.tag for child in cases[judgement.id]} - {"properties"}
        expected = {
            Verdict.FAILED: {"failure"},
            Verdict.BLOCKED: {"skipped"},
            Verdict.NOT_TESTABLE: {"skipped"},
            Verdict.NOT_APPLICABLE: {"skipped"},
        }
        assert kinds == expected.get(judgement.verdict, set())


def test_a_failed_case_says_what_was_observed_and_expected() -> None:
    element = cases_of(junit_xml([CASES["failing"]()]))["SM-INFER-STOP-01"]
    failure = element.find("failure")
    assert element.get("classname", "").startswith("inference.")
    assert element.get("name") == "SM-INFER-STOP-01 SIGTERM reaches the serving process"
    assert failure is not None
    assert failure.get("message") == (
        "still running after 30.0 s, then killed (exit 137) (expected: the container ends within 30.0 s of SIGTERM)"
    )
    assert {"fix:", "source:", "evidence:"} <= {line.split()[0] for line in (failure.text or "").splitlines()}


@pytest.mark.parametrize(
    ("judgement", "ending"),
    [
        (examples.FAILURE_FILE, " [WARNED]"),
        (replace(examples.FAILURE_FILE, verdict=Verdict.NOTED), " [NOTED]"),
        (examples.WAIVED, " [WAIVED to 2027-01-31]"),
    ],
)
def test_what_is_broken_and_does_not_fail_passes_by_another_name(judgement, ending: str) -> None:
    told = case(judgement)
    assert told.outcome == "passed"
    assert told.name.endswith(ending)
    assert {"observed", "fix", "verdict"} <= {name for name, _ in told.properties}


def test_a_strict_run_fails_a_warning() -> None:
    assert case(examples.FAILURE_FILE, strict=True).outcome == "failure"


def test_colours_and_controls_are_removed() -> None:
    assert clean("\x1b[31mred\x1b[0m\r\n\x00\x9b\u202e\ud800 ok\tthere\ufffe") == "red\n ok\tthere"


@settings(max_examples=60, deadline=None)
@given(ANYTHING)
def test_no_text_of_an_image_breaks_the_xml(text: str) -> None:
    xml = junit_xml([hostile(text)])
    root = ET.fromstring(xml.encode())
    assert root.get("tests") == "3"
    assert not [c for c in xml if unicodedata.category(c)[0] == "C" and c not in "\n\t"]


CONFTEST = """
import sys
sys.path.insert(0, {tests!r})
import pytest, report_examples
from sm_contract.report.junit import name_in_pytest

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport(report):
    for plugin in CONFIG.pluginmanager.get_plugins():
        if hasattr(plugin, "node_reporter"):
            name_in_pytest(plugin.node_reporter(report), report_examples.WAIVED)

def pytest_configure(config):
    global CONFIG
    CONFIG = config
"""


def test_pytests_own_junit_takes_our_names(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST.format(tests=str(Path(__file__).parent)))
    (tmp_path / "test_any.py").write_text("def test_any(): pass\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--junitxml=out.xml",
        "-p",
        "no:sm_contract",
        "-p",
        "no:cacheprovider",
    ]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    (element,) = ET.parse(tmp_path / "out.xml").getroot().iter("testcase")
    ours = case(examples.WAIVED)
    assert (element.get("classname"), element.get("name")) == (ours.classname, ours.name)


# --- files


def test_reports_are_written_whole(tmp_path: Path) -> None:
    check_folder(tmp_path / "new" / "folder")
    written = write_reports(tmp_path / "new" / "folder", [CASES["failing"]()], status=1)
    assert [path.name for path in written] == ["result.json", "junit.xml"]
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == ["junit.xml", "result.json"]


def test_a_folder_that_cannot_be_written_is_named_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match=re.escape(f"--sm-report: {tmp_path / 'file' / 'x'} cannot be written (")):
        check_folder(tmp_path / "file" / "x")


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "result.json").write_text("old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ReportError, match="make room there"):
        write_whole(tmp_path / "result.json", "new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("result.json", "old")]


# --- progress


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


def test_judged_lines_fit_beside_a_long_id_of_the_owners() -> None:
    mine = replace(judged("SM-INFER-PING-02"), id="ACME-" + "LONG-" * 6 + "01")
    assert mine.id in next(bare([judged_line(mine, Page())]))
