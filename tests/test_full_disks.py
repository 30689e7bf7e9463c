"""A disk that fills: the engine's, the reports', the one for temporary files. Said by name, and never a verdict."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from command_support import Ran, command, journal, named
from engine_support import client, fill, second_engine, small_disk

from fixtures.candidates import build
from fixtures.layers import Docker, program
from sm_contract.status import Exit

# It cleans up after itself and tells the platform, as a good program does: nothing of the disk shows afterwards.
SAVES_TOO_MUCH = """#!/bin/sh
head -c 100000000 /dev/zero >/opt/ml/model/big && exit 0
sleep 1
rm -f /opt/ml/model/big
echo "the model could not be saved" | tee /opt/ml/output/failure
exit 1
"""


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small image that trains and serves."""
    client()
    return build("shell", tmp_path_factory.mktemp("shell")).image


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk"
    path.mkdir()
    return path


def message(ran: Ran) -> str:
    """The one line that says what is wrong."""
    assert "Traceback" not in ran.text, ran.text
    assert len(ran.err.strip().splitlines()) == 1, ran.err
    return ran.err


def test_the_disk_of_the_engine(folder: Path, shell: str) -> None:
    image = Docker().derive("saves-too-much", shell, {"/bin/train": program(SAVES_TOO_MUCH)})
    with second_engine(disk="24m") as second:
        second.bring(image)
        arguments = (f"--image={image}", f"--sm-engine={second.url}", "--sm-report=report", "-v")
        ran = command(folder, *arguments, within=second.within)
        assert second.things() == []

        fill(second.disk)
        before = command(folder, *arguments, within=second.within)
        assert second.things() == []

    for each in (ran, before):
        assert each.status == Exit.ENGINE, each.text
        assert f"the data disk ({second.disk}) of the engine at {second.url} is full" in message(each)
        assert "Free some space there" in message(each)
    assert ran.ids("✘") == [], "what a full disk does to an image is not the image's fault"
    assert "SM-IMAGE-ARCH-01" in ran.ids("✔"), ran.out
    assert "SM-TRAIN-FAIL-01" in ran.ids("?")
    assert "SM-INFER-RUN-01" in ran.ids("?"), "without a model nothing is served, and nothing said of it"
    assert "the disk of the container engine is full (exit status 6)" in " ".join(ran.out.split())
    assert json.loads((folder / "report" / "result.json").read_text("utf-8"))["incomplete"] is True


@pytest.mark.parametrize("written", [set(), {"result.json", "junit.xml"}], ids=["all reports", "the journal"])
def test_the_disk_of_the_reports(folder: Path, disk: Path, written: set[str]) -> None:
    given = journal(folder, named("good:1"))
    command(folder, given, "--sm-report=whole")
    room = sum((folder / "whole" / name).stat().st_size // 4096 + 2 for name in written)  # pages, and some to spare
    with small_disk(disk, f"{4 * room + 16}k"):
        ran = command(folder, given, f"--sm-report={disk}")

        assert {path.name for path in disk.iterdir()} == written, "a report is there whole or not at all"
    assert ran.status == Exit.USAGE, ran.text
    assert f"--sm-report: {disk} cannot be written (No space left on device); make room there" in message(ran)
    assert "good:1: training conformant · inference conformant (exit status 4)" in ran.out


def test_what_was_recorded_outlives_reports_that_cannot_be_written(folder: Path, disk: Path, shell: str) -> None:
    with small_disk(disk, "4k"):
        ran = command(folder, f"--image={shell}", "--sm-only=SM-IMAGE-OS-01", f"--sm-report={disk}")
    kept = re.search(r"--sm-judge=(\S+)", message(ran))

    assert ran.status == Exit.USAGE, ran.text
    assert kept is not None
    again = command(folder, kept[0], "--sm-only=SM-IMAGE-OS-01", "--sm-report=elsewhere")
    assert again.status == Exit.PARTIAL, again.text
    assert {path.name for path in (folder / "elsewhere").iterdir()} == {"result.json", "junit.xml", "journal.jsonl"}


def test_a_disk_of_the_reports_that_is_full_before_the_run(folder: Path, disk: Path) -> None:
    with small_disk(disk, "16k"):
        fill(disk)
        ran = command(folder, "--image=any:1", f"--sm-report={disk}", "--sm-engine=unix:///nowhere.sock")

    assert ran.status == Exit.USAGE, ran.text
    assert f"--sm-report: {disk} cannot be written (No space left on device); make room there" in message(ran)


def test_the_disk_for_temporary_files(folder: Path, disk: Path, shell: str) -> None:
    with small_disk(disk, "4k"):
        ran = command(
            folder,
            f"--image={shell}",
            "--sm-only=SM-TRAIN-RUN-01",
            "--sm-report=report",
            "-v",
            environment={"TMPDIR": str(disk)},
        )

        assert list(disk.iterdir()) == []
    assert ran.status == Exit.USAGE, ran.text
    assert f"the folder for temporary files, {disk}" in message(ran)
    assert "(No space left on device); make room there, or set TMPDIR" in message(ran)
    assert ran.ids("✔") == ["SM-TRAIN-RUN-01"], "the run goes on without its journal"
    assert {path.name for path in (folder / "report").iterdir()} == {"result.json", "junit.xml"}
