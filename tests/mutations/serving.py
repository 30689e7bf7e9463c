"""SM-INFER-RUN-…, -ENV-01, -NET-…, -PING-…"""

from __future__ import annotations

from dataclasses import replace

from good_record import READY, answer, unhealthy

from mutations import (
    Change,
    Mutation,
    candidate,
    crashing,
    fields,
    follow_up,
    image,
    life,
    never_started,
    no_serving,
    only_bare_serves,
    program,
    saying,
    servers,
    then,
)
from sm_contract import changes
from sm_contract.record import Life, Listener, Ping

NOT_FOUND = 'exec: "serve": executable file not found in $PATH: unknown'
REFUSED = Ping(at=479.0, seconds=0.0004, error="refused")
LOCKED = "RuntimeError: /opt/ml/model/.lock is held by another server"
BROKEN_OFF = Ping(at=478.0, seconds=0.003, status=200, error="broken off", connect_seconds=0.0004)
OPEN = Listener(address="0.0.0.0", port=8080, pid_one=True, catches_sigterm=True, ignores_sigterm=False)
INWARD = replace(OPEN, address="127.0.0.1")
TLS = r"\x15\x03\x01\x00\x02\x02\x46"


def _stuck(*pings: Ping, listeners: tuple[Listener, ...] | None = (OPEN,), first_bytes: str = "") -> Change:
    return no_serving(lambda one: unhealthy(one, *pings, listeners=listeners, first_bytes=first_bytes))


def _answered(status: int, seconds: float = 0.003) -> Ping:
    return Ping(at=478.0, seconds=seconds, status=status, connect_seconds=0.0004)


def _ping(number: int, **facts: object) -> Change:
    """One ping of each server, counted from readiness, with other facts."""

    def change(one: Life) -> Life:
        first = next(n for n, ping in enumerate(one.pings) if ping.at >= (one.ready_at or 0))
        pings = list(one.pings)
        pings[first + number] = replace(pings[first + number], **facts)
        return replace(one, pings=tuple(pings))

    return servers(change)


def _busy_pings(**facts: object) -> Change:
    return servers(lambda one: replace(one, pings=tuple(replace(p, **facts) if p.busy else p for p in one.pings)))


def _gone(one: Life) -> Life:
    """Ended by itself in the middle of its service."""
    kept = tuple(ping for ping in one.pings if ping.at < 2)
    calls = tuple(call for call in one.invocations if call.at < 2)
    return replace(one, ended="itself", exit_code=0, seconds=2.1, pings=kept, invocations=calls, stop=None)


def _before_ready(*pings: Ping) -> Change:
    return servers(lambda one: replace(one, pings=(*pings, *(p for p in one.pings if p.at >= READY))))


BREAKS = {
    "SM-INFER-RUN-01": [
        Mutation("knows train, exits on serve", no_serving(crashing("start: what is serve?"))),
        Mutation(
            "answers serve with a usage text, and trains well",
            no_serving(crashing("usage: start train", "start: unknown command serve", code=2)),
        ),
        Mutation(
            "a loader that is not there",
            then(
                program("serve", form="elf", loader="/lib/ld-musl-x86_64.so.1", loader_found=False),
                no_serving(never_started("exec /opt/program/serve: no such file or directory")),
            ),
        ),
    ],
    "SM-INFER-RUN-02": [
        Mutation(
            "its folder missing from PATH",
            then(
                program(
                    "serve", file=None, looked_in=("/usr/local/bin", "/usr/bin"), elsewhere=("/opt/program/serve",)
                ),
                no_serving(never_started(NOT_FOUND)),
            ),
        ),
        Mutation(
            "only under another name",
            then(program("serve", file=None, looked_in=("/usr/bin",)), no_serving(never_started(NOT_FOUND))),
        ),
    ],
    "SM-INFER-RUN-03": [
        Mutation("the server in the background", no_serving(crashing("server started", code=0))),
        Mutation("ends in the middle of its service", no_serving(_gone)),
        Mutation("in one of its lives", life("serve.bare", _gone)),
    ],
    "SM-INFER-RUN-11": [
        Mutation(
            "a lock left in the model folder",
            then(life("serve.again", crashing(LOCKED)), follow_up("serve.bare", changes.USED_MODEL, crashing(LOCKED))),
        ),
        Mutation("not followed up", life("serve.again", crashing(LOCKED))),
        Mutation("never healthy again", life("serve.again", lambda one: unhealthy(one, REFUSED))),
    ],
    "SM-INFER-ENV-01": [
        Mutation(
            "the host name parsed",
            then(
                only_bare_serves(crashing("ValueError: invalid literal for int() with base 10: 'model.aws.local'")),
                follow_up("serve.bare", changes.HOST_NAME, crashing("ValueError: invalid literal for int()")),
            ),
        ),
        Mutation(
            "algo-1 expected",
            then(no_serving(crashing("KeyError: 'f3b1c2'")), follow_up("serve.bare", changes.HOST_ALGO_1)),
        ),
        Mutation(
            "broken by a variable of the user's",
            then(
                only_bare_serves(lambda one: unhealthy(one, _answered(503))),
                follow_up("serve.bare", changes.ENVIRONMENT, lambda one: unhealthy(one, _answered(503))),
            ),
        ),
    ],
    "SM-INFER-NET-01": [
        Mutation(
            "bound to 127.0.0.1", _stuck(REFUSED, listeners=(INWARD, replace(OPEN, address="127.0.0.11", port=40123)))
        ),
        Mutation("port 5000", _stuck(REFUSED, listeners=(replace(OPEN, port=5000),))),
        Mutation("bound to ::1", _stuck(REFUSED, listeners=(replace(OPEN, address="::1"),))),
        Mutation("bound to :: for IPv6 alone", _stuck(REFUSED, listeners=(replace(OPEN, address="::"),))),
        Mutation("one address of IPv6", _stuck(REFUSED, listeners=(replace(OPEN, address="fd00::2"), INWARD))),
    ],
    "SM-INFER-NET-02": [
        Mutation("a backlog of 1, busy", _ping(7, connect_seconds=1.031, seconds=1.034)),
        Mutation("slow to accept, idle", _ping(20, connect_seconds=0.41, seconds=0.42)),
        Mutation(
            "in an invocation",
            servers(
                lambda one: replace(
                    one,
                    invocations=(*one.invocations, replace(answer("busy", 0, 3.3), connect_seconds=1.02, seconds=1.04)),
                )
            ),
        ),
    ],
    "SM-INFER-NET-04": [
        Mutation("TLS", _stuck(replace(_answered(0), status=None, error="not HTTP"), first_bytes=TLS)),
        Mutation("TLS that only closes", _stuck(replace(_answered(0), status=None, error="reset"))),
        Mutation(
            "TLS behind nginx",
            _stuck(
                _answered(400),
                first_bytes=r"HTTP/1.1 400 Bad Request\r\n\r\n<title>400 The plain HTTP request was sent",
            ),
        ),
    ],
    "SM-INFER-PING-01": [
        Mutation("registered as /health", _stuck(_answered(404), first_bytes="HTTP/1.1 404 Not Found")),
        Mutation("204", _stuck(_answered(204))),
        Mutation("a redirect to /ping/", _stuck(_answered(308))),
        Mutation("login wanted", _stuck(REFUSED, _answered(401))),
        Mutation("after start-up errors", _stuck(_answered(502), _answered(405))),
        Mutation("shorter than its length", _stuck(BROKEN_OFF)),
        Mutation("404 in HTTP/1.0", _stuck(_answered(404), first_bytes="HTTP/1.0 404 File not found")),
    ],
    "SM-INFER-PING-02": [
        Mutation("one of them", _ping(21, seconds=3.02)),
        Mutation("a test prediction in each", _stuck(_answered(200, 3.1), _answered(200, 3.0))),
        Mutation("never answered though accepted", _stuck(replace(_answered(0, 10.0), status=None, error="timed out"))),
        Mutation("the rest of its body missing once", _ping(22, seconds=10.0, error="timed out")),
        Mutation("timed out once", _ping(22, seconds=10.0, status=None, error="timed out")),
        Mutation("each second one", _stuck(_answered(200), _answered(200, 2.4), _answered(200), _answered(200, 2.4))),
        Mutation("idle and busy alike", then(_ping(5, seconds=3.0), _ping(21, seconds=3.0))),
    ],
    "SM-INFER-PING-03": [
        Mutation("sleeps 600 s", _stuck(REFUSED, listeners=())),
        Mutation("still loading", _stuck(_answered(503))),
        Mutation("a front end without its server", _stuck(_answered(502), first_bytes="HTTP/1.1 502 Bad Gateway")),
        Mutation("who listens cannot be seen", _stuck(REFUSED, listeners=None)),
        Mutation("listens when it is looked, after the last ping", _stuck(REFUSED, listeners=(OPEN,))),
        Mutation("500 from early on", _stuck(replace(_answered(500), at=0.7), _answered(500))),
        Mutation("healthy too late", servers(fields(ready_at=481.2, pings=(), stop=None))),
    ],
    "SM-INFER-PING-04": [
        Mutation("500 once", _ping(22, status=500)),
        Mutation("broken off once", _ping(22, error="broken off")),
        Mutation("broken off each second time", _stuck(_answered(200), BROKEN_OFF, _answered(200), BROKEN_OFF)),
        Mutation("refused once", _ping(23, status=None, error="refused", connect_seconds=None)),
        Mutation("200 and 500 in turn", _stuck(_answered(200), _answered(500), _answered(200), _answered(500))),
        Mutation("idle and busy alike", then(_ping(5, status=500), _ping(22, status=500))),
    ],
    "SM-INFER-PING-08": [
        Mutation("one worker for both", _busy_pings(seconds=4.2)),
        Mutation("refused while busy", _busy_pings(status=503)),
        Mutation("broken off while busy", _busy_pings(error="broken off")),
        Mutation("timed out while busy", _busy_pings(status=None, error="timed out", seconds=10.0)),
    ],
}

KEEPS = {
    "SM-INFER-RUN-01": [
        Mutation("other words", servers(saying("Error: no GPU found, using the CPU", "listening"))),
        Mutation("an ENTRYPOINT", image(entrypoint=("/opt/program/start",))),
    ],
    "SM-INFER-RUN-02": [Mutation("found in another folder", program("serve", looked_in=("/a", "/b", "/opt/program")))],
    "SM-INFER-RUN-03": [
        Mutation("143 after SIGTERM", servers(fields(exit_code=143))),
        Mutation("130 after SIGTERM", servers(fields(exit_code=130))),
    ],
    "SM-INFER-RUN-11": [Mutation("slower the second time", life("serve.again", fields(ready_at=41.0)))],
    "SM-INFER-ENV-01": [Mutation("says its name", servers(saying("I am model.aws.local", "listening")))],
    "SM-INFER-NET-01": [
        Mutation(
            "other ports as well", servers(fields(listeners=(OPEN, replace(OPEN, address="127.0.0.1", port=9010))))
        ),
        Mutation("IPv6", servers(fields(listeners=(replace(OPEN, address="::"),)))),
        Mutation("not to be seen", servers(fields(listeners=None))),
        Mutation("two sockets, one for each", servers(fields(listeners=(OPEN, replace(OPEN, address="::"))))),
        Mutation("a port of its own open to all", servers(fields(listeners=(OPEN, replace(OPEN, port=8082))))),
        Mutation("a listener that is a child", servers(fields(listeners=(replace(OPEN, pid_one=False),)))),
    ],
    "SM-INFER-NET-02": [
        Mutation("240 ms", _ping(21, connect_seconds=0.24, seconds=0.25)),
        Mutation("slow before it was healthy", _before_ready(replace(_answered(502), at=0.3, connect_seconds=1.03))),
    ],
    "SM-INFER-NET-04": [
        Mutation("502 before ready", _before_ready(replace(_answered(502), at=0.3))),
    ],
    "SM-INFER-PING-01": [
        Mutation("broken off before ready", _before_ready(replace(BROKEN_OFF, at=0.3))),
        Mutation(
            "404 and 502 before ready", _before_ready(replace(_answered(404), at=0.2), replace(_answered(502), at=0.3))
        ),
        Mutation(
            "a body", servers(lambda one: replace(one, pings=tuple(replace(p, body_bytes=40) for p in one.pings)))
        ),
    ],
    "SM-INFER-PING-02": [
        Mutation("1.9 s", _ping(21, seconds=1.9)),
        Mutation(
            "slow before it was healthy",
            _before_ready(
                replace(_answered(200, 4.0), at=0.1),
                Ping(at=0.3, seconds=10.0, error="timed out", connect_seconds=0.001),
            ),
        ),
    ],
    "SM-INFER-PING-03": [
        Mutation(
            "reset and 502 for a while",
            _before_ready(
                Ping(at=0.1, seconds=0.01, error="reset"),
                Ping(at=0.2, seconds=0.01, error="closed"),
                replace(_answered(502), at=0.4),
            ),
        ),
        Mutation(
            "accepts and does not answer for a while",
            _before_ready(Ping(at=0.1, seconds=10.0, error="timed out", connect_seconds=0.001)),
        ),
        Mutation("503 while it loads", _before_ready(replace(_answered(503), at=0.3))),
        Mutation(
            "after 400 s",
            servers(
                lambda one: replace(
                    one,
                    ready_at=READY + 400,
                    pings=tuple(replace(p, at=p.at + 400) if p.status else p for p in one.pings),
                )
            ),
        ),
    ],
    "SM-INFER-PING-04": [
        Mutation(
            "non-empty bodies",
            servers(lambda one: replace(one, pings=tuple(replace(p, body_bytes=3) for p in one.pings))),
        ),
        Mutation(
            "200 once before it is healthy",
            _before_ready(replace(_answered(200), at=0.2), replace(_answered(502), at=0.3)),
        ),
    ],
    "SM-INFER-PING-08": [
        Mutation("1.8 s while busy", _busy_pings(seconds=1.8)),
        Mutation("more at once", candidate(concurrency=8)),
    ],
}
