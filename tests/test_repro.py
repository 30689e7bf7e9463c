"""The scripts that show a broken requirement by hand: they see the same, and nothing hostile gets out of its quotes."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from good_record import good_record
from report_examples import PING, judged

from fixtures import repro
from fixtures.layers import Docker
from fixtures.outside import outside
from sm_contract.engine.protocol import ContainerSpec, Mount, Network, Volume
from sm_contract.platform.content import Content
from sm_contract.platform.tree import Member, directory
from sm_contract.recipe import Recipe, Sent
from sm_contract.record import FileFact, Kill, ModelFacts, Record
from sm_contract.report.repro.folder import SCRIPT, Scripts
from sm_contract.report.repro.options import _OPTIONS, options
from sm_contract.report.repro.volumes import Room, lay
from sm_contract.verdict import Verdict

SHELLS = [shell for shell in (["dash"], ["bash", "--posix"], ["busybox", "sh"]) if shutil.which(shell[0])]
SHELLCHECK = Path(sys.executable).with_name("shellcheck")
EVIL = "a b'c\"d $(touch canary) `touch canary`; touch canary\ntouch canary # } \\ \t*"
# one of each kind: an exit code, a config, a hang, a child killed, a late ping, an address, an answer, two networks
# compared, a privilege, a signal, a namespace and a used model, the image alone, an archive of it, a model, a user;
# and of odd requests: answers mixed up, a Host value, a killed child, zombies, an invocation that came too early
FAULTS = (
    "exits-with-the-number-of-epochs",
    "wrong-case-of-resourceconfig",
    "waits-for-peers",
    "dead-child-ignored",
    "ping-takes-three-seconds",
    "listens-on-loopback",
    "body-decoded-as-text",
    "weights-downloaded-by-serve",
    "mounts-a-tmpfs",
    "server-started-without-exec",
    "lock-left-in-the-model",
    "serve-not-executable",
    "built-on-another-architecture",
    "model-archive-with-a-symbolic-link",
    "user-not-in-the-image",
    "answers-kept-in-a-global",
    "hosts-on-a-list",
    "healthy-without-its-worker",
    "children-never-waited-for",
    "healthy-while-the-model-loads",
)


# --- they see the same --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[repro.Shown]]]:
    """Each fault judged by what it breaks, and what its scripts saw; two at a time."""
    docker = Docker()

    home = tmp_path_factory.mktemp("repro")

    def one(name: str) -> list[repro.Shown]:
        return list(repro.show(repro.judge(name, Path(tempfile.mkdtemp(dir=home)), docker)))

    with outside(), ThreadPoolExecutor(2) as pool:
        yield dict(zip(FAULTS, pool.map(one, FAULTS), strict=True))


@pytest.mark.parametrize("name", FAULTS)
def test_a_script_sees_what_the_record_saw(name: str, shown: dict[str, list[repro.Shown]]) -> None:
    assert shown[name], f"{name} left no script"
    for each in shown[name]:
        assert each.same, f"{each.output}\n{each}"


def test_two_that_are_compared_differ_in_what_they_see(shown: dict[str, list[repro.Shown]]) -> None:
    for name in ("weights-downloaded-by-serve", "wrong-case-of-resourceconfig", "lock-left-in-the-model"):
        here, there = shown[name]
        assert Path(there.script).parent.name == "compare"
        assert here.seen != there.seen


def test_nothing_made_by_hand_is_left(shown: dict[str, list[repro.Shown]]) -> None:
    client = Docker().client
    containers = [container.name for container in client.containers.list(all=True)]
    there = [*containers, *(each.name for each in (*client.volumes.list(), *client.networks.list()))]
    made = "|".join(each.name for several in shown.values() for each in several if each.name)
    assert made
    assert not [name for name in there if re.fullmatch(f"({made})(-.*)?", str(name))]


# --- nothing gets out ---------------------------------------------------------------------------------


def spec(**changes: object) -> ContainerSpec:
    network = Network(kind="internal", name="n")
    return replace(ContainerSpec(image="i", command=("serve",), purpose="p", network=network), **changes)  # type: ignore[arg-type]


def test_every_field_of_a_container_is_an_option() -> None:
    assert set(_OPTIONS) == {field.name for field in dataclasses.fields(ContainerSpec)}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"environment": {"A": EVIL, "B": ""}}, ["--env", f"A={EVIL}", "--env", "B="]),
        ({"hostname": EVIL}, ["--hostname", EVIL]),
        ({"hosts": {"algo-1": "127.0.0.1"}}, ["--add-host", "algo-1:127.0.0.1"]),
        ({"aliases": ("algo-1",)}, ["--network-alias", "algo-1"]),
        (
            {"capabilities": ("SYS_ADMIN",), "seccomp": False},
            ["--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined"],
        ),
        ({"shm": 2 << 30}, ["--shm-size", str(2 << 30)]),
        ({"devices": ("/dev/fuse",)}, ["--device", "/dev/fuse"]),
        ({"privileged": True}, ["--privileged"]),
        ({"dropped": True}, ["--cap-drop", "ALL", "--security-opt", "no-new-privileges"]),
        ({"read_only_root": True}, ["--read-only", "--tmpfs", "/tmp"]),
        ({"user": "12345:12345", "open_files": 1024}, ["--user", "12345:12345", "--ulimit", "nofile=1024"]),
        ({"terminal": True}, ["--tty", "--interactive"]),
        ({"memory": 5, "processes": 6}, ["--memory", "5", "--memory-swap", "5", "--pids-limit", "6"]),
        ({"dns": ("10.0.0.1",)}, ["--dns", "10.0.0.1"]),
        ({"network": Network(kind="ordinary", name="n", published=True)}, ["--publish", "127.0.0.1::8080"]),
        ({"network": Network(kind="none", name="none")}, ["--network", "none"]),
        (
            {"mounts": (Mount(volume=Volume(name="v"), target="/opt/ml/model", read_only=True),)},
            ["--mount", "type=volume,source=N-model,target=/opt/ml/model,volume-nocopy,readonly"],
        ),
        (
            {"mounts": (Mount(volume=Volume(name="v"), target='/opt/ml/a,"b'),)},
            ["--mount", 'type=volume,source=N-ab,"target=/opt/ml/a,""b",volume-nocopy'],
        ),
    ],
)
def test_options_reach_docker_as_they_are(changes: dict[str, object], expected: list[str]) -> None:
    for shell in SHELLS:
        line = " ".join(options(spec(**changes)))
        words = subprocess.run(
            [*shell, "-c", f"name=N; printf '%s\\0' {line}"], capture_output=True, check=True, text=True
        ).stdout.split("\0")[:-1]
        assert [word for word in words if word in expected] == expected


def hostile() -> Record:
    """The good record with a reference, files and lives that would like to be commands."""
    good = good_record()
    program = replace(
        good.image.programs["serve"], file=FileFact(path=f"/{EVIL}", real_path=f"/{EVIL}", kind="file"), form="script"
    )
    lives = {
        name: replace(life, conditions=(EVIL,), start_error="" if life.role == "training" else life.start_error)
        for name, life in good.lives.items()
    }
    lives["train.full"] = replace(lives["train.full"], kill=Kill(at=0.1, victim=EVIL, depth=1))
    return replace(
        good,
        image=replace(good.image, reference=EVIL, user=EVIL, workdir=f"/{EVIL}", programs={"serve": program}),
        lives=lives,
        engine={**good.engine, "inside": "yes"},
    )


def recipe(life: str, command: str) -> Recipe:
    mounts = tuple(Mount(volume=Volume(name=t), target=f"/opt/ml/{t}") for t in ("input", "model", f"x{EVIL}"))
    members = [
        directory("data"),
        Member(path=f"data/{EVIL}".replace("/", "_"), data=b"x"),
        Member(path="p", kind="fifo"),
    ]
    headers = {"Content-Type": EVIL.replace("\n", " "), "X-Empty": ""}
    return Recipe(
        life=life,
        spec=spec(command=(command,), environment={"A": EVIL}, hostname=EVIL, mounts=mounts),
        contents={mount.target: Content(members=lambda: members) for mount in mounts},
        sent=[Sent(name=EVIL, request=0, headers=headers, body=b"1,2")],
    )


LOUD = {"expected": EVIL, "observed": EVIL, "because": EVIL, "fix": EVIL, "title": EVIL, "sources": (EVIL,)}
SHEETS = {
    "training": replace(judged("SM-TRAIN-FAIL-08", Verdict.FAILED), **LOUD, shown_in=("train.full", "train.bare")),
    "serving": replace(PING, **LOUD, lives=("serve.full",)),
    "image": replace(judged("SM-IMAGE-SCRIPT-01", Verdict.FAILED), **LOUD),
    "model archive": replace(judged("SM-INFER-MODEL-05", Verdict.FAILED), **LOUD),
    "model folder": replace(judged("SM-INFER-MODEL-06", Verdict.WARNED), **LOUD),
    "an archive": replace(judged("SM-IMAGE-OS-01", Verdict.FAILED), **LOUD),
}


@pytest.mark.parametrize("kind", SHEETS)
def test_no_text_becomes_a_command(kind: str, tmp_path: Path) -> None:
    model = tmp_path / EVIL.replace("/", "")
    model.write_bytes(b"1")
    record = hostile()
    if kind.startswith("model"):
        record = replace(record, model=ModelFacts(source=f"declared {kind.split()[1]}", path=str(model)))
    if kind == "an archive":
        record = replace(
            record, image=replace(record.image, source="docker archive"), unstartable="needs another engine"
        )
    recipes = {name: recipe(name, life.command[0]) for name, life in record.lives.items()}
    report = tmp_path / "report"
    script = report / Scripts(report, [EVIL]).write(EVIL, SHEETS[kind], record, recipes)

    text = script.read_text()
    assert text.count("touch canary") > 10
    checked = subprocess.run([SHELLCHECK, "--exclude=SC2016", str(script)], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout
    # every command of docker "succeeds" and says nothing: all lines are gone through, and the container never ends
    env = {"PATH": "/usr/bin:/bin", "DOCKER": "true", **dict.fromkeys(("AFTER", "TRAIN", "START", "STOP"), "1")}
    for shell in SHELLS:
        subprocess.run([*shell, str(script)], env=env, cwd=tmp_path, check=False, timeout=60)
    assert not list(tmp_path.rglob("canary"))


def test_files_stay_in_the_folder_of_their_script() -> None:
    members = [Member(path=path, data=b"1") for path in ("../up", "a/../../up", "/etc/passwd", "good")]
    laid = lay("input", Content(members=lambda: members), Room(1000))
    assert set(laid.files) == {"input/etc/passwd", "input/good"}


def test_data_for_which_there_is_no_room_is_named_by_its_own_path(tmp_path: Path) -> None:
    (tmp_path / "big.csv").write_bytes(b"x" * 100)
    members = [Member(path="config/a.json", data=b"{}"), Member(path="data/train/big.csv", source=tmp_path / "big.csv")]
    content = Content(members=lambda: members, owned={"data/train": tmp_path})

    small, big = lay("input", content, Room(100)), lay("input", content, Room(99))

    assert set(small.files) == {"input/config/a.json", "input/data/train/big.csv"}
    assert set(big.files) == {"input/config/a.json"}
    assert f"fill input {tmp_path}/. /sm-by-hand/data/train" in big.lines


def test_what_a_copy_does_not_bring_is_made(tmp_path: Path) -> None:
    members = [directory("./", 0o777), directory("data", 0o777), directory("empty"), Member(path="q/pipe", kind="fifo")]
    lines = lay("output", Content(members=lambda: members), Room(0)).lines
    assert lines == [
        "volume output",
        'chmod 777 "$stage"',
        'mkdir -p "$stage"/data',
        'chmod 777 "$stage"/data',
        'mkdir -p "$stage"/empty',
        'mkdir -p "$stage"/q',
        'mkfifo "$stage"/q/pipe',
        "fill output",
    ]


def test_a_declared_archive_is_copied_or_named(tmp_path: Path) -> None:
    archive = tmp_path / "my model.tar.gz"
    archive.write_bytes(b"x" * 10)
    small, big = (lay("model", Content(archive=archive), Room(room)) for room in (10, 9))
    assert small.files == {"model.tar.gz": archive}
    assert small.lines[-1] == "fill model - /sm-by-hand <./model.tar.gz"
    assert not big.files
    assert big.lines[-1] == f"fill model - /sm-by-hand <'{archive}'"


def test_a_model_that_was_not_kept_has_to_be_named() -> None:
    lines = lay("model", Content(made="what training left"), Room(0)).lines
    assert any("MODEL has to name a folder with what training left" in line for line in lines)


def test_each_of_several_images_has_its_folder_and_old_scripts_go(tmp_path: Path) -> None:
    record = good_record()
    judgement = judged("SM-IMAGE-OS-01", Verdict.FAILED)
    (tmp_path / "repro" / "mine").mkdir(parents=True)
    (tmp_path / "repro" / "mine" / SCRIPT).write_text("#!/bin/sh\necho mine\n")
    first = Scripts(tmp_path, ["a/b:1", "a:b/1"])
    places = [first.write(label, judgement, record, {}) for label in ("a/b:1", "a:b/1")]
    assert places == ["repro/1-a-b-1/SM-IMAGE-OS-01/show.sh", "repro/2-a-b-1/SM-IMAGE-OS-01/show.sh"]

    assert Scripts(tmp_path, ["a"]).write("a", judgement, record, {}) == "repro/SM-IMAGE-OS-01/show.sh"
    assert not any((tmp_path / place).exists() for place in places)
    assert (tmp_path / "repro" / "mine" / SCRIPT).exists()
