"""Bodies made from the declared requests: broken ones, one as big as the API allows, and parts of one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from sm_contract.candidate import Request
from sm_contract.scenarios.drawing import drawn

BIG = 6_291_456 - 1024  # bytes: what InvokeEndpoint has long let through, less one kilobyte
HUGE = 25 * 1024 * 1024 - 1024  # bytes: what newer pages say
PARTS = 4
DRAWN = 6  # for each content type
_SIZE = 600  # bytes that a drawn body has at most
_NOT_UTF8 = b"\xff\xfe\x00\x81\xc3\x28\xa0\xf5" * 8
_IMAGE = "image/"


@dataclass(frozen=True)
class Body:
    """A body of no declared request, and what it is."""

    what: str
    data: bytes
    broken: bool = False  # for certain: no reader of this content type can make sense of it


def kind(content_type: str) -> str:
    """A content type without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def malformed(request: Request) -> list[Body]:
    """What a client may send by mistake in the place of a request, the simplest first; always the same."""
    return list(_malformed(request))


def _malformed(request: Request) -> Iterator[Body]:
    json_like = kind(request.content_type).endswith(("json", "jsonlines"))
    document = json_like and not kind(request.content_type).endswith("lines")
    binary = kind(request.content_type).startswith(_IMAGE)
    yield Body("an empty body", b"")
    yield Body("a single brace", b"{", broken=json_like or binary)
    yield Body("half of the body", request.body[: len(request.body) // 2], broken=document and _ends(request.body))
    yield Body("bytes that are no UTF-8", _NOT_UTF8, broken=json_like or binary)
    if json_like:
        yield Body("null", b"null")
        yield Body("a number in the place of an object", b"1")
        yield Body("an empty object", b"{}")
        yield Body("lists in lists, 2,000 deep", b"[" * 2000, broken=True)
    else:
        yield Body("text in the place of numbers", b"one,two,three\n")
        yield Body("an HTML page", b"<!DOCTYPE html><html><body>504 Gateway Time-out</body></html>\n")
    yield Body("a line of 100,000 commas", b"," * 100_000 + b"\n", broken=json_like or binary)
    for number, data in enumerate(_changed(request.body), 1):
        yield Body(f"the body with random changes, number {number}", data)


def padded(request: Request, size: int) -> Body:
    """The request with what its format ignores behind it, as big as the API allows."""
    filler = b"\n" if request.content_type.startswith("text/") or kind(request.content_type).endswith("json") else b"\0"
    return Body(f"a body of {round(size / 1024 / 1024)} MB", request.body + filler * max(0, size - len(request.body)))


def parts(request: Request) -> list[Body]:
    """Requests for single rows of this one, where its format shows its rows."""
    lines = [line for line in request.body.splitlines() if line.strip()]
    found: list[bytes] = []
    if kind(request.content_type) in ("text/csv", "application/jsonlines", "application/x-jsonlines"):
        found = [line + b"\n" for line in lines]
    elif kind(request.content_type) == "application/json":
        found = [json.dumps(one).encode() for one in _elements(request.body)]
    found = list(dict.fromkeys(found))
    return [Body(f"row {number}", data) for number, data in enumerate(found[:PARTS], 1)] if len(found) > 1 else []


def _elements(body: bytes) -> list[object]:
    """The document once for each element of its longest list, which then holds that one alone."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return []
    if isinstance(content, list):
        return [[one] for one in content]
    lists = {name: value for name, value in content.items() if isinstance(value, list)} if _is_map(content) else {}
    if not lists:
        return []
    longest = max(lists, key=lambda name: len(lists[name]))
    return [{**content, longest: [one]} for one in lists[longest]]


def _is_map(content: object) -> bool:
    return isinstance(content, dict)


def _ends(body: bytes) -> bool:
    """Whether a document is one of which no beginning is a document, too."""
    return body.strip()[:1] in (b"{", b"[", b'"')


def _changed(body: bytes) -> list[bytes]:
    """The body with bytes left out, put in, repeated and replaced; the smallest first."""
    from hypothesis import strategies as st  # noqa: PLC0415  # heavy, and only wanted in a run

    start = body[:_SIZE]
    change = st.tuples(st.integers(0, len(start)), st.integers(0, 8), st.binary(max_size=8) | st.just(start[:40]))

    def carried_out(edits: list[tuple[int, int, bytes]]) -> bytes:
        data = start
        for at, left_out, put_in in edits:
            data = data[:at] + put_in + data[at + left_out :]
        return data

    bodies = drawn(st.lists(change, min_size=1, max_size=5).map(carried_out), DRAWN)
    return sorted((one for one in bodies if one != body), key=len)
