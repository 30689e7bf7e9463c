"""What machines read: result.json and junit.xml, and the files they stand in."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
import unicodedata
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
import report_examples as examples
from hypothesis import given, settings
from hypothesis import strategies as st
from report_examples import (
    CASES,
    STATUS,
    hostile,
    image,
    judged,
    one,
    role,
)

import sm_contract.contract
from sm_contract.record import INFERENCE
from sm_contract.report.files import ReportError, check_folder, write_reports, write_whole
from sm_contract.report.junit import case, clean, junit_xml
from sm_contract.report.result_json import document, result_json
from sm_contract.resources import resource
from sm_contract.verdict import Verdict

ANYTHING = st.text(st.characters(exclude_categories=()), max_size=300)
SCHEMA = jsonschema.Draft202012Validator(
    json.loads(resource("schemas", "result.schema.json").read_text(encoding="utf-8"))
)


@pytest.mark.parametrize("case", CASES)
def test_the_document_follows_its_schema(case: str) -> None:
    result = CASES[case]()
    told = json.loads(result_json([result], status=STATUS[case]))
    SCHEMA.validate(told)
    assert told["incomplete"] is (case == "interrupted")
    (only,) = told["images"]
    assert only["roles"]["inference"]["conclusion"] == role(result, INFERENCE).conclusion.value
    assert only["counts"]["passed"] == sum(each["verdict"] == "passed" for each in only["verdicts"])
    assert sum(only["counts"].values()) == len(only["verdicts"])


def test_a_pair_has_the_training_image_beside_it() -> None:
    result = one(judged("SM-INFER-PING-02"))
    result = replace(result, record=replace(result.record, training_image=image(reference="trainer:1")))
    told = document([result])
    SCHEMA.validate(told)
    assert told["images"][0]["training_image"]["reference"] == "trainer:1"


@settings(max_examples=60, deadline=None)
@given(ANYTHING)
def test_no_text_of_an_image_breaks_the_document(text: str) -> None:
    told = result_json([hostile(text)])
    assert told.isascii()
    SCHEMA.validate(json.loads(told))


def cases_of(xml: str) -> dict[str, ET.Element]:
    return {element.get("name", "").split()[0]: element for element in ET.fromstring(xml).iter("testcase")}


@pytest.mark.parametrize("case", CASES)
def test_junit_says_the_same_as_the_document(case: str) -> None:
    result = CASES[case]()
    cases = cases_of(junit_xml([result]))
    assert list(cases) == [judgement.id for judgement in result.judgements]
    for judgement in result.judgements:
        kinds = {child.tag for child in cases[judgement.id]} - {"properties"}
        expected = {
            Verdict.FAILED: {"failure"},
            Verdict.BLOCKED: {"skipped"},
            Verdict.NOT_TESTABLE: {"skipped"},
            Verdict.NOT_APPLICABLE: {"skipped"},
        }
        assert kinds == expected.get(judgement.verdict, set())


def test_a_failed_case_says_what_was_observed_and_expected() -> None:
    element = cases_of(junit_xml([CASES["failing"]()]))["SM-INFER-STOP-01"]
    failure = element.find("failure")
    assert element.get("classname", "").startswith("inference.")
    assert element.get("name") == "SM-INFER-STOP-01 SIGTERM reaches the serving process"
    assert failure is not None
    assert failure.get("message") == (
        "still running after 30.0 s, then killed (exit 137) (expected: the container ends within 30.0 s of SIGTERM)"
    )
    assert {"fix:", "source:", "evidence:"} <= {line.split()[0] for line in (failure.text or "").splitlines()}


@pytest.mark.parametrize(
    ("judgement", "ending"),
    [
        (examples.FAILURE_FILE, " [WARNED]"),
        (replace(examples.FAILURE_FILE, verdict=Verdict.NOTED), " [NOTED]"),
        (examples.WAIVED, " [WAIVED to 2027-01-31]"),
    ],
)
def test_what_is_broken_and_does_not_fail_passes_by_another_name(judgement, ending: str) -> None:
    told = case(judgement)
    assert told.outcome == "passed"
    assert told.name.endswith(ending)
    assert {"observed", "fix", "verdict"} <= {name for name, _ in told.properties}


def test_each_report_names_the_script_that_shows_it_by_hand() -> None:
    script = "repro/SM-INFER-PING-01/show.sh"
    rows = {row["id"]: row for row in document([CASES["failing"]()])["images"][0]["verdicts"]}
    assert rows["SM-INFER-PING-01"]["by_hand"] == script
    assert "by_hand" not in rows["SM-INFER-STOP-01"]
    assert f"by hand: {script}" in case(examples.PING).text
    assert ("by_hand", "repro/SM-TRAIN-FAIL-02/show.sh") in case(examples.FAILURE_FILE).properties


def test_a_strict_run_fails_a_warning() -> None:
    assert case(examples.FAILURE_FILE, strict=True).outcome == "failure"


def test_colours_and_controls_are_removed() -> None:
    assert clean("\x1b[31mred\x1b[0m\r\n\x00\x9b\u202e\ud800 ok\tthere\ufffe") == "red\n ok\tthere"


@settings(max_examples=60, deadline=None)
@given(ANYTHING)
def test_no_text_of_an_image_breaks_the_xml(text: str) -> None:
    xml = junit_xml([hostile(text)])
    root = ET.fromstring(xml.encode())
    assert root.get("tests") == "3"
    assert not [c for c in xml if unicodedata.category(c)[0] == "C" and c not in "\n\t"]


CONFTEST = """
import sys
sys.path.insert(0, {tests!r})
import pytest, report_examples
import sm_contract.contract
from sm_contract.report.junit import name_in_pytest

sm_contract.contract.load()

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport(report):
    for plugin in CONFIG.pluginmanager.get_plugins():
        if hasattr(plugin, "node_reporter"):
            name_in_pytest(plugin.node_reporter(report), report_examples.WAIVED)

def pytest_configure(config):
    global CONFIG
    CONFIG = config
"""


def test_pytests_own_junit_takes_our_names(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST.format(tests=str(Path(__file__).parent)))
    (tmp_path / "test_any.py").write_text("def test_any(): pass\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--junitxml=out.xml",
        "-p",
        "no:sm_contract",
        "-p",
        "no:cacheprovider",
    ]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    (element,) = ET.parse(tmp_path / "out.xml").getroot().iter("testcase")
    sm_contract.contract.load()  # the chapters are known by the modules
    ours = case(examples.WAIVED)
    assert (element.get("classname"), element.get("name")) == (ours.classname, ours.name)


def test_reports_are_written_whole(tmp_path: Path) -> None:
    check_folder(tmp_path / "new" / "folder")
    written = write_reports(tmp_path / "new" / "folder", [CASES["failing"]()], status=1)
    assert [path.name for path in written] == ["result.json", "junit.xml"]
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == ["junit.xml", "result.json"]


def test_a_folder_that_cannot_be_written_is_named_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match=re.escape(f"--sm-report: {tmp_path / 'file' / 'x'} cannot be written (")):
        check_folder(tmp_path / "file" / "x")


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "result.json").write_text("old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ReportError, match="make room there"):
        write_whole(tmp_path / "result.json", "new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("result.json", "old")]
