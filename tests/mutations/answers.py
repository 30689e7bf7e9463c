"""SM-INFER-INVOKE-…: what the answers are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from good_record import answer

from mutations import Change, Mutation, candidate, fields, life, saying, servers, then
from mutations.invocations import busy
from sm_contract.record import (
    AGAIN,
    ALONE,
    ANY_ACCEPT,
    BIG,
    HUGE,
    MALFORMED,
    NO_ACCEPT,
    PARALLEL,
    Invocation,
    Life,
    Record,
)

PROBED = "serve.probed"
H1 = "<!DOCTYPE html><html><body><h1>Bad Request</h1></body></html>"
PACKED = (
    ("Content-Type", "application/json"),
    ("Content-Encoding", "gzip"),
    ("Vary", "Accept-Encoding"),
    ("Content-Length", "41"),
)


NO_ERROR = '{"predictions": [], "error": {"code": 0}}'
CHUNKS = (("Content-Type", "application/json"), ("Transfer-Encoding", "chunked"))


NO_END = {"status": None, "error": "timed out", "seconds": 60.0, "headers": (), "body_head": ""}


def _length(bytes: int) -> tuple[str, str]:
    return ("Content-Length", str(bytes))


def _those(where: Callable[[Invocation], bool], **facts: object) -> Callable[[Life], Life]:
    """Some invocations of a life with other facts."""

    def change(one: Life) -> Life:
        return replace(one, invocations=tuple(replace(i, **facts) if where(i) else i for i in one.invocations))

    return change


def _named(*names: str) -> Callable[[Invocation], bool]:
    return lambda one: one.name in names


def _bad(what: str) -> Callable[[Invocation], bool]:
    return lambda one: one.name == MALFORMED and one.body_of == what


def _json(one: Invocation) -> bool:
    return one.reads_as == ("json",) and one.name != MALFORMED


def _typed(content_type: str, **facts: object) -> Change:
    """The JSON answers with another Content-Type; none, if it is empty."""
    headers = (("Content-Type", content_type),) if content_type else ()
    return servers(_those(_json, headers=headers, **facts))


def _probed(where: Callable[[Invocation], bool], **facts: object) -> Change:
    return life(PROBED, _those(where, **facts))


def _after(what: str, **facts: object) -> Callable[[Life], Life]:
    """Nothing goes on after a broken body of this kind but what is said."""

    def change(one: Life) -> Life:
        last = next(i for i in one.invocations if _bad(what)(i))
        kept = tuple(i for i in one.invocations if i.at <= last.at)
        pings = tuple(p for p in one.pings if p.at < last.at)
        return replace(one, invocations=kept, pings=pings, kill=None, **facts)  # type: ignore[arg-type]

    return change


def _gone(what: str) -> Change:
    """The broken body is the last thing it saw."""
    ended = _after(what, ended="itself", exit_code=1, stop=None)
    closed = _those(_bad(what), status=None, error="closed", headers=(), body_bytes=0, body_head="")
    log = saying("listening on 0.0.0.0:8080", "ValueError: could not convert string to float: '{'")
    return then(life(PROBED, ended), life(PROBED, closed), life(PROBED, log))


def _sick(status: int, invoked: int | None) -> Change:
    """It lives on after a broken body, and is not well."""

    def change(one: Life) -> Life:
        last = one.invocations[-1]
        pings = tuple(replace(one.pings[-1], at=last.at + n, status=status) for n in (1, 9))
        again = [replace(answer(AGAIN, 0, last.at + n, invoked)) for n in (2, 10)] if invoked else []
        return replace(one, pings=(*one.pings, *pings), invocations=(*one.invocations, *again))

    return then(life(PROBED, _after("a single brace")), life(PROBED, change))


def _swapped(record: Record) -> Record:
    """Requests sent at the same time get the answer to another one."""
    one = record.lives[PROBED]
    other = next(i for i in one.invocations if i.name == ALONE and i.request == 2)
    mixed = _those(
        lambda i: i.name == PARALLEL and i.request == 0, body_sha256=other.body_sha256, body_head=other.body_head
    )
    return replace(record, lives={**record.lives, PROBED: mixed(one)})


def _well_again_later(record: Record) -> Record:
    """A broken body ends a worker, and so the good request behind it fails until another is there."""
    one = record.lives[PROBED]
    at = next(n for n, i in enumerate(one.invocations) if i.name == MALFORMED and i.body_of == "a single brace")
    bad, well = one.invocations[at : at + 2]
    gone = {"status": 502, "body_head": "Bad Gateway"}
    meanwhile = replace(well, **gone, at=bad.at + 0.01)
    sent = (*one.invocations[:at], replace(bad, **gone), meanwhile, *one.invocations[at + 1 :])
    return replace(record, lives={**record.lives, PROBED: replace(one, invocations=sent)})


def _good_again_after_big() -> Change:
    """The request without the padding is answered right after it."""

    def change(one: Life) -> Life:
        after = next(i for i in one.invocations if i.name == AGAIN)
        again = replace(answer(AGAIN, 1, after.at), seconds=0.02)
        return replace(one, invocations=tuple(again if i is after else i for i in one.invocations))

    return life(PROBED, change)


def _huge(**changed: Any) -> Callable[[Life], Life]:
    """A body of 25 MB at the end of it all."""

    def sent(one: Life) -> Life:
        last = replace(one.invocations[-1], name=HUGE, at=one.seconds - 0.5, body_of="a body of 25 MB", **changed)
        return replace(one, invocations=(*one.invocations, last))

    return sent


BREAKS = {
    "SM-INFER-INVOKE-06": [
        Mutation("JSON as HTML", _typed("text/html; charset=utf-8")),
        Mutation("no Content-Type", _typed("")),
        Mutation(
            "CSV as JSON",
            servers(_those(lambda i: i.request == 1, headers=(("Content-Type", "application/json"),), reads_as=())),
        ),
        Mutation("JSON Lines as JSON", _typed("application/json", reads_as=("jsonlines",))),
    ],
    "SM-INFER-INVOKE-07": [
        Mutation("406 without Accept", _probed(_named(NO_ACCEPT), status=406, body_head="say what you accept")),
        Mutation("415 for */*", _probed(_named(ANY_ACCEPT), status=415)),
        Mutation(
            "JSON whatever is accepted",
            servers(
                _those(lambda i: i.request == 1, headers=(("Content-Type", "application/json"),), reads_as=("json",))
            ),
        ),
    ],
    "SM-INFER-INVOKE-10": [
        Mutation("200 with an error", _probed(_named(MALFORMED), status=200)),
        Mutation("200 for half a document", _probed(_bad("a single brace"), status=200, body_head="[0.5]")),
        Mutation(
            "200 with a list of errors for an empty one",
            _probed(_bad("an empty body"), status=200, body_head='{"errors": [{"title": "no rows"}]}'),
        ),
        Mutation(
            "200 with a traceback for an empty one",
            _probed(_bad("an empty body"), status=200, body_head="Traceback (most recent call last):"),
        ),
    ],
    "SM-INFER-INVOKE-11": [
        Mutation("ends the server", _gone("a single brace")),
        Mutation("ping is 500 from then on", _sick(500, None)),
        Mutation("every request fails from then on", _sick(200, 500)),
    ],
    "SM-INFER-INVOKE-12": [
        Mutation("413", _probed(_named(BIG), status=413, body_head="<h1>413 Request Entity Too Large</h1>")),
        Mutation("reset", _probed(_named(BIG), status=None, error="reset", body_head="")),
        Mutation("no end within the minute", then(_probed(_named(BIG), **NO_END), _good_again_after_big())),
        Mutation("broken off", _probed(_named(BIG), status=None, error="broken off", headers=(), body_head="")),
    ],
    "SM-INFER-INVOKE-13": [
        Mutation("the answer to another", _swapped),
        Mutation("500 for some", _probed(lambda i: i.name == PARALLEL and i.request == 1, status=500, body_head="")),
        Mutation("500 for every other one of several", busy(200, status=500, body_head="busy")),
        Mutation("some of several closed", busy(200, every=4, status=None, error="closed", headers=())),
        Mutation(
            "an answer of nobody", _probed(_named(PARALLEL), body_sha256="0" * 64, body_head='{"predictions": [7.1]}')
        ),
    ],
    "SM-INFER-INVOKE-14": [
        Mutation("characters counted", servers(_those(_json, extra_bytes=2))),
        Mutation("bytes behind the last chunk", servers(_those(_json, headers=CHUNKS, extra_bytes=13))),
        Mutation("chunks, and another length beside them", servers(_those(_json, headers=(*CHUNKS, _length(29))))),
        Mutation("two lengths", servers(_those(_json, headers=(*CHUNKS[:1], _length(22), _length(31))))),
        Mutation(
            "breaks off now and then",
            servers(_those(_named("repeated"), status=None, error="broken off", attributes_back=None)),
        ),
    ],
    "SM-INFER-INVOKE-15": [
        Mutation("dropped", servers(_those(_named("custom attributes", "all headers"), attributes_back=False))),
        Mutation(
            "others come back",
            servers(
                _those(
                    _named("custom attributes"),
                    attributes_back=False,
                    headers=(("Content-Type", "application/json"), ("X-Amzn-SageMaker-Custom-Attributes", "x=1")),
                )
            ),
        ),
    ],
    "SM-INFER-INVOKE-16": [
        Mutation("10 MB of masks", servers(_those(lambda i: i.request == 2, body_bytes=10_000_000, reads_as=None))),
        Mutation(
            "10 MB in chunks",
            servers(
                _those(
                    lambda i: i.request == 2,
                    body_bytes=10_000_000,
                    headers=(("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")),
                )
            ),
        ),
    ],
}

KEEPS = {
    "SM-INFER-INVOKE-06": [
        Mutation("with a charset", _typed("Application/JSON; charset=utf-8")),
        Mutation("a vendor's JSON", then(candidate(requests=()), _typed("application/vnd.acme+json", accept=""))),
        Mutation("bytes", then(candidate(requests=()), _typed("application/octet-stream", reads_as=(), accept=""))),
        Mutation("text", then(candidate(requests=()), _typed("text/plain", accept=""))),
        Mutation("an empty body without one", _typed("", body_bytes=0, body_head="")),
        Mutation("packed", servers(_those(_named("extra headers"), headers=PACKED, body_bytes=41))),
    ],
    "SM-INFER-INVOKE-07": [
        Mutation("parameters of Accept and Content-Type", _typed("application/json;verbose=true")),
        Mutation("empty answers", _probed(_named(NO_ACCEPT, ANY_ACCEPT), status=204, body_bytes=0)),
        Mutation("another default", _probed(_named(NO_ACCEPT), headers=(("Content-Type", "text/csv"),))),
    ],
    "SM-INFER-INVOKE-10": [
        Mutation("204 for an empty body", _probed(_bad("an empty body"), status=204, body_bytes=0, body_head="")),
        Mutation("500", _probed(_named(MALFORMED), status=500)),
        Mutation(
            "errors as a page", _probed(_named(MALFORMED), headers=(("Content-Type", "text/html"),), body_head=H1)
        ),
        Mutation("errors without Content-Type", _probed(_named(MALFORMED), headers=())),
        Mutation("closed without an answer", _probed(_named(MALFORMED), status=None, error="closed")),
        Mutation(
            "a prediction for an empty body",
            _probed(_bad("an empty body"), status=200, body_head='{"predictions": []}'),
        ),
        Mutation(
            "no prediction and no error",
            _probed(_bad("an empty body"), status=200, body_head='{"predictions": [], "error": null}'),
        ),
        Mutation(
            "a standard error beside the prediction",
            _probed(_bad("an empty body"), status=200, body_head='{"predictions": [], "error": 0.031}'),
        ),
        Mutation(
            "a standard error of each prediction",
            _probed(_bad("an empty body"), status=200, body_head='{"predictions": [1.5], "error": [0.25]}'),
        ),
        Mutation(
            "the key has a text in good answers, too",
            then(
                _probed(_bad("an empty body"), status=200, body_head=NO_ERROR),
                _probed(_named("plain"), body_head=NO_ERROR),
            ),
        ),
        Mutation("415", _probed(_named(MALFORMED), status=415, body_head=H1)),
        Mutation("503", _probed(_named(MALFORMED), status=503, body_head="")),
    ],
    "SM-INFER-INVOKE-11": [
        Mutation("a worker started again", _well_again_later),
        Mutation("tracebacks in the log", life(PROBED, saying("Traceback (most recent call last):", "ValueError: {"))),
    ],
    "SM-INFER-INVOKE-12": [
        Mutation("400 for so many rows", _probed(_named(BIG), status=400)),
        Mutation("500 for so big an answer", _probed(_named(BIG), status=500, body_head="response too large")),
        Mutation("25 MB refused", life(PROBED, _huge(status=413))),
        Mutation(
            "ends of 25 MB",
            then(
                life(PROBED, _huge(status=None, error="closed")),
                life(PROBED, fields(ended="itself", exit_code=137, stop=None)),
            ),
        ),
    ],
    "SM-INFER-INVOKE-13": [
        Mutation("503 for some", _probed(lambda i: i.name == PARALLEL and i.request == 1, status=503, body_sha256="1")),
        Mutation("503 for most", busy(200, every=1, status=503, body_head="busy")),
        Mutation("429 for some", busy(200, status=429)),
        Mutation(
            "in another order",
            life(PROBED, lambda one: replace(one, invocations=tuple(sorted(one.invocations, key=lambda i: i.name)))),
        ),
    ],
    "SM-INFER-INVOKE-14": [
        Mutation("in chunks", servers(_those(_json, headers=CHUNKS))),
        Mutation("the same length twice", servers(_those(_json, headers=(*CHUNKS[:1], _length(22), _length(22))))),
        Mutation(
            "as long as the connection",
            servers(_those(_json, headers=(("Content-Type", "application/json"), ("Connection", "close")))),
        ),
    ],
    "SM-INFER-INVOKE-15": [
        Mutation(
            "further headers",
            servers(
                _those(
                    _named("custom attributes"), headers=(("Content-Type", "application/json"), ("X-Request-Id", "7"))
                )
            ),
        )
    ],
    "SM-INFER-INVOKE-16": [
        Mutation("as big as allowed", servers(_those(lambda i: i.request == 2, body_bytes=6_291_456))),
        Mutation(
            "a stream",
            then(
                candidate(features=("streaming",)),
                servers(
                    _those(
                        lambda i: i.request == 2,
                        body_bytes=10_000_000,
                        headers=(("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")),
                    )
                ),
            ),
        ),
    ],
}
