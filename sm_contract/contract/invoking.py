"""Lives in which a server was healthy, and what stands in the way where there is none to be had."""

from __future__ import annotations

from sm_contract.contract.causes import cause, ready, refused, why_not
from sm_contract.record import Life
from sm_contract.views import Serving


def lived(serving: Serving) -> list[Life]:
    """The first runs in which the server was healthy, one with an answered invocation first.

    Raises what stands in the way if there is none.
    """
    lives = ready(serving)
    if not lives:
        why_not(serving, "serve.bare")
    return sorted(lives, key=lambda life: not life.answered)


def answering(serving: Serving) -> Life:
    """A life in which request 0 was answered with 2xx; raises what stands in the way if there is none."""
    life = lived(serving)[0]
    if life.answered:
        return life
    if not life.good and cause(serving):
        why_not(serving)
    raise refused(serving, life)
