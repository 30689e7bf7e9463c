"""What the command says where something is missing, misspelt or left out, and how it is laid out."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
from dataclasses import replace
from pathlib import Path

import pytest
from command_support import NO_START, PYTEST, Ran, command, journal, named

from sm_contract.asking import built
from sm_contract.requirements import RUNS
from sm_contract.status import Exit

ARCH = "SM-IMAGE-ARCH-01"
GOOD = named("good:1")
BAD = named("bad:1", architecture="arm64")
TITLE = "The CPU architecture fits the target instances: amd64, or arm64 for Graviton and other ARM families"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder of a user's."""
    path = tmp_path / "project"
    path.mkdir()
    return path


def on_terminal(folder: Path, *arguments: str, columns: int = 80) -> Ran:
    """Run the command with a terminal of that width; all it wrote is in ``out``."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COLUMNS"))}
    with subprocess.Popen(
        [*PYTEST, *arguments], cwd=folder, env={**kept, "NO_COLOR": "1"}, stdin=its, stdout=its, stderr=its
    ) as process:
        os.close(its)
        written = b""
        try:
            while more := os.read(ours, 65536):
                written += more
        except OSError:  # the terminal is gone with its last user
            pass
    os.close(ours)
    return Ran(process.returncode, written.decode().replace("\r\n", "\n"), "")


def last(ran: Ran) -> str:
    """The last paragraph, in one line."""
    return " ".join(ran.out.split("\n\n")[-1].split())


# --- -k


@pytest.mark.parametrize("word", ["TRAIN", "training"])
def test_a_word_of_k_finds_no_names_of_images_modules_or_markers(folder: Path, word: str) -> None:
    """An image whose name holds the word, chapters whose module does, requirements of both roles."""
    ran = command(folder, journal(folder, named("my-training:1")), "-k", word, "--collect-only", "-q")
    found = [line.split("::")[1].split("[")[0] for line in ran.out.splitlines() if "::" in line]

    assert found == [id for id in found if id.startswith("SM-TRAIN-")]
    assert set(found) == {id for id in built() if id.startswith("SM-TRAIN-")}


def test_a_word_of_k_is_found_in_either_case_and_an_image_by_the_end_of_a_node_id(folder: Path) -> None:
    option = journal(folder, named("good:1"), named("good:2"))

    def found(word: str) -> list[str]:
        ran = command(folder, option, "-k", word, "--collect-only", "-q")
        return [line.split("::")[1] for line in ran.out.splitlines() if "::" in line]

    assert len(found("Ping")) == len(found("ping")) == 2 * len({one.split("[")[0] for one in found("ping")})
    assert found("SM-INFER-PING-02[good:2]") == ["SM-INFER-PING-02[good:2]"]


def test_k_that_matches_nothing_says_so(folder: Path) -> None:
    option = journal(folder, GOOD)
    typo = command(folder, option, "-k", "PNIG")
    both = command(folder, option, "-k", "PING", "--sm-only=SM-IMAGE-*")
    skipped = command(folder, option, "--sm-skip=SM-*", "-q")

    total = len(built())
    assert typo.status == both.status == skipped.status == Exit.NOTHING_JUDGED, typo.text
    told = f"nothing was judged: -k PNIG matches none of the {total} requirements; did you mean PING? (exit status 5)"
    assert last(typo) == told
    assert f"-k PING, --sm-only='SM-IMAGE-*' match none of the {total} requirements" in last(both)
    assert "--sm-skip='SM-*' matches none" in last(skipped)


def test_a_wrong_expression_of_k(folder: Path) -> None:
    ran = command(folder, journal(folder, GOOD), "-k", "PING and")

    assert ran.status == Exit.USAGE, ran.text
    assert "'PING and' is no expression" in ran.err


# --- ids that nobody knows


def test_an_unknown_id_gets_the_nearest(folder: Path) -> None:
    option, id = journal(folder, GOOD), "sm-infer-png-02"
    only = command(folder, option, f"--sm-only={id}")
    (folder / "sm-contract.toml").write_text(f"accept_not_testable = [{json.dumps(id)}]")
    accepted = command(folder, option)
    waiver = f'[[waivers]]\nid = {json.dumps(id)}\nowner = "me"\nreason = "so"\nexpires = 2999-01-01\n'
    (folder / "sm-contract.toml").write_text(waiver)
    waived = command(folder, option)

    for ran, status in ((only, Exit.USAGE), (accepted, Exit.USAGE), (waived, Exit.BROKEN)):
        assert ran.status == status, ran.text
        assert "did you mean SM-INFER-PING-" in " ".join(ran.text.split()), ran.text


def test_toml_that_breaks_off_names_its_last_line(folder: Path) -> None:
    (folder / "sm-contract.toml").write_text('concurrency = 1\nroles = ["training"\n\n')
    ran = command(folder, journal(folder, GOOD))

    assert ran.status == Exit.USAGE
    assert "sm-contract.toml: is not valid TOML" in ran.err
    assert "line 2)" in ran.err


# --- a journal judged again


def test_a_filtered_journal_says_what_to_record_again(folder: Path) -> None:
    kept = {name: life for name, life in GOOD.lives.items() if name in ("train.full", "train.bare")}
    filtered = replace(GOOD, lives=kept, runs=("train.bare", "train.full"))
    ran = command(folder, journal(folder, filtered), "--sm-only=SM-TRAIN-FAIL-*", "--sm-only=SM-INFER-PING-*")
    told = " ".join(ran.out.split())

    assert ran.status == Exit.PARTIAL, ran.text
    assert "record the image again without the --sm-only, --sm-skip or -k that left these requirements out" in told
    left_out = sorted(RUNS - {"train.bare", "train.full"})
    assert told.count(f"on this record there is no run {', '.join(left_out)}") == 1
    assert "was not run" not in told
    assert ran.out.count("not testable here") == 1


def test_again_after_a_journal_judges_the_journal(folder: Path) -> None:
    (folder / "my config.toml").write_text("roles = ['training']")
    first = command(folder, journal(folder, BAD), "--sm-config=my config.toml")
    again = first.out[first.out.index(" again ") + len(" again ") :].split("\n\n")[0].replace("\\\n", " ")
    arguments = subprocess.run(["sh", "-c", f"printf '%s\\n' {again}"], capture_output=True, text=True, check=True)
    second = command(folder, *arguments.stdout.splitlines()[1:], "-v")

    assert "--image" not in again
    assert first.status == second.status == Exit.BROKEN, second.text
    assert second.ids("✘") == [ARCH]


# --- one cause, said once


def test_a_fault_of_ours_is_told_once(folder: Path) -> None:
    unrun = replace(GOOD, lives={})
    option = journal(folder, unrun)
    path = Path(option.partition("=")[2])
    path.write_text(path.read_text().replace('"faults":[]', '"faults":["Traceback\\nRuntimeError: a plan"]'))
    ran = command(folder, option)

    assert ran.status == Exit.FAULT, ran.text
    assert ran.text.count("RuntimeError: a plan") == 1
    assert "requirements not judged" in ran.out
    assert "SM-INFER-PING-02" in ran.out.partition("a fault of sm_contract:")[2]


def test_what_a_plugin_breaks_is_told_once(folder: Path) -> None:
    (folder / "breaking.py").write_text("def pytest_runtest_setup(item):\n    raise RuntimeError('a plugin')\n")
    ran = command(folder, journal(folder, GOOD), "-p", "breaking")

    assert ran.status == Exit.FAULT, ran.text
    assert ran.text.count("RuntimeError: a plugin") == 1
    assert f"and {len(built()) - 1} more were not judged" in ran.err


# --- what becomes of an image


def test_the_last_line_of_a_pair_names_both_images(folder: Path) -> None:
    pair = replace(GOOD, training_image=named("trains:1").image)
    ran = command(folder, journal(folder, pair, label="trains:1+good:1"))

    assert last(ran).startswith("trains:1 + good:1: training conformant"), ran.text
    assert " training    trains:1 " in ran.out
    assert " inference   good:1 " in ran.out


def test_an_image_without_a_role_is_told_how_to_get_one(folder: Path) -> None:
    facts = {role: replace(fact, claimed=False, why="it has none") for role, fact in GOOD.roles.items()}
    ran = command(folder, journal(folder, replace(GOOD, roles=facts)))

    assert ran.status == Exit.NOTHING_JUDGED, ran.text
    assert "a program named `train` on its PATH" in " ".join(ran.out.split())
    assert "ENTRYPOINT that takes this word" in " ".join(ran.out.split())


# --- a log, and a terminal


def test_in_a_log_nothing_is_cut_and_on_a_terminal_only_what_is_told_whole_below(folder: Path) -> None:
    line = "ValueError: " + "a very long line of the image's log " * 5 + "END"
    life = GOOD.lives["train.bare"]
    failed = replace(life, exit_code=3, log=(replace(life.log[0], text=line),))
    lives = {**GOOD.lives, "train.bare": failed, "train.full": replace(failed, name="train.full")}
    option = journal(folder, replace(GOOD, lives=lives))

    logged = command(folder, option, "-v", environment={"COLUMNS": "80"})
    shown = on_terminal(folder, option, "-v")
    assert logged.status == shown.status == Exit.BROKEN, shown.text
    for ran in (logged, shown):
        assert TITLE in " ".join(ran.out.split())
        assert "END" in ran.out
    assert f"│    0.10 {line}" in logged.out, "a line of the log stays one"
    assert "…" not in "".join(row for row in logged.out.splitlines() if "SM-" in row)
    wide = [row for row in shown.out.splitlines() if len(row) > 80 and not re.search("https://|--sm|rootdir", row)]
    assert wide == []


def test_an_error_is_wrapped_on_a_terminal_and_stays_one_line_elsewhere(folder: Path) -> None:
    option = "--sm-engine=unix:///a/place/of/nothing.sock"
    shown, logged = on_terminal(folder, "--image=any:1", option), command(folder, "--image=any:1", option)

    assert shown.status == logged.status == Exit.ENGINE, shown.text
    first, *more = [row for row in shown.out.splitlines() if row]
    assert first.startswith("ERROR: ")
    assert more
    assert all(row.startswith("       ") and len(row) <= 80 for row in more)
    assert len(logged.err.strip().splitlines()) == 1
    usage = on_terminal(folder, "--image=any:1", "--sm-only=SM-INFER-PNG-01", columns=60)
    rows = [row for row in usage.out.splitlines() if row]
    assert rows[0].startswith("ERROR: --sm-only")
    assert all(len(row) <= 60 for row in rows)


def test_where_nothing_can_be_judged_only_the_error_is_told(folder: Path) -> None:
    missing = command(folder, "--image=./nowhere.tar")
    lost = command(folder, "--image=any:1", f"--sm-engine=unix://{folder}/none.sock")

    assert (missing.status, lost.status) == (Exit.USAGE, Exit.ENGINE)
    assert missing.out.strip() == lost.out.strip() == ""
    assert "./nowhere.tar: no such file" in missing.err
    assert NO_START not in lost.err
