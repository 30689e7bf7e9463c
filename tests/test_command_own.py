"""Tests of the owner's, alone and beside the contract, in one process and in several."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_support import BAD, GOOD, OS, Ran, command, journal, named, write

from sm_contract.status import Exit

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


def test_a_check_of_the_owner_s_that_raises_is_no_verdict(folder: Path) -> None:
    tests = """
        import pytest
        from sm_contract.requirements import requirement

        @requirement("TEAM-USER-01", title="Runs as a user of our own", level="MUST")
        def test_user(image):
            \"\"\"The image names a user.\"\"\"
            return {}["user"]

        @pytest.fixture
        def limit():
            raise OSError("no table of limits")

        @requirement("TEAM-SIZE-01", title="Is small", level="SHOULD")
        def test_size(image, limit):
            \"\"\"The image is small.\"\"\"
        """
    write(folder, {"my_tests/test_team.py": tests})
    for how in ([], ["-n", "2"]):
        ran = command(folder, journal(folder, GOOD), "my_tests", "--sm-report=report", *how)
        (image,) = json.loads((folder / "report" / "result.json").read_text(encoding="utf-8"))["images"]

        assert ran.status == Exit.FAULT, ran.text
        assert "KeyError: 'user'" in ran.out
        assert "OSError: no table of limits" in ran.out
        assert "KeyError: '_'" not in ran.text
        assert image["counts"]["not judged"] == 2
        assert {row["id"]: row["verdict"] for row in image["verdicts"]} == {
            "TEAM-USER-01": "not judged",
            "TEAM-SIZE-01": "not judged",
        }


def test_a_check_that_cannot_be_collected_is_no_interruption(folder: Path) -> None:
    tests = """
        from sm_contract.requirements import requirement

        @requirement("TEAM-SLOW-01", title="Starts", level="MUST", runs=["serve.ful"])
        def test_start(serving):
            \"\"\"It starts.\"\"\"
        """
    write(folder, {"my_tests/test_team.py": tests})
    ran = command(folder, journal(folder, GOOD), "my_tests")

    assert ran.status == Exit.FAULT, ran.text
    assert "serve.ful" in ran.out


def test_what_only_warns_is_told_with_its_fix(folder: Path) -> None:
    tests = """
        from sm_contract import Violation, requirement

        @requirement("TEAM-NAME-01", title="Has our name", level="SHOULD")
        def test_name(image):
            \"\"\"It has our name.\"\"\"
            raise Violation(expected="team/", observed=image.reference, fix="tag it team/NAME")
        """
    write(folder, {"my_tests/test_team.py": tests})
    ran = command(folder, journal(folder, GOOD), "my_tests")

    assert ran.status == Exit.CONFORMANT, ran.text
    assert "TEAM-NAME-01 SHOULD · Has our name" in ran.out
    assert "fix         tag it team/NAME" in ran.out
    strict = command(folder, journal(folder, GOOD), "my_tests", "--sm-strict")
    assert strict.status == Exit.BROKEN
    assert strict.out.count("fix: tag it team/NAME") == 1


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
