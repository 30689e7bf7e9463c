"""What was measured of a server besides the verdicts: how long it took, as distributions, and the biggest body."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sm_contract.alone import settled
from sm_contract.record import BUSY, HUGE, Invocation, Record

FIRST = ("serve.bare", "serve.full")


@dataclass(frozen=True, kw_only=True)
class Spread:
    """How long the answers to one kind of request took, in seconds."""

    what: str
    count: int
    median: float
    p95: float
    longest: float


def spreads(record: Record) -> list[Spread]:
    """Those of the first two servers, from the moment of health on; kinds that got no answer are left out."""
    lives = [life for name, life in settled(record.lives).items() if name in FIRST and life.ready_at is not None]
    pings = [ping for life in lives for ping in life.pings if ping.status and ping.at >= (life.ready_at or 0)]
    invoked = [one for life in lives for one in life.invocations if one.ok]
    at_once = [one for one in invoked if one.name == BUSY]
    kinds: dict[str, Iterable[float | None]] = {
        "to connect": [one.connect_seconds for one in pings] + [one.connect_seconds for one in invoked],
        "ping": (ping.seconds for ping in pings if not ping.busy),
        "ping while invoked": (ping.seconds for ping in pings if ping.busy),
        "invocation": (one.seconds for one in invoked if one.name != BUSY),
        "invocations at once": (one.seconds for one in at_once),
    }
    found = ((what, sorted(value for value in values if value is not None)) for what, values in kinds.items())
    return [_spread(what, values) for what, values in found if values]


def biggest(record: Record) -> Invocation | None:
    """The body of 25 MB that newer pages allow, and what came of it: information, no requirement of the base."""
    lives = settled(record.lives).values()
    return next((one for life in lives for one in life.invocations if one.name == HUGE), None)


def _spread(what: str, values: list[float]) -> Spread:
    """Nearest ranks of a sorted list."""
    last = len(values) - 1
    return Spread(
        what=what,
        count=len(values),
        median=values[last // 2],
        p95=values[round(0.95 * last)],
        longest=values[-1],
    )
