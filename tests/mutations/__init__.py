"""Named changes of a good record: those that break exactly one requirement, and those that break none.

Each chapter's module holds ``BREAKS`` and ``KEEPS``: by id, the mutations, each a function from record to record.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from good_record import brief, crashed, fail, in_time, lines, served, trained

from sm_contract.alone import SUFFIX, is_alone, late
from sm_contract.record import TRAINING, ImageFacts, Life, ModelFacts, Ping, Record

Change = Callable[[Record], Record]
FULL_AND_BARE = ("full", "bare")
MEANT_TO_FAIL = ("train.bad_hyperparameter", "train.bad_data", "train.missing_channel", "train.killed_child")
FURTHER = (*MEANT_TO_FAIL, "train.odd", "train.stopped", "train.strict")


@dataclass(frozen=True)
class Mutation:
    """A change with a name for the test's id."""

    name: str
    change: Change


def then(*changes: Change) -> Change:
    """One change after the other."""

    def all_of_them(record: Record) -> Record:
        for change in changes:
            record = change(record)
        return record

    return all_of_them


# --- single facts -----------------------------------------------------------------------------------


def image(**fields: Any) -> Change:
    """Other facts of the image."""
    return lambda record: replace(record, image=replace(record.image, **fields))


def of_image(change: Callable[[ImageFacts], ImageFacts]) -> Change:
    return lambda record: replace(record, image=change(record.image))


def program(word: str, **fields: Any) -> Change:
    """Other facts of the program of a word."""

    def change(facts: ImageFacts) -> ImageFacts:
        return replace(facts, programs={**facts.programs, word: replace(facts.programs[word], **fields)})

    return of_image(change)


def candidate(**fields: Any) -> Change:
    """Another declaration."""
    return lambda record: replace(record, candidate=replace(record.candidate, **fields))


def model(**fields: Any) -> Change:
    """Another model; a declared one means that it is not training's."""
    return lambda record: replace(record, model=ModelFacts(**fields))


def life(name: str, change: Callable[[Life], Life]) -> Change:
    """One life changed."""
    return lambda record: replace(record, lives={**record.lives, name: change(record.lives[name])})


def lives(names: tuple[str, ...], change: Callable[[Life], Life]) -> Change:
    """Several lives changed the same way."""
    return then(*(life(name, change) for name in names))


def servers(change: Callable[[Life], Life]) -> Change:
    """The two first lives of the server changed the same way."""
    return lives(("serve.full", "serve.bare"), change)


def trainings(change: Callable[[Life], Life]) -> Change:
    """The two first trainings changed the same way."""
    return lives(("train.full", "train.bare"), change)


def fields(**changed: Any) -> Callable[[Life], Life]:
    """A life with other facts."""
    return lambda one: replace(one, **changed)


def saying(*texts: str) -> Callable[[Life], Life]:
    """A life with another log."""
    return lambda one: replace(one, log=lines(*texts))


def add(*new: Life) -> Change:
    """Further lives."""
    return lambda record: replace(record, lives={**record.lives, **{one.name: one for one in new}})


def drop(*names: str) -> Change:
    """Lives that were not lived."""
    return lambda record: replace(record, lives={n: one for n, one in record.lives.items() if n not in names})


def alone(life: Life, control: tuple[Ping, ...] | None = None) -> Life:
    """The same once more with the machine to itself, the control beside it in time."""
    return replace(life, name=life.name + SUFFIX, neighbours=0, control=control or in_time())


def measured_again(record: Record) -> Record:
    """The record with what a run adds for each life that broke a time limit: the same once more, alone."""
    unsure = [one for one in record.lives.values() if late(one) and one.name + SUFFIX not in record.lives]
    return add(*(alone(one) for one in unsure if not is_alone(one.name)))(record)


# --- what follows from a failure --------------------------------------------------------------------


def follow_up(base: str, what: str, outcome: Callable[[Life], Life] | None = None, name: str = "") -> Change:
    """A follow-up that varies a run by one change; it goes well unless ``outcome`` makes it fail."""

    def change(record: Record) -> Record:
        role = record.lives[base].role
        one = trained(f"{base}+{what}") if role == TRAINING else brief(served(f"{base}+{what}"))
        one = replace(outcome(one) if outcome else one, base=base, change=what, name=name or one.name)
        return replace(record, lives={**record.lives, one.name: one})

    return change


def failing(*log: str, code: int = 1) -> Callable[[Life], Life]:
    """A training that ends with a code other than 0."""
    return lambda one: fail(one, code, *log)


def crashing(*log: str, code: int = 1) -> Callable[[Life], Life]:
    """A server that ends before it is healthy."""
    return lambda one: crashed(one, code, *log)


def no_training(how: Callable[[Life], Life]) -> Change:
    """Both first trainings fail: nothing further is trained, and the server has no model."""
    return then(
        trainings(how),
        drop(*FURTHER, "serve.again", "serve.empty", "serve.probed", "serve.strict", "serve.other_user"),
        model(source="none"),
        servers(crashing("FileNotFoundError: '/opt/ml/model/model.json'")),
    )


def only_bare_trains(how: Callable[[Life], Life]) -> Change:
    """The full training fails."""
    return life("train.full", how)


def only_full_trains(how: Callable[[Life], Life]) -> Change:
    """The bare training fails."""
    return life("train.bare", how)


def no_serving(how: Callable[[Life], Life]) -> Change:
    """Both first lives of the server go wrong: nothing further is served."""
    return then(servers(how), drop("serve.again", "serve.empty", "serve.probed", "serve.strict", "serve.other_user"))


def only_bare_serves(how: Callable[[Life], Life]) -> Change:
    """The full life of the server goes wrong."""
    return life("serve.full", how)


def never_started(error: str) -> Callable[[Life], Life]:
    """A container that the engine could not start."""
    return lambda one: replace(
        one,
        seconds=0.05,
        start_error=error,
        exit_code=None,
        ended="never started",
        events=one.events[:1],
        log=(),
        ready_at=None,
        pings=(),
        invocations=(),
        listeners=None,
        stop=None,
        result=None,
    )


def serve_only() -> Change:
    """An image that claims inference alone, its model declared as a folder."""

    def change(record: Record) -> Record:
        roles = dict(record.roles)
        roles[TRAINING] = replace(roles[TRAINING], claimed=False, why="training is not among the declared roles")
        kept = {name: one for name, one in record.lives.items() if one.role != TRAINING}
        return replace(record, roles=roles, lives=kept, model=replace(record.model, source="declared folder"))

    return change
