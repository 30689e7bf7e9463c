"""All chapters' mutations, by id."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from mutations import Mutation

_NOT_CHAPTERS = ("__init__", "tables", "texts", "texts_answers", "texts_health", "texts_reaching", "texts_rights")


def _table(name: str) -> dict[str, list[Mutation]]:
    found: dict[str, list[Mutation]] = {}
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.stem not in _NOT_CHAPTERS:
            rows = getattr(import_module(f"mutations.{path.stem}"), name)
            assert not found.keys() & rows.keys(), f"{path.name} repeats {sorted(found.keys() & rows.keys())}"
            found |= rows
    return found


BREAKS, KEEPS = _table("BREAKS"), _table("KEEPS")
