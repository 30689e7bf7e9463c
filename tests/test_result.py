"""What a run concludes of each role, and the exit status that follows."""

from __future__ import annotations

from dataclasses import replace

import pytest
import report_examples as examples
from report_examples import (
    CASES,
    UNSEEN,
    judged,
    one,
    role,
    written,
)

from sm_contract.catalogue import catalogue
from sm_contract.coverage import applies, counts_unjudged, role_of
from sm_contract.record import INFERENCE, TRAINING, RoleFact
from sm_contract.result import Conclusion, exit_status
from sm_contract.status import Exit
from sm_contract.verdict import Verdict


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


BLOCKED = judged("SM-INFER-PING-02", Verdict.BLOCKED, reason="rests on SM-INFER-PING-01, which is broken")
HIDDEN = replace(BLOCKED, blocked_by="SM-IMAGE-SCRIPT-01")
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


def test_what_was_filtered_out_asks_for_no_roles() -> None:
    unclear = dict.fromkeys((TRAINING, INFERENCE), examples.UNCLEAR)
    left_out = {e.id for e in catalogue().values() if e.scope in examples.BASE}

    def texts(*ids: str) -> list[str]:
        result = one(*map(judged, ids), roles=unclear, filtered=left_out - set(ids))
        assert exit_status([result]) is Exit.PARTIAL
        return [each.text for each in result.roles]

    assert texts("SM-INFER-PING-02") == ["not selected", "partial: declare roles"]
    assert texts("SM-INFER-PING-02", "SM-IMAGE-ARCH-01") == ["not selected", "partial: declare roles"]
    assert texts("SM-IMAGE-ARCH-01") == ["partial", "partial"]
    broken = one(judged("SM-INFER-PING-02"), BROKEN_IMAGE, roles=unclear, filtered=left_out)
    assert role(broken, TRAINING).text == "not conformant"  # what concerns any image is told of each role


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


def test_the_others_are_told_by_what_they_are_and_add_up() -> None:
    for case in CASES.values():
        for each in case().roles:
            count = each.coverage
            assert count.judged + sum(number for _, number in count.others) == count.can_fail
    absent = judged("SM-INFER-PING-02", Verdict.NOT_APPLICABLE)
    others = dict(role(one(UNSEEN, built=["SM-INFER-PING-01", "SM-INFER-PING-02"]), INFERENCE).coverage.others)
    assert others["not judged in this run"] == 2
    assert set(others) == {
        "of features and kinds of product that it does not claim",
        "of training",
        "not judged by this version",
        "not judged in this run",
    }
    less = dict(role(one(absent, built=["SM-INFER-PING-01", "SM-INFER-PING-02"]), INFERENCE).coverage.others)
    assert less["not judged in this run"] == 1


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
        ({"incomplete": "cut short", "partial_ok": True}, {}, Exit.PARTIAL),
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
        ([HIDDEN, judged("SM-INFER-PING-01")], {"partial_ok": True}, Exit.PARTIAL),  # by what only warns
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
