"""The command on a real engine: what only a run that starts containers can show."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest
from command_support import Ran, command
from engine_support import client, copy_of

from fixtures.candidates import build
from sm_contract.engine import removal
from sm_contract.status import Exit

OWN = """
    import pytest
    from sm_contract.requirements import requirement
    from sm_contract.verdict import Violation

    @requirement("TEAM-READY-01", title="Is ready at once", level="MUST", runs=["serve.bare"])
    def test_ready(serving):
        \"\"\"Ready within 30 s.\"\"\"
        life = serving.life("serve.bare")
        if life.ready_at is None or life.ready_at > 30:
            raise Violation(expected="ready within 30 s", observed=str(life.ready_at), fix="load less")

    @requirement("TEAM-USER-01", title="Runs as a user of our own", level="MUST")
    def test_user(image):
        \"\"\"The image names a user.\"\"\"
        if not image.user:
            raise Violation(expected="USER app", observed="no USER", fix="add USER app")

    @pytest.mark.parametrize("word", ["train", "serve"])
    def test_program(image, word):
        assert image.programs[word].file is not None
    """
QUICK = ("--sm-start-limit=60", "--sm-stop-limit=10", "--sm-train-limit=60")


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The id of a small image that trains and serves, and that nobody else on this engine runs."""
    client()
    with copy_of(build("shell", tmp_path_factory.mktemp("shell")).image) as image:
        yield image


@pytest.fixture
def project(folder: Path) -> Path:
    (folder / "my_tests").mkdir()
    (folder / "my_tests" / "test_team.py").write_text(dedent(OWN), encoding="utf-8")
    return folder


@contextlib.contextmanager
def counting_starts(image: str) -> Iterator[list[str]]:
    """The containers of an image that are started meanwhile, as the engine tells them one by one."""
    heard: list[str] = []
    command = ["docker", "events", "--filter=event=start", f"--filter=image={image}", "--format={{.ID}}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as events:
        assert events.stdout is not None
        time.sleep(0.5)  # until the engine has taken the request
        yield heard
        time.sleep(0.5)
        events.terminate()
        heard += events.stdout.read().split()


def test_workers_share_one_record(project: Path, shell: str) -> None:
    pytest.importorskip("xdist")
    seen: list[tuple[Ran, int]] = []
    for how in ([], ["-n", "2"]):
        with counting_starts(shell) as started:
            ran = command(project, "my_tests", f"--image={shell}", *QUICK, "--sm-report=report", "-v", *how)
        seen.append((ran, len(started)))

    (alone, started_alone), (many, started_by_many) = seen
    assert alone.status == many.status == Exit.BROKEN, alone.text + many.text
    assert started_alone == started_by_many > 0, many.text
    for outcome in ("3 passed", "1 failed", "add USER app"):
        assert outcome in alone.out
        assert outcome in many.out
    assert "arning" not in alone.out + many.out
    lives = [json.loads(line) for line in (project / "report" / "journal.jsonl").read_text("utf-8").splitlines()]
    recorded = [line["life"]["name"] for line in lives if line["kind"] == "life"]
    assert "serve.bare" in recorded
    assert not {"serve.again", "train.bad_data"} & set(recorded), "no test asked for them"


def test_an_image_nobody_knows(folder: Path) -> None:
    client()
    ran = command(folder, "--image=sm-contract-test/nobody-knows-this:1")

    assert ran.status == Exit.USAGE, ran.text
    assert len(ran.err.strip().splitlines()) == 1, ran.err
    assert "sm-contract-test/nobody-knows-this:1" in ran.err
    assert ran.out.strip() == "", "nothing but the error is told"


def test_a_server_that_listens_elsewhere_is_told_of_while_it_is_waited_for(tmp_path: Path) -> None:
    client()
    fault = build("listens-on-loopback", tmp_path)
    ran = command(tmp_path, *fault.arguments, "--sm-start-limit=6", "--sm-only=SM-INFER-NET-01")
    told = " ".join(ran.out.split())

    assert ran.status == Exit.BROKEN, ran.text
    note = "! the server listens on 127.0.0.1:8080 only, and SageMaker needs 0.0.0.0:8080; waiting until 6 s"
    assert told.count(note) == 1
    assert told.index(note) < told.index("sm_contract 0.1.0")


def test_containers_of_what_failed_are_kept_on_request(tmp_path: Path) -> None:
    api = client()
    fault = build("exits-with-the-number-of-epochs", tmp_path)
    arguments = (*fault.arguments, "--sm-keep=on-failure")
    ran = command(tmp_path, *arguments, "--sm-only=SM-TRAIN-FAIL-01")
    told = " ".join(ran.out.split())

    assert ran.status == Exit.BROKEN, ran.text
    names = told.partition(" kept ")[2].partition(": stopped")[0].split(", ")
    assert 1 <= len(names) <= 2, told
    try:
        for name in names:
            kept = api.inspect_container(name)
            assert not kept["State"]["Running"]
            assert kept["State"]["ExitCode"] in (5, 10)  # epochs of the bare and the full run
            assert "epoch" in api.logs(name).decode()
            (volume,) = [mount["Name"] for mount in kept["Mounts"] if mount["Destination"] == "/opt/ml/input"]
            assert api.inspect_volume(volume)
        session = kept["Config"]["Labels"]["sm-contract.session"]
        label = {"label": f"sm-contract.session={session}"}
        there = [item["Names"][0].lstrip("/") for item in api.containers(all=True, filters=label)]
        assert sorted(there) == sorted(names), "what went well is not kept"
        assert removal.by_hand(session) in told
    finally:
        subprocess.run(["sh", "-c", removal.by_hand(kept["Config"]["Labels"]["sm-contract.session"])], check=False)
    assert not list(removal.find(api, session)), "what is told removes all of it"
    assert "kept" not in command(tmp_path, *arguments, "--sm-only=SM-TRAIN-RUN-02").out
    assert not [one for one in removal.find(api) if "k-" in one.name and "train" in one.name]


TOGETHER = ("--pyargs", "sm_contract.contract", "my_tests", "--sm-only=TEAM-*")


@pytest.mark.parametrize("named", [(), TOGETHER], ids=["alone", "beside others"])
def test_the_contract_starts_as_many_containers_with_workers(project: Path, shell: str, named: tuple[str, ...]) -> None:
    pytest.importorskip("xdist")
    seen: list[tuple[int, dict[str, str], int]] = []
    for how in ([], ["-n", "2"]):
        with counting_starts(shell) as started:
            ran = command(
                project, *named, f"--image={shell}", *QUICK, "--sm-only=SM-TRAIN-RUN-*", "--sm-report=report", *how
            )
        (image,) = json.loads((project / "report" / "result.json").read_text())["images"]
        seen.append((ran.status, {row["id"]: row["verdict"] for row in image["verdicts"]}, len(started)))

    assert seen[0] == seen[1]
    assert seen[0][2] == image["container_starts"] > 0
