"""What tests of several files are given."""

from __future__ import annotations

import signal
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import engine_support as support
import pytest

from sm_contract.engine.docker import DockerEngine

# A shell that starts the tests in the background lets them ignore Ctrl-C, and all that they start would do so as well.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder of a user's."""
    path = tmp_path / "project"
    path.mkdir()
    return path


@pytest.fixture(scope="session")
def image() -> Iterator[str]:
    """A tiny image with links of all kinds."""
    api = support.client()
    yield support.import_image(
        api,
        support.NAME,
        support.link("absolute", "/bin/sh"),
        support.link("circle", "circle2"),
        support.link("circle2", "circle"),
        support.link("dangling", "/no/where"),
        support.link("escape", "../../../../etc/passwd"),
        support.folder("opt"),
        support.folder("opt/ml"),
        support.folder("opt/ml/model"),
        support.member("opt/ml/model/baked", b"x" * 70_000, uid=12, gid=13, mode=0o4755),
        support.member("opt/ml/pipe", type=tarfile.FIFOTYPE),
        support.link("opt/ml/link", "/etc"),
    )
    api.remove_image(f"{support.NAME}:1", force=True)


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerEngine]:
    """The engine as a run has it, for the tests of one file."""
    yield from support.opened()


@pytest.fixture(scope="module")
def api() -> Any:
    """The test's own view of the engine."""
    return support.client()
