"""What the README shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sm_contract.declaration import read_declaration
from sm_contract.options import NAMES

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_check_of_ones_own_registers() -> None:
    (example,) = blocks("python")
    names: dict[str, object] = {"__name__": "a_team_of_its_own"}
    exec(example, names)
    assert getattr(names["test_latency"], "__sm_requirement__", "") == "ACME-LATENCY-01"


def test_the_declaration_is_valid(tmp_path: Path) -> None:
    (example,) = blocks("toml")
    (tmp_path / "sm-contract.toml").write_text(example, encoding="utf-8")
    (tmp_path / "data" / "training").mkdir(parents=True)
    (tmp_path / "data" / "training" / "a.csv").write_text("1\n")
    (tmp_path / "draft").mkdir()
    (tmp_path / "draft" / "weights").write_text("1\n")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_text("1\n")
    (tmp_path / "request.csv").write_text("1\n")
    declared = read_declaration(tmp_path / "sm-contract.toml")
    assert declared.roles == ("training", "inference")
    assert [waiver.id for waiver in declared.waivers] == ["SM-INFER-PING-05"]


@pytest.mark.parametrize("option", sorted(set(re.findall(r"--sm-[a-z-]+", README))))
def test_every_option_it_names_is_one(option: str) -> None:
    assert option in NAMES
