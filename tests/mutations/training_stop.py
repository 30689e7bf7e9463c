"""SM-TRAIN-STOP-…, -LOG-02"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from good_record import MODEL, served, stopped_training

from mutations import Change, Mutation, add, candidate, crashing, fields, life, saying, then, trainings
from sm_contract import changes
from sm_contract.record import Life, LogLine, Stop, Survivor, TrainingResult

WRAPPER = Survivor(
    command="/bin/bash /usr/local/bin/train", depth=0, caught_at_first=False, catches=False, ignores=False
)
TRAINER = Survivor(command="python3 train.py", depth=1, caught_at_first=False, catches=False, ignores=False)
HANDLES = replace(TRAINER, caught_at_first=True, catches=True)
FIRST = replace(TRAINER, depth=0)
LONG = candidate(long_hyperparameters={"epochs": "100000"})
GRACEFUL = candidate(long_hyperparameters={"epochs": "100000"}, features=("graceful-stop",))


def _killed(*survivors: Survivor, seconds: float = 120.0, **limits: float) -> Callable[[Life], Life]:
    """Not ended by SIGTERM; ``survivors`` are the training itself first."""

    def change(one: Life) -> Life:
        stop = Stop(at=2.0, seconds=seconds, limit=120.0, killed=True, survivors=survivors)
        return replace(one, exit_code=137, seconds=2.0 + seconds, stop=stop)

    return change


def in_its_own_way(one: Life) -> Life:
    """The first process was told, and says so; what its training would have made of it, pipes do not show."""
    killed = _killed(TRAINER, replace(WRAPPER, catches=True), seconds=20.0)(one)
    return _lines((0.4, "reading 90 rows"), (2.02, "SIGTERM: the training ends after this epoch"))(killed)


def _once_more(what: str, how: Callable[[Life], Life] = lambda one: one) -> Change:
    name = f"train.stopped+{what}"
    return add(how(replace(stopped_training(name), base="train.stopped", change=what)))


def _lines(*timed: tuple[float, str]) -> Callable[[Life], Life]:
    return fields(log=tuple(LogLine(at=at, stream="stdout", text=text) for at, text in timed))


def _left(**more: Any) -> Callable[[Life], Life]:
    return fields(result=TrainingResult(status="Stopped", **more))


IN_ONE_BLOCK = trainings(_lines((1.38, "reading 90 rows"), (1.38, "epoch 5: mean squared error 0.031")))
SILENT = _lines((2.04, "reading 90 rows"))

BREAKS = {
    "SM-TRAIN-STOP-01": [
        Mutation("a script without exec", life("train.stopped", _killed(TRAINER, WRAPPER, seconds=3.0))),
        Mutation(
            "a launcher that keeps it to itself",
            life("train.stopped", _killed(TRAINER, replace(WRAPPER, catches=True), seconds=10.0)),
        ),
        Mutation("a trainer that would listen", life("train.stopped", _killed(HANDLES, WRAPPER, seconds=3.0))),
        Mutation("at work, where there are always lines", then(LONG, life("train.stopped", in_its_own_way))),
        Mutation("at work", then(LONG, life("train.stopped", _killed(TRAINER, replace(WRAPPER, catches=True))))),
    ],
    "SM-TRAIN-STOP-02": [
        Mutation("no handler", life("train.stopped", _killed(FIRST, seconds=3.0))),
        Mutation("all epochs are finished", then(LONG, life("train.stopped", _killed(replace(HANDLES, depth=0))))),
        Mutation(
            "seen at work only",
            then(
                life("train.stopped", _killed(replace(HANDLES, depth=0), seconds=10.0)),
                _once_more(changes.GOOD_DATA, _killed(replace(HANDLES, depth=0))),
            ),
        ),
    ],
    "SM-TRAIN-STOP-03": [
        Mutation("ends at once", GRACEFUL),
        Mutation(
            "half a file",
            then(
                GRACEFUL,
                life("train.stopped", _left(model=MODEL)),
                add(crashing("JSONDecodeError: Expecting value")(served("serve.stopped"))),
            ),
        ),
    ],
    "SM-TRAIN-LOG-02": [
        Mutation(
            "a full buffer at the end", then(IN_ONE_BLOCK, life("train.stopped", SILENT), _once_more(changes.TERMINAL))
        ),
        Mutation(
            "other numbers each time",
            then(
                IN_ONE_BLOCK,
                life("train.stopped", _lines()),
                _once_more(changes.TERMINAL, _lines((0.4, "reading 17 rows"), (2.1, "stopped"))),
            ),
        ),
    ],
}

KEEPS = {
    "SM-TRAIN-STOP-01": [
        Mutation("killed by the signal itself", life("train.stopped", fields(exit_code=-15))),
        Mutation("0 after it", life("train.stopped", fields(exit_code=0))),
        Mutation(
            "held by pipes, ends at work",
            then(life("train.stopped", _killed(HANDLES, seconds=10.0)), _once_more(changes.GOOD_DATA)),
        ),
        Mutation(
            "told in another way than by a signal, ends at work",
            then(life("train.stopped", in_its_own_way), _once_more(changes.GOOD_DATA)),
        ),
        Mutation(
            "a handler that runs once",
            life(
                "train.stopped", _killed(replace(HANDLES, catches=False), replace(WRAPPER, catches=True), seconds=10.0)
            ),
        ),
        Mutation("stopped at work", LONG),
    ],
    "SM-TRAIN-STOP-02": [
        Mutation("a minute and a half", then(LONG, life("train.stopped", fields(seconds=92.0)))),
        Mutation("code 0", life("train.stopped", fields(exit_code=0))),
        Mutation(
            "ended before, stopped at work",
            then(life("train.stopped", fields(stop=None, ended="itself", exit_code=1)), _once_more(changes.GOOD_DATA)),
        ),
    ],
    "SM-TRAIN-STOP-03": [
        Mutation(
            "saved and served",
            then(GRACEFUL, life("train.stopped", _left(model=MODEL)), add(served("serve.stopped"))),
        ),
        Mutation("saved by an image that does not serve", then(GRACEFUL, life("train.stopped", _left(model=MODEL)))),
    ],
    "SM-TRAIN-LOG-02": [
        Mutation(
            "seconds apart",
            then(
                trainings(fields(seconds=9.0)), trainings(_lines((1, "a"), (8, "b"))), life("train.stopped", _lines())
            ),
        ),
        Mutation(
            "nothing to say before the end",
            then(IN_ONE_BLOCK, life("train.stopped", _lines()), _once_more(changes.TERMINAL, _lines((2.1, "x")))),
        ),
        Mutation(
            "a prompt for a terminal alone",
            then(IN_ONE_BLOCK, life("train.stopped", _lines()), _once_more(changes.TERMINAL, _lines((0.2, "welcome")))),
        ),
        Mutation("other words", trainings(saying("los geht's", "fertig"))),
    ],
}
