"""Health told honestly, and requests that nobody asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from good_record import answer, crashed, served, unhealthy

from mutations import Change, Mutation, fields, life, saying, servers, then
from sm_contract.record import AFTER_KILL, EARLY, Life, Ping

PROBED = "serve.probed"
LOADING: dict[str, Any] = {"body_head": '{"status": "loading"}', "body_bytes": 21}


def _pings(**facts: object) -> Change:
    """The good pings of both first lives with other facts."""
    return servers(
        lambda one: replace(one, pings=tuple(replace(p, **facts) if p.status == 200 else p for p in one.pings))
    )


def _early(status: int | None, error: str = "", first: float = 0.9) -> Change:
    """The first invocation comes too early in both lives."""

    def change(one: Life) -> Life:
        early = replace(answer(EARLY, 0, first, status, "loading"), error=error)
        return replace(one, invocations=(early, *one.invocations))

    return servers(change)


def _empty(status: int | None, error: str = "") -> Change:
    """Healthy with an empty model folder, and no good answer."""

    def change(one: Life) -> Life:
        healthy = served(one.name)
        plain = replace(answer("plain", 0, 1.05, status, "no model"), error=error)
        return replace(healthy, pings=healthy.pings[:9], invocations=(plain,))

    return life("serve.empty", change)


def _asked(where: str, **facts: object) -> Change:
    return life(
        PROBED, lambda one: replace(one, asked=tuple(replace(a, **facts) if where in a.what else a for a in one.asked))
    )


def _gone_at(where: str) -> Change:
    """The server ends when it is asked this, and nothing comes after."""

    def change(one: Life) -> Life:
        last = next(a for a in one.asked if where in a.what)
        asked = [a for a in one.asked if a.at < last.at]
        return replace(
            one,
            ended="itself",
            exit_code=1,
            stop=None,
            kill=None,
            asked=(*asked, replace(last, status=None, error="closed", ping_ok=False)),
            invocations=tuple(i for i in one.invocations if i.at < last.at),
            pings=tuple(p for p in one.pings if p.at < last.at),
        )

    return life(PROBED, change)


def _after_kill(ping: int | None, *statuses: int | None, error: str = "") -> Callable[[Life], Life]:
    """What pings and invocations get after the biggest child was killed."""

    def change(one: Life) -> Life:
        assert one.kill is not None
        kept = tuple(i for i in one.invocations if i.name != AFTER_KILL)
        tried = tuple(answer(AFTER_KILL, 0, one.kill.at + n, status, "") for n, status in enumerate(statuses, 1))
        last = replace(one.pings[-1], at=one.kill.at + 9, status=ping, error=error)
        return replace(one, invocations=(*kept, *tried), pings=(*one.pings[:-1], last), seconds=one.kill.at + 10)

    return change


def _zombies(left: int) -> Callable[[Life], Life]:
    return lambda one: replace(one, kill=one.kill and replace(one.kill, zombies=left))


def _victim(command: str, depth: int) -> Callable[[Life], Life]:
    return lambda one: replace(one, kill=one.kill and replace(one.kill, victim=command, depth=depth))


def _unready(*pings: Ping) -> Callable[[Life], Life]:
    """Further pings before it is healthy."""
    return lambda one: replace(one, pings=(*pings, *one.pings))


def _first_answer_at(at: float) -> Callable[[Life], Life]:
    """The whole life from the first 2xx on comes later, and pings are good all the while."""

    def change(one: Life) -> Life:
        moved = tuple(i if i.name == EARLY else replace(i, at=i.at + at) for i in one.invocations)
        pings = tuple(replace(p, at=p.at + at) if p.busy else p for p in one.pings)
        return replace(one, invocations=moved, pings=pings)

    return change


def _slow_first(seconds: float) -> Callable[[Life], Life]:
    return lambda one: replace(one, invocations=(replace(one.invocations[0], seconds=seconds), *one.invocations[1:]))


def _lost(one: Life) -> Life:
    """SIGTERM sent to a server that is healthy for a moment, and never heard."""
    assert one.stop is not None
    stop = replace(one.stop, at=1.6, seconds=30.0, killed=True)
    return replace(one, ended="killed", exit_code=137, seconds=31.6, stop=stop)


BREAKS = {
    "SM-INFER-PING-05": [
        Mutation("a status in JSON", _pings(body_head='{"status":"ok"}', body_bytes=15)),
        Mutation("OK", _pings(body_head="OK", body_bytes=2)),
    ],
    "SM-INFER-PING-06": [
        Mutation("503 while it loads", _early(503)),
        Mutation("502 for minutes", then(_early(502), servers(_first_answer_at(190.0)))),
        Mutation("no worker yet", _early(None, "closed")),
    ],
    "SM-INFER-PING-09": [
        Mutation("a front without its worker", life(PROBED, _after_kill(200, 502, 502))),
        Mutation("hangs without its worker", life(PROBED, _after_kill(200, None))),
    ],
    "SM-PRIV-INIT-01": [
        Mutation("a wrapper without its server", life(PROBED, _after_kill(None, error="refused"))),
        Mutation("a front that says so and never mends it", life(PROBED, _after_kill(503))),
        Mutation("a child for each request", life(PROBED, _zombies(40))),
    ],
    "SM-INFER-PING-10": [
        Mutation("500", _asked("POST /ping", status=500, body_head="KeyError: 'body'")),
        Mutation("ends the server", _gone_at("POST /ping")),
    ],
    "SM-INFER-METRICS-01": [
        Mutation("ends the server", _gone_at("GET /metrics")),
        Mutation("pings late from then on", _asked("GET /metrics", status=500, ping_ok=False)),
        Mutation("no answer", _asked("GET /metrics", status=None, error="timed out", seconds=5.0)),
    ],
    "SM-INFER-NET-03": [
        Mutation("a list of hosts", _asked("invocations for Host", status=400, body_head="Invalid host header")),
        Mutation("and for pings", _asked("for Host", status=421)),
        Mutation("an error of its own", _asked("for Host", status=500, body_head="KeyError")),
    ],
}

KEEPS = {
    "SM-INFER-PING-05": [
        Mutation("a line break", _pings(body_head="\n", body_bytes=1)),
        Mutation("bodies before it is ready", servers(_unready(Ping(at=0.3, seconds=0.01, status=503, **LOADING)))),
    ],
    "SM-INFER-PING-06": [
        Mutation("502 before it is ready", servers(saying("no worker yet", "listening"))),
        Mutation("a slow first answer", servers(_slow_first(42.0))),
    ],
    "SM-INFER-PING-07": [
        Mutation("ends later without it", life("serve.empty", lambda one: crashed(one, 3, "no model after 10 s"))),
        Mutation("a fallback that answers", _empty(200)),
        Mutation("ends with 0 without it", life("serve.empty", lambda one: crashed(one, 0, "no model, nothing to do"))),
        Mutation(
            "503 without it",
            life("serve.empty", lambda one: unhealthy(one, Ping(at=9.0, seconds=0.01, status=503))),
        ),
    ],
    "SM-INFER-PING-09": [
        Mutation("503 from then on until it is started again", life(PROBED, _after_kill(200, 502, 502, 200))),
        Mutation("the container ends", life(PROBED, fields(ended="itself", exit_code=1, stop=None))),
    ],
    "SM-PRIV-INIT-01": [
        Mutation("started again", life(PROBED, _after_kill(200, 503, 200))),
        Mutation("ends with 0", life(PROBED, fields(ended="itself", exit_code=0, stop=None))),
        Mutation("workers that were lost", life(PROBED, _zombies(4))),
        Mutation("a tree of children", life(PROBED, _victim("java -jar worker.jar", depth=4))),
    ],
    "SM-INFER-PING-10": [
        Mutation("200", _asked("POST /ping", status=200)),
        Mutation("404", _asked("POST /ping", status=404)),
        Mutation("415", _asked("POST /ping", status=415)),
    ],
    "SM-INFER-METRICS-01": [
        Mutation("metrics", _asked("GET /metrics", status=200, body_head="# HELP requests")),
        Mutation("500 and no more", _asked("GET /metrics", status=500)),
        Mutation("405", _asked("GET /metrics", status=405)),
        Mutation("closed without an answer", _asked("GET /metrics", status=None, error="closed")),
    ],
    "SM-INFER-NET-03": [Mutation("201 for all", _asked("for Host", status=201))],
    "SM-INFER-STOP-02": [
        Mutation(
            "143 after 25 s",
            servers(lambda one: replace(one, exit_code=143, stop=replace(one.stop, seconds=25.0))),  # type: ignore[arg-type,type-var]
        ),
        Mutation("a last word", servers(saying("got SIGTERM, ending", "ended"))),
        Mutation("code 1", servers(fields(exit_code=1))),
        Mutation("lost right after the first good ping", life("serve.again", _lost)),
    ],
}
