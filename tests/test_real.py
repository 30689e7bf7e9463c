"""Real stacks: their pages speak of what is declared, and their findings stand without us. None is built here."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.real.findings import FINDINGS, Finding
from fixtures.real.pages import DATA, DOCS, overview, page
from fixtures.real.stacks import STACKS, Stack
from sm_contract.candidate import given
from sm_contract.catalogue import catalogue
from sm_contract.contract import load
from sm_contract.declaration import read_declaration
from sm_contract.requirements import registry

SHELLCHECK = Path(sys.executable).with_name("shellcheck")
ON_FILE = json.loads(DATA.read_text(encoding="utf-8"))
EACH = pytest.mark.parametrize("stack", STACKS.values(), ids=str)
EACH_FINDING = pytest.mark.parametrize(
    ("stack", "finding"),
    [
        pytest.param(STACKS[name], each, id=f"{name} {each.id}")
        for name, several in FINDINGS.items()
        for each in several
    ],
)


def test_every_stack_was_judged_and_no_other_is_spoken_of() -> None:
    assert list(ON_FILE["stacks"]) == list(STACKS), "run make real NAMES=…"
    assert {path.stem for path in DOCS.glob("*.md")} == {"README", *STACKS}
    assert set(FINDINGS) <= set(STACKS)
    languages = {language for stack in STACKS.values() for language in stack.language.split(", ")}
    assert languages >= {"Python", "JavaScript", "Java", "R"}
    roles = {role for row in ON_FILE["stacks"].values() for role in row["conclusions"]}
    assert roles == {"training", "inference"}


def test_the_overview_says_what_was_judged() -> None:
    assert (DOCS / "README.md").read_text(encoding="utf-8") == overview(ON_FILE), "run make real"


@EACH
def test_what_was_found_is_what_is_declared_and_what_the_page_says(stack: Stack) -> None:
    row = ON_FILE["stacks"][stack.name]
    text = (DOCS / f"{stack.name}.md").read_text(encoding="utf-8")
    assert set(row["found"]) == set(stack.findings)
    assert sorted(stack.findings) == sorted(each.id for each in FINDINGS.get(stack.name, ()))
    assert text == page(stack, row), f"run make real NAMES={stack.name}"
    assert set(re.findall(r"^### (SM-\S+)", text, re.MULTILINE)) == set(row["found"])


@EACH
def test_a_declaration_is_one_and_names_only_what_is_there(stack: Stack) -> None:
    declared = given(read_declaration(stack.folder / "sm-contract.toml"))
    assert declared.roles
    text = (stack.folder / "sm-contract.toml").read_text(encoding="utf-8")
    assert "waivers" not in text
    assert "accept_not_testable" not in text, "what is found is not declared away"
    assert all(re.search(r"\d", package) for package in stack.packages), "a version each"


@EACH_FINDING
def test_a_finding_cites_a_requirement_and_one_of_its_pages(stack: Stack, finding: Finding) -> None:
    load()
    assert finding.id in registry()
    assert finding.source in catalogue()[finding.id].sources
    assert len(finding.why) > 60


@EACH_FINDING
def test_the_lines_of_a_finding_are_few_and_need_nothing_of_ours(stack: Stack, finding: Finding) -> None:
    assert 1 <= len(finding.lines) <= 10
    assert not re.search(r"sm.contract|pytest|python|fixtures", finding.script)
    assert "docker" in finding.script
    assert "$IMAGE" in finding.script
    assert finding.script.count("docker run --detach --name by-hand") == 1
    assert finding.lines[-1] == "docker rm --force by-hand >/dev/null"
    assert finding.seen
    assert tuple(ON_FILE["stacks"][stack.name]["shown"][finding.id]) == finding.seen
    checked = subprocess.run(
        [SHELLCHECK, "--shell=sh", "-"], input=finding.script, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout
