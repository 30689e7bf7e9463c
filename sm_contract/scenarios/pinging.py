"""One ping, sent the same way to a candidate and to the control beside it."""

from __future__ import annotations

from sm_contract.platform.http import Connect, exchange
from sm_contract.record import Ping

HEALTHY_PACE = 0.2  # seconds from the answer of a healthy server to the next ping
SELDOM = 5  # of pings that nobody answers before a server is healthy, one in so many is waited for that long
SLOW_PING = 5  # times the limit: how long a late answer is waited for, to tell late from never


def send_ping(connect: Connect, at: float, limit: float, patience: int = SLOW_PING) -> Ping:
    """GET /ping, and what came of it; waited for is ``patience`` times the limit."""
    answer = exchange(connect, "GET", "/ping", headers={}, limit=patience * limit)
    return Ping(
        at=at,
        seconds=round(answer.seconds, 4),
        status=answer.status,
        error=answer.error,
        connect_seconds=rounded(answer.connect_seconds),
        body_bytes=answer.body_bytes,
        body_head=answer.body_head[:40],
    )


def rounded(seconds: float | None) -> float | None:
    """To a tenth of a millisecond, if it is known."""
    return None if seconds is None else round(seconds, 4)
