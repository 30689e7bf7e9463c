"""The command, run for real on journals: what a pytest user expects of it. No engine is needed to hold what is said."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from command_support import (
    A_CONFTEST_THAT_RAISES,
    ARCH,
    BAD,
    GOOD,
    NO_START,
    OS,
    command,
    interrupted,
    journal,
    named,
    write,
)

from sm_contract.practice import LEFT_OPEN
from sm_contract.status import Exit


def test_selecting(folder: Path) -> None:
    option = journal(folder, GOOD)

    def collected(*arguments: str) -> list[str]:
        lines = command(folder, option, "--collect-only", "-q", *arguments).out.splitlines()
        return [line.split("::")[1].split("[")[0] for line in lines if "::" in line]

    everything = collected()
    assert collected("-k", ARCH) == [ARCH]
    assert collected("--sm-only", ARCH, "--sm-only", "SM-IMAGE-O?-*") == [OS, ARCH]
    assert collected("--sm-only=SM-IMAGE-*", "--sm-skip=SM-IMAGE-*-01") == [
        id for id in everything if id.startswith("SM-IMAGE-") and not id.endswith("-01")
    ]
    assert collected("-m", "must and base_image")[:2] == [OS, ARCH]
    training = collected("-m", "training and not inference")
    assert "SM-TRAIN-CFG-01" in training
    assert not [id for id in training if id.startswith(("SM-INFER", "SM-IMAGE"))]
    deselected = f"sm_contract/contract/test_image.py::{ARCH}[good:1]"
    assert set(everything) - set(collected("--deselect", deselected)) == {ARCH}
    assert collected(deselected.partition("[")[0]) == [ARCH]


def test_a_node_id_of_the_contract_alone_keeps_the_folder_out(folder: Path) -> None:
    write(folder, A_CONFTEST_THAT_RAISES)
    ran = command(folder, journal(folder, GOOD), f"sm_contract/contract/test_image.py::{ARCH}[good:1]", "-v")

    assert ran.status == Exit.PARTIAL, ran.text
    assert ran.ids("✔") == [ARCH]


def test_stopping_at_the_first_failure_and_running_it_again(folder: Path) -> None:
    option = journal(folder, BAD)
    first = command(folder, option, "-x", "--sm-only=SM-IMAGE-*")
    again = command(folder, option, "--lf", "-v")

    assert first.status == Exit.BROKEN, first.text
    assert "stopped at the first failure" in first.out
    assert "0 blocked" in first.out
    assert again.status == Exit.BROKEN
    assert again.ids("✘") == [ARCH]
    assert again.ids("✔") == []


def test_quiet_and_verbose(folder: Path) -> None:
    option = journal(folder, BAD)
    quiet, plain, verbose = (command(folder, option, "--sm-only=SM-IMAGE-*", *how) for how in (["-q"], [], ["-v"]))

    assert quiet.ids("✘") == plain.ids("✘") == verbose.ids("✘") == [ARCH]
    assert OS in verbose.ids("✔")
    assert plain.ids("✔") == quiet.ids("✔") == []
    for ran in (quiet, plain, verbose):
        assert ran.out.rstrip().endswith("(exit status 1)"), ran.text
        assert ran.out.count("an image for linux/amd64, the declared target") == 1, "nothing is printed twice"
    assert len(quiet.out) < len(plain.out)


def test_images_stay_apart(folder: Path) -> None:
    ran = command(folder, journal(folder, GOOD, BAD), "-v", f"--sm-only={ARCH}")

    assert ran.status == Exit.BROKEN
    assert ran.ids("✔") == [ARCH]
    assert ran.ids("✘") == [ARCH]
    first, second = ran.out.index("good:1"), ran.out.index("bad:1")
    assert first < ran.out.index("✔") < second < ran.out.index("✘")


def test_a_pair_is_judged_as_one(folder: Path) -> None:
    pair = replace(GOOD, training_image=named("trains:1").image)
    ran = command(folder, journal(folder, pair, label="trains:1+good:1"), "-v")
    options = ("--training-image=trains:1", "--inference-image=good:1", f"--sm-only={ARCH}", "--collect-only", "-q")

    assert ran.status == Exit.CONFORMANT, ran.text
    assert ran.out.count("contract 2026-11 ·") == 1, "it has one head"
    assert f"::{ARCH}[trains:1+good:1]" in command(folder, *options).out


def test_what_another_plugin_breaks_is_no_verdict(folder: Path) -> None:
    write(folder, {"breaking.py": "def pytest_runtest_setup(item):\n    raise RuntimeError('a plugin')\n"})
    ran = command(folder, journal(folder, GOOD), "-p", "breaking", f"--sm-only={ARCH}")

    assert ran.status == Exit.FAULT, ran.text
    assert "RuntimeError: a plugin" in ran.text


# --- lists and explanations


def test_list_as_json(folder: Path) -> None:
    write(folder, A_CONFTEST_THAT_RAISES)
    ran = command(folder, "--sm-list=json")
    listed = json.loads(ran.out)

    assert ran.status == 0
    assert listed["contract"] == "2026-11"
    row = next(row for row in listed["requirements"] if row["id"] == ARCH)
    assert list(row) == ["id", "title", "level", "scope", "evidence", "sources", "profiles"]
    assert all(source.startswith("https://") for source in row["sources"])
    assert len(listed["requirements"]) == len({row["id"] for row in listed["requirements"]})


def test_list_as_text(folder: Path) -> None:
    ran = command(folder, "--sm-list", "--sm-only=SM-IMAGE-OS-*")

    assert ran.out.splitlines()[0].split()[:2] == [OS, "MUST"]
    assert ran.out.splitlines()[1] == "1 requirements of contract 2026-11"


def test_explain(folder: Path) -> None:
    ran = command(folder, "--sm-explain", ARCH.lower())

    assert ran.status == 0
    for part in (ARCH, "MUST", "verify", "violation", "sources", "https://", "rests on", OS, "isolation"):
        assert part in ran.out
    assert "left open" not in ran.out
    near = command(folder, "--sm-explain=SM-IMAGE-ARHC-01")
    assert near.status == Exit.USAGE
    assert "did you mean SM-IMAGE-ARCH-0" in near.err


def test_the_help_offers_nothing_of_a_later_version(folder: Path) -> None:
    ran = command(folder, "--help")
    assert "--sm-explain" in ran.out
    assert "later version" not in ran.out
    assert "--sm-document" not in ran.out


def test_explain_says_what_is_left_open(folder: Path) -> None:
    ran = command(folder, "--sm-explain", "SM-INFER-STOP-02", "--sm-profile=isolation")

    lines = ran.out.splitlines()
    assert (ran.status, ran.err) == (0, "")
    begin = next(n for n, line in enumerate(lines) if line.startswith("left open  - "))
    end = next(n for n, line in enumerate(lines) if line.startswith("by "))
    said = " ".join(" ".join(lines[begin:end]).split())
    assert said == "left open " + " ".join(f"- {sentence}" for sentence in LEFT_OPEN["SM-INFER-STOP-02"])


# --- interruptions


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_what_it_has_seen(folder: Path, tmp_path: Path, by: int) -> None:
    sign = tmp_path / "now"
    write(folder, {
        "slow/conftest.py": f"""
            import pathlib, time
            def pytest_runtest_teardown(item):
                if "{ARCH}" in item.name:
                    pathlib.Path({str(sign)!r}).touch()
                    time.sleep(30)
            """,
        "slow/test_nothing.py": "",
    })  # fmt: skip
    ran = interrupted(folder, journal(folder, GOOD), "-p", "slow.conftest", "--sm-report=report", when=sign, by=by)

    assert ran.status == Exit.INTERRUPTED, ran.text
    assert "interrupted" in ran.out.splitlines()[-1]
    assert "exit status 2" in ran.out
    assert (folder / "report" / "journal.jsonl").exists()


# --- what needs an engine is asked of one that is not there


def test_no_engine(folder: Path) -> None:
    ran = command(folder, "--image=any:1", f"--sm-engine=unix://{folder}/none.sock")

    assert ran.status == Exit.ENGINE, ran.text
    assert len(ran.err.strip().splitlines()) == 1, ran.err
    assert "none.sock" in ran.err


def test_collecting_asks_no_engine(folder: Path) -> None:
    ran = command(folder, "--image=any:1", "--collect-only", "-q", environment={"DOCKER_HOST": "unix:///nowhere.sock"})

    assert ran.status == 0, ran.text
    assert NO_START not in ran.text
