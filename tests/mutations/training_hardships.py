"""What only the full training has, what only a non-root user meets, and hyperparameters at their limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from good_record import DATA, MODEL, lines, trained

from mutations import (
    Change,
    Mutation,
    add,
    candidate,
    drop,
    failing,
    fields,
    follow_up,
    image,
    life,
    no_training,
    only_bare_trains,
    only_full_trains,
    saying,
    then,
    trainings,
)
from sm_contract import changes
from sm_contract.record import Life, Record, TrainingResult, TreeFile

READ_ONLY = "OSError: [Errno 30] Read-only file system: '/opt/ml/input/data/training/index'"
NOT_OURS = "PermissionError: /opt/ml/input/data/training/train.csv belongs to user 0"
NO_WRITE = "PermissionError: [Errno 13] Permission denied: '/opt/ml/model/model.json'"
MUST = (changes.ISOLATED, changes.HYPERPARAMETERS, changes.OPTIONAL_CHANNELS, changes.CHECKPOINT_DIRECTORY)
RAN = "$(:>/opt/ml/output/data/sm-contract-ran-0)"
SHORT, PLAIN = f"train.odd+{changes.FEW_KEYS}", f"train.odd+{changes.PLAIN_VALUES}"


def _not_borne(change: str, *log: str, code: int = 1) -> Change:
    """The full training fails, and the bare one does with this change alone."""
    return then(
        only_bare_trains(failing(*log, code=code)),
        *(follow_up("train.bare", one) for one in MUST),
        follow_up("train.bare", change, failing(*log, code=code)),
    )


def _needed(change: str, *log: str) -> Change:
    """The bare training fails, and does not with this change alone."""
    return then(only_full_trains(failing(*log)), follow_up("train.bare", change))


def _odd(how: Callable[[Life], Life], still: str) -> Change:
    """The odd run does not end cleanly, nor does one of those in which it is less odd."""

    def change(record: Record) -> Record:
        odd = record.lives["train.odd"]
        both = [replace(odd, name=name, base="train.odd", change=name.partition("+")[2]) for name in (SHORT, PLAIN)]
        return add(how(odd), *(how(one) if one.name == still else one for one in both))(record)

    return change


def _ran(one: Life) -> Life:
    assert one.result is not None
    return replace(one, result=replace(one.result, ran=(RAN,)))


def _left(*files: TreeFile) -> Callable[[Life], Life]:
    return lambda one: replace(one, result=TrainingResult(status="Completed", model=files, output=(DATA,)))


HANGS = fields(ended="limit", exit_code=137, seconds=37.0, log=lines("reading hyperparameters"))
FAILED = TrainingResult(status="Failed")
OVERFLOW = fields(exit_code=134, log=lines("*** buffer overflow detected ***: terminated"), result=FAILED)
ONE_VALUE = replace(
    OVERFLOW(trained("train.odd+odd values text_24 to text_24")),
    base="train.odd",
    change="odd values text_24 to text_24",
    conditions=("'1e309'",),
)
OPTIONAL = candidate(required_channels=(), optional_channels=("training", "validation"))

BREAKS = {
    "SM-TRAIN-FS-03": [
        Mutation("an index beside the data", _not_borne(changes.READ_ONLY_INPUT, READ_ONLY)),
        Mutation("unpacked in place, by a shell", _not_borne(changes.READ_ONLY_INPUT, "tar: Cannot open", code=2)),
    ],
    "SM-TRAIN-ENV-03": [
        Mutation(
            "env read line by line", _not_borne(changes.MANY_VARIABLES, "ValueError: not enough values to unpack")
        ),
        Mutation("eval of a variable", life("train.full", _ran)),
    ],
    "SM-TRAIN-WARM-01": [
        Mutation("an index that is half written", _not_borne(changes.WARM_CACHE, "json.decoder.JSONDecodeError")),
        Mutation("an old lock waited for", _not_borne(changes.WARM_CACHE, "waiting for .lock", code=75)),
    ],
    "SM-TRAIN-CFG-05": [
        Mutation("a command line made of values", life("train.odd", _ran)),
        Mutation("an endless loop", _odd(HANGS, SHORT)),
        Mutation("a quiet end", _odd(fields(exit_code=1, log=(), result=FAILED), SHORT)),
        Mutation("a single value", then(_odd(OVERFLOW, SHORT), add(ONE_VALUE))),
    ],
    "SM-TRAIN-CFG-06": [
        Mutation("a fixed buffer", _odd(OVERFLOW, PLAIN)),
        Mutation("quadratic in their number", _odd(HANGS, PLAIN)),
    ],
    "SM-TRAIN-CFG-08": [
        Mutation("a closed schema", _not_borne(changes.UNDOCUMENTED_KEYS, "Additional properties are not allowed")),
        Mutation("a dataclass", _not_borne(changes.UNDOCUMENTED_KEYS, "TypeError: unexpected keyword argument")),
    ],
    "SM-TRAIN-CFG-09": [
        Mutation("instance_groups", _needed(changes.UNDOCUMENTED_KEYS, "KeyError: 'instance_groups'")),
        Mutation("not named in the log", _needed(changes.UNDOCUMENTED_KEYS, "TypeError: 'NoneType'")),
    ],
    "SM-TRAIN-CFG-10": [
        Mutation("checkpointconfig.json", _needed(changes.FEATURE_FILES, "FileNotFoundError: checkpointconfig.json")),
        Mutation("a silent end", _needed(changes.FEATURE_FILES)),
    ],
    "SM-TRAIN-CFG-11": [
        Mutation("every file is a config file", _not_borne(changes.PLATFORM_FILES, "KeyError: 'epochs'")),
        Mutation("an empty profiler file", _not_borne(changes.FEATURE_FILES, "KeyError: 'ProfilingParameters'")),
        Mutation("init-config.json is wanted", _needed(changes.PLATFORM_FILES, "FileNotFoundError: init-config.json")),
    ],
    "SM-TRAIN-DATA-10": [
        Mutation(
            "an empty map is refused",
            then(OPTIONAL, drop("train.missing_channel"), _needed(changes.OTHER_CHANNEL, "ValueError: no channels")),
        ),
        Mutation(
            "though data are generated",
            then(
                candidate(required_channels=(), optional_channels=("extra",)),
                drop("train.missing_channel"),
                _needed(changes.OTHER_CHANNEL, "StopIteration"),
            ),
        ),
    ],
    "SM-TRAIN-USER-01": [
        Mutation(
            "USER 1000",
            then(image(user="1000"), no_training(failing(NO_WRITE)), follow_up("train.bare", changes.WRITABLE)),
        ),
        Mutation(
            "a silent end",
            then(image(user="nobody"), no_training(failing(code=13)), follow_up("train.bare", changes.WRITABLE)),
        ),
    ],
    "SM-PRIV-READ-01": [
        Mutation(
            "owners compared, in training",
            then(
                image(user="1000"),
                no_training(failing(NOT_OURS)),
                follow_up("train.bare", changes.WRITABLE, failing(NOT_OURS)),
                follow_up(f"train.bare+{changes.WRITABLE}", changes.OWNED),
            ),
        ),
        Mutation(
            "by a user who may write",
            then(image(user="1000"), no_training(failing(NOT_OURS)), follow_up("train.bare", changes.OWNED)),
        ),
    ],
    "SM-TRAIN-NET-04": [
        Mutation(
            "uploaded, and not kept",
            then(
                life("train.bare", _left()),
                only_bare_trains(failing("EndpointConnectionError: s3")),
                follow_up("train.bare", changes.ISOLATED, failing("EndpointConnectionError: s3")),
            ),
        ),
        Mutation(
            "only folders kept",
            then(
                life("train.bare", _left(TreeFile(path="export", kind="directory"))),
                only_bare_trains(failing("upload: Network is unreachable", code=7)),
                follow_up("train.bare", changes.ISOLATED, failing("upload: Network is unreachable", code=7)),
            ),
        ),
    ],
}

KEEPS = {
    "SM-TRAIN-FS-03": [
        Mutation("speaks of it", trainings(saying("input is read-only, unpacking to /tmp"))),
        Mutation("slower", trainings(fields(seconds=12.0))),
    ],
    "SM-TRAIN-ENV-03": [Mutation("counts them", trainings(saying("102 variables", "JOB_NOTE is long")))],
    "SM-TRAIN-WARM-01": [Mutation("cleans up", trainings(saying("removed 3 old files from the cache")))],
    "SM-TRAIN-CFG-05": [
        Mutation("unknown ones refused", life("train.odd", failing("unknown hyperparameter text_00", code=2))),
        Mutation(
            "refused in the failure file alone",
            life(
                "train.odd",
                fields(exit_code=255, log=(), result=replace(FAILED, failure="unknown: text_00")),
            ),
        ),
        Mutation("quietly ignored", life("train.odd", fields(log=()))),
    ],
    "SM-TRAIN-CFG-06": [
        Mutation("refused", life("train.odd", failing("at most 50 hyperparameters"))),
        Mutation("no model", life("train.odd", _left())),
    ],
    "SM-TRAIN-CFG-08": [Mutation("speaks of them", trainings(saying("ignoring key SmContractMadeUpKey")))],
    "SM-TRAIN-CFG-09": [Mutation("says what it assumes", trainings(saying("no instance_groups: one host")))],
    "SM-TRAIN-CFG-10": [Mutation("says what is off", trainings(saying("no profilerconfig.json: profiler is off")))],
    "SM-TRAIN-CFG-11": [Mutation("lists them", trainings(saying("config: init-config.json …")))],
    "SM-TRAIN-DATA-10": [
        Mutation("none is required", then(OPTIONAL, drop("train.missing_channel"))),
    ],
    "SM-TRAIN-USER-01": [
        Mutation("a user who may write", image(user="1000")),
        Mutation("root by number", image(user="0:0")),
    ],
    "SM-PRIV-READ-01": [
        Mutation("a user who may", image(user="1000")),
    ],
    "SM-TRAIN-NET-04": [
        Mutation("speaks of an upload", trainings(saying("upload of metrics failed, going on", "saved the model"))),
        Mutation("a model in folders", trainings(_left(TreeFile(path="v1/model.json", kind="file", size=3), *MODEL))),
    ],
}
