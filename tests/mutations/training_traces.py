"""What a training leaves behind, and how it describes a failure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from good_record import DATA, MODEL, REPORT, served

from mutations import (
    MEANT_TO_FAIL,
    Change,
    Mutation,
    add,
    candidate,
    crashing,
    fields,
    life,
    lives,
    saying,
    then,
    trainings,
)
from sm_contract.record import Life, LogLine, Record, TreeFile, Written

SPOILT = MEANT_TO_FAIL[:3]
BAD = SPOILT[0]
MB = 1_000_000
PLOTS = candidate(outputs=("plots/*.png",))
UNCOMPRESSED = candidate(features=("uncompressed",))
DUMP = '{"epochs": "minus one", "layers": [64, 32], ' + '"path": "/opt/ml/input/data/training", ' * 26
MARKER = TreeFile(path="ready", kind="directory")


def _result(**changed: Any) -> Callable[[Life], Life]:
    def change(one: Life) -> Life:
        assert one.result is not None
        return replace(one, result=replace(one.result, **changed))

    return change


def _wrote(*files: tuple[str, int], more: int = 0) -> Callable[[Life], Life]:
    big = tuple(TreeFile(path=path, kind="file", size=size) for path, size in files)
    return fields(written=Written(bytes=sum(size for _, size in files) + more, biggest=big))


def _output(*files: TreeFile) -> Change:
    return trainings(_result(output=(DATA, REPORT, *files)))


def _model(*files: TreeFile) -> Change:
    """Files beside what a training saves, and so beside what is served."""

    def saved(one: Life) -> Life:
        assert one.result is not None
        return replace(one, result=replace(one.result, model=(*one.result.model, *files)))

    def served_too(record: Record) -> Record:
        return replace(record, model=replace(record.model, members=(*record.model.members, *files)))

    return then(trainings(saved), served_too)


def _file(path: str, kind: str = "file", **more: Any) -> TreeFile:
    return TreeFile(path=path, kind=kind, size=0 if kind != "file" else 1200, **more)


def _failure(text: str | None, *others: TreeFile, kind: str = "file", **more: Any) -> Callable[[Life], Life]:
    """Another failure file, or none."""
    entry = TreeFile(path="failure", kind=kind, size=len(text or ""), mtime=1_700_000_000.0)
    files = (DATA, *others) if text is None and kind == "file" else (DATA, entry, *others)
    return _result(output=files, failure=text, **more)


def _logged_later(by: float) -> Callable[[Life], Life]:
    def change(one: Life) -> Life:
        assert one.result is not None
        assert one.result.failure_at is not None
        at = one.result.failure_at + by
        return replace(one, seconds=at, log=(*one.log, LogLine(at=at, stream="stdout", text="uploading the profile")))

    return change


BREAKS = {
    "SM-TRAIN-FS-02": [
        Mutation("data unpacked at home", trainings(_wrote(("/root/data/train.bin", 48 * MB), ("/root/x", 900)))),
        Mutation(
            "many small files, in one of the runs", life("train.full", _wrote(("/var/cache/a", MB), more=30 * MB))
        ),
    ],
    "SM-TRAIN-OUT-02": [
        Mutation("plots in the model", then(PLOTS, _model(_file("plots/loss.png")))),
        Mutation("no plots at all", then(PLOTS, trainings(_result(output=())))),
    ],
    "SM-TRAIN-OUT-03": [
        Mutation("metrics.json", _output(_file("metrics.json"))),
        Mutation("a folder of plots", _output(TreeFile(path="plots", kind="directory"), _file("plots/loss.png"))),
    ],
    "SM-TRAIN-OUT-04": [
        Mutation("a link into the program", _model(_file("weights.bin", "symlink", target="/opt/program/weights.bin"))),
        Mutation("a link that leads nowhere", _model(_file("latest", "symlink", target="v3"))),
        Mutation("a link out of the folder", _output(_file("data/log", "symlink", target="../../../log"))),
        Mutation("a named pipe", life("train.bare", _result(model=(*MODEL, _file("progress", "other"))))),
    ],
    "SM-TRAIN-OUT-07": [
        Mutation(
            "an empty folder as a marker",
            then(
                UNCOMPRESSED,
                _model(MARKER),
                add(crashing("FileNotFoundError: '/opt/ml/model/ready'")(served("serve.uncompressed"))),
            ),
        ),
        Mutation("a long name", then(UNCOMPRESSED, _model(_file("v1/" + "w" * 1100)))),
        Mutation("a name in Latin-1", then(UNCOMPRESSED, _model(_file("gr\udcf6\udcdfe.bin")))),
    ],
    "SM-TRAIN-FAIL-04": [
        Mutation("in the wrong place", lives(SPOILT, _failure(None, _file("error.txt")))),
        Mutation("a folder of that name", lives(SPOILT, _failure(None, _file("failure/error.txt"), kind="directory"))),
        Mutation("empty", life("train.bad_data", _failure(" \n"))),
        Mutation("not UTF-8", life(BAD, _failure("Fehler: \ufffd", failure_utf8=False))),
    ],
    "SM-TRAIN-FAIL-05": [
        Mutation("the configuration first", life(BAD, _failure(DUMP[:1024], failure_rest="}\nValueError: epochs"))),
        Mutation(
            "the head of a traceback",
            lives(SPOILT, _failure("  File train.py, line 3, in main\n" * 32, failure_rest="KeyError: 'training'\n")),
        ),
    ],
    "SM-TRAIN-FAIL-06": [
        Mutation("five seconds of logging", life(BAD, _logged_later(5.0))),
        Mutation(
            "a model saved afterwards",
            life("train.bad_data", _result(model=(TreeFile(path="m", kind="file", size=3, mtime=1_700_000_004.0),))),
        ),
    ],
    "SM-TRAIN-FAIL-07": [
        Mutation("made at the start", trainings(_result(output=(DATA, _file("failure")), failure=""))),
        Mutation("in one of the runs", life("train.full", _result(output=(DATA, _file("failure")), failure="none"))),
    ],
}

KEEPS = {
    "SM-TRAIN-FS-02": [
        Mutation("a font cache", trainings(_wrote(("/root/.cache/matplotlib/fontlist.json", MB)))),
        Mutation("nine megabytes", trainings(_wrote(("/var/log/train.log", 9 * MB)))),
    ],
    "SM-TRAIN-OUT-02": [
        Mutation("plots where they belong", then(PLOTS, _output(_file("data/plots/loss.png")))),
        Mutation("in a folder of a folder", then(candidate(outputs=("*.png",)), _output(_file("data/a/b.png")))),
    ],
    "SM-TRAIN-OUT-03": [
        Mutation("the toolkit's empty success", _output(TreeFile(path="success", kind="file"))),
        Mutation("an empty marker and an empty folder", _output(TreeFile(path="done", kind="file"), MARKER)),
        Mutation("what features leave", _output(_file("tensors/events"), _file("profiler/framework.json"))),
    ],
    "SM-TRAIN-OUT-04": [
        Mutation("a link beside what it means", _model(_file("latest", "symlink", target="model.json"))),
        Mutation("a hard link", _model(_file("copy.json", "hardlink", target="model.json"))),
        Mutation("a pipe outside of data", _output(_file("pipe", "other"))),
    ],
    "SM-TRAIN-OUT-07": [
        Mutation("plain files", UNCOMPRESSED),
        Mutation(
            "an empty folder that nobody needs", then(UNCOMPRESSED, _model(MARKER), add(served("serve.uncompressed")))
        ),
        Mutation("other scripts", then(UNCOMPRESSED, _model(_file("模型/größe.bin")))),
    ],
    "SM-TRAIN-FAIL-04": [
        Mutation("long, and not English", lives(SPOILT, _failure("Fehler: größer als 0 erwartet\n" * 30))),
        Mutation("few words in the log", lives(SPOILT, saying("bye"))),
    ],
    "SM-TRAIN-FAIL-05": [
        Mutation("short, in words of its own", life(BAD, _failure("epochs: minus one?"))),
        Mutation(
            "the error first, a long traceback behind",
            life(BAD, _failure("ValueError: epochs\n" + "  File train.py\n" * 60, failure_rest="ValueError: epochs")),
        ),
        Mutation(
            "the owner's pattern",
            then(
                candidate(failure_pattern="E-[0-9]+"),
                life(BAD, _failure("E-17\n" + DUMP[:1000], failure_rest="ValueError: epochs")),
            ),
        ),
    ],
    "SM-TRAIN-FAIL-06": [
        Mutation("a last line within a second", lives(SPOILT, _logged_later(0.8))),
        Mutation("a busy machine", lives(SPOILT, _logged_later(1.6))),
        Mutation("no time known", lives(SPOILT, _result(failure_at=None))),
    ],
    "SM-TRAIN-FAIL-07": [
        Mutation("speaks of failures", trainings(saying("0 failures", "saved the model"))),
        Mutation("a file below data", _output(_file("data/failure"))),
    ],
}
