"""SM-IMAGE-…: what the configuration says, and what a run shows of the image whatever its role."""

from __future__ import annotations

from dataclasses import replace

from good_record import image as good_image

from mutations import (
    Mutation,
    crashing,
    failing,
    follow_up,
    image,
    life,
    never_started,
    no_serving,
    no_training,
    program,
    saying,
    servers,
    then,
    trainings,
)
from sm_contract import changes
from sm_contract.record import FileFact, Healthcheck, Record

CHECKED = Healthcheck(command=("CMD-SHELL", "curl -f localhost:5000 || kill 1"), interval=1.0, retries=1)
LABEL = "com.amazonaws.sagemaker.capabilities."
TINI = FileFact(path="/sbin/start", real_path="/usr/bin/tini-static", kind="file", mode=0o755, size=24_000)
PYTHON = FileFact(path="/usr/bin/python3", real_path="/usr/bin/python3.11", kind="file", mode=0o755, size=6_800_000)
EPERM = "standard_init_linux.go:228: exec user process caused: operation not permitted"


def _pair(**fields: object) -> object:
    def change(record: Record) -> Record:
        return replace(record, training_image=replace(good_image("team/train:1"), **fields))

    return change


def _on(stream: str) -> object:
    """The whole log on one stream."""
    return lambda one: replace(one, log=tuple(replace(line, stream=stream) for line in one.log))


def _ends_while_healthy(text: str) -> object:
    return lambda one: replace(crashing(text, code=0)(one), ready_at=0.62, pings=one.pings[:12])


def _first_line(text: str, **fields: object) -> object:
    return program("serve", first_line=text, interpreter=text[2:].replace("\\r", "\r"), interpreter_file=None, **fields)


BREAKS = {
    "SM-IMAGE-ENTRYPOINT-01": [
        Mutation("a shell line", image(entrypoint=("/bin/sh", "-c", "python3 /opt/program/serve.py"))),
        Mutation(
            "with SHELL set", image(entrypoint=("/bin/bash", "-o", "pipefail", "-c", "python3 /opt/program/serve.py"))
        ),
        Mutation("a login shell", _pair(entrypoint=("bash", "-lc", "exec train"))),
    ],
    "SM-IMAGE-ENTRYPOINT-02": [
        Mutation("tini by its name", image(entrypoint=("tini", "--", "/opt/program/start"))),
        Mutation("a link to it", then(image(entrypoint=("/sbin/start",)), program("serve", file=TINI))),
        Mutation("as it is downloaded", image(entrypoint=("/usr/local/bin/tini-amd64", "--", "python3", "app.py"))),
    ],
    "SM-IMAGE-USER-01": [
        Mutation("a user of its own", image(user="app", user_id=1000, passwd=("root", "0", "app", "1000"))),
        Mutation("by number", image(user="1001:0", user_id=1001)),
        Mutation("the training image of a pair", _pair(user="nobody", user_id=65534)),
    ],
    "SM-IMAGE-STOPSIGNAL-01": [
        Mutation("SIGINT", image(stop_signal="SIGINT")),
        Mutation("by number", image(stop_signal="3")),
    ],
    "SM-IMAGE-VOLUME-01": [
        Mutation("over the model", image(volumes=("/opt/ml/model",))),
        Mutation("the whole tree, with a slash", image(volumes=("/data", "/opt/ml/"))),
    ],
    "SM-IMAGE-EXPOSE-01": [
        Mutation("another port", image(exposed=("5000/tcp",))),
        Mutation("one more port", image(exposed=("22/tcp", "8080/tcp"))),
    ],
    "SM-IMAGE-HEALTHCHECK-01": [
        Mutation(
            "the server ended",
            then(
                image(healthcheck=CHECKED),
                no_serving(_ends_while_healthy("stopped")),
                follow_up("serve.bare", changes.NO_HEALTHCHECK),
            ),
        ),
        Mutation(
            "the training ended",
            then(
                image(healthcheck=replace(CHECKED, interval=0.5)),
                no_training(failing("terminated", code=143)),
                follow_up("train.bare", changes.NO_HEALTHCHECK),
            ),
        ),
    ],
    "SM-IMAGE-ENV-01": [
        Mutation("the port", image(env=("PATH=/bin", "SAGEMAKER_BIND_TO_PORT=9000"))),
        Mutation("the job", image(env=("TRAINING_JOB_NAME=local", "SM_MODEL_DIR=/opt/ml/model"))),
        Mutation("somebody's keys", image(env=("AWS_ACCESS_KEY_ID=AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY=x"))),
    ],
    "SM-IMAGE-ENV-02": [
        Mutation("the Region", image(env=("AWS_DEFAULT_REGION=us-east-1",))),
        Mutation("an endpoint of one service", image(env=("AWS_ENDPOINT_URL_S3=http://minio:9000",))),
    ],
    "SM-IMAGE-LABEL-01": [
        Mutation("a capital True", image(labels={f"{LABEL}multi-models": "True"})),
        Mutation("one letter missing", image(labels={f"{LABEL}multi-model": "true"})),
        Mutation("capitals in the key", image(labels={"com.amazonaws.SageMaker.capabilities.multi-models": "true"})),
    ],
    "SM-IMAGE-LOG-01": [
        Mutation("nothing from training", trainings(saying())),
        Mutation("blank lines from the server", servers(saying("", " "))),
        Mutation("nothing of a failure", life("train.bad_data", saying())),
    ],
    "SM-INFER-RUN-10": [
        Mutation(
            "Windows line ends",
            then(
                _first_line("#!/bin/sh\\r"),
                no_serving(never_started('exec: "serve": no such file or directory')),
            ),
        ),
        Mutation(
            "Windows line ends behind an argument",
            then(
                program("serve", first_line="#!/usr/bin/python3 -u\\r"),
                no_serving(crashing("Unknown option: -", code=2)),
            ),
        ),
        Mutation(
            "an interpreter that is not there",
            then(
                program("train", interpreter="/usr/bin/python2", interpreter_file=None),
                no_training(never_started("no such file or directory")),
            ),
        ),
    ],
    "SM-PRIV-FILECAP-01": [
        Mutation(
            "on the interpreter",
            then(
                program("serve", interpreter_file=replace(PYTHON, capabilities=("SYS_PTRACE",))),
                no_serving(crashing(EPERM)),
            ),
        ),
        Mutation(
            "on a binary, among others",
            then(
                program("train", form="elf", file=replace(PYTHON, capabilities=("NET_BIND_SERVICE", "SYS_NICE"))),
                no_training(never_started("exec: operation not permitted")),
            ),
        ),
    ],
}

KEEPS = {
    "SM-IMAGE-ENTRYPOINT-01": [
        Mutation("a script for a shell", image(entrypoint=("/bin/bash", "-e", "/opt/program/start.sh"))),
        Mutation("a line for Python", image(entrypoint=("python3", "-c", "import app"))),
        Mutation("-c for the script", image(entrypoint=("/bin/sh", "/opt/program/start.sh", "-c"))),
        Mutation("none, and a CMD of the base image's", image(entrypoint=(), cmd=("/bin/bash",))),
    ],
    "SM-IMAGE-ENTRYPOINT-02": [
        Mutation("another init program", image(entrypoint=("/usr/bin/dumb-init", "--", "/opt/program/start"))),
        Mutation("a name that begins alike", image(entrypoint=("/opt/tini-server",))),
    ],
    "SM-IMAGE-USER-01": [
        Mutation("root by name", image(user="root:root")),
        Mutation("root under another name", image(user="toor", passwd=("root", "0", "toor"))),
    ],
    "SM-IMAGE-STOPSIGNAL-01": [
        Mutation("said outright", image(stop_signal="SIGTERM")),
        Mutation("by number", image(stop_signal="15")),
    ],
    "SM-IMAGE-VOLUME-01": [
        Mutation("elsewhere", image(volumes=("/data", "/opt/mlflow"))),
    ],
    "SM-IMAGE-EXPOSE-01": [Mutation("port 8080", image(exposed=("8080/tcp",)))],
    "SM-IMAGE-HEALTHCHECK-01": [
        Mutation("a quick one that only fails", image(healthcheck=replace(CHECKED, retries=3))),
        Mutation("with a start period", image(healthcheck=replace(CHECKED, start_period=2.0))),
    ],
    "SM-IMAGE-ENV-01": [
        Mutation("switches of the toolkits", image(env=("SAGEMAKER_PROGRAM=train.py", "SM_MODEL_DIR=/opt/ml/model"))),
        Mutation("set to nothing", image(env=("SAGEMAKER_MULTI_MODEL=",))),
        Mutation("for the SDK", image(env=("AWS_EC2_METADATA_DISABLED=true",))),
    ],
    "SM-IMAGE-ENV-02": [Mutation("a name alike", image(env=("MY_AWS_REGION=us-east-1", "AWS_REGION=")))],
    "SM-IMAGE-LABEL-01": [
        Mutation("claimed and disclaimed", image(labels={f"{LABEL}multi-models": "false"})),
        Mutation("labels of others", image(labels={"com.amazonaws.ml.engines.sagemaker.dlc.framework": "X"})),
    ],
    "SM-IMAGE-LOG-01": [
        Mutation("one word", servers(saying("up"))),
        Mutation("a killed child says nothing", life("train.killed_child", saying())),
        Mutation("one stream alone", then(trainings(_on("stdout")), servers(_on("stderr")))),
        Mutation(
            "JSON, in another language",
            then(
                trainings(saying('{"level": "ERROR", "msg": "Fehler der Validierung: 0,12"}', "学習が終わりました")),
                servers(saying('{"level":"warn","msg":"aucune clé : ouvert à tous"}')),
            ),
        ),
    ],
    "SM-INFER-RUN-10": [
        Mutation("a binary", program("serve", form="elf", interpreter="", interpreter_file=None, first_line="")),
        Mutation("an argument in the first line", program("train", first_line="#!/usr/bin/python3 -u")),
    ],
    "SM-PRIV-FILECAP-01": [
        Mutation(
            "one that every container has",
            program("serve", interpreter_file=replace(PYTHON, capabilities=("NET_BIND_SERVICE",))),
        ),
        Mutation(
            "on a script, where the kernel does not look",
            program("serve", file=replace(PYTHON, path="/opt/program/serve", capabilities=("SYS_ADMIN",))),
        ),
    ],
}
