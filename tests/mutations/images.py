"""SM-IMAGE-…"""

from __future__ import annotations

from dataclasses import replace

from good_record import image as good_image

from mutations import (
    Mutation,
    candidate,
    crashing,
    failing,
    follow_up,
    image,
    never_started,
    no_serving,
    no_training,
    of_image,
    program,
    saying,
    serve_only,
    servers,
    then,
    trainings,
)
from sm_contract import changes
from sm_contract.record import FileFact, Record

PYTHON = FileFact(path="/opt/program/train", real_path="/opt/program/train", kind="file", mode=0o644, size=2100)
BAKED = FileFact(path="/opt/ml/model/weights.bin", real_path="/opt/ml/model/weights.bin", kind="file", size=90_000)
NO_START = "exec: {}: permission denied"
USAGE = ("usage: supervisord [options]", "Error: positional arguments are not supported: ['serve']")


def _nothing_starts(error: str) -> object:
    return then(no_training(never_started(error)), servers(never_started(error)))


def _pair(**fields: object) -> object:
    """A training image of its own, with these facts."""
    return lambda record: replace(record, training_image=replace(good_image("train:1"), **fields))


def _file(word: str, **fields: object) -> object:
    def change(record: Record) -> Record:
        file = record.image.programs[word].file
        assert file is not None
        return program(word, file=replace(file, **fields))(record)

    return change


BREAKS = {
    "SM-IMAGE-OS-01": [
        Mutation("built for Windows", image(os="windows")),
        Mutation("the training image of a pair", _pair(os="windows")),
    ],
    "SM-IMAGE-ARCH-01": [
        Mutation("built on an ARM laptop", image(architecture="arm64")),
        Mutation("another target declared", candidate(architecture="arm64")),
        Mutation("the training image of a pair", _pair(architecture="arm64")),
    ],
    "SM-IMAGE-ARCH-02": [
        Mutation(
            "an arm64 interpreter copied in",
            then(program("train", machine="arm64"), no_training(failing("exec /opt/program/train: exec format error"))),
        ),
        Mutation("a binary of its own", then(program("serve", machine="s390x", interpreter_file=None, form="elf"))),
    ],
    "SM-IMAGE-SCRIPT-01": [
        Mutation(
            "mode 0644 on train",
            then(_file("train", mode=0o644), no_training(never_started(NO_START.format("train")))),
        ),
        Mutation(
            "mode 0644 on serve", then(_file("serve", mode=0o644), no_serving(never_started(NO_START.format("serve"))))
        ),
        Mutation(
            "an interpreter without the bit",
            then(program("serve", interpreter_file=replace(PYTHON, mode=0o644)), no_serving(crashing(code=126))),
        ),
        Mutation("no first line", program("train", form="other", interpreter="", first_line="import os")),
        Mutation("a directory of that name", _file("train", kind="directory")),
    ],
    "SM-IMAGE-WORKDIR-01": [
        Mutation(
            "hidden by the mount",
            image(
                workdir="/opt/ml/model/code",
                workdir_file=replace(
                    good_image().workdir_file, path="/opt/ml/model/code", real_path="/opt/ml/model/code"
                ),
            ),
        ),
        Mutation("not in the image", image(workdir="/opt/prorgam", workdir_file=None)),
        Mutation(
            "a relative entry point that is not there",
            then(
                image(entrypoint=("./start.sh",)),
                program("train", file=None),
                program("serve", file=None),
                _nothing_starts('exec: "./start.sh": stat ./start.sh: no such file or directory'),
            ),
        ),
    ],
    "SM-IMAGE-USER-02": [
        Mutation(
            "a user that was not added",
            then(image(user="svc"), _nothing_starts("unable to find user svc: no matching entries in passwd file")),
        ),
        Mutation("a group that was not added", image(user="nobody:svc")),
        Mutation("no /etc/passwd at all", image(user="svc", passwd=None)),
    ],
    "SM-IMAGE-REFERENCE-03": [
        Mutation("a long path", image(reference="registry.example/" + "nested/" * 34 + "linear:1")),
        Mutation(
            "white space in a tag of an archive", image(source="docker archive", reference="a b.tar", tags=("a b:1",))
        ),
    ],
    "SM-IMAGE-RESERVED-01": [
        Mutation(
            "weights in /opt/ml/model",
            then(
                image(baked=(BAKED,)),
                no_serving(crashing("FileNotFoundError: '/opt/ml/model/weights.bin'")),
                follow_up("serve.bare", changes.UNMOUNTED),
            ),
        ),
        Mutation(
            "a table in /opt/ml/input",
            then(
                image(baked=(replace(BAKED, path="/opt/ml/input/table.csv"),)),
                no_training(failing("FileNotFoundError: '/opt/ml/input/table.csv'")),
                follow_up("train.bare", changes.UNMOUNTED),
            ),
        ),
        Mutation(
            "a start checkpoint in /opt/ml/checkpoints",
            then(
                image(baked=(replace(BAKED, path="/opt/ml/checkpoints/start"),)),
                lambda record: replace(
                    record,
                    lives={**record.lives, "train.full": failing("no checkpoint")(record.lives["train.full"])},
                ),
                follow_up("train.bare", changes.CHECKPOINT_DIRECTORY, failing("no checkpoint")),
            ),
        ),
    ],
    "SM-IMAGE-CMD-01": [
        Mutation(
            "the command in CMD",
            then(
                image(entrypoint=("python3",), cmd=("/opt/program/train.py",)),
                no_training(failing("python3: can't open file '/opt/program/train': [Errno 2]", code=2)),
                follow_up("train.bare", changes.OWN_COMMAND),
            ),
        ),
        Mutation(
            "the server in CMD",
            then(
                image(entrypoint=("/bin/sh",), cmd=("/opt/program/start",)),
                no_serving(crashing("sh: serve: not found", code=127)),
                follow_up("serve.bare", changes.OWN_COMMAND),
            ),
        ),
    ],
    "SM-IMAGE-ARGUMENT-01": [
        Mutation(
            "a parser that rejects the word",
            then(no_training(failing(*USAGE, code=2)), servers(crashing(*USAGE, code=2))),
        ),
        Mutation(
            "an interpreter that takes it for a file",
            then(
                image(entrypoint=("python3",)),
                no_training(failing("python3: can't open file '/train': [Errno 2] No such file or directory", code=2)),
                servers(crashing("python3: can't open file '/serve': [Errno 2] No such file or directory", code=2)),
            ),
        ),
    ],
}

KEEPS = {
    "SM-IMAGE-OS-01": [Mutation("another variant", image(variant="v8"))],
    "SM-IMAGE-ARCH-01": [
        Mutation(
            "arm64 throughout, declared",
            then(
                candidate(architecture="arm64"),
                image(architecture="arm64"),
                program("train", machine="arm64"),
                program("serve", machine="arm64"),
            ),
        ),
    ],
    "SM-IMAGE-ARCH-02": [Mutation("a machine that cannot be told", program("train", machine="", form="elf"))],
    "SM-IMAGE-SCRIPT-01": [
        Mutation("execute bit for the owner alone", _file("train", mode=0o700)),
        Mutation("a binary", program("serve", form="elf", interpreter="", interpreter_file=None, first_line="")),
    ],
    "SM-IMAGE-WORKDIR-01": [
        Mutation("none", image(workdir="", workdir_file=None)),
        Mutation(
            "the toolkits' code folder",
            image(
                workdir="/opt/ml/code",
                workdir_file=replace(good_image().workdir_file, path="/opt/ml/code", real_path="/opt/ml/code"),
            ),
        ),
    ],
    "SM-IMAGE-USER-02": [
        Mutation("by number", image(user="0:1000")),
        Mutation("root, and its group", image(user="root:root")),
    ],
    "SM-IMAGE-REFERENCE-03": [
        Mutation("255 characters", image(reference="r/" + "n" * 251 + ":1")),
        Mutation(
            "a file with white space in its path", image(source="oci layout", reference="my image/", tags=("team/a:1",))
        ),
    ],
    "SM-IMAGE-RESERVED-01": [
        Mutation("files there that nobody needs", image(baked=(BAKED,))),
        Mutation("code in /opt/ml/code", image(baked=(replace(BAKED, path="/opt/ml/code/train.py"),))),
    ],
    "SM-IMAGE-CMD-01": [
        Mutation("a CMD that nobody needs", image(cmd=("/bin/bash",))),
        Mutation("the word itself", image(cmd=("serve",))),
    ],
    "SM-IMAGE-ARGUMENT-01": [
        Mutation("a log with the word usage", servers(saying("memory usage: 31 MB", "listening"))),
        Mutation("an ENTRYPOINT", image(entrypoint=("/opt/program/start",))),
        Mutation("serves alone", then(serve_only(), program("train", file=None))),
    ],
}
_ = (of_image, trainings, PYTHON)
