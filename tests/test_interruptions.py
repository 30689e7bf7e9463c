"""Ctrl-C at any moment: all of ours is gone within five seconds, what was judged is told, and nothing false is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from command_support import interrupted, journal, meanwhile, named
from engine_support import client, promised, things, until

from fixtures.candidates import build
from fixtures.layers import Docker, File, program
from sm_contract import temporary
from sm_contract.journal import read_journal
from sm_contract.status import Exit

# Our own end of what is waited for must not be taken for the image's: a training under way, an open connection.
STUCK = {
    "/bin/train": program("#!/bin/sh\nsleep 600\n"),
    "/bin/serve": program("#!/bin/sh\nexec nc -ll -p 8080 -e /bin/sleep 600\n"),
    "/bin/sleep": File(b"", 0o755, "busybox"),
}


@dataclass(frozen=True)
class Moment:
    """When it comes, and what is on record by then."""

    container: str  # is there; the end of its name
    judged: set[str]
    option: str = "--sm-roles=training,inference"
    later: float = 0.0  # seconds after that


MOMENTS = {
    "the image is examined": Moment("files", set()),
    "a training goes on": Moment("train.full", {"SM-IMAGE-OS-01"}, "--sm-roles=training", later=1.0),
    "a ping is not answered": Moment("serve.full", {"SM-IMAGE-OS-01"}, "--sm-roles=inference", later=2.0),
}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A small image that never comes to an end, and that nobody else on this engine runs."""
    client()
    docker = Docker()
    shell = build("shell", tmp_path_factory.mktemp("shell"), docker).image
    tag = docker.derive("stuck", shell, STUCK, [f"LABEL sm-contract-test={uuid.uuid4().hex}"])
    yield str(client().inspect_image(tag)["Id"])
    client().remove_image(tag)


def verdicts(folder: Path) -> dict[str, str]:
    """What ``result.json`` says, which has to say that it is incomplete."""
    result = json.loads((folder / "report" / "result.json").read_text("utf-8"))
    assert result["incomplete"] is True
    assert result["exit_status"] == Exit.INTERRUPTED
    return {each["id"]: each["verdict"] for image in result["images"] for each in image["verdicts"]}


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS.keys())
def test_ctrl_c_while(folder: Path, image: str, moment: Moment) -> None:
    def there() -> str:
        found = client().containers(all=True, filters={"ancestor": image})
        return next((each["Names"][0] for each in found if each["Names"][0].endswith(moment.container)), "")

    def interrupt(process: subprocess.Popen[str]) -> None:
        session = until(there, 60).removeprefix("/sm-contract-").rsplit("-", 2)[0]
        time.sleep(moment.later)
        process.send_signal(signal.SIGINT)
        until(lambda: not things(client(), session), promised(5))
        process.wait(promised(5))
        assert not things(client(), session), "nothing comes after"

    (folder / "model").mkdir()
    (folder / "model" / "weights").write_bytes(b"1")
    (folder / "sm-contract.toml").write_text('[inference]\nmodel = "model"\n', encoding="utf-8")
    ran = meanwhile(folder, f"--image={image}", moment.option, "--sm-report=report", do=interrupt)

    assert ran.status == Exit.INTERRUPTED, ran.text
    assert "Traceback" not in ran.text
    recorded = read_journal(folder / "report" / "journal.jsonl")
    assert not recorded.complete
    assert [record.lives for record in recorded.records.values()] == [{}] * bool(moment.judged)
    found = verdicts(folder)
    assert moment.judged <= set(found), ran.text
    assert set(found.values()) <= {"passed"}, ran.text
    if moment.judged:
        assert "interrupted (exit status 2)" in " ".join(ran.out.split())


def test_kill_9_leaves_no_file_of_ours(folder: Path, image: str, tmp_path: Path) -> None:
    place = tmp_path / "temporary"
    place.mkdir()

    def kill(process: subprocess.Popen[str]) -> None:
        until(lambda: client().containers(filters={"ancestor": image}), 60)
        assert [path.name[:16] for path in place.iterdir()] == [temporary.PREFIX]
        process.kill()
        until(lambda: not list(place.iterdir()) and not client().containers(all=True, filters={"ancestor": image}), 5)

    ran = meanwhile(folder, f"--image={image}", "--sm-roles=training", do=kill, within=["env", f"TMPDIR={place}"])
    assert ran.status == -signal.SIGKILL


def test_a_later_run_removes_what_is_nobodys_and_leaves_what_is_somebodys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    live, kept, dead = temporary.folder(), temporary.folder(), temporary.folder()
    temporary.release(kept)
    os.close(temporary._held.pop(dead))  # as the kernel does when a run dies
    temporary.sweep()
    assert live.exists()
    assert kept.exists()
    assert not dead.exists()
    temporary.remove(live)
    assert not live.exists()


SLOW_DISK = """
import os, pathlib, time

replace = os.replace

def slowly(source, target, **how):
    if not pathlib.Path({sign!r}).exists() and str(target).endswith("junit.xml"):
        pathlib.Path({sign!r}).touch()
        time.sleep(2)
    replace(source, target, **how)

os.replace = slowly
"""


def test_ctrl_c_while_the_reports_are_written(folder: Path, tmp_path: Path) -> None:
    sign = tmp_path / "now"
    (folder / "slow_disk.py").write_text(SLOW_DISK.format(sign=str(sign)), encoding="utf-8")
    good = journal(folder, named("good:1"))
    ran = interrupted(folder, good, "-p", "slow_disk", "--sm-report=report", when=sign)

    assert ran.status == Exit.INTERRUPTED, ran.text
    assert ran.err == ""
    assert "interrupted (exit status 2)" in " ".join(ran.out.split())
    assert {path.name for path in (folder / "report").iterdir()} == {"result.json", "junit.xml", "journal.jsonl"}
    assert "passed" in verdicts(folder).values()
