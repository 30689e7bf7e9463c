"""The smallest part of a malformed body that does the harm of the whole, looked for in lives of their own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from sm_contract import changes
from sm_contract.candidate import Request
from sm_contract.record import MALFORMED, Life
from sm_contract.scenarios.bodies import Body, malformed
from sm_contract.scenarios.setup import Setup

LIVES = 5  # at most
SECONDS = 45.0  # after which no further one is begun
SMALL = 4  # bytes that anybody can read without help
EIGHTHS = 8


def shrink(life: Life, setup: Setup, requests: Sequence[Request], one: Callable[[Setup], Life]) -> None:
    """Live with ever smaller parts of the body that did harm in this life; ``setup`` is that life's.

    A server that bears a part goes on to the next: each life costs what does harm again, and no more.
    """
    until = time.monotonic() + SECONDS
    body = _harmful(life, [] if life.harm is None else malformed(requests[life.harm.request]))
    for turn in range(1, LIVES + 1):
        parts = [] if body is None else smaller(body)
        if not parts or life.harm is None or time.monotonic() > until:
            return
        change = f"{changes.SMALLER_BODY}{turn}"
        life = one(
            replace(
                setup,
                name=f"{setup.name}+{change}",
                base=setup.name,
                change=change,
                bodies=tuple(parts),
                bodies_of=life.harm.request,
            )
        )
        body = _harmful(life, parts)


def smaller(body: Body) -> list[Body]:
    """Parts of a body, the smallest first: an eighth, a half, all but an eighth; none of one that is small."""
    data = body.data
    if len(data) <= SMALL:
        return []
    size = -(-len(data) // EIGHTHS)
    eighths = [(at, data[at : at + size]) for at in range(0, len(data), size)]
    half = len(data) // 2
    rests = [data[:at] + data[at + size :] for at, _ in eighths]
    parts = dict.fromkeys([*(part for _, part in eighths), data[:half], data[half:], *rests])
    return [Body(_told(part), part) for part in parts if len(part) < len(data)]


def _harmful(life: Life, bodies: Sequence[Body]) -> Body | None:
    """The one of these bodies, sent in their order, that did harm: the last that was sent."""
    sent = [one for one in life.invocations if one.name == MALFORMED and life.harm and one.request == life.harm.request]
    return bodies[len(sent) - 1] if sent else None


def _told(data: bytes) -> str:
    shown = ascii(data[:40].decode("latin-1"))
    return f"{len(data):,} {'byte' if len(data) == 1 else 'bytes'} of it: {shown}{'…' if len(data) > 40 else ''}"
