"""The contract as pytest items: one for each requirement and image, with the same node id in any folder."""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import sm_contract
from sm_contract.judge import roles_of
from sm_contract.options import Subject
from sm_contract.report.junit import case, clean
from sm_contract.requirements import Requirement, registry
from sm_contract.verdict import Judgement

PACKAGE = "sm_contract.contract"
NODE = "sm_contract/contract"  # what each node id begins with
_ROOT = Path(sm_contract.__file__).parent

# a value that may not be set through from_parent, because it is the run's and not the item's
Settle = Callable[["RequirementItem"], None]


@dataclass(frozen=True)
class Contract:
    """What the collectors need of the run."""

    subjects: tuple[Subject, ...]
    profile: str | None
    settle: Settle


CONTRACT = pytest.StashKey[Contract]()


class RequirementBroken(Exception):
    """The outcome of an item whose requirement is broken so that the run fails."""

    def __init__(self, judgement: Judgement) -> None:
        super().__init__(judgement.observed)
        self.judgement = judgement


class SuiteFault(Exception):
    """The outcome of an item that was not judged through a fault of the suite."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Told:
    """A failure as pytest shows and keeps it: what was observed and expected, and never our own traceback."""

    @dataclass
    class Crash:
        """Where pytest's short summary and JUnit look for the message."""

        path: str
        lineno: int
        message: str

    def __init__(self, message: str, text: str) -> None:
        self.reprcrash = Told.Crash("", 0, message)
        self._text = text

    def __str__(self) -> str:
        return self._text

    def toterminal(self, tw: Any) -> None:
        tw.line(self._text)


class RequirementItem(pytest.Item):
    """One requirement, judged for one image. No fixture of anybody's touches it."""

    def __init__(self, *, requirement: Requirement, subject: Subject, settle: Settle, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.requirement = requirement
        self.subject = subject
        self._settle = settle

    def runtest(self) -> None:
        self._settle(self)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        return told(excinfo.value) or super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        line = self.requirement.check.__code__.co_firstlineno - 1
        return self.path, line, self.name


class ContractModule(pytest.File):
    """One chapter."""

    def collect(self) -> Iterator[RequirementItem]:
        contract = self.config.stash[CONTRACT]
        module = importlib.import_module(f"{PACKAGE}.{self.path.stem}").__name__
        for requirement in registry().values():
            if requirement.module == module:
                for subject in contract.subjects:
                    yield self._item(contract, requirement, subject)

    def _item(self, contract: Contract, requirement: Requirement, subject: Subject) -> RequirementItem:
        item: RequirementItem = RequirementItem.from_parent(
            self,
            name=(name := f"{requirement.id}[{subject.label}]"),
            nodeid=f"{self.nodeid}::{name}",  # said whole, or pytest would not tell id and parameter apart
            requirement=requirement,
            subject=subject,
            settle=contract.settle,
        )
        for name in marks_of(requirement, contract.profile):
            item.add_marker(name)
        return item


class ContractFolder(pytest.Directory):
    """The package of all chapters, or the package around it; nothing else in them is looked at."""

    def collect(self) -> Iterator[pytest.Collector]:
        if self.path.name != "contract":
            yield ContractFolder.from_parent(self, path=self.path / "contract", name="contract", nodeid=NODE)
            return
        for module in importlib.import_module(PACKAGE).MODULES:
            path = self.path / f"{module.rpartition('.')[2]}.py"
            yield ContractModule.from_parent(self, path=path, name=path.name, nodeid=f"{NODE}/{path.name}")


def folder(path: Path, parent: pytest.Collector) -> ContractFolder | None:
    """The collector for a directory, if it is ours."""
    for ours, node in ((_ROOT, "sm_contract"), (_ROOT / "contract", NODE)):
        if path.name == ours.name and path.samefile(ours):
            return ContractFolder.from_parent(parent, path=path, name=path.name, nodeid=node)
    return None


def as_module(argument: str, cwd: Path) -> str | None:
    """An argument that names a node or a module of the contract, in the form ``--pyargs`` finds anywhere; else None."""
    base, bracket, rest = argument.partition("[")
    path, *names = base.split("::")
    plain = path.replace("\\", "/").rstrip("/").removesuffix(".py").replace("/", ".")
    if plain != PACKAGE and not plain.startswith(f"{PACKAGE}."):
        return None
    there = cwd / path
    if there.exists() and not there.resolve().is_relative_to(_ROOT.resolve()):
        return None
    return "::".join([plain, *names]) + bracket + rest


def marks_of(requirement: Requirement, profile: str | None) -> list[str]:
    """The markers of a requirement: its level, its scope, and each role it speaks of."""
    entry = requirement.entry
    return [entry.level_in(profile).lower(), entry.scope.replace("-", "_"), *roles_of(requirement)]


def all_marks(requirements: Iterable[Requirement]) -> dict[str, str]:
    """Every marker we may put on an item, with its description."""
    levels = {level: f"{level.upper()} requirements of the contract" for level in ("must", "should", "may")}
    roles = {role: f"requirements that speak of {role}" for role in ("training", "inference")}
    scopes = {each.entry.scope.replace("-", "_"): f"requirements of scope {each.entry.scope}" for each in requirements}
    return {**levels, **roles, **scopes, "own": "requirements of the image's owner"}


def told(error: BaseException) -> Told | None:
    """How an outcome of ours is shown; None for any other exception."""
    if isinstance(error, RequirementBroken):
        shown = case(error.judgement, strict=True)
        return Told(shown.message, shown.text)
    if isinstance(error, SuiteFault):
        return Told("a fault of sm_contract: not judged", clean(error.text))
    return None


def own_requirement(item: pytest.Item) -> str | None:
    """The id of an owner's own requirement that a test function judges, if it does."""
    function = getattr(item, "function", None)
    return getattr(inspect.unwrap(function), "__sm_requirement__", None) if function is not None else None
