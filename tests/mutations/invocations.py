"""SM-INFER-INVOKE-…"""

from __future__ import annotations

from dataclasses import replace

from good_record import REQUESTS, answer

from mutations import Change, Mutation, candidate, drop, fields, life, saying, servers, then
from sm_contract.record import AFTERWARDS, BUSY, Invocation, Life, Record

ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
FRAMEWORK = (
    ("Server", "Apache-Coyote/1.1"),
    ("X-Powered-By", "Express"),
    ("X-Request-Id", "7f1c"),
    ("ETag", 'W/"12-x"'),
    ("Pragma", "no-cache"),
    ("Set-Cookie", "JSESSIONID=1; HttpOnly"),
    ("Access-Control-Allow-Origin", "*"),
    ("Keep-Alive", "timeout=5"),
    ("Connection", "close"),
)


def _those(name: str, request: int | None = None, **facts: object) -> Change:
    """The invocations of a name (and request) with other facts, in every life."""

    def change(one: Life) -> Life:
        kept = tuple(
            replace(i, **facts) if i.name == name and request in (None, i.request) else i for i in one.invocations
        )
        return replace(one, invocations=kept)

    return servers(change)


def _undeclared(status: int, content_type: str) -> Change:
    """A request of a type that nobody declared, after all others."""

    def change(one: Life) -> Life:
        sent = answer("another type", 0, one.invocations[-1].at + 0.01, status, "no such type")
        return replace(one, invocations=(*one.invocations, replace(sent, content_type=content_type)))

    return servers(change)


def _answer(i: Invocation, status: int | None) -> Invocation:
    refused = answer("plain", i.request, i.at, status, '{"detail": "refused"}')
    return refused if status is not None else replace(refused, headers=(), body_head="", body_bytes=0, body_sha256="")


def _refused(status: int | None, with_more: int | None = None, *, error: str = "", seconds: float = 0.01) -> Change:
    """Every plain invocation refused; then only the usual client headers are tried."""

    def change(one: Life) -> Life:
        plain = [
            replace(_answer(i, status), error=error, seconds=seconds) for i in one.invocations if i.name == "plain"
        ]
        more = replace(answer("usual client headers", 0, 1.2, with_more if with_more else status), error=error)
        pings = tuple(replace(p, busy=p.at < 1.3 and p.busy) for p in one.pings)
        return replace(one, invocations=(*plain, more), pings=pings)

    return then(
        servers(change),
        drop("serve.empty", "serve.probed", "serve.strict", "serve.other_user"),
        life("serve.again", change),
    )


def _header(value: str, name: str = ATTRIBUTES) -> Change:
    def change(one: Life) -> Life:
        return replace(one, invocations=tuple(replace(i, headers=(*i.headers, (name, value))) for i in one.invocations))

    return servers(change)


def _late(seconds: float, **facts: object) -> Change:
    def change(one: Life) -> Life:
        first = replace(one.invocations[2], seconds=seconds, **facts)
        return replace(one, invocations=(*one.invocations[:2], first, *one.invocations[3:]))

    return servers(change)


def _other_body(i: Invocation) -> dict[str, object]:
    changed = answer(i.name, i.request, i.at, 200, '{"predictions": [9.9]}')
    return {"body_sha256": changed.body_sha256, "body_head": changed.body_head}


def _headers(*more: tuple[str, str]) -> Change:
    """Every answer with further headers."""
    return servers(
        lambda one: replace(one, invocations=tuple(replace(i, headers=(*i.headers, *more)) for i in one.invocations))
    )


def _first(**facts: object) -> Change:
    """The first answer of each server with other facts."""
    return servers(lambda one: replace(one, invocations=(replace(one.invocations[0], **facts), *one.invocations[1:])))


def _only_the_first_type(record: Record) -> Record:
    """One request is declared, and nothing else is sent."""
    lives = {
        name: replace(one, invocations=tuple(i for i in one.invocations if i.request == 0))
        for name, one in record.lives.items()
    }
    return replace(record, lives={**lives, "serve.probed": record.lives["serve.probed"]})


def _timed_while_busy() -> Change:
    """Answers that say how long they took: others, when several are open."""
    return servers(
        lambda one: replace(
            one,
            invocations=tuple(
                replace(i, body_sha256=f"{n:064d}") if i.name == BUSY else i for n, i in enumerate(one.invocations)
            ),
        )
    )


def busy(afterwards: int, every: int = 2, **facts: object) -> Change:
    """Some of several at once fail, and then those that are sent one at a time get this status."""

    def change(one: Life) -> Life:
        at_once = [i for i in one.invocations if i.name == BUSY]
        bad = set(at_once[every - 1 :: every])
        last = at_once[-1].at
        again = [answer(AFTERWARDS, 0, round(last + n / 100, 2), afterwards, "out of handles") for n in range(1, 21)]
        again = [replace(i, body_sha256=at_once[0].body_sha256) if i.ok else i for i in again]
        sent = tuple(replace(i, **facts) if i in bad else i for i in one.invocations)  # type: ignore[arg-type]
        return replace(one, invocations=(*sent, *again))

    return servers(change)


def _back_soon(one: Life) -> Life:
    """The first of those that are sent one at a time still meet no worker."""
    early = [i for i in one.invocations if i.name == AFTERWARDS][:3]
    return replace(one, invocations=tuple(replace(i, status=502) if i in early else i for i in one.invocations))


OTHER = _other_body(answer("extra headers", 0, 0.0))

BREAKS = {
    "SM-INFER-INVOKE-01": [
        Mutation("the route is /predict", _refused(404)),
        Mutation("GET only", _refused(405)),
        Mutation("not implemented, with samples of ours", then(candidate(declared=("channels",)), _refused(501))),
        Mutation("fails on every request", _refused(500)),
        Mutation("503 without an end", _refused(503)),
        Mutation("closes without an answer", _refused(None, error="closed")),
        Mutation("answers the first time and not again", _those("repeated", status=500, body_head="session closed")),
        Mutation("answers a few times and not again", busy(500, status=500, body_head="out of handles")),
        Mutation(
            "fails now and then, one at a time",
            then(candidate(concurrency=1), busy(200, every=5, status=None, error="closed", headers=())),
        ),
        Mutation(
            "fails now and then, whatever the headers",
            then(busy(500, every=5, status=500), _those("all headers", status=500), _those("plain", 1, status=500)),
        ),
    ],
    "SM-INFER-INVOKE-02": [
        Mutation("61 s", _late(61.3)),
        Mutation("no end", _late(60.0, status=None, error="timed out")),
        Mutation("no end for any", _refused(None, error="timed out", seconds=60.0)),
    ],
    "SM-INFER-INVOKE-03": [
        Mutation(
            "400 for unknown headers",
            then(_those("extra headers", status=400), _those("custom attributes", status=400)),
        ),
        Mutation("another body", _those("extra headers", **OTHER)),
        Mutation("headers of the service refused", _those("all headers", status=431)),
    ],
    "SM-INFER-INVOKE-04": [
        Mutation("a key demanded", _refused(401, 200)),
        Mutation("any key demanded, and ours refused", _refused(403)),
        Mutation("400 without User-Agent", _refused(400, 200)),
        Mutation("with samples of ours", then(candidate(declared=("channels",)), _refused(403))),
    ],
    "SM-INFER-INVOKE-05": [
        Mutation("decoded as UTF-8", _those("plain", 2, status=500, body_head="'utf-8' codec can't decode byte 0xf1")),
        Mutation("JSON not taken", _those("plain", 1, status=415, body_head="")),
    ],
    "SM-INFER-INVOKE-08": [
        Mutation(
            "parsed as key=value", _those("custom attributes", status=500, body_head="ValueError: too many values")
        ),
        Mutation(
            "and so with all headers", then(_those("custom attributes", status=400), _those("all headers", status=400))
        ),
    ],
    "SM-INFER-INVOKE-09": [
        Mutation("5 KB of JSON", _header('{"debug": "' + "x" * 5000 + '"}')),
        Mutation("UTF-8", _header("modèle-7", ATTRIBUTES.lower())),
    ],
}

KEEPS = {
    "SM-INFER-INVOKE-01": [
        Mutation(
            "201", servers(lambda one: replace(one, invocations=tuple(replace(i, status=201) for i in one.invocations)))
        ),
        Mutation(
            "headers in another order",
            servers(
                lambda one: replace(
                    one, invocations=tuple(replace(i, headers=i.headers[::-1]) for i in one.invocations)
                )
            ),
        ),
        Mutation("headers of a framework", _headers(*FRAMEWORK)),
        Mutation("503 of a server that has too much to do", busy(200, status=503)),
        Mutation(
            "a worker that is back soon",
            then(busy(200, status=502), servers(_back_soon)),
        ),
        Mutation("429 of a server that has too much to do", busy(200, status=429)),
        Mutation("a worker ended for want of time", busy(200, every=9, status=None, error="closed", seconds=30.2)),
    ],
    "SM-INFER-INVOKE-02": [Mutation("59 s", _late(59.0)), Mutation("a slow first one", _first(seconds=42.0))],
    "SM-INFER-INVOKE-03": [
        Mutation(
            "another body each time",
            servers(
                lambda one: replace(
                    one, invocations=tuple(replace(i, body_sha256=f"{n:064d}") for n, i in enumerate(one.invocations))
                )
            ),
        ),
        Mutation("a time that is the same twice", then(_those("extra headers", **OTHER), _timed_while_busy())),
        Mutation("503 now and then", then(_those("repeated", status=503), _those("extra headers", status=503))),
        Mutation("further headers in the answer", _header("1", "X-Request-Count")),
        Mutation(
            "packed where that was asked for",
            _those("extra headers", headers=(("Content-Type", "application/json"), ("Content-Encoding", "gzip"))),
        ),
    ],
    "SM-INFER-INVOKE-04": [Mutation("says that there is no key", servers(saying("no API key set: open to all")))],
    "SM-INFER-INVOKE-05": [
        Mutation("204 for one", _those("plain", 1, status=204, body_bytes=0)),
        Mutation("one type alone", then(candidate(requests=REQUESTS[:1]), _only_the_first_type)),
        Mutation("another type refused", _undeclared(415, "text/plain")),
        Mutation("another type breaks it", _undeclared(500, "text/plain")),
        Mutation("a charset refused", _undeclared(415, "text/csv; charset=utf-8")),
    ],
    "SM-INFER-INVOKE-08": [Mutation("given back in the body", _those("custom attributes", **OTHER))],
    "SM-INFER-INVOKE-09": [
        Mutation("1,024 characters", _header("a=b, " * 204 + "abcd")),
        Mutation("a long other header", _header("x" * 4000, "X-Debug")),
    ],
}
_ = (REQUESTS, fields)
