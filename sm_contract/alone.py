"""What is measured again alone: the lives that broke a time limit; and which of the two measurements speaks for a run.

A limit may break because the machine was too busy. Alone means: no other life at the same time, and a control
server of ours pinged beside it.
"""

from __future__ import annotations

from collections.abc import Mapping

from sm_contract.record import TRAINING, Invocation, Life, Ping, Stop

SUFFIX = "@alone"
CONTRACT = {
    "start": 480.0,
    "ping": 2.0,
    "connect": 0.25,
    "invoke": 60.0,
    "stop": 30.0,
}  # seconds, where a life does not say


def is_alone(name: str) -> bool:
    """Whether a life of that name had the machine to itself."""
    return name.endswith(SUFFIX)


def run_of(life: Life) -> str:
    """The run that a life belongs to, whichever measurement of it this is."""
    return life.name.removesuffix(SUFFIX)


def speaking(lives: Mapping[str, Life], run: str) -> Life:
    """The life that speaks for a run: the first; where that went wrong and was measured again alone, the latter."""
    return lives[run] if lives[run].good else lives.get(run + SUFFIX, lives[run])


def settled(lives: Mapping[str, Life]) -> dict[str, Life]:
    """By run, the life that speaks for it."""
    return {name: speaking(lives, name) for name in lives if not is_alone(name)}


def outlived(stop: Stop) -> bool:
    """Whether somebody listened on after SIGTERM, and nobody who got it would: the first process gets it."""
    listeners = stop.listeners or ()
    if not listeners or any(one.pid_one for one in listeners):
        return False
    return bool(stop.ended_when_told) or any(not one.catches_sigterm and not one.ignores_sigterm for one in listeners)


def told(life: Life) -> bool:
    """Whether a server that never became healthy shows why: it listens elsewhere, or answers other than with 200."""
    if life.ready_at is not None:
        return False
    last = life.pings[-1] if life.pings else None
    outside = any(one.right for one in life.listeners or ()) and not life.only_ipv6
    refused = last is not None and last.status is not None and last.status < 500 and last.status != 200
    broken_off = last is not None and last.error == "broken off"
    return refused or broken_off or (bool(life.listeners) and not outside)


def late(life: Life) -> bool:
    """Whether a life broke a time limit that could decide a verdict."""
    if life.start_error:
        return False
    if life.role == TRAINING:
        # our patience with a training accuses only what varies a good one, and what should end with its child
        return life.ended == "idle" or (life.ended == "limit" and bool(life.base or life.kill))
    if life.ready_at is None:
        answered = bool(life.pings) and life.pings[-1].status is not None
        return life.ended in ("stopped", "killed") and not told(life) and (answered or not life.first_bytes)
    return _late_while_healthy(life, life.ready_at)


def _late_while_healthy(life: Life, since: float) -> bool:
    limits, stop = {**CONTRACT, **life.limits}, life.stop
    pings = [ping for ping in life.pings if ping.at >= since and ping.connect_seconds is not None]
    # the first good ping connected before it was healthy
    later: list[Ping | Invocation] = [*(ping for ping in pings if ping.at > since), *life.invocations]
    connected = [one.connect_seconds or 0.0 for one in later]
    return (
        since > limits["start"]
        or any(ping.seconds > limits["ping"] for ping in pings)
        or any(seconds > limits["connect"] for seconds in connected)
        or any(one.seconds > limits["invoke"] or one.error == "timed out" for one in life.invocations)
        or (stop is not None and stop.killed and not stop.beyond_doubt and stop.limit >= limits["stop"])
    )
