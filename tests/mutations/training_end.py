"""SM-TRAIN-DATA-…, -OUT-01, -FAIL-…"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from good_record import MODEL, fail, lines, trained

from mutations import (
    Change,
    Mutation,
    candidate,
    crashing,
    failing,
    fields,
    follow_up,
    life,
    lives,
    model,
    no_serving,
    no_training,
    only_full_trains,
    saying,
    then,
    trainings,
)
from sm_contract import changes
from sm_contract.record import Kill, Life, TrainingResult, TreeFile

ACCEPTED = fields(exit_code=0, log=lines("ERROR bad input, ignored", "done"), result=trained("x").result)


ADMITTED = TrainingResult(status="Completed", failure="channel training: no row could be read")
LOST = TrainingResult(status="Completed")
UNNOTICED = fields(exit_code=0, result=LOST)
SILENT = fields(exit_code=137, ended="limit", seconds=31.0, log=lines("epoch 1", "epoch 2"))
AGAIN = fields(exit_code=137, ended="killed", kill=Kill(at=1.9, victim="python3 trainer.py", depth=1, replaced=True))


def _left(**trees: tuple[TreeFile, ...]) -> object:
    return lambda one: replace(one, result=TrainingResult(status="Completed", **trees))


def _code(code: int, *log: str) -> object:
    """Trained well, model and all, and ended with this code."""

    def change(one: Life) -> Life:
        return replace(one, exit_code=code, result=replace(one.result, status="Failed"), log=lines(*log) or one.log)

    return change


def midway(outcome: Callable[[Life], Life]) -> Change:
    """Pipes are refused at once; a child is killed while it works on good data."""
    return then(life("train.killed_child", fields(exit_code=1, kill=None)), at_work(outcome))


def at_work(outcome: Callable[[Life], Life]) -> Change:
    """Once more: a child is killed while it works on good data."""
    kill = Kill(at=0.7, victim="python3 trainer.py", depth=1)
    return follow_up(
        "train.killed_child",
        changes.GOOD_DATA,
        lambda one: outcome(fail(replace(one, ended="itself", kill=kill), 137)),
    )


BREAKS = {
    "SM-TRAIN-DATA-03": [
        Mutation("fits on an empty frame", life("train.missing_channel", ACCEPTED)),
        Mutation(
            "says so, saves nothing, and ends with 0",
            life(
                "train.missing_channel",
                fields(exit_code=0, result=LOST, log=lines("no channel training: nothing to do")),
            ),
        ),
    ],
    "SM-TRAIN-DATA-04": [
        Mutation(
            "validation opened in any case",
            then(
                only_full_trains(failing("FileNotFoundError: '/opt/ml/input/data/validation'")),
                follow_up("train.bare", changes.OPTIONAL_CHANNELS),
            ),
        ),
        Mutation(
            "waits for it to appear",
            then(
                only_full_trains(fields(ended="limit", seconds=3600.0, exit_code=137, log=lines("waiting for data"))),
                follow_up("train.bare", changes.OPTIONAL_CHANNELS),
            ),
        ),
    ],
    "SM-TRAIN-OUT-01": [
        Mutation("saved below output", trainings(_left(output=(TreeFile(path="model/model.json", kind="file"),)))),
        Mutation("an empty directory", trainings(_left(model=(TreeFile(path="v1", kind="directory"),)))),
        Mutation("a dangling link", trainings(_left(model=(TreeFile(path="model", kind="symlink", target="/tmp/m"),)))),
        Mutation("in one of the runs", life("train.bare", _left())),
        Mutation(
            "saved in the program's folder, where only the container that trained serves it",
            then(
                trainings(_left()),
                model(source="trained"),
                no_serving(crashing("FileNotFoundError: '/opt/ml/model/model.json'")),
                follow_up("serve.bare", changes.TRAINED_CONTAINER),
            ),
        ),
    ],
    "SM-TRAIN-FAIL-01": [
        Mutation("the number of iterations", no_training(_code(5))),
        Mutation("a log that speaks of errors", no_training(_code(3, "training error 0.31", "final error: 0.02"))),
    ],
    "SM-TRAIN-FAIL-02": [
        Mutation("ignored", life("train.bad_hyperparameter", ACCEPTED)),
        Mutation(
            "every code is lost in a pipe",
            lives(
                ("train.bad_hyperparameter", "train.bad_data", "train.missing_channel", "train.killed_child"), ACCEPTED
            ),
        ),
        Mutation(
            "neither name of the file is read",
            then(
                life("train.bad_hyperparameter", ACCEPTED),
                follow_up("train.bad_hyperparameter", changes.WRONG_CASE),
            ),
        ),
    ],
    "SM-TRAIN-FAIL-03": [
        Mutation("files that cannot be read are left out", life("train.bad_data", ACCEPTED)),
        Mutation("says so, and ends with 0", life("train.bad_data", fields(exit_code=0, result=ADMITTED))),
        Mutation("and an empty channel, too", lives(("train.bad_data", "train.missing_channel"), ACCEPTED)),
    ],
    "SM-TRAIN-FAIL-08": [
        Mutation("a wrapper that ends with 0", life("train.killed_child", ACCEPTED)),
        Mutation("data that is not waited for, killed midway", midway(UNNOTICED)),
        Mutation("data that is not waited for, and silence ever after", midway(SILENT)),
        Mutation("started again on pipes, lost at work", then(life("train.killed_child", AGAIN), at_work(UNNOTICED))),
        Mutation("a supervisor that starts it again", life("train.killed_child", fields(ended="limit", seconds=32.0))),
    ],
}

KEEPS = {
    "SM-TRAIN-DATA-03": [
        Mutation("another code", life("train.missing_channel", fields(exit_code=7))),
        Mutation("no reason given", life("train.missing_channel", saying("bye"))),
    ],
    "SM-TRAIN-DATA-04": [Mutation("two of them", candidate(optional_channels=("validation", "test")))],
    "SM-TRAIN-OUT-01": [
        Mutation("files in folders", trainings(_left(model=(TreeFile(path="a/b/model.bin", kind="file", size=1),)))),
        Mutation("output as well", trainings(_left(model=MODEL, output=(TreeFile(path="success", kind="file"),)))),
    ],
    "SM-TRAIN-FAIL-01": [
        Mutation("speaks of errors, ends with 0", trainings(saying("Error: no GPU, going on", "done")))
    ],
    "SM-TRAIN-FAIL-02": [
        Mutation("killed by a signal", life("train.bad_hyperparameter", fields(exit_code=134))),
        Mutation("code 255", life("train.bad_hyperparameter", fields(exit_code=255))),
    ],
    "SM-TRAIN-FAIL-03": [Mutation("code 2, one word", life("train.bad_data", fields(exit_code=2, log=lines("bye"))))],
    "SM-TRAIN-FAIL-08": [
        Mutation("code 1 instead of 137", life("train.killed_child", fields(exit_code=1))),
        Mutation("data that is not waited for", midway(fields())),
        Mutation(
            "started again on pipes, given up at work", then(life("train.killed_child", AGAIN), at_work(fields()))
        ),
        Mutation("deeper down", life("train.killed_child", fields(kill=Kill(at=0.9, victim="python3 -u x", depth=3)))),
    ],
}
