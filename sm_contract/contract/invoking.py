"""Lives in which a server was healthy, and what stands in the way where there is none to be had."""

from __future__ import annotations

from typing import NoReturn

from sm_contract.contract.causes import cause, good, ready, refused, why_not
from sm_contract.contract.readiness import failed, faltered, plain
from sm_contract.record import BIG, BUSY, MALFORMED, Asked, Invocation, Life
from sm_contract.verdict import Blocked, NotTestable
from sm_contract.views import Serving

PROBED = "serve.probed"


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


def faltering(serving: Serving) -> tuple[Life, list[Invocation]] | None:
    """The life in which a request failed that had been answered with 2xx, and the times that it did."""
    one_by_one = () if serving.candidate.concurrency > 1 else (BUSY,)
    found = ((life, faltered(life, *one_by_one)) for life in ready(serving))
    return next(((life, bad) for life, bad in found if bad), None)


def steady_else(serving: Serving, *found: Invocation | Asked) -> None:
    """Raise Blocked where a server fails now and then whatever it is sent, and so perhaps here, too."""
    if any(failed(one) for one in found) and faltering(serving):
        raise Blocked("SM-INFER-INVOKE-01")


def probed(serving: Serving) -> Life:
    """The life of odd requests. Raises NotTestable if it showed nothing, and Blocked if it fails at plain ones, too."""
    if faltering(serving):
        raise Blocked("SM-INFER-INVOKE-01")
    if PROBED not in serving.lives and not any(life.good and life.answered for life in good(serving)):
        answering(serving)
        why_not(serving, PROBED)
    life = serving.life(PROBED)
    one = plain(life)
    if one is None or not one.ok:
        seen = "the server was not healthy" if life.ready_at is None else "no invocation was answered with 2xx"
        raise NotTestable(f"{seen} in {PROBED}, as it was in another run", evidence=[life])
    return life


def cut_short(life: Life, what: str) -> NoReturn:
    """Raise what ended the life of odd requests before this was sent."""
    sent: list[Asked | Invocation] = [*life.asked, *life.invocations]
    last = max(sent, key=lambda one: one.at)
    well = isinstance(last, Invocation) and last.ok
    before = {"POST /ping": "SM-INFER-PING-10", "GET /metrics": "SM-INFER-METRICS-01"}
    if life.ended != "itself":
        why = "there was no time left for it" if well else "the server was not well again after what was sent before"
        raise NotTestable(f"{what}: {why} ({life.name})", evidence=[life, *([] if well else [last])])
    if isinstance(last, Asked):
        raise Blocked(before.get(last.what, "SM-INFER-NET-03"))
    raise Blocked({BIG: "SM-INFER-INVOKE-12", MALFORMED: "SM-INFER-INVOKE-11"}.get(last.name, "SM-INFER-RUN-03"))
