"""Registering requirements: the decorator, and the registry the judge and the plugin read."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sm_contract.catalogue import CURRENT, Entry, catalogue

Check = TypeVar("Check", bound=Callable[..., None])

RUNS = frozenset(
    {
        "train.full",
        "train.bare",
        "train.bad_hyperparameter",
        "train.bad_data",
        "train.missing_channel",
        "train.killed_child",
        "train.odd",
        "train.stopped",
        "train.strict",
        "train.other_user",
        "serve.full",
        "serve.bare",
        "serve.again",
        "serve.empty",
        "serve.handover",
        "serve.probed",
        "serve.stopped",
        "serve.strict",
        "serve.other_user",
        "serve.uncompressed",
    }
)
DATA = frozenset({"channels", "model", "requests"})
VIEWS = frozenset({"image", "training", "serving", "candidate", "record"})


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """A registered requirement: what the contract says of it, and how this suite judges it."""

    entry: Entry
    check: Callable[..., None]
    summary: str  # first line of the docstring
    runs: tuple[str, ...]  # the runs that prove it; empty where the image alone does
    rests_on: tuple[str, ...]  # ids that must not be broken for this one to be seen
    hidden_by: tuple[str, ...]  # ids whose violation may keep the record from showing this one
    excused_without: tuple[str, ...]  # owner's data without which a violation only accuses our sample
    timed: bool  # a violation is one of time: it proves nothing under emulation
    module: str
    own: bool  # written by the image's owner, not part of the contract

    @property
    def id(self) -> str:
        return self.entry.id

    @property
    def arguments(self) -> tuple[str, ...]:
        return tuple(inspect.signature(self.check).parameters)


_registry: dict[str, Requirement] = {}


class RegistrationError(ValueError):
    """A requirement was declared with metadata that cannot be right; the text says how to mend it."""


def requirement(
    id: str,
    *,
    runs: Sequence[str] = (),
    rests_on: Sequence[str] = (),
    hidden_by: Sequence[str] = (),
    excused_without: Sequence[str] = (),
    timed: bool = False,
    title: str = "",
    level: str = "",
    sources: Sequence[str] = (),
) -> Callable[[Check], Check]:
    """Register a test function as the judge of one requirement.

    The function takes views of the record by name (``image``, ``training``, ``serving``,
    ``candidate``, ``record``), returns if the requirement is met and raises a ``Finding`` if not.

    What ``rests_on`` a broken requirement is blocked, whatever the record holds. One that is broken and
    named in ``hidden_by`` blocks only where the check finds nothing to look at and raises ``Blocked`` for it.

    ``excused_without`` names the owner's data ("channels", "model", "requests") without which a
    violation proves nothing against the image: our own sample was used, and it may be what the image
    refuses. Left empty, no data could excuse the image. ``title``, ``level`` and ``sources`` are for
    an owner's own ids only: what the contract says of its ids is data.

    Raises RegistrationError for an id the contract does not hold, an id that is taken by another
    module, an unknown run, view or kind of data, or a missing docstring.
    """

    def register(check: Check) -> Check:
        module = check.__module__
        entry = _entry(id, module, title, level, tuple(sources))
        taken = _registry.get(id)
        if taken is not None and (taken.module, taken.check.__name__) != (module, check.__name__):
            raise RegistrationError(f"{id} is taken already, by {taken.module}")
        summary = (inspect.getdoc(check) or "").strip().split("\n")[0]
        if not summary:
            raise RegistrationError(f"{id}: {check.__name__} needs a one-line docstring")
        _refuse_unknown(id, "run", runs, RUNS)
        _refuse_unknown(id, "kind of data", excused_without, DATA)
        if not entry_is_own(entry):
            _refuse_unknown(id, "view", inspect.signature(check).parameters, VIEWS)
        _registry[id] = Requirement(
            entry=entry,
            check=check,
            summary=summary,
            runs=tuple(runs),
            rests_on=tuple(rests_on),
            hidden_by=tuple(hidden_by),
            excused_without=tuple(excused_without),
            timed=timed,
            module=module,
            own=entry_is_own(entry),
        )
        check.__sm_requirement__ = id  # type: ignore[attr-defined]  # read by the plugin at collection
        return check

    return register


def registry() -> dict[str, Requirement]:
    """Every registered requirement by id; the contract's own are there once ``sm_contract.contract`` is imported."""
    return dict(_registry)


def entry_is_own(entry: Entry) -> bool:
    """Whether an owner's module brought this entry, rather than the contract."""
    return entry.id not in catalogue()


def _entry(id: str, module: str, title: str, level: str, sources: tuple[str, ...]) -> Entry:
    known = catalogue().get(id)
    if known is not None:
        if not module.startswith("sm_contract."):
            raise RegistrationError(f"{id} belongs to the contract; give your own check an id of your own")
        return known
    if module.startswith("sm_contract.") or id.startswith("SM-"):
        near = difflib.get_close_matches(id, catalogue(), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise RegistrationError(f"{id} is not in contract {CURRENT}{hint}")
    if not title or level not in ("MUST", "SHOULD", "MAY"):
        raise RegistrationError(f"{id} is your own: give it a title and a level (MUST, SHOULD or MAY)")
    return Entry(id, title, level, "own", "DERIVED", "", "", sources=sources)


def _refuse_unknown(id: str, what: str, given: object, known: frozenset[str]) -> None:
    for name in given:  # type: ignore[attr-defined]  # any iterable of names
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1) or sorted(known)
            raise RegistrationError(f"{id}: unknown {what} {name!r}; valid are {', '.join(near)}")
