"""The command, run for real in folders of all kinds, on journals: no engine is needed to hold what is said here."""

from __future__ import annotations

import json
import re
import signal
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest
from command_support import NO_START, Ran, command, interrupted, journal, looked_at, named

from sm_contract.record import Record
from sm_contract.status import PRECEDENCE, Exit, decide

ARCH = "SM-IMAGE-ARCH-01"
OS = "SM-IMAGE-OS-01"
GOOD = named("good:1")
BAD = named("bad:1", architecture="arm64")
LOOKED_AT = looked_at("seen:1")
ODD = named("odd:1", workdir_file=None)  # a MUST that AWS does not document: it warns


def _unclaimed() -> Record:
    facts = {role: replace(fact, claimed=False) for role, fact in GOOD.roles.items()}
    return replace(named("none:1"), roles=facts)


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(dedent(text), encoding="utf-8")


# --- the contract alone, in any folder

HOSTILE = {
    "a conftest that raises": {"conftest.py": "raise RuntimeError('a conftest of the folder')"},
    "an autouse fixture that raises": {
        "conftest.py": """
            import pytest
            @pytest.fixture(autouse=True)
            def broken():
                raise RuntimeError('a fixture of the folder')
            """
    },
    "an emptied item list": {
        "conftest.py": """
            def pytest_collection_modifyitems(items):
                items.clear()
            """
    },
    "settings for other files": {
        "pytest.ini": """
            [pytest]
            python_files = check_*.py
            python_functions = check_*
            python_classes = Check*
            testpaths = nowhere
            norecursedirs = *
            usefixtures = nothing
            """
    },
    "warnings as errors": {"pytest.ini": "[pytest]\nfilterwarnings = error\naddopts = -W error\n"},
    "paths in addopts": {
        "pytest.ini": "[pytest]\naddopts = tests --strict-markers --doctest-modules\n",
        "tests/test_own.py": "def test_own(): assert False, 'a test of the folder'",
    },
    "strict settings": {"pytest.ini": "[pytest]\nmarkers =\n    must: something else\naddopts = --strict-markers\n"},
    "tests of its own": {"test_own.py": "def test_own(): assert False, 'a test of the folder'"},
    "a virtual environment inside": {
        ".venv/pyvenv.cfg": "home = /usr/bin\n",
        ".venv/lib/python3.11/site-packages/thing/test_thing.py": "raise RuntimeError('a package of the folder')",
    },
}


@pytest.mark.parametrize("files", HOSTILE.values(), ids=HOSTILE.keys())
def test_nothing_of_the_folder_changes_a_verdict(folder: Path, files: dict[str, str]) -> None:
    write(folder, files)

    ran = command(folder, journal(folder, GOOD), "-v")

    assert ran.status == Exit.CONFORMANT, ran.text
    assert {OS, ARCH} <= set(ran.ids("✔")), ran.text
    assert "of the folder" not in ran.text
    assert "warning" not in ran.text.lower()


def test_a_folder_that_cannot_be_written_to(folder: Path) -> None:
    option = journal(folder, GOOD)
    write(folder, {"conftest.py": "raise RuntimeError('a conftest of the folder')", ".pytest_cache": "not a folder"})
    folder.chmod(0o555)
    try:
        ran = command(folder, option)
    finally:
        folder.chmod(0o755)

    assert ran.status == Exit.CONFORMANT, ran.text
    assert "warning" not in ran.text.lower()


def test_a_virtual_environment_of_the_folder_that_runs_pytest(tmp_path: Path) -> None:
    """The package lies below the folder then, in a place that pytest does not recurse into."""
    folder = tmp_path / "project"
    site = folder / ".venv" / "lib" / "site-packages"
    site.mkdir(parents=True)
    (folder / ".venv" / "pyvenv.cfg").write_text("home = /usr/bin\n", encoding="utf-8")
    source = Path(__file__).resolve().parent.parent
    for part in ("sm_contract", "schemas"):
        (site / part).symlink_to(source / part)

    ran = command(folder, "--image=any:1", "--collect-only", "-q", environment={"PYTHONPATH": str(site)})

    assert ran.status == 0, ran.text
    assert f"sm_contract/contract/test_image.py::{ARCH}[any:1]" in ran.out.splitlines()


def test_node_ids_are_the_same_everywhere(folder: Path, tmp_path: Path) -> None:
    write(folder, {"pytest.ini": "[pytest]\n", "deep/inside/setup.py": ""})
    source = Path(__file__).resolve().parent.parent
    told = [
        command(place, "--image=localhost:5000/a/b:1", "--collect-only", "-q").out.split("\n\n")[0]
        for place in (folder, folder / "deep" / "inside", source)
    ]

    assert f"sm_contract/contract/test_image.py::{ARCH}[localhost:5000/a/b:1]" in told[0].splitlines()
    assert told[0] == told[1] == told[2]


# --- what a pytest user expects


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
    write(folder, HOSTILE["a conftest that raises"])
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
    write(folder, HOSTILE["a conftest that raises"])
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
    near = command(folder, "--sm-explain=SM-IMAGE-ARHC-01")
    assert near.status == Exit.USAGE
    assert "did you mean SM-IMAGE-ARCH-0" in near.err


# --- the exit status

STATUSES = {
    "everything is met": ((GOOD,), [], Exit.CONFORMANT),
    "a MUST is broken": ((BAD,), [], Exit.BROKEN),
    "of two images one is broken": ((GOOD, BAD), [], Exit.BROKEN),
    "a MUST is not testable": ((LOOKED_AT,), [], Exit.PARTIAL),
    "of two images one is partial": ((GOOD, LOOKED_AT), [], Exit.PARTIAL),
    "partial is good enough": ((LOOKED_AT,), ["--sm-partial=ok"], Exit.CONFORMANT),
    "partial and broken": ((LOOKED_AT, BAD), ["--sm-partial=ok"], Exit.BROKEN),
    "a MUST is filtered out": ((GOOD,), [f"--sm-skip={OS}"], Exit.PARTIAL),
    "a MUST is deselected": ((GOOD,), ["-k", OS], Exit.PARTIAL),
    "of a profile not all is built": ((GOOD,), ["--sm-profile=isolation"], Exit.PARTIAL),
    "nothing was selected": ((GOOD,), ["-k", "no_such_thing"], Exit.NOTHING_JUDGED),
    "no role is claimed": ((_unclaimed(),), [], Exit.NOTHING_JUDGED),
    "there is a warning": ((ODD,), [], Exit.CONFORMANT),
    "there is a warning, and it counts": ((ODD,), ["--sm-strict"], Exit.BROKEN),
}


@pytest.mark.parametrize(("records", "arguments", "status"), STATUSES.values(), ids=STATUSES.keys())
def test_exit_status(folder: Path, records: tuple, arguments: list[str], status: Exit) -> None:
    ran = command(folder, journal(folder, *records), *arguments)

    assert ran.status == status, ran.text


def test_the_readme_has_the_table_and_the_order() -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    told = re.search(r"Where several hold: ([0-9, ]+)\.", readme)
    order = [int(number) for number in told[1].split(", ")] if told else []

    assert re.findall(r"^\| (\d) \|", readme, re.MULTILINE) == [str(int(status)) for status in Exit]
    assert [Exit.USAGE, *order, Exit.CONFORMANT] == list(PRECEDENCE)
    for place, status in enumerate(order):
        assert decide([Exit(each) for each in order[place:]]) == status
    assert decide(()) is Exit.CONFORMANT


LONG = "registry.example/" + "x" * 300
TOO_LONG = "SM-IMAGE-REFERENCE-03"  # nothing rests on it


def test_waivers(folder: Path) -> None:
    option = journal(folder, named(LONG))

    def waived(id: str, expires: str) -> Ran:
        write(folder, {"sm-contract.toml": f"""
            [[waivers]]
            id = "{id}"
            owner = "ml-platform"
            reason = "the registry wants it, ML-412"
            expires = {expires}
            """})  # fmt: skip
        return command(folder, option)

    assert command(folder, option).status == Exit.BROKEN
    good = waived(TOO_LONG, "2999-01-31")
    assert good.status == Exit.CONFORMANT, good.text
    assert good.ids("w") == [TOO_LONG]
    assert "conformant with waivers" in " ".join(good.out.splitlines()[-8:])
    assert f"{TOO_LONG} to 2999-01-31 (ml-platform)" in good.out
    expired = waived(TOO_LONG, "2020-01-31")
    assert (expired.status, expired.ids("✘")) == (Exit.BROKEN, [TOO_LONG])
    assert "expired on 2020-01-31" in expired.out
    unknown = waived("SM-NOTHING-01", "2999-01-31")
    assert unknown.status == Exit.BROKEN
    assert "SM-NOTHING-01 names no requirement" in unknown.out


def test_a_waiver_that_one_of_two_images_needs_is_needed(folder: Path) -> None:
    write(folder, {"sm-contract.toml": f"""
        [[waivers]]
        id = "{TOO_LONG}"
        owner = "ml-platform"
        reason = "the registry wants it, ML-412"
        expires = 2999-01-31
        """})  # fmt: skip

    both = command(folder, journal(folder, GOOD, named(LONG)))
    assert both.status == Exit.CONFORMANT, both.text
    alone = command(folder, journal(folder, GOOD))
    assert alone.status == Exit.BROKEN
    assert "is not needed" in alone.out


def test_accepted_gaps_are_no_gaps(folder: Path) -> None:
    option = journal(folder, LOOKED_AT)
    gaps = command(folder, option, "-v").ids("?")
    assert gaps
    write(folder, {"sm-contract.toml": f"accept_not_testable = {json.dumps(gaps)}"})
    assert command(folder, option).status == Exit.CONFORMANT
    write(folder, {"sm-contract.toml": f"accept_not_testable = {json.dumps(gaps[1:])}"})
    assert command(folder, option).status == Exit.PARTIAL


USAGE = {
    "a misspelt option": (["--sm-stict"], "did you mean --sm-strict?"),
    "an option without an image": (["--sm-strict"], "add --image=REF"),
    "the contract without an image": (["--pyargs", "sm_contract.contract"], "add --image=REF"),
    "half a pair": (["--training-image=a"], "--inference-image"),
    "an image beside a pair": (["--image=c", "--training-image=a", "--inference-image=b"], "leave --image out"),
    "an image beside a journal": (["--image=c", "--sm-judge=j"], "leave --image out"),
    "an empty image": (["--image="], "--image"),
    "no seconds": (["--image=a", "--sm-ping-limit=0"], "--sm-ping-limit: found '0'"),
    "no number": (["--image=a", "--sm-start-limit=soon"], "--sm-start-limit: found 'soon'"),
    "no size": (["--image=a", "--sm-memory=lots"], "--sm-memory: found 'lots'"),
    "too small a size": (["--image=a", "--sm-memory=1m"], "no less than 6m"),
    "no count": (["--image=a", "--sm-processes=-1"], "--sm-processes: found '-1'"),
    "no profile": (["--image=a", "--sm-profile=isolated"], "did you mean isolation?"),
    "no role": (["--image=a", "--sm-roles=training,serving"], "--sm-roles: found 'serving'"),
    "no such partial": (["--image=a", "--sm-partial=yes"], "--sm-partial: found 'yes'"),
    "no such keep": (["--image=a", "--sm-keep=always"], "never, on-failure"),
    "a glob that matches nothing": (["--image=a", "--sm-only=SM-IMAGE-ARHC-*"], "did you mean SM-IMAGE-ARCH-0"),
    "what is not built yet": (["--image=a", "--sm-skip=SM-MKT-*"], "cannot be judged yet"),
    "a form of list": (["--sm-list=xml"], "--sm-list=json"),
    "documents": (["--sm-document=model.json"], "later version"),
    "no journal": (["--sm-judge=nowhere.jsonl"], "nowhere.jsonl: there is no such journal"),
    "no declaration": (["--image=a", "--sm-config=nowhere.toml"], "nowhere.toml: there is no such file"),
}


@pytest.mark.parametrize(("arguments", "says"), USAGE.values(), ids=USAGE.keys())
def test_a_usage_error_is_one_line(folder: Path, arguments: list[str], says: str) -> None:
    ran = command(folder, *arguments)

    assert ran.status == Exit.USAGE, ran.text
    assert says in ran.err
    assert len(ran.err.strip().splitlines()) == 1, ran.err
    assert list(folder.iterdir()) == []


def test_a_report_folder_that_cannot_be_written(folder: Path) -> None:
    write(folder, {"report": "a file"})
    ran = command(folder, journal(folder, GOOD), "--sm-report=report/here")

    assert ran.status == Exit.USAGE
    assert "--sm-report: report/here cannot be written" in ran.err


def test_a_journal_that_breaks_off_is_never_green(folder: Path) -> None:
    option = journal(folder, GOOD, complete=False)
    ran = command(folder, option)

    assert ran.status == Exit.PARTIAL, ran.text
    assert "did not come to its end" in ran.out


# --- JUnit


def test_junit(folder: Path) -> None:
    write(
        folder,
        {
            "sm-contract.toml": f"""
        [[waivers]]
        id = "{OS}"
        owner = "ml-platform"
        reason = "an experiment"
        expires = 2999-01-31
        """
        },
    )
    other = named("bad:1", os="win\x1bdows", architecture="arm64")
    ran = command(folder, journal(folder, other), "--junitxml=junit.xml", "--sm-only=SM-IMAGE-*", "--sm-skip=*-02")
    cases = {case.get("name", ""): case for case in ET.parse(folder / "junit.xml").iter("testcase")}
    by_id = {name.split()[0]: name for name in cases}

    assert ran.status in (Exit.BROKEN, Exit.PARTIAL)
    assert "[WAIVED to 2999-01-31]" in by_id[OS]
    waived = cases[by_id[OS]]
    assert [child.tag for child in waived] == ["properties"]
    properties = {each.get("name"): each.get("value") for each in waived.iter("property")}
    assert properties["verdict"] == "waived"
    assert properties["waiver_owner"] == "ml-platform"
    blocked = cases[by_id[ARCH]].find("skipped")
    assert blocked is not None
    assert blocked.get("message") == f"blocked: rests on {OS}, which is broken"
    assert cases[by_id[ARCH]].get("classname") == "image.image"


def test_junit_of_a_failure(folder: Path) -> None:
    bad = named("bad:1", architecture="\x1b[31marm64")
    command(folder, journal(folder, bad), "--junitxml=junit.xml", f"--sm-only={ARCH}")
    (failure,) = ET.parse(folder / "junit.xml").iter("failure")

    assert "is built for linux/" in failure.get("message", "")
    assert "(expected: an image for linux/amd64" in failure.get("message", "")
    assert "fix: " in (failure.text or "")
    assert "source: " in (failure.text or "")
    assert "Traceback" not in (failure.text or "")
    assert not [c for c in (failure.get("message", "") + (failure.text or "")) if ord(c) < 32 and c != "\n"]
    assert "#x1B" not in failure.get("message", "")


# --- tests of the owner's

OWN = {
    "my_tests/test_team.py": """
        import pytest
        from sm_contract.requirements import requirement
        from sm_contract.verdict import NotTestable, Violation

        @requirement("TEAM-USER-01", title="Runs as a user of our own", level="MUST")
        def test_user(image):
            \"\"\"The image names a user.\"\"\"
            if not image.user:
                raise Violation(expected="USER app", observed="no USER", fix="add USER app")

        @requirement("TEAM-SIZE-01", title="Is small", level="SHOULD")
        def test_size(image, limit):
            \"\"\"The image is small.\"\"\"
            if image.size > limit:
                raise Violation(expected=f"at most {limit}", observed=str(image.size), fix="leave things out")

        @requirement("TEAM-NET-01", title="Needs no network", level="MUST")
        def test_network(serving):
            \"\"\"No network.\"\"\"
            serving.life("serve.handover")

        @pytest.fixture
        def limit():
            return 10

        def test_plain(record, candidate):
            assert record.image.os == "linux"
            assert candidate.architecture == "amd64"
        """
}


def test_an_owner_s_own_tests(folder: Path) -> None:
    write(folder, OWN)
    good = named("user:1", user="app")

    ran = command(folder, journal(folder, good), "my_tests", "-v")
    assert ran.status == Exit.CONFORMANT, ran.text
    assert "my_tests/test_team.py::test_user[user:1] PASSED" in ran.out
    assert "my_tests/test_team.py::test_size[user:1] WARNED" in ran.out
    assert "my_tests/test_team.py::test_network[user:1] NOT TESTABLE" in ran.out
    assert "my_tests/test_team.py::test_plain[user:1] PASSED" in ran.out
    assert "the contract itself was not judged" in ran.out

    both = command(folder, journal(folder, good, GOOD), "my_tests", "-k", "TEAM-USER-01")
    assert both.status == Exit.BROKEN
    assert "1 failed, 1 passed" in both.out
    assert "expected" in both.out
    assert "add USER app" in both.out
    assert "Traceback" not in both.out


def test_own_tests_beside_the_contract(folder: Path) -> None:
    write(folder, OWN)
    ran = command(
        folder,
        journal(folder, named("good:1", user="app")),
        "--pyargs",
        "sm_contract.contract",
        "my_tests/",
        "--sm-only=SM-IMAGE-OS-01",
        "--sm-only=TEAM-*",
        "-v",
    )

    assert f"sm_contract/contract/test_image.py::{OS}[good:1] PASSED" in ran.out, ran.text
    assert "my_tests/test_team.py::test_user[good:1] PASSED" in ran.out
    assert ran.status == Exit.PARTIAL


def test_an_ordinary_failure_fails_the_run(folder: Path) -> None:
    write(folder, {"my_tests/test_own.py": "def test_own(image):\n    assert image.os == 'plan9'\n"})
    ran = command(folder, journal(folder, GOOD), "my_tests")

    assert ran.status == Exit.BROKEN
    assert "assert 'linux' == 'plan9'" in ran.out


def test_own_ids_need_an_image(folder: Path) -> None:
    write(folder, {"my_tests/test_own.py": OWN["my_tests/test_team.py"]})
    ran = command(folder, "my_tests", "-k", "test_user", "-rs")

    assert "1 skipped" in ran.out, ran.text
    assert "--image=REF" in ran.out


# --- pytest-xdist


def test_the_contract_alone_needs_no_workers(folder: Path) -> None:
    pytest.importorskip("xdist")
    option = journal(folder, BAD)
    alone, many = (command(folder, option, "-v", *how) for how in ([], ["-n", "2"]))

    assert many.status == alone.status == Exit.BROKEN
    for mark in "✔✘?⊘":
        assert many.ids(mark) == alone.ids(mark)
    assert sum("-n is not needed" in line for line in many.out.splitlines()) == 1
    assert "gw0" not in many.out


def test_workers_give_the_same_verdicts(folder: Path) -> None:
    pytest.importorskip("xdist")
    write(folder, OWN)
    option = journal(folder, named("bad:1", architecture="arm64", user="app"))
    arguments = (option, "--pyargs", "sm_contract.contract", "my_tests/", "-q", "--sm-skip=TEAM-SIZE-*")
    alone, many = (command(folder, *arguments, *how) for how in ([], ["-n", "2"]))

    def counts(ran: Ran) -> str:
        return ran.out[ran.out.index("─ summary ─") :].split("run  ")[0]

    assert alone.status == many.status == Exit.BROKEN, many.text
    assert counts(alone) == counts(many)


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
