"""Whether the roles work as the platform runs them, or only with a right that it never grants."""

from __future__ import annotations

from sm_contract.contract.causes import Flip, cause, claimed, flips, good, why_not
from sm_contract.contract.rights import RIGHTS, TERMINAL, lacked
from sm_contract.record import Record
from sm_contract.verdict import Blocked

SIMPLE = ("train.bare", "train.full", "serve.bare", "serve.full")


def granted(record: Record, id: str) -> Flip | None:
    """The flip by a grant of the right that a requirement is about, where it is what explains a role's failure.

    Of several of a role the last: it grants the least.
    """
    for view in claimed(record):
        if cause(view) == id:
            found = [flip for flip in flips(view) if not flip.broke and lacked(flip.change, flip.bad) == id]
            if found:
                return found[-1]
    return None


def works_unaided(record: Record, *, by_rights: bool = True) -> None:
    """Return if every claimed role went well as the platform would run it; raise what stands in the way."""
    for view in claimed(record):
        if by_rights and cause(view) in RIGHTS - {TERMINAL}:
            raise Blocked(cause(view))
    for view in claimed(record):
        if not good(view):
            why_not(view)
