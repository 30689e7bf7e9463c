"""The matrix on file speaks of the requirements as they are, and nothing is proven by halves."""

from __future__ import annotations

from dataclasses import fields

import pytest
from judging import Judged
from matrix import (
    CANDIDATES,
    DATA,
    PAGE,
    chapter_digest,
    contract,
    fault_digest,
    flips,
    outdated,
    page,
    read,
    requirement_digest,
    stamped,
    to_prove,
)
from mutations.tables import BREAKS, KEEPS

from benchmarks.reference import CORE
from fixtures.faults import FAULTS, UNBREAKABLE

CHAPTER = "sm_contract.contract.test_traces"


def made() -> dict:
    """A matrix of what is here, with no candidate judged."""
    matrix = stamped([[]], 61.0)
    for id, row in matrix["requirements"].items():
        row["digest"] = requirement_digest(contract()[id])
    return matrix


def verdict(name: str, **verdicts: str) -> Judged:
    rows = {id.replace("_", "-"): {"verdict": said} for id, said in verdicts.items()}
    return Judged(name, 0, "", rows, 1.0, 10)


@pytest.mark.skipif(not DATA.exists(), reason="no matrix was made yet: make matrix")
def test_the_matrix_on_file_is_not_older_than_a_requirement() -> None:
    matrix = read()
    assert matrix is not None
    assert outdated(matrix) == [], "run make matrix"
    assert set(CANDIDATES) - set(matrix["candidates"]) == set(), "run make matrix NAMES=…"
    assert PAGE.read_text(encoding="utf-8") == page(matrix)
    assert matrix["flips"] == []


@pytest.mark.parametrize("name", FAULTS)
def test_what_a_digest_is_made_of_is_the_same_in_each_process(name: str) -> None:
    values = [getattr(FAULTS[name], each.name) for each in fields(FAULTS[name])]
    assert " at 0x" not in repr([value for value in values if not callable(value)])


def test_a_requirement_that_was_changed_added_or_dropped_outdates_it() -> None:
    matrix = made()
    assert outdated(matrix) == []
    id, other = list(contract())[:2]
    matrix["requirements"][id]["digest"] = "of another check"
    matrix["requirements"]["SM-GONE-01"] = matrix["requirements"].pop(other)
    assert outdated(matrix) == [f"{other} is not in it", "SM-GONE-01 is judged no more", f"{id} was changed since"]


def test_without_a_matrix_every_fault_is_proven_and_with_one_what_was_touched_and_a_sample(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    was = chapter_digest
    assert to_prove(None) == list(FAULTS)
    matrix = made()
    assert to_prove(matrix) == list(FAULTS)  # none of them was judged
    matrix["candidates"] = {name: {"digest": fault_digest(fault)} for name, fault in FAULTS.items()}
    sample = to_prove(matrix)
    assert {name for name, fault in FAULTS.items() if set(CORE) & set(fault.breaks)} < set(sample) < set(FAULTS)
    monkeypatch.setattr("matrix.chapter_digest", lambda module: "of other lines" if module == CHAPTER else was(module))
    of_it = {name for name, fault in FAULTS.items() if any(contract()[id].module == CHAPTER for id in fault.breaks)}
    assert set(to_prove(matrix)) == set(sample) | of_it


def test_what_is_judged_by_itself_takes_its_row_and_leaves_the_others() -> None:
    name, other = "runs-as-nobody", "tini-in-front"
    whole = stamped([[verdict(name), verdict(other)]], 61.0, made())
    for id in ("SM-IMAGE-USER-01", "SM-IMAGE-ENTRYPOINT-02"):
        whole["requirements"][id]["digest"] = "as it was"
    again = stamped([[verdict(other, SM_IMAGE_ENTRYPOINT_02="warned")]], 3.0, whole)
    assert again["candidates"][other]["broken"] == ["SM-IMAGE-ENTRYPOINT-02"]
    assert again["candidates"][name] == whole["candidates"][name]
    assert (again["seconds"], again["runs"]) == (61, 1)
    assert outdated(again) == ["SM-IMAGE-USER-01 was changed since"]


def test_a_flip_between_two_runs_is_named() -> None:
    name = CANDIDATES[0]
    runs = [[verdict(name, SM_A="passed", SM_B="failed")], [verdict(name, SM_A="passed", SM_B="blocked")]]
    assert flips(runs) == [f"{name}: SM-B was blocked and failed"]


@pytest.mark.parametrize("id", contract())
def test_each_requirement_has_a_fault_two_mutations_and_a_neutral_one(id: str) -> None:
    if id in UNBREAKABLE:
        return
    assert any(id in fault.breaks for fault in FAULTS.values()), f"{id} has no fault"
    assert len(BREAKS.get(id, ())) >= 2, f"{id} has {len(BREAKS.get(id, ()))} mutation(s) that flip it"
    assert KEEPS.get(id), f"{id} has no neutral mutation"
