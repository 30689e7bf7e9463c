"""One ping, sent the same way to a candidate and to the control beside it."""

from __future__ import annotations

from sm_contract.platform.http import Connect, exchange
from sm_contract.record import Ping

HEALTHY_PACE = 0.2  # seconds from the answer of a healthy server to the next ping
SLOW_PING = 5  # times the limit: how long a late answer is waited for, to tell late from never


def send_ping(connect: Connect, at: float, limit: float) -> Ping:
    """GET /ping, and what came of it."""
    answer = exchange(connect, "GET", "/ping", headers={}, limit=SLOW_PING * limit)
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
