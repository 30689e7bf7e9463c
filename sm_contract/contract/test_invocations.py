"""Serving: POST /invocations, with the headers that InvokeEndpoint passes on and no others."""

from __future__ import annotations

from collections.abc import Sequence

from sm_contract.contract import roots
from sm_contract.contract.causes import STARTS, cause, refused, why_not
from sm_contract.contract.invoking import answering, faltering, lived, steady_else
from sm_contract.contract.readiness import NO_ROUTE, WANTS_A_KEY, plain, refusal, sent, steady
from sm_contract.contract.reading import limit, outcome, telling, within
from sm_contract.contract.timing import confirmed
from sm_contract.record import NOT_YET, Invocation, Life
from sm_contract.requirements import requirement
from sm_contract.verdict import NotTestable, Violation
from sm_contract.views import Serving

SIMPLE = ("serve.bare", "serve.full")
ATTRIBUTES = "x-amzn-sagemaker-custom-attributes"
MOST = 1024  # characters of it


@requirement("SM-INFER-INVOKE-01", runs=SIMPLE, rests_on=[*STARTS, "SM-INFER-RUN-03"], hidden_by=roots.SERVING)
def test_invocations_are_implemented(serving: Serving) -> None:
    """POST /invocations is implemented."""
    life = lived(serving)[0]
    one = plain(life)
    if found := faltering(serving):
        raise _falters(*found)
    if one is None or refusal(life) != "SM-INFER-INVOKE-01":
        if one is None:
            why_not(serving, "an invocation")
        return
    if not life.good and cause(serving):
        why_not(serving)
    if one.status in NO_ROUTE:
        fix = "register the route as exactly /invocations, for POST"
    elif "requests" in serving.candidate.declared:
        excuse = refused(serving, life)
        if isinstance(excuse, NotTestable) or excuse.by != "SM-INFER-INVOKE-01":
            raise excuse
        fix = "mend what the log shows; try the body with curl -X POST -H 'Content-Type: …' localhost:8080/invocations"
    elif one.status is not None:
        return  # without a payload of the owner's, only 404, 405 and 501 say that there is no such route
    else:
        raise refused(serving, life)
    raise Violation(
        expected="2xx for POST /invocations",
        observed=f"{outcome(one)} for request {one.request} ({one.content_type}){_waited(life, one)}, and no request "
        f"got a 2xx ({life.name})",
        fix=fix,
        because=f"the body says: {one.body_head[:120]}" if one.body_head else telling(life),
        evidence=[one, *[other for other in life.invocations if other.name == "plain" and other is not one][:3]],
    )


@requirement(
    "SM-INFER-INVOKE-02",
    runs=SIMPLE,
    rests_on=[*STARTS, "SM-INFER-RUN-03"],
    excused_without=("requests",),
    hidden_by=roots.SERVING,
    timed=True,
)
def test_invocations_are_answered_within_60_seconds(serving: Serving) -> None:
    """An invocation is completely answered within 60 s."""
    lives = lived(serving)
    if cause(serving):
        lives = [life for life in lives if life.good] or why_not(serving)
    for suspect in lives:
        life, late = confirmed(serving, suspect, _late, limit=limit(suspect, "invoke", 60))
        if late:
            slowest = max(late, key=lambda one: one.seconds)
            raise Violation(
                expected=f"every invocation answered to its last byte within {within(life, 'invoke', 60)}",
                observed=f"{slowest.seconds:.1f} s for request {slowest.request} ({slowest.content_type}): "
                f"{outcome(slowest)} ({life.name})",
                fix="make the prediction faster or the batch smaller; what takes longer belongs into an asynchronous "
                "endpoint or a batch job",
                because=telling(life) if life.log else "",
                evidence=list(late)[:3],
            )


@requirement("SM-INFER-INVOKE-03", runs=SIMPLE, rests_on=STARTS, hidden_by=roots.SERVING)
def test_unknown_headers_are_ignored(serving: Serving) -> None:
    """Unknown additional headers are ignored safely."""
    answering(serving)
    names = ["extra headers", "all headers"]
    compared = False
    for life in (life for life in lived(serving) if life.answered):
        reference = plain(life)
        assert reference is not None
        attributes = sent(life, "custom attributes")
        for name in names if attributes is None or attributes.ok else names[:1]:
            one = sent(life, name)
            compared = compared or one is not None
            if one is None or not _differs(life, one, reference):
                continue
            steady_else(serving, one)
            raise Violation(
                expected=f"the answer of the plain request ({outcome(reference)}), whatever other headers are there",
                observed=f"{outcome(one)} with {name}, {one.body_head[:80]!r} ({life.name})",
                fix="read the headers you know (Content-Type, Accept, X-Amzn-SageMaker-Custom-Attributes) and ignore "
                "all others; the platform adds some of its own",
                because="",
                evidence=[reference, one],
            )
    if not compared:
        raise NotTestable("no invocation with further headers was sent")


@requirement("SM-INFER-INVOKE-04", runs=SIMPLE, rests_on=[*STARTS, "SM-INFER-RUN-03"], hidden_by=roots.SERVING)
def test_no_other_header_is_needed(serving: Serving) -> None:
    """No request header is needed other than those of InvokeEndpoint."""
    life = lived(serving)[0]
    if life.answered:
        return
    if not life.good and cause(serving):
        why_not(serving)
    if refusal(life) != "SM-INFER-INVOKE-04":
        raise refused(serving, life)
    one, with_more = plain(life), sent(life, "usual client headers")
    assert one is not None
    helped = with_more is not None and with_more.ok
    raise Violation(
        expected="2xx with Content-Type, Accept, Content-Length and Host as the only headers",
        observed=f"{outcome(one)} with these"
        + (
            f", {outcome(with_more)} with Authorization, X-Api-Key, User-Agent and Cookie"
            if with_more and helped
            else ""
        )
        + f" ({life.name})",
        fix="ask for no key, token or cookie in the container: SageMaker checks the caller and strips such headers",
        because=f"the body says: {one.body_head[:120]}" if one.body_head else "",
        evidence=[one, *([with_more] if with_more else [])],
    )


@requirement("SM-INFER-INVOKE-05", runs=SIMPLE, rests_on=STARTS, excused_without=("requests",), hidden_by=roots.SERVING)
def test_every_declared_format_is_taken(serving: Serving) -> None:
    """The request body is taken as is, in the format named by Content-Type."""
    lives = lived(serving)
    if cause(serving) and not any(life.good for life in lives):
        why_not(serving)
    sent_there = [[one for one in life.invocations if one.name == "plain"] for life in lives]
    best = max(sent_there, key=lambda ones: sum(one.ok for one in ones))
    if not any(one.ok for one in best):
        raise refused(serving, lives[0])
    bad = [one for one in best if not one.ok and one.status not in WANTS_A_KEY and one.error != "timed out"]
    if bad:
        one = bad[0]
        steady_else(serving, one)
        facts = serving.candidate.requests[one.request : one.request + 1]
        binary = bool(facts) and not facts[0].text
        works = next(other for other in best if other.ok)
        raise Violation(
            expected="2xx for every declared request, its body read in the format that Content-Type names",
            observed=f"{outcome(one)} for request {one.request} ({one.content_type}); request {works.request} "
            f"({works.content_type}) is answered with {works.status}",
            fix="read the raw bytes of the body and choose the reader by Content-Type"
            + ("; do not decode a binary body as UTF-8" if binary else ""),
            because=f"the body says: {one.body_head[:120]}" if one.body_head else "",
            evidence=[one, works],
        )


@requirement("SM-INFER-INVOKE-08", runs=SIMPLE, rests_on=[*STARTS, "SM-INFER-INVOKE-03"], hidden_by=roots.SERVING)
def test_any_custom_attributes_are_tolerated(serving: Serving) -> None:
    """Any X-Amzn-SageMaker-Custom-Attributes of up to 1024 visible ASCII characters is tolerated."""
    answering(serving)
    tried = [(life, one) for life in lived(serving) if life.answered and (one := sent(life, "custom attributes"))]
    for life, one in tried:
        if not one.ok:
            steady_else(serving, one)
            raise Violation(
                expected=f"2xx with {MOST} characters of X-Amzn-SageMaker-Custom-Attributes: quotes, commas, ; and =",
                observed=f"{outcome(one)} with them, 2xx without ({life.name})",
                fix="take the header as an opaque string: ignore what you cannot parse, and allow headers of 1 KB",
                because=f"the body says: {one.body_head[:120]}" if one.body_head else telling(life),
                evidence=[one],
            )
    if not tried:
        raise NotTestable("no invocation with custom attributes was sent")


@requirement("SM-INFER-INVOKE-09", runs=SIMPLE, rests_on=STARTS, hidden_by=roots.SERVING)
def test_returned_custom_attributes_are_legal(serving: Serving) -> None:
    """A returned X-Amzn-SageMaker-Custom-Attributes is at most 1024 visible US-ASCII characters."""
    answers = [one for life in lived(serving) for one in life.invocations if one.status is not None]
    if not answers:
        why_not(serving, "an invocation")
    for one in answers:
        for name, value in one.headers:
            odd = next((character for character in value if not " " <= character <= "~"), "")
            if name.lower() == ATTRIBUTES and (odd or len(value) > MOST):
                raise Violation(
                    expected=f"at most {MOST} visible US-ASCII characters in {name}",
                    observed=f"{len(value)} characters, beginning with {value[:40]!r}"
                    + (f", among them {odd!r}" if odd else ""),
                    fix="put only a short ASCII string there (an id, a version); longer things belong into the body",
                    evidence=[one],
                )


def _waited(life: Life, one: Invocation) -> str:
    """How long a server was given that put the first request off."""
    whole = life.stop is not None and life.stop.at >= limit(life, "start", 480)
    return f" until {within(life, 'start', 480)} were over" if one.status in NOT_YET and whole else ""


def _falters(life: Life, bad: Sequence[Invocation]) -> Violation:
    """A request that was answered once, and later was not."""
    first = plain(life)
    assert first is not None
    sent_alike = [one for one in life.invocations if one.name in {other.name for other in bad}]
    return Violation(
        expected="2xx each time for a request that got it once",
        observed=f"{outcome(bad[0])} for request {first.request}, which had been answered with {first.status}; so for "
        f"{len(bad)} of {len(sent_alike)} that were sent again, one at a time ({life.name})",
        fix="look in the log for what runs out or is closed after the first requests: a session, file handles, a pool",
        because=f"the body says: {bad[0].body_head[:120]}" if bad[0].body_head else telling(life),
        evidence=[first, *bad[:3]],
    )


def _differs(life: Life, one: Invocation, reference: Invocation) -> bool:
    """Whether the status differs, or the body, where that is the same for the same request."""
    if one.status != reference.status:
        again = sent(life, "repeated", reference.request)
        return again is None or again.status == reference.status
    return one.body_sha256 != reference.body_sha256 and steady(life, reference)


def _late(life: Life) -> Sequence[Invocation]:
    most = limit(life, "invoke", 60)
    return [one for one in life.invocations if one.seconds > most or one.error == "timed out"]
