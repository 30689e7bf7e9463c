"""The dated contract: what each id says, read from the data that ships with the package."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache

from sm_contract.resources import resource

CURRENT = "2026-11"
PROFILES = ("isolation", "marketplace")


@dataclass(frozen=True)
class Entry:
    """One requirement of the contract, as written down; fields as in the contract's guide."""

    id: str
    title: str
    level: str
    scope: str
    evidence: str
    verify: str
    violation: str
    needs: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    profiles: dict[str, str] = field(default_factory=dict)
    note: str = ""

    def level_in(self, profile: str | None) -> str:
        """The level under a profile; ``None`` is the base reading."""
        return self.profiles.get(profile, self.level) if profile else self.level

    def fails(self, profile: str | None) -> bool:
        """Whether a violation fails a run: a MUST that AWS documents or that follows from it."""
        return self.level_in(profile) == "MUST" and self.evidence in ("DOC", "DERIVED")


@cache
def catalogue(version: str = CURRENT) -> dict[str, Entry]:
    """Every requirement of a dated contract, by id, in the order of the contract."""
    data = json.loads(resource("data", f"{version}.json").read_text(encoding="utf-8"))
    entries = {}
    for row in data["requirements"]:
        lists = {k: tuple(row.get(k, ())) for k in ("needs", "sources", "aliases")}
        entries[row["id"]] = Entry(**{**row, **lists})
    return entries
