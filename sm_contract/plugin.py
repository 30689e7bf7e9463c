"""What pytest finds: the options, and the switch between doing nothing and judging. Imports nothing heavy."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import pytest

from sm_contract import options
from sm_contract.report.errors import usage

CONTRACT = "sm_contract.contract"
ALONE = pytest.StashKey[bool]()
WRITTEN = pytest.StashKey[tuple[str, str]]()  # -k and -m, as somebody typed them: a folder's addopts have others


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("sm_contract", "judging container images by the Amazon SageMaker contract")
    options.define(group.addoption)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Generator[None, Any, Any]:
    """Where the contract is judged alone, keep everything of the folder out of it."""
    given = early_config.known_args_namespace
    written = list(early_config.invocation_params.args)
    if unknown := options.unknown(written):
        raise usage(unknown)
    if options.active(given) or options.asks(given):
        named = parser.parse_known_args(written).file_or_dir
        alone = all(_of_contract(name, early_config.invocation_params.dir) for name in named)
        early_config.stash[ALONE] = alone
        if alone:
            given.noconftest = True
            settings = [one.removeprefix("addopts=") for one in given.override_ini or () if one.startswith("addopts=")]
            beside = shlex.split(" ".join([*settings, os.environ.get("PYTEST_ADDOPTS", "")]))
            typed = parser.parse_known_args([*beside, *written])
            early_config.stash[WRITTEN] = (typed.keyword, typed.markexpr)
            forget_filters(early_config)
            if not named:
                args[:0] = ["--pyargs", CONTRACT]
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    if not options.asks(config.option) or config.option.help or config.option.version:
        return None
    from sm_contract import asking  # noqa: PLC0415  # only where it is asked for

    given = config.option
    try:
        if given.sm_document is not None:
            raise options.OptionError("--sm-document: is for a later version of sm_contract; leave it out")
        asked = options.read(given)
        if given.sm_explain is not None:
            print(asking.explanation(given.sm_explain, asked.profile))
        else:
            print(asking.listing(asked, given.sm_list))
    except options.OptionError as error:
        raise usage(str(error)) from None
    return 0


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if not options.active(config.option):
        _refuse_idle_options(config)
        return
    try:
        options.read(config.option)  # a mistake is told at once, before all that judging needs is loaded
    except options.OptionError as error:
        if config.option.sm_report:
            from sm_contract.active import refuse  # noqa: PLC0415

            refuse(config, error.args)
        raise usage(str(error)) from None
    from sm_contract.active import activate  # noqa: PLC0415  # a run without our options stays light

    alone = config.stash.get(ALONE, False)
    if not alone and not config.option.file_or_dir and not hasattr(config, "workerinput"):
        raise usage(f"--image: name the tests to run, or `--pyargs {CONTRACT}` for the contract")
    activate(config, alone=alone)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without an image there is nothing for a requirement of the owner's to look at."""
    if options.active(config.option) or "sm_contract.requirements" not in sys.modules:
        return
    for item in items:
        if getattr(getattr(item, "function", None), "__sm_requirement__", None):
            item.add_marker(pytest.mark.skip(reason="it judges an image: give --image=REF"))


def forget_filters(config: pytest.Config) -> None:
    """Drop the warning filters of the folder: no warning may turn into a verdict."""
    config.getini("filterwarnings")[:] = ["ignore::pytest.PytestCacheWarning"]  # the folder may be read-only
    config.known_args_namespace.pythonwarnings = []


def _of_contract(argument: str, cwd: Path) -> bool:
    """Whether an argument names the contract, or a part of it, and nothing of the user's."""
    if not argument.replace("\\", "/").replace("/", ".").startswith(CONTRACT):
        return False
    from sm_contract.collection import as_module  # noqa: PLC0415

    return as_module(argument, cwd) is not None


def _refuse_idle_options(config: pytest.Config) -> None:
    """An option of ours that does nothing is a mistake where it was typed, though not in an ini file."""
    arguments: Sequence[str] = config.invocation_params.args
    for argument in arguments:
        name = str(argument).partition("=")[0]
        if name in options.NAMES and not hasattr(config, "workerinput"):
            raise usage(f"{name}: nothing is judged without an image; add --image=REF")
    if any(_of_contract(str(argument), config.invocation_params.dir) for argument in config.args):
        raise usage(f"{CONTRACT}: nothing is judged without an image; add --image=REF")
