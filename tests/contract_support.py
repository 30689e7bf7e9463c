"""The whole contract judged over changes of a good record."""

from __future__ import annotations

from good_record import good_record
from mutations import Change, measured_again, then
from mutations.tables import BREAKS

import sm_contract.contract
from fixtures.faults import UNBREAKABLE
from sm_contract.judge import judge
from sm_contract.record import Record
from sm_contract.verdict import Judgement, Verdict

sm_contract.contract.load()


def verdicts(record: Record) -> dict[str, Judgement]:
    """Every verdict of the contract; a fault of ours fails the test."""
    found = {one.id: one for one in judge(record) if one.id in BREAKS or one.id in UNBREAKABLE}
    for one in found.values():
        assert one.verdict is not Verdict.NOT_JUDGED, one.traceback
    return found


def broken(found: dict[str, Judgement]) -> set[str]:
    return {one.id for one in found.values() if one.verdict.broken}


def mutated(*changed: Change) -> dict[str, Judgement]:
    return verdicts(measured_again(then(*changed)(good_record())))
