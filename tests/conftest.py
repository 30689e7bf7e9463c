"""What tests of several files are given."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder of a user's."""
    path = tmp_path / "project"
    path.mkdir()
    return path
