"""What the contract leaves open is said beside its requirement, each sentence proved by neutral mutations."""

from __future__ import annotations

import pytest
from good_record import good_record
from mutations.tables import KEEPS

from sm_contract.asking import built, explanation
from sm_contract.catalogue import PROFILES
from sm_contract.practice import LEFT_OPEN

WIDTH = 80  # columns


@pytest.mark.parametrize("id", LEFT_OPEN)
def test_each_sentence_is_proved_by_neutral_mutations(id: str) -> None:
    assert id in built()
    neutral = {mutation.name for mutation in KEEPS[id]}
    assert LEFT_OPEN[id]
    for sentence, proofs in LEFT_OPEN[id].items():
        assert proofs, f"{id}: {sentence} is proved by nothing"
        assert set(proofs) <= neutral, f"{id}: no neutral mutation {sorted(set(proofs) - neutral)}"
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert len(sentence) < 2 * WIDTH


def test_what_proves_a_sentence_is_not_the_good_record_itself() -> None:
    said = {(id, name) for id, rows in LEFT_OPEN.items() for proofs in rows.values() for name in proofs}
    for id, name in said:
        change = next(mutation.change for mutation in KEEPS[id] if mutation.name == name)
        assert change(good_record()) != good_record(), f"{id}: {name} changes nothing"


@pytest.mark.parametrize("id", built())
def test_an_explanation_fits_a_terminal(id: str) -> None:
    for line in [line for profile in (None, *PROFILES) for line in explanation(id, profile).splitlines()]:
        assert len(line) <= WIDTH or len(line.split()[-1]) > WIDTH - 20, line  # an address is not broken


def test_what_is_left_open_is_a_list_beside_its_label() -> None:
    lines = explanation("SM-INFER-PING-03", None).splitlines()
    begin = next(n for n, line in enumerate(lines) if line.startswith("left open"))
    assert lines[begin : begin + 5] == [
        "left open  - While there is time connections may be refused, reset, closed, or",
        "             accepted and never answered.",
        "           - So may pings be answered with 502 by a front end, or with 503 while",
        "             a model loads.",
        "by         serve.bare, serve.full",
    ]
