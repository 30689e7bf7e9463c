"""Serving: the port, who can reach it, how fast connections are taken, and what is spoken there."""

from __future__ import annotations

from sm_contract.contract import roots
from sm_contract.contract.causes import STARTS, firsts, guilty, ready, why_not
from sm_contract.contract.invoking import lived
from sm_contract.contract.readiness import elsewhere, outward
from sm_contract.contract.reading import limit, telling
from sm_contract.contract.timing import confirmed
from sm_contract.record import Invocation, Life, Listener, Ping
from sm_contract.requirements import requirement
from sm_contract.verdict import NotTestable, Violation
from sm_contract.views import Serving

SIMPLE = ("serve.bare", "serve.full")


@requirement("SM-INFER-NET-01", runs=SIMPLE, rests_on=STARTS, hidden_by=roots.SERVING)
def test_listens_on_port_8080(serving: Serving) -> None:
    """A web server listens on TCP 8080, reachable from outside the container."""
    life = guilty(serving, "SM-INFER-NET-01")
    if life is not None:
        where = elsewhere(life)
        raise Violation(
            expected="a listener on 0.0.0.0:8080 (or [::]:8080, if it takes IPv4 as well), reachable from outside",
            observed=f"connection refused on port 8080 from outside, and the container listens on "
            f"{', '.join(map(str, where[:4]))}{' over IPv6 alone' if life.only_ipv6 else ''}",
            fix="bind the server to 0.0.0.0, or clear IPV6_V6ONLY of its socket: the connection comes over IPv4"
            if life.only_ipv6
            else _moved(where),
            because=telling(life),
            evidence=[*where[:4], *life.pings[-1:], life],
        )
    if not ready(serving) and not any(_reached(one) for one in firsts(serving)):
        why_not(serving, "serve.bare")


@requirement("SM-INFER-NET-02", runs=SIMPLE, rests_on=STARTS, hidden_by=roots.SERVING, timed=True)
def test_accepts_connections_in_time(serving: Serving) -> None:
    """New socket connections are accepted within 250 ms."""
    for suspect in lived(serving):
        most = limit(suspect, "connect", 0.25)
        life, slow = confirmed(serving, suspect, _slow_connections, limit=most, seconds=_connecting)
        if slow:
            worst = max(slow, key=_connecting)
            busy = isinstance(worst, Invocation) or worst.busy
            raise Violation(
                expected=f"every connection accepted within {most * 1000:g} ms, idle and while requests are open",
                observed=f"{_connecting(worst) * 1000:.0f} ms to connect at {worst.at:.1f} s"
                f"{', while invocations were open' if busy else ''} ({len(slow)} late in {life.name})",
                fix="give the listening socket a longer backlog (gunicorn --backlog 2048, request_queue_size = 128) "
                "and a thread that accepts while others work",
                because="about 1 s is the kernel sending the first packet again: the queue of the socket was full"
                if 0.9 < _connecting(worst) < 1.3
                else "",
                evidence=sorted(slow, key=_connecting)[-3:],
            )
    if serving.candidate.concurrency < 2 and "concurrency" not in serving.candidate.declared:
        raise NotTestable(
            "declare concurrency, how many invocations it takes at once (1, if it is one): connections were taken in "
            "time one by one, and with more at once a short queue shows"
        )


@requirement("SM-INFER-NET-04", runs=SIMPLE, rests_on=STARTS, hidden_by=roots.SERVING)
def test_speaks_plain_http(serving: Serving) -> None:
    """The server speaks plain HTTP/1.1 on that port, without TLS."""
    life = guilty(serving, "SM-INFER-NET-04")
    if life is not None:
        got = f'"{life.first_bytes[:60]}"' if life.first_bytes else "a closed connection"
        raise Violation(
            expected="an HTTP status line (HTTP/1.1 …) for a plain GET /ping on port 8080",
            observed=f"port 8080 takes the connection, and the request is answered with {got} ({life.name})",
            fix="serve plain HTTP on 8080: no certificate, no TLS; the platform ends TLS before the container",
            because=telling(life),
            evidence=[*life.pings[-1:], f"first bytes: {life.first_bytes}", life],
        )
    spoken = any(ping.status is not None for life in firsts(serving) for ping in life.pings)
    if not ready(serving) and not spoken:
        why_not(serving, "serve.bare")


def _moved(where: list[Listener]) -> str:
    """What to change of a server that listens where the platform does not look: of several, of the likeliest."""
    one = max(where, key=lambda one: (one.port == 8080, one.pid_one, not one.inward))
    if one.port == 8080:
        return f"bind the server to 0.0.0.0 instead of {one.address}"
    if one.inward:
        return f"bind the server to 0.0.0.0:8080 instead of {one}"
    return f"let the server listen on port 8080 instead of {one.port}: the platform looks nowhere else"


def _reached(life: Life) -> bool:
    """Whether something was reached on port 8080 from outside."""
    return outward(life) or any(ping.status is not None for ping in life.pings)


def _connecting(one: Ping | Invocation) -> float:
    return one.connect_seconds or 0.0


def _slow_connections(life: Life) -> list[Ping | Invocation]:
    """Connections that took too long once the server was healthy."""
    since, most = life.ready_at, limit(life, "connect", 0.25)
    seen: list[Ping | Invocation] = [*life.pings, *life.invocations]
    return [one for one in seen if since is not None and one.at > since and _connecting(one) > most]
