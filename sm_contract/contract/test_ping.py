"""Serving: GET /ping, from the start of the container to its end."""

from __future__ import annotations

from collections.abc import Sequence

from sm_contract.contract import roots
from sm_contract.contract.causes import STARTS, guilty, ready, why_not
from sm_contract.contract.invoking import lived
from sm_contract.contract.readiness import ping_failed, slow, stuck
from sm_contract.contract.reading import limit, outcome, steadily, telling, within
from sm_contract.contract.timing import confirmed
from sm_contract.record import NOT_YET, Life, Ping
from sm_contract.requirements import requirement
from sm_contract.verdict import NotTestable, Violation
from sm_contract.views import Serving

SIMPLE = ("serve.bare", "serve.full")
ENOUGH = 20  # pings after readiness
_FASTER = "load faster, or raise ContainerStartupHealthCheckTimeoutInSeconds of the endpoint"
_CHEAP = "answer /ping from a cheap handler: no test prediction, no lock, no call to anything else"
_WHOLE = "send as many bytes as Content-Length says (an empty body needs Content-Length: 0), or the last chunk"
_STATUSES = {
    404: "register the route as exactly /ping",
    405: "let /ping take GET",
    204: "return 200 instead of 204; the body may be empty",
}


@requirement("SM-INFER-PING-01", runs=SIMPLE, rests_on=STARTS, hidden_by=roots.SERVING)
def test_ping_is_200(serving: Serving) -> None:
    """GET /ping returns status 200 when ready."""
    life = guilty(serving, "SM-INFER-PING-01")
    if life is not None:
        last = life.pings[-1]
        raise Violation(
            expected="status 200 for GET /ping, and all of the body that the header promises",
            observed=f"{_in_full(last)} for each GET /ping until {within(life, 'start', 480)} were over ({life.name})",
            fix=_answered_better(last),
            because=telling(life),
            evidence=[*life.pings[-3:], life],
        )
    if not any(ping.status == 200 and not ping.error for one in _seen(serving) for ping in one.pings):
        why_not(serving, "serve.bare")


@requirement("SM-INFER-PING-02", runs=SIMPLE, rests_on=STARTS, hidden_by=roots.SERVING, timed=True)
def test_every_ping_is_answered_within_two_seconds(serving: Serving) -> None:
    """Every ping is answered within 2 s."""
    guilty_life = guilty(serving, "SM-INFER-PING-02")
    for suspect in [guilty_life] if guilty_life else lived(serving):
        most = limit(suspect, "ping", 2)
        life, late = confirmed(serving, suspect, _late_idle_pings, limit=most)
        if late:
            slowest = max(late, key=lambda ping: ping.seconds)
            raise Violation(
                expected=f"each ping answered within {most:g} s",
                observed=f"{slowest.seconds:.2f} s for the ping at {slowest.at:.1f} s: {outcome(slowest)} "
                f"({len(late)} of {len(life.pings)} pings late in {life.name})",
                fix=_WHOLE if slowest.status == 200 and slowest.error else _CHEAP,
                because="" if guilty_life is None else telling(life),
                evidence=sorted(late, key=lambda ping: ping.seconds)[-3:],
            )


@requirement("SM-INFER-PING-03", runs=SIMPLE, rests_on=STARTS, hidden_by=roots.SERVING, timed=True)
def test_healthy_within_the_start_window(serving: Serving) -> None:
    """Healthy within 8 minutes of container start, or within the configured start-up time-out."""
    guilty_life = guilty(serving, "SM-INFER-PING-03")
    suspects = [guilty_life] if guilty_life else ready(serving)
    for suspect in suspects:
        life, late = confirmed(serving, suspect, _unhealthy_in_time, limit=limit(suspect, "start", 480))
        if late:
            raise _never_healthy(life)
    if not suspects:
        why_not(serving, "serve.bare")


@requirement("SM-INFER-PING-04", runs=SIMPLE, rests_on=[*STARTS, "SM-INFER-RUN-03"], hidden_by=roots.SERVING)
def test_stays_healthy(serving: Serving) -> None:
    """Once healthy, pings keep succeeding."""
    flaps = guilty(serving, "SM-INFER-PING-04")
    lives = [flaps] if flaps else lived(serving)
    for life in lives:
        pings = _since_good(life) if flaps else _healthy_pings(life, busy=False)
        bad = [ping for ping in pings if ping_failed(ping, life)]
        if bad:
            raise Violation(
                expected="200 for every ping once the first ones were 200",
                observed=f"{_in_full(bad[0])} for the ping at {bad[0].at:.1f} s: {len(bad)} of {len(pings)} idle pings "
                f"failed ({life.name})",
                fix=_answered_better(bad[0])
                if bad[0].error == "broken off"
                else "let /ping return 200 as long as the server can work, with no state in it that changes by itself",
                because=telling(life) if life.log else "",
                evidence=bad[:3],
            )
    if max(len(_healthy_pings(life, busy=None)) for life in lives) < ENOUGH:
        raise NotTestable(f"fewer than {ENOUGH} pings were sent while the server was healthy")


@requirement(
    "SM-INFER-PING-08",
    runs=SIMPLE,
    rests_on=[*STARTS, "SM-INFER-RUN-03", "SM-INFER-NET-02", "SM-INFER-PING-02", "SM-INFER-PING-04"],
    hidden_by=roots.SERVING,
    timed=True,
)
def test_pings_succeed_while_busy(serving: Serving) -> None:
    """Pings succeed within 2 s while invocations are being processed."""
    lives = lived(serving)
    for suspect in lives:
        most, life = limit(suspect, "ping", 2), suspect
        bad: Sequence[Ping] = [p for p in _healthy_pings(life, busy=True) if ping_failed(p, life)]
        if not bad:
            life, bad = confirmed(serving, suspect, _late_busy_pings, limit=most)
        if bad:
            worst = max(bad, key=lambda ping: ping.seconds)
            raise Violation(
                expected=f"200 on /ping within {most:g} s while {serving.candidate.concurrency} invocations are open",
                observed=f"{outcome(worst)}{'' if worst.error else f' after {worst.seconds:.2f} s'} for the ping at "
                f"{worst.at:.1f} s, with invocations open "
                f"({len(bad)} of {len(_healthy_pings(life, busy=True))} such pings late or failed in "
                f"{life.name}); idle ones are fine",
                fix="answer /ping from a thread or worker that no invocation can hold: gunicorn --threads 2, more "
                "workers, or prediction in a pool of its own",
                because="",
                evidence=sorted(bad, key=lambda ping: ping.seconds)[-3:],
            )
    if not any(_healthy_pings(life, busy=True) for life in lives):
        declared = "requests" in serving.candidate.declared
        missing = (
            "no ping fell into an open invocation"
            if declared
            else "declare [[inference.requests]] with a body of yours"
        )
        raise NotTestable(missing if declared else f"{missing}: no ping fell into an open invocation")


def _in_full(ping: Ping) -> str:
    """What came back, with the status of an answer that broke off."""
    return f"status {ping.status} and {outcome(ping)}" if ping.error == "broken off" else outcome(ping)


def _answered_better(ping: Ping) -> str:
    """What to change of an answer that is no 200 for a client."""
    if ping.status == 200 and ping.error:
        return _WHOLE
    other = "answer GET /ping with status 200 itself: no redirect, no login, no other status"
    return _STATUSES.get(ping.status or 0, other)


def _never_healthy(life: Life) -> Violation:
    last = life.pings[-1] if life.pings else None
    seen = f"{outcome(last) if last else 'no ping got through'} when the time was over"
    seen = f"healthy only after {life.ready_at:.1f} s" if life.ready_at else seen
    listens = "; nothing in the container listens" if life.listeners == () and not life.ready_at else ""
    return Violation(
        expected=f"the first of several 200s in a row on /ping within {within(life, 'start', 480)}",
        observed=f"{seen}{listens} ({life.name})",
        fix=_healthier(life),
        because=telling(life),
        evidence=[*([last] if last else []), *life.events[-3:], life],
    )


def _healthier(life: Life) -> str:
    """What to change of a server that was too late, or answered early and never with 200."""
    first = steadily(life)
    if life.ready_at is None and first is not None and first.at <= limit(life, "start", 480) / 2:
        fix = (
            f"make /ping answer 200 as soon as the server can work: it answered {first.status} from {first.at:.1f} s on"
        )
        loading = f"; only if it is still loading then, {_FASTER}"
        return f"{fix}, and the log should say why{loading if first.status in NOT_YET else ''}"
    return (
        "load less before the server listens, or load faster; where the model needs its time, raise "
        "ContainerStartupHealthCheckTimeoutInSeconds of the endpoint"
    )


def _seen(serving: Serving) -> list[Life]:
    return [life for life in serving.lives.values() if not life.base]


def _healthy_pings(life: Life, *, busy: bool | None) -> list[Ping]:
    """The pings of a healthy server's whole life: idle ones, those beside invocations, or both."""
    if life.ready_at is None:
        return []
    return [ping for ping in life.pings if ping.at >= life.ready_at and busy in (None, ping.busy)]


def _late_idle_pings(life: Life) -> list[Ping]:
    """Those of a healthy server; all, where they kept it from being called healthy."""
    if life.ready_at is None:
        return [ping for ping in life.pings if slow(ping, life)] if stuck(life) == "SM-INFER-PING-02" else []
    return [ping for ping in _healthy_pings(life, busy=False) if slow(ping, life)]


def _late_busy_pings(life: Life) -> list[Ping]:
    return [ping for ping in _healthy_pings(life, busy=True) if slow(ping, life)]


def _unhealthy_in_time(life: Life) -> list[Life]:
    too_late = (life.ready_at or 0.0) > limit(life, "start", 480)
    return [life] if too_late or (life.ready_at is None and stuck(life) == "SM-INFER-PING-03") else []


def _since_good(life: Life) -> list[Ping]:
    """From the first good ping on, in a life that never became healthy."""
    first = next(n for n, ping in enumerate(life.pings) if ping.ok(limit(life, "ping", 2)))
    return list(life.pings[first:])
