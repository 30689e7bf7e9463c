"""Serving: what the answers are, to good requests and to bad ones."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sm_contract import changes
from sm_contract.contract import roots
from sm_contract.contract.causes import STARTS
from sm_contract.contract.invoking import PROBED, answering, cut_short, faltering, lived, probed
from sm_contract.contract.readiness import PROMPT, failed, plain, sent, steady
from sm_contract.contract.reading import ending, error_line, outcome, says
from sm_contract.record import (
    AFTERWARDS,
    AGAIN,
    ALONE,
    ANY_ACCEPT,
    BIG,
    BUSY,
    MALFORMED,
    NO_ACCEPT,
    PARALLEL,
    Invocation,
    Life,
    Ping,
)
from sm_contract.requirements import requirement
from sm_contract.verdict import Blocked, NotApplicable, NotTestable, Violation
from sm_contract.views import Serving

SIMPLE = ("serve.bare", "serve.full")
CHANCE = 0.05  # at most that none fails by itself of what fails now and then whatever comes beside it
MOST = 6_291_456  # bytes of a body that InvokeEndpoint lets through
ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
SAYS_ERROR = re.compile(  # a key that holds a text or an object (a number may be a standard error), or first words
    r'"(errors?|exception|traceback)"\s*:\s*(true\b|(\[\s*)*("(?!")|\{(?!\s*\})))'
    r"|^\s*(error:|traceback \(most recent)",
    re.IGNORECASE,
)


@requirement("SM-INFER-INVOKE-06", runs=SIMPLE, rests_on=[*STARTS, "SM-INFER-INVOKE-14"], hidden_by=roots.SERVING)
def test_content_type_describes_the_body(serving: Serving) -> None:
    """The response has a Content-Type that describes its body."""
    answering(serving)
    for life in lived(serving):
        for one in life.invocations:
            if one.ok and one.body_bytes and (wrong := _misdescribed(one)):
                raise Violation(
                    expected="a Content-Type that says what the body of the answer is",
                    observed=f"{wrong}: {one.body_head[:60]!r} for request {one.request} ({life.name})",
                    fix="set the header where the body is made: application/json, text/csv or application/jsonlines "
                    "(many frameworks say text/html where nothing is set)",
                    evidence=[one],
                )


@requirement(
    "SM-INFER-INVOKE-07",
    runs=[*SIMPLE, PROBED],
    rests_on=[*STARTS, "SM-INFER-INVOKE-06"],
    hidden_by=roots.SERVING,
)
def test_accept_is_honoured(serving: Serving) -> None:
    """Accept is honoured, and a missing or `*/*` Accept means the default."""
    answering(serving)
    for life in lived(serving):
        for one in (one for one in life.invocations if one.name == "plain" and one.ok and one.body_bytes):
            wanted, got = _wanted(serving, one), _kind(_header(one, "content-type"))
            if wanted and got and got != wanted:
                raise Violation(
                    expected=f"an answer in {wanted}, or a status like 406",
                    observed=f"an answer in {got} to Accept: {one.accept or '(none)'}, for request {one.request} "
                    f"({life.name})",
                    fix="choose the format of the answer by Accept, and refuse with 406 what cannot be written; if "
                    "another one is meant, declare it as expect_content_type",
                    evidence=[one],
                )
    life = probed(serving)
    for one in life.invocations:
        if one.name in (NO_ACCEPT, ANY_ACCEPT) and not one.ok:
            how = "without Accept" if one.name == NO_ACCEPT else "with Accept: */*"
            raise Violation(
                expected="2xx, with the answer in the default format",
                observed=f"{outcome(one)} {how} for request {one.request} ({one.content_type}), 2xx with "
                f"Accept: {_accepted(life, one)} ({life.name})",
                fix="take a missing Accept, and one of */*, as the default format",
                because=_body_says(one),
                evidence=[one],
            )


@requirement("SM-INFER-INVOKE-10", runs=[PROBED], rests_on=STARTS, hidden_by=(*roots.SERVING, *roots.PROBES))
def test_failures_have_a_status_of_their_own(serving: Serving) -> None:
    """Failures are signalled by a 4xx or 5xx status."""
    answering(serving)
    life = probed(serving)
    tried = _malformed(life)
    normal = any(_tells_an_error(one) for one in life.invocations if one.name == "plain" and one.ok)
    for one in tried:
        if one.ok and (one.broken or (_tells_an_error(one) and not normal)):
            raise Violation(
                expected="a status of 400 or more where no prediction can be made",
                observed=f"{outcome(one)} for {one.body_of} as {one.content_type}, with the body "
                f"{one.body_head[:80]!r} ({life.name})",
                fix="answer what cannot be read with 400, and what went wrong inside with 500: a client takes 2xx "
                "for a prediction",
                evidence=[one],
            )


@requirement("SM-INFER-INVOKE-11", runs=[PROBED], rests_on=STARTS, hidden_by=(*roots.SERVING, *roots.PROBES))
def test_bad_input_does_no_damage(serving: Serving) -> None:
    """Bad input does not damage the server."""
    answering(serving)
    life = probed(serving)
    _malformed(life)
    last = life.harm
    if last is None:
        return
    after: list[Ping | Invocation] = [ping for ping in life.pings if ping.at > last.at]
    after += [one for one in life.invocations if one.name == AGAIN and one.at > last.at]
    seen = f"the container {ending(life)}" if life.ended == "itself" else ""
    if not seen:
        bad = after[-1] if after else last
        what = "a ping" if isinstance(bad, Ping) else "a good request"
        seen = f"{outcome(bad)} for {what} afterwards, for {bad.at - last.at:.0f} s"
    line = error_line(life)
    smallest = _smallest_harm(serving)
    raise Violation(
        expected="200 for a ping and 2xx for a good request after any bad one",
        observed=f"{outcome(last)} for {last.body_of} as {last.content_type}; then {seen} ({life.name})"
        + (f"; the same with {smallest.body_of}" if smallest else ""),
        fix="catch what reading the body may raise, and answer with 400",
        because=says(line) if line is not None else "",
        evidence=[*([smallest] if smallest else []), last, *after[-2:], life, *([line] if line else [])],
    )


@requirement("SM-INFER-INVOKE-12", runs=[PROBED], rests_on=STARTS, hidden_by=(*roots.SERVING, *roots.PROBES))
def test_a_body_as_big_as_allowed_is_let_in(serving: Serving) -> None:
    """The front end does not reject bodies that the API allows (6,291,456 bytes)."""
    answering(serving)
    life = probed(serving)
    one = next((one for one in life.invocations if one.name == BIG), None)
    if one is None:
        cut_short(life, "a big body was to be sent")
    hangs = _hangs_for_its_size(life, one)
    if one.error == "timed out" and not hangs:
        raise NotTestable(
            f'accept_not_testable = ["SM-INFER-INVOKE-12"], if its prediction takes so long: {outcome(one)} for '
            f"{one.body_of} ({one.content_type}, {life.name}), and whether it was let in cannot be told",
            evidence=[one],
        )
    if hangs or one.status == 413 or one.error in ("reset", "closed", "broken off"):
        raise Violation(
            expected="a body of 6 MB let in: InvokeEndpoint allows 6,291,456 bytes",
            observed=f"{outcome(one)} for {one.body_of} ({one.content_type}, {life.name})"
            + ("; without the blanks behind it the same is answered at once, before and afterwards" if hangs else ""),
            fix="raise the limit of the front end (nginx: client_max_body_size 25m; Flask: MAX_CONTENT_LENGTH; "
            "TorchServe: max_request_size)",
            because=_body_says(one),
            evidence=[one],
        )


@requirement(
    "SM-INFER-INVOKE-13",
    runs=[*SIMPLE, PROBED],
    rests_on=[*STARTS, "SM-INFER-NET-02"],
    hidden_by=(*roots.SERVING, *roots.PROBES),
)
def test_answers_are_not_mixed_up(serving: Serving) -> None:
    """Parallel invocations each get their own correct answer."""
    answering(serving)
    if faltering(serving):
        raise Blocked("SM-INFER-INVOKE-01")
    if serving.candidate.concurrency > 1 and (found := _fails_beside_others(serving)):
        raise _of_concurrency(serving, *found)
    life = probed(serving)
    alone = {(one.request, one.body_of): one for one in life.invocations if one.name == ALONE}
    tried = [one for one in life.invocations if one.name == PARALLEL]
    if serving.candidate.concurrency < 2:
        if "concurrency" in serving.candidate.declared:
            raise NotApplicable("as declared, it takes one invocation at a time")
        raise NotTestable("declare concurrency = 2 or more, or 1 if it takes one invocation at a time")
    if not alone:
        cut_short(life, "different requests were to be sent at the same time")
    if not tried:
        raise NotTestable(
            "declare [[inference.requests]] with two that have different answers, the same each time: what was sent "
            f"at the same time could not be told apart ({life.name})"
        )
    if bad := [one for one in tried if failed(one)]:
        raise _of_concurrency(serving, life, tried, bad)
    of_another = {one.body_sha256: f"the answer to {_name(one)}" for one in alone.values()}
    wrong = [one for one in tried if one.ok and one.body_sha256 != alone[one.request, one.body_of].body_sha256]
    for one in sorted(wrong, key=lambda one: one.body_sha256 not in of_another):
        right = alone[one.request, one.body_of]
        if one.body_sha256 not in of_another and not _steady(serving):
            raise NotTestable(
                "declare [[inference.requests]] whose answers are the same each time, also when several are open: "
                f"these differ then, and whose they are cannot be told ({life.name})",
                evidence=[right, one],
            )
        raise Violation(
            expected="for each request the answer that it gets by itself",
            observed=f"{_name(one)} got {of_another.get(one.body_sha256, 'another answer')}, "
            f"{one.body_head[:60]!r} and not {right.body_head[:60]!r}, while others were under way ({life.name})",
            fix="keep nothing of a request in a global or on the model object: use local variables, or a lock",
            evidence=[right, one],
        )


@requirement(
    "SM-INFER-INVOKE-14",
    runs=SIMPLE,
    rests_on=[*STARTS, "SM-INFER-INVOKE-01", "SM-INFER-INVOKE-05"],
    hidden_by=roots.SERVING,
)
def test_answers_are_framed(serving: Serving) -> None:
    """Responses are completely and correctly framed."""
    answering(serving)
    for life in lived(serving):
        for one in life.invocations:
            if seen := _misframed(one):
                raise Violation(
                    expected="an answer as long as its Content-Length says, or whole chunks",
                    observed=f"{seen} for request {one.request}, {one.name} ({life.name})",
                    fix=_framed_better(one),
                    evidence=[one],
                )


@requirement("SM-INFER-INVOKE-15", runs=SIMPLE, rests_on=[*STARTS, "SM-INFER-INVOKE-08"], hidden_by=roots.SERVING)
def test_custom_attributes_reach_the_model_code(serving: Serving) -> None:
    """A proxy or adapter in the image passes all `X-Amzn-SageMaker-*` headers to the model code and back."""
    if not serving.candidate.echoes_custom_attributes:
        raise NotApplicable(
            "only a model that gives back the custom attributes shows it; declare [inference] "
            "echoes_custom_attributes = true if yours does"
        )
    answering(serving)
    tried = [(life, one) for life in lived(serving) if (one := sent(life, "custom attributes")) and one.ok]
    if not tried:
        raise NotTestable("no invocation with custom attributes was answered with 2xx")
    for life, one in tried:
        if not one.attributes_back:
            came = _header(one, ATTRIBUTES.lower())
            raise Violation(
                expected=f"{ATTRIBUTES} back as it was sent, since the model code returns it",
                observed=f"{f'{came[:60]!r} came back' if came else 'it did not come back'} ({life.name})",
                fix="let what stands before the model code (proxy, adapter, framework) pass on every "
                "X-Amzn-SageMaker-* header, in both directions",
                evidence=[one],
            )


@requirement("SM-INFER-INVOKE-16", runs=SIMPLE, rests_on=STARTS, hidden_by=roots.SERVING)
def test_answers_fit_the_limit_of_the_api(serving: Serving) -> None:
    """A response that is not streamed fits the API body limit (6,291,456 bytes)."""
    answering(serving)
    streams = "streaming" in serving.candidate.features
    answers = [(one, life) for life in lived(serving) for one in life.invocations if one.ok]
    whole = [(one, life) for one, life in answers if not (streams and _header(one, "transfer-encoding"))]
    if not whole:
        raise NotApplicable("every answer is streamed")
    biggest, life = max(whole, key=lambda pair: pair[0].body_bytes)
    if biggest.body_bytes > MOST:
        raise Violation(
            expected=f"at most {MOST:,} bytes in an answer that is not streamed",
            observed=f"{biggest.body_bytes:,} bytes for request {biggest.request} in {life.name}",
            fix="answer with less, or with the place of an object in S3; or stream it and declare "
            'features = ["streaming"]',
            evidence=[biggest],
        )


# --- what was seen ------------------------------------------------------------------------------------


def _malformed(life: Life) -> list[Invocation]:
    found = [one for one in life.invocations if one.name == MALFORMED]
    if not found:
        cut_short(life, "a broken body was to be sent")
    return found


def _hangs_for_its_size(life: Life, big: Invocation) -> bool:
    """Whether a body got no answer for nothing but blanks: without them the same is answered at once, also behind it.

    So it is no matter of how long a prediction takes, nor of a busy machine.
    """
    before = plain(life, big.request)
    after = next((one for one in life.invocations if one.name == AGAIN and one.at > big.at), None)
    ignores_blanks = _kind(big.content_type).endswith("json")
    if big.error != "timed out" or big.seconds < PROMPT or not ignores_blanks or before is None or after is None:
        return False
    return after.request == big.request and all(one.ok and one.seconds < big.seconds / 10 for one in (before, after))


def _smallest_harm(serving: Serving) -> Invocation | None:
    """The smallest part of a malformed body that did harm as the whole did."""
    lives = [life for life in serving.lives.values() if life.change.startswith(changes.SMALLER_BODY)]
    found = [life.harm for life in lives if life.harm is not None]
    return found[-1] if found else None


def _misdescribed(one: Invocation) -> str:
    """What the Content-Type of an answer says, and the body is not; "" if they agree."""
    said = _kind(_header(one, "content-type"))
    if not said:
        return "no Content-Type"
    if one.reads_as is None:
        return ""
    structured = one.body_head.lstrip()[:1] in ("{", "[")
    forms = {"json": "JSON" if structured else "a value", "jsonlines": "JSON Lines", "markup": "markup"}
    is_really = next((forms[form] for form in one.reads_as), "neither JSON nor markup")
    if said == "application/json" or said.endswith("+json"):
        wrong = "json" not in one.reads_as
    elif said.endswith(("jsonlines", "ndjson", "jsonl")):
        wrong = "jsonlines" not in one.reads_as
    elif said == "text/csv":
        wrong = structured and "json" in one.reads_as
    else:
        wrong = said in ("text/html", "application/xml", "text/xml") and "markup" not in one.reads_as
    return f"Content-Type is {said}, and the body is {is_really}" if wrong else ""


def _fails_beside_others(serving: Serving) -> tuple[Life, list[Invocation], list[Invocation]] | None:
    """A life in which invocations failed beside others and never by themselves: all of the former, and the bad."""
    for life in lived(serving):
        busy = [one for one in life.invocations if one.name == BUSY]
        alone = [one for one in life.invocations if one.name == AFTERWARDS]
        bad = [one for one in busy if failed(one)]
        if not bad or life.ended == "itself" or life.hit_limits or not any(one.ok for one in alone):
            continue
        if (1 - len(bad) / len(busy)) ** len(alone) < CHANCE:
            return life, busy, bad
        raise NotTestable(
            f"{len(bad)} of {len(busy)} invocations failed while others were under way, and too few were sent by "
            f"themselves to tell whether it is for the others: {outcome(bad[0])} ({life.name})",
            evidence=bad[:3],
        )
    return None


def _of_concurrency(serving: Serving, life: Life, tried: Sequence[Invocation], bad: Sequence[Invocation]) -> Violation:
    one = bad[0]
    return Violation(
        expected=f"2xx, or 429, 502 to 504 of a server that has too much to do, with several invocations at once "
        f"(declared are {serving.candidate.concurrency})",
        observed=f"{len(bad)} of {len(tried)} failed while others were under way, and by itself it is answered: "
        f"{outcome(one)} for {_name(one)} ({life.name})",
        fix="let requests that come meanwhile wait for their turn (a lock, a queue), or declare how many it takes: "
        "concurrency = 1",
        because=_body_says(one),
        evidence=list(bad[:3]),
    )


def _misframed(one: Invocation) -> str:
    """What is wrong with the length that an answer has by its headers; "" if nothing is."""
    lengths = [value.strip() for key, value in one.headers if key.lower() == "content-length"]
    if one.error == "broken off":
        return outcome(one)
    if one.extra_bytes:
        end = "the last chunk" if _chunked(one) else f"the {' and '.join(lengths)} of Content-Length"
        return f"{one.extra_bytes} more bytes behind {end}"
    if len(set(lengths)) > 1:
        return f"several Content-Length headers, {' and '.join(lengths)}, and {one.body_bytes} bytes"
    if lengths and _chunked(one) and lengths[0] != str(one.body_bytes):
        return f"chunks of {one.body_bytes} bytes, and a Content-Length of {lengths[0]} beside them"
    return ""


def _framed_better(one: Invocation) -> str:
    if one.error:
        return (
            "send all that the header promises (bytes, not characters); let no exception end an answer that has begun"
        )
    if _chunked(one):
        return "let one place alone frame the answer: the server or the framework, and nothing by hand"
    return "count the bytes of the encoded body, not the characters of the text; a client cuts the rest off"


def _chunked(one: Invocation) -> bool:
    return "chunked" in _header(one, "transfer-encoding").lower()


def _steady(serving: Serving) -> bool:
    """Whether the same request, sent several times at once, got the same body each time."""
    firsts = [(life, plain(life)) for life in lived(serving)]
    return all(steady(life, first) for life, first in firsts if first is not None and first.ok)


def _tells_an_error(one: Invocation) -> bool:
    return SAYS_ERROR.search(one.body_head) is not None


def _wanted(serving: Serving, one: Invocation) -> str:
    """The content type that an answer should have: as declared, else the one that Accept names, if it names one."""
    facts = serving.candidate.requests[one.request : one.request + 1]
    declared = facts[0].expect_content_type if facts else ""
    open_ = "*" in one.accept or "," in one.accept
    return _kind(declared or ("" if open_ else one.accept))


def _accepted(life: Life, one: Invocation) -> str:
    first = plain(life, one.request)
    return (first.accept if first is not None else "") or "(none)"


def _header(one: Invocation, name: str) -> str:
    return next((value for key, value in one.headers if key.lower() == name), "")


def _kind(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _name(one: Invocation) -> str:
    return f"request {one.request}" + (f", {one.body_of}" if one.body_of else "")


def _body_says(one: Invocation) -> str:
    return f"the body says: {one.body_head[:120]}" if one.body_head else ""
