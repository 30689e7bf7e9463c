"""A record that was cut short proves what went well, and accuses nobody: what names the cause may be missing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from good_record import good_record
from mutations import Mutation, image, invocations, measured_again, models, serving, training, training_end

import sm_contract.contract
from sm_contract.judge import judge
from sm_contract.record import ROLES, Record
from sm_contract.requirements import registry
from sm_contract.verdict import Verdict

sm_contract.contract.load()
BREAKS = {
    id: rows[0]
    for chapter in (training, training_end, serving, invocations, models)
    for id, rows in chapter.BREAKS.items()
    if registry()[id].runs
}


def cut_short(record: Record, *roles: str) -> dict[str, Verdict]:
    return {one.id: one.verdict for one in judge(replace(record, unfinished=roles))}


@pytest.mark.parametrize(("id", "mutation"), BREAKS.items(), ids=BREAKS.keys())
def test_what_was_seen_of_it_is_no_finding_yet(id: str, mutation: Mutation) -> None:
    found = cut_short(mutation.change(good_record()), *ROLES)

    assert found[id] is Verdict.NOT_TESTABLE
    assert not [id for id, verdict in found.items() if verdict.broken]


def test_what_went_well_is_proved() -> None:
    whole = {one.id: one.verdict for one in judge(good_record())}

    assert cut_short(good_record(), *ROLES) == whole


def test_the_other_role_and_the_image_itself_are_judged_as_ever() -> None:
    record = BREAKS["SM-TRAIN-FAIL-01"].change(image(architecture="arm64")(good_record()))
    served = measured_again(BREAKS["SM-INFER-STOP-01"].change(good_record()))

    assert cut_short(record, *ROLES)["SM-IMAGE-ARCH-01"] is Verdict.FAILED
    assert cut_short(served, "training")["SM-INFER-STOP-01"] is Verdict.FAILED
    assert cut_short(served, "inference")["SM-INFER-STOP-01"] is Verdict.NOT_TESTABLE
