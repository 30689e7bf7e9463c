"""What the contract leaves open is said beside its requirement, each sentence proved by mutations that keep it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from good_record import good_record
from mutations import Mutation
from mutations.tables import BREAKS, KEEPS

from sm_contract.asking import built, declared, explanation
from sm_contract.catalogue import PROFILES, catalogue
from sm_contract.practice import LEFT_OPEN
from sm_contract.record import Record

WIDTH = 80  # columns


def same(record: Record) -> Record:
    return record


def harmless_to(id: str) -> list[Mutation]:
    """The mutations that keep the whole contract, and those that break another requirement alone."""
    return [*KEEPS[id], *(one for other, rows in BREAKS.items() if other != id for one in rows)]


@pytest.mark.parametrize("id", LEFT_OPEN)
def test_each_sentence_is_proved_by_mutations_that_keep_it(id: str) -> None:
    assert id in built()
    harmless = {mutation.name for mutation in harmless_to(id)}
    assert LEFT_OPEN[id]
    for sentence, proofs in LEFT_OPEN[id].items():
        assert proofs, f"{id}: {sentence} is proved by nothing"
        assert set(proofs) <= harmless, f"{id}: no mutation that keeps it is named {sorted(set(proofs) - harmless)}"
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert len(sentence) < 2 * WIDTH


def test_what_proves_a_sentence_is_not_the_good_record_itself() -> None:
    said = {(id, name) for id, rows in LEFT_OPEN.items() for proofs in rows.values() for name in proofs}
    for id, name in said:
        good = good_record()
        changed = next((mutation.change for mutation in KEEPS[id] if mutation.name == name), same)(good)
        if changed is good:  # it breaks another requirement, so it changes enough
            continue
        lives = {life for life in {*good.lives, *changed.lives} if good.lives.get(life) != changed.lives.get(life)}
        runs = {re.split(r"[+@]", life)[0] for life in lives}
        elsewhere = replace(changed, lives=good.lives) != good
        assert elsewhere or runs & set(built()[id].runs), f"{id}: {name} changes nothing that it looks at"


@pytest.mark.parametrize("id", built())
def test_an_explanation_fits_a_terminal(id: str) -> None:
    for line in [line for profile in (None, *PROFILES) for line in explanation(id, profile).splitlines()]:
        assert len(line) <= WIDTH or len(line.split()[-1]) > WIDTH - 20, line  # an address is not broken


@pytest.mark.parametrize(
    ("id", "keys"),
    [
        ("SM-TRAIN-CFG-01", ["[training] bad_hyperparameters"]),
        ("SM-TRAIN-STOP-02", ["[training] long_hyperparameters"]),  # a constant of its chapter
        ("SM-TRAIN-DATA-10", ["[training.channels.NAME]"]),
        ("SM-INFER-INVOKE-13", ["concurrency", "[[inference.requests]]"]),
        ("SM-INFER-STOP-01", []),
    ],
)
def test_the_keys_a_check_may_ask_for_are_named(id: str, keys: list[str]) -> None:
    assert declared(built()[id]) == keys
    assert (f"declare    {' and '.join(keys)}, without" in explanation(id, None)) is bool(keys)


def test_each_key_a_check_may_ask_for_is_one_of_the_declaration() -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    words = {word for one in built().values() for key in declared(one) for word in re.findall(r"\w+", key)}
    assert "long_hyperparameters" in words
    assert {word for word in words - {"NAME"} if not re.search(rf"\b{word}\b", readme)} == set()


def test_what_a_requirement_is_hidden_by_is_counted_and_what_it_rests_on_named() -> None:
    told = explanation("SM-TRAIN-STOP-02", None)
    assert f"hidden by  {len(built()['SM-TRAIN-STOP-02'].hidden_by)} others: where one is broken" in told
    assert "rests on   SM-" in told
    wanted = "declare    [[inference.requests]] with a body of yours: with our sample data it"
    assert wanted in explanation("SM-INFER-PING-06", None)


@pytest.mark.parametrize(
    ("id", "said"),
    [
        ("SM-TRAIN-STOP-02", "SM-INFER-STOP-01 (once SM-IMAGE-005) says MUST."),
        ("SM-TRAIN-CFG-02", "An earlier form (SM-SPEC-017) (SHOULD) adds a run with all defaults left out"),
        ("SM-OFFLINE-LOOPBACK-01", "An earlier form (SM-OFFLINE-012) says MUST"),
    ],
)
def test_a_note_names_no_id_that_is_none_any_more_as_if_it_were(id: str, said: str) -> None:
    assert said in " ".join(explanation(id, None).split())


@pytest.mark.parametrize("id", catalogue())
def test_every_id_in_an_explanation_is_known_or_said_to_be_a_former_one(id: str) -> None:
    told = " ".join(explanation(id, None).split())
    former = re.sub(r"\(once SM-[A-Z0-9-]+\)|arlier form \(SM-[A-Z0-9-]+\)", "", told)
    assert set(re.findall(r"SM-[A-Z0-9]+(?:-[A-Z0-9]+)*-\d+", former)) <= set(catalogue())


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
