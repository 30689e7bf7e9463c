"""SM-TRAIN-RUN-…, -FS-…, -ENV-…, -CFG-…, -CKPT-…"""

from __future__ import annotations

from dataclasses import replace

from good_record import MODEL, answer, fail, lines

from mutations import (
    Mutation,
    candidate,
    crashing,
    drop,
    failing,
    fields,
    follow_up,
    image,
    life,
    never_started,
    no_serving,
    no_training,
    only_bare_trains,
    only_full_trains,
    program,
    saying,
    serve_only,
    then,
    trainings,
)
from sm_contract import changes
from sm_contract.record import FileFact, Life, LogLine, TrainingResult, TreeFile

ASSET = FileFact(path="/opt/ml/assets/vocabulary.txt", real_path="/opt/ml/assets/vocabulary.txt", kind="file", size=900)
KEY_ERROR = "KeyError: 'epochs'"
SERVER = fields(
    ended="idle",
    exit_code=137,
    seconds=61.4,
    log=lines("saved /opt/ml/model/model.json", "serving metrics on port 9100"),
)
NOT_FOUND = 'exec: "train": executable file not found in $PATH: unknown'


def _failing_when_invoked(one: Life) -> Life:
    bad = answer("plain", 0, 1.1, 500, "FileNotFoundError: '/opt/program/labels.json'")
    return replace(one, invocations=(bad, replace(bad, name="usual client headers")))


BREAKS = {
    "SM-TRAIN-RUN-01": [
        Mutation(
            "the program off PATH",
            then(
                program("train", file=None, elsewhere=("/opt/tools/train",)),
                no_training(never_started(NOT_FOUND)),
            ),
        ),
        Mutation("an import that fails", no_training(failing("ModuleNotFoundError: No module named 'numpy'"))),
        Mutation("killed by a signal", no_training(failing("core dumped", code=139))),
        Mutation(
            "variables of the user's break it",
            then(
                only_bare_trains(failing("ValueError: unknown variable COLOUR")),
                follow_up("train.bare", changes.ENVIRONMENT, failing("ValueError: unknown variable COLOUR")),
            ),
        ),
    ],
    "SM-TRAIN-RUN-06": [
        Mutation("a server in the foreground", no_training(SERVER)),
        Mutation("in one of the runs only", life("train.full", SERVER)),
    ],
    "SM-TRAIN-FS-01": [
        Mutation(
            "a vocabulary in /opt/ml/assets",
            then(
                image(baked=(ASSET,)),
                follow_up("train.bare", changes.HIDDEN, failing("FileNotFoundError: '/opt/ml/assets/vocabulary.txt'")),
            ),
        ),
        Mutation(
            "hidden, its program only hangs",
            then(
                image(baked=(ASSET,)),
                follow_up("train.bare", changes.HIDDEN, fields(ended="limit", seconds=3600.0, exit_code=137)),
            ),
        ),
    ],
    "SM-TRAIN-FS-04": [
        Mutation(
            "encoders left in the program's folder",
            then(
                no_serving(crashing("FileNotFoundError: '/opt/program/labels.json'")),
                follow_up("serve.bare", changes.TRAINED_CONTAINER),
            ),
        ),
        Mutation(
            "healthy without them, and fails when it is invoked",
            then(
                no_serving(_failing_when_invoked),
                follow_up("serve.bare", changes.TRAINED_CONTAINER),
            ),
        ),
    ],
    "SM-TRAIN-ENV-01": [
        Mutation("SM_MODEL_DIR", no_training(failing("KeyError: 'SM_MODEL_DIR'"))),
        Mutation(
            "not named in the log",
            then(
                no_training(failing("TypeError: expected str, not NoneType")),
                follow_up("train.bare", changes.SM_VARIABLES),
            ),
        ),
    ],
    "SM-TRAIN-ENV-02": [
        Mutation(
            "MODEL_BUCKET without default",
            then(
                candidate(environment={"MODEL_BUCKET": "my-models"}),
                only_full_trains(failing("KeyError: 'MODEL_BUCKET'")),
                follow_up("train.bare", changes.ENVIRONMENT),
            ),
        ),
        Mutation(
            "waits for a service whose address is not given",
            then(
                candidate(environment={"TRACKER": "localhost:9"}),
                only_full_trains(fields(ended="limit", seconds=3600.0, exit_code=137, log=lines("no TRACKER yet"))),
                follow_up("train.bare", changes.ENVIRONMENT),
            ),
        ),
    ],
    "SM-TRAIN-CFG-01": [
        Mutation(
            "resourceConfig.json",
            then(
                no_training(failing("FileNotFoundError: '/opt/ml/input/config/resourceConfig.json'")),
                follow_up("train.bare", changes.WRONG_CASE),
            ),
        ),
        Mutation(
            "hyperParameters.json, quietly",
            then(
                life("train.bad_hyperparameter", lambda one: replace(one, exit_code=0)),
                follow_up("train.bad_hyperparameter", changes.WRONG_CASE, failing("ValueError: epochs")),
            ),
        ),
    ],
    "SM-TRAIN-CFG-02": [
        Mutation(
            "range() of a string",
            then(
                only_bare_trains(failing("TypeError: 'str' object cannot be interpreted as an integer")),
                follow_up(
                    "train.bare", changes.HYPERPARAMETERS, failing("TypeError: 'str' object cannot be interpreted")
                ),
                follow_up("train.bare+hyperparameters", changes.TYPED_HYPERPARAMETERS),
            ),
        ),
        Mutation(
            "required ones, used as numbers",
            then(
                candidate(required_hyperparameters=("epochs",)),
                no_training(failing("TypeError: 'str' object cannot be interpreted as an integer")),
                follow_up("train.bare", changes.TYPED_HYPERPARAMETERS),
            ),
        ),
    ],
    "SM-TRAIN-CFG-03": [
        Mutation(
            "indexed without default",
            then(only_full_trains(failing(KEY_ERROR)), follow_up("train.bare", changes.HYPERPARAMETERS)),
        ),
        Mutation(
            "one more than those declared required",
            then(
                candidate(required_hyperparameters=("epochs",)),
                only_full_trains(failing("KeyError: 'rate'")),
                follow_up("train.bare", changes.HYPERPARAMETERS),
            ),
        ),
    ],
    "SM-TRAIN-CFG-07": [
        Mutation(
            "indexed without default",
            then(only_full_trains(failing("KeyError: 'ContentType'")), follow_up("train.bare", changes.CONTENT_TYPE)),
        ),
        Mutation(
            "trains on nothing, because no channel has a type that it knows",
            then(
                only_full_trains(
                    fields(result=TrainingResult(status="Completed"), log=lines("0 rows", "done"), command=())
                ),
                follow_up("train.bare", changes.CONTENT_TYPE),
            ),
        ),
    ],
    "SM-TRAIN-CFG-12": [
        Mutation(
            "waits for peers for ever",
            then(
                no_training(fields(ended="limit", exit_code=137, seconds=3600.0, log=lines("waiting for 1 peer"))),
                follow_up("train.bare", changes.NO_RESOURCE_CONFIG),
            ),
        ),
        Mutation(
            "gives up on peers",
            then(
                no_training(failing("RuntimeError: no peer found")), follow_up("train.bare", changes.NO_RESOURCE_CONFIG)
            ),
        ),
    ],
    "SM-TRAIN-CKPT-03": [
        Mutation(
            "max() of an empty list",
            then(
                only_bare_trains(failing("ValueError: max() arg is an empty sequence")),
                follow_up(
                    "train.bare", changes.CHECKPOINT_DIRECTORY, failing("ValueError: max() arg is an empty sequence")
                ),
            ),
        ),
        Mutation(
            "listed though not there",
            then(
                only_full_trains(failing("FileNotFoundError: '/opt/ml/checkpoints'")),
                follow_up("train.bare", changes.CHECKPOINT_DIRECTORY),
            ),
        ),
        Mutation(
            "a checkpoint wanted in any case",
            then(no_training(failing("RuntimeError: no checkpoint")), follow_up("train.bare", changes.A_CHECKPOINT)),
        ),
    ],
}

KEEPS = {
    "SM-TRAIN-RUN-01": [
        Mutation("other words in the log", trainings(saying("ERROR rate of the validation set: 0.12", "done"))),
        Mutation("slower", trainings(fields(seconds=900.0))),
        Mutation(
            "an unexplained `success` file in output",
            trainings(
                lambda one: replace(
                    one,
                    result=TrainingResult(
                        status="Completed", model=MODEL, output=(TreeFile(path="success", kind="file"),)
                    ),
                )
            ),
        ),
    ],
    "SM-TRAIN-RUN-06": [Mutation("ends long after the last log line", trainings(fields(seconds=58.0)))],
    "SM-TRAIN-FS-01": [
        Mutation("files there that nobody needs", then(image(baked=(ASSET,)), follow_up("train.bare", changes.HIDDEN))),
        Mutation("code in /opt/ml/code", image(baked=(replace(ASSET, path="/opt/ml/code/train.py"),))),
    ],
    "SM-TRAIN-FS-04": [
        Mutation(
            "more files in the model",
            trainings(
                lambda one: replace(
                    one,
                    result=TrainingResult(
                        status="Completed", model=(*MODEL, TreeFile(path="labels.json", kind="file"))
                    ),
                )
            ),
        ),
    ],
    "SM-TRAIN-ENV-01": [
        Mutation("named in the log, not needed", trainings(saying("SM_MODEL_DIR is not set: /opt/ml/model"))),
        Mutation(
            "set by a toolkit, and printed",
            trainings(saying("SM_HOSTS=['algo-1']", "SM_MODEL_DIR=/opt/ml/model", "python3 train.py --epochs 5")),
        ),
    ],
    "SM-TRAIN-ENV-02": [Mutation("variables declared, not needed", candidate(environment={"COLOUR": "blue"}))],
    "SM-TRAIN-CFG-01": [
        Mutation("another code", life("train.bad_hyperparameter", fields(exit_code=3))),
    ],
    "SM-TRAIN-CFG-02": [
        Mutation("more of them", candidate(hyperparameters={"epochs": "3", "verbose": "true", "l": "[1, 2]"}))
    ],
    "SM-TRAIN-CFG-03": [Mutation("none declared at all", then(trainings(saying("epochs: 10 by default"))))],
    "SM-TRAIN-CFG-07": [Mutation("says what it assumes", trainings(saying("no ContentType: taking text/csv")))],
    "SM-TRAIN-CFG-12": [
        Mutation("speaks of hosts", trainings(saying("hosts: ['algo-1']: a single one"))),
        Mutation(
            "looks up every host first",
            trainings(fields(seconds=62.0, log=(LogLine(at=61.0, stream="stderr", text="reading 90 rows"),))),
        ),
    ],
    "SM-TRAIN-CKPT-03": [
        Mutation("speaks of checkpoints", trainings(saying("no checkpoint to resume from", "saved the model"))),
    ],
}
_ = (LogLine, fail, drop, serve_only)
