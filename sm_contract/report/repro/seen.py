"""What a script is to see, read off the record: the lines that it prints behind ``seen:``, times left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sm_contract import changes
from sm_contract.record import ALONE, BUSY, HUGE, PARALLEL, TRAINING, Asked, Invocation, Kill, Life, Ping

SEVERAL = "several at a time"
DIFFERENT = "different ones at a time"
ZOMBIES = "more than 10 ended children that the first process did not wait for"
LATE = " late"  # behind an outcome; the one part of it that a busy machine may change


def seen(life: Life) -> list[str]:
    """The lines of one life, in order."""
    if life.start_error:
        return ["not started"]
    return list(_training(life) if life.role == TRAINING else _serving(life))


def _training(life: Life) -> Iterator[str]:
    if life.stop is not None:
        yield "outlived SIGTERM" if life.stop.killed else "ended after SIGTERM"
    else:
        yield "ended by itself" if life.ended == "itself" else "did not end by itself"
    yield f"exit code {life.exit_code}"
    if life.result is None or life.change == changes.UNMOUNTED:
        return
    for place, files in (("model", life.result.model), ("output", life.result.output)):
        for file in files:
            yield f"/opt/ml/{place}/{file.path}{'/' if file.kind == 'directory' else ''}"


def _serving(life: Life) -> Iterator[str]:
    if life.ready_at is not None:
        yield "healthy"
        yield from _invocations(life)
        if not probed(life):
            kinds = _kinds(outcome(ping, life) for ping in life.pings if ping.at >= life.ready_at)
            yield f"pings while healthy: {kinds}"
        elif life.stop is not None:
            yield f"ping afterwards: {outcome(life.pings[-1], life)}"
    else:
        yield "not healthy"
        if any(ping.ok(life.limits.get("ping", 2)) for ping in life.pings):
            yield "pings come and go"
        elif life.stop is not None and life.pings:
            yield f"last ping: {outcome(life.pings[-1], life)}"
        for listener in life.listeners or ():
            yield f"listens on {listener.address}, port {listener.port}"
    yield "ended by itself" if life.stop is None else "outlived SIGTERM" if life.stop.killed else "ended after SIGTERM"
    if life.stop is not None and life.stop.ended_when_told is not None:
        yield f"{'ended' if life.stop.ended_when_told else 'outlived it again'} when all its processes were told"
    yield f"exit code {life.exit_code}"


def _invocations(life: Life) -> Iterator[str]:
    told = False
    kill = [life.kill] if life.kill is not None and life.kill.victim else []
    everything: list[Invocation | Asked | Kill] = [*life.invocations, *life.asked, *kill]
    for one in sorted(everything, key=lambda each: each.at):
        if isinstance(one, Kill):
            yield "killed the biggest child"
        elif isinstance(one, Asked):
            ping = "in time" if one.ping_ok else "not in time with 200"
            yield f"{one.what}: {one.error or one.status}, the ping behind it {ping}"
        elif one.name == PARALLEL:
            if not told:
                yield f"POST /invocations, {DIFFERENT}: {'mixed up' if _mixed_up(life) else 'each its own answer'}"
            told = True
        elif one.name not in (BUSY, HUGE):
            yield f"POST /invocations, {what(one.name, one.request, one.body_of)}: {outcome(one, life)}"
    if life.kill is not None and life.kill.left_zombies:
        yield ZOMBIES
    if busy := [outcome(one, life) for one in life.invocations if one.name == BUSY]:
        yield f"POST /invocations, {SEVERAL}: {_kinds(busy)}"


def probed(life: Life) -> bool:
    """Whether it is a life of odd requests: pinged after them, and not beside them."""
    return life.name.startswith("serve.probed")


def what(name: str, request: int, body_of: str = "") -> str:
    """Which invocation this is."""
    return f"{name}, request {request}{f', {body_of}' if body_of else ''}"


def _mixed_up(life: Life) -> bool:
    """Whether a request got another answer beside others than by itself."""
    alone = {(one.request, one.body_of): one.body_sha256 for one in life.invocations if one.name == ALONE}
    beside = [one for one in life.invocations if one.name == PARALLEL and one.ok]
    return any(one.body_sha256 != alone[one.request, one.body_of] for one in beside)


def outcome(one: Ping | Invocation, life: Life) -> str:
    """The status of an answer or what came in its place, and whether it was late."""
    if one.status is None or one.error:
        return one.error or "no answer"
    if isinstance(one, Ping) and one.seconds > life.limits.get("ping", 2):
        return f"{one.status}{LATE}"
    return f"{one.status}{LATE} to connect" if (one.connect_seconds or 0) > 0.25 else str(one.status)


def _kinds(outcomes: Iterable[str]) -> str:
    return " + ".join(sorted(set(outcomes)))
