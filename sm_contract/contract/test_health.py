"""Serving: health told honestly, and requests that the platform may send unasked."""

from __future__ import annotations

from sm_contract.contract import roots
from sm_contract.contract.causes import STARTS
from sm_contract.contract.invoking import PROBED, answering, cut_short, lived, probed
from sm_contract.contract.readiness import failed, plain
from sm_contract.contract.reading import limit, outcome, telling, within
from sm_contract.contract.timing import confirmed
from sm_contract.record import AFTER_KILL, AGAIN, ALONE, EARLY, Asked, Invocation, Life, Stop
from sm_contract.requirements import requirement
from sm_contract.verdict import NotApplicable, NotTestable, Violation
from sm_contract.views import Serving

SIMPLE = ("serve.bare", "serve.full")
SOON = 5  # seconds for the answer to an unasked request


@requirement("SM-INFER-PING-05", runs=SIMPLE, rests_on=STARTS, hidden_by=roots.SERVING)
def test_the_body_of_a_ping_is_empty(serving: Serving) -> None:
    """The body of a successful ping is empty."""
    for life in lived(serving):
        one = next((ping for ping in life.pings if ping.status == 200 and ping.body_head.strip()), None)
        if one is not None:
            raise Violation(
                expected="status 200 with nothing in the body (a line break does no harm)",
                observed=f"{one.body_bytes} bytes with status 200: {one.body_head!r} ({life.name})",
                fix="return an empty body: the status alone decides, and a body only warns",
                evidence=[one],
            )


@requirement("SM-INFER-PING-06", runs=SIMPLE, rests_on=STARTS, excused_without=("requests",), hidden_by=roots.SERVING)
def test_no_ping_is_good_before_invocations_are(serving: Serving) -> None:
    """No ping is 200 before `/invocations` can be served."""
    answering(serving)
    for life in lived(serving):
        early = next((one for one in life.invocations if one.name == EARLY), None)
        one = plain(life)
        if early is not None and one is not None and one.ok:
            raise Violation(
                expected="2xx for an invocation as soon as /ping is 200",
                observed=f"{outcome(early)} {early.at - (life.ready_at or 0):.1f} s after the first 200 of /ping, 2xx "
                f"after {one.at - (life.ready_at or 0):.1f} s ({life.name})",
                fix="answer /ping with 503 until the model is loaded: requests come from the first 200 on",
                because=f"the body says: {early.body_head[:120]}" if early.body_head else "",
                evidence=[early, one],
            )


@requirement(
    "SM-INFER-PING-07",
    runs=[*SIMPLE, "serve.empty"],
    rests_on=[*STARTS, "SM-INFER-MODEL-01"],
    hidden_by=roots.SERVING,
)
def test_no_ping_is_good_without_the_model(serving: Serving) -> None:
    """Ping is not 200 when the model artifact is missing or unusable."""
    if serving.model.source == "none":
        raise NotApplicable("no model artifact is supplied")
    answering(serving)
    empty = serving.life("serve.empty")
    one = plain(empty)
    if empty.ready_at is not None and one is not None and not one.ok:
        raise Violation(
            expected="no 200 for /ping, or the end of the container, with /opt/ml/model empty",
            observed=f"200 for /ping, and {outcome(one)} for an invocation ({empty.name})",
            fix="load the model before the first 200; where it cannot be loaded, answer /ping with 503, or let the "
            "container end",
            because=f"the body says: {one.body_head[:120]}" if one.body_head else telling(empty),
            evidence=[*[ping for ping in empty.pings if ping.status == 200][:1], one],
        )


@requirement("SM-INFER-PING-09", runs=[PROBED], rests_on=STARTS, hidden_by=(*roots.SERVING, *roots.PROBES))
def test_no_ping_is_good_once_it_has_broken_down(serving: Serving) -> None:
    """Ping turns non-200, or the process exits, when the serving process has broken down."""
    life = _killed(serving)
    if _recovered(life) or life.ended == "itself":
        return
    last = life.pings[-1]
    tried = [one for one in life.invocations if one.name == AFTER_KILL]
    if last.status == 200 and tried:
        raise Violation(
            expected="invocations answered again, or no 200 for /ping, or the end of the container",
            observed=f"{tried[-1].at - _at(life):.0f} s after {_victim(life)} was killed /ping is still 200, and an "
            f"invocation gets {outcome(tried[-1])} ({life.name})",
            fix="let /ping ask the process that answers invocations, or start that again when it is gone",
            because=telling(life),
            evidence=[last, tried[-1]],
        )


@requirement(
    "SM-PRIV-INIT-01",
    runs=[PROBED],
    rests_on=[*STARTS, "SM-INFER-PING-09"],
    hidden_by=(*roots.SERVING, *roots.PROBES),
)
def test_the_first_process_copes_alone(serving: Serving) -> None:
    """PID 1 copes without an init process: it reaps children, passes signals on, ends when its essential child ends."""
    life = _looked_into(serving)
    if life.kill is not None and life.kill.left_zombies:
        raise Violation(
            expected="each child waited for when it has ended",
            observed=f"{life.kill.zombies} children of the first process had ended and it had not waited for them "
            f"({life.name})",
            fix="wait for what you start (subprocess.run, or Popen and wait()), or let tini be the first process: "
            'ENTRYPOINT ["tini", "--", "serve"]',
            because="each keeps its process number; no more can be started when those run out",
            evidence=[life.kill],
        )
    life = _killed(serving)
    last = life.pings[-1]
    well_by_ping = last.status == 200 and any(one.name == AFTER_KILL for one in life.invocations)  # SM-INFER-PING-09
    if not _recovered(life) and life.ended != "itself" and not well_by_ping:
        raise Violation(
            expected="a container that ends, or is well again, when the process that it needs has ended",
            observed=f"{last.at - _at(life):.0f} s after {_victim(life)} was killed the container still runs, and a "
            f"ping gets {outcome(last)} ({life.name})",
            fix="start the server with exec, or wait for it and end with it: server & wait $!; exit $?",
            because=telling(life),
            evidence=[life.kill, last],
        )


@requirement(
    "SM-INFER-PING-10",
    runs=[PROBED],
    rests_on=[*STARTS, "SM-INFER-PING-04"],
    hidden_by=(*roots.SERVING, "SM-INFER-NET-03"),
)
def test_ping_takes_post(serving: Serving) -> None:
    """`POST /ping` is accepted as well."""
    life = probed(serving)
    for one in _asked(life, "POST /ping"):
        if one.status is None or one.status >= 500 or not one.ping_ok:
            raise Violation(
                expected="a status below 500 for POST /ping (405 will do), and a healthy server afterwards",
                observed=f"{outcome(one)} for POST /ping{_then(one)} ({life.name})",
                fix="give /ping both methods, or let the framework answer 405",
                because=f"the body says: {one.body_head}" if one.body_head else telling(life),
                evidence=[one],
            )


@requirement(
    "SM-INFER-METRICS-01",
    runs=[PROBED],
    rests_on=[*STARTS, "SM-INFER-PING-04"],
    hidden_by=(*roots.SERVING, "SM-INFER-NET-03", "SM-INFER-PING-10"),
)
def test_metrics_do_no_harm(serving: Serving) -> None:
    """An unasked `GET /metrics` does no harm."""
    life = probed(serving)
    for one in _asked(life, "GET /metrics"):
        if not one.ping_ok or one.error == "timed out":
            raise Violation(
                expected=f"any status for GET /metrics within {SOON} s, and 200 for the next ping",
                observed=f"{outcome(one)} for GET /metrics{_then(one)} ({life.name})",
                fix="answer routes that are not there with 404, and keep a fault of one request away from the others",
                because=telling(life),
                evidence=[one],
            )


@requirement("SM-INFER-NET-03", runs=[PROBED], rests_on=STARTS, hidden_by=roots.SERVING)
def test_any_host_will_do(serving: Serving) -> None:
    """The server answers whatever the `Host` header says."""
    life = probed(serving)
    for one in _asked(life, "for Host"):
        if one.status is None or not 200 <= one.status < 300:
            if failed(one) and (after := _next_plain(life, one)) and failed(after):
                raise NotTestable(
                    f"{outcome(one)} for {one.what}, and {outcome(after)} for the usual Host behind it ({life.name})",
                    evidence=[one, after],
                )
            raise Violation(
                expected="the same answers whatever the Host header says",
                observed=f"{outcome(one)} for {one.what}, 2xx for Host model.aws.local:8080 ({life.name})",
                fix="let the framework take any host (Django: ALLOWED_HOSTS = ['*']; Starlette: no "
                "TrustedHostMiddleware): the platform's names and addresses are not promised",
                because=f"the body says: {one.body_head}" if one.body_head else "",
                evidence=[one],
            )


@requirement(
    "SM-INFER-STOP-02",
    runs=SIMPLE,
    rests_on=[*STARTS, "SM-INFER-INVOKE-02", "SM-INFER-RUN-03", "SM-INFER-STOP-01"],
    hidden_by=roots.SERVING,
    timed=True,
)
def test_it_ends_within_thirty_seconds_of_sigterm(serving: Serving) -> None:
    """The server exits within 30 s of SIGTERM, so that SIGKILL is not needed."""
    lives = [life for life in lived(serving) if life.stop is not None]
    if not lives:
        raise NotTestable("no healthy server was stopped")
    for suspect in lives:
        life, late = confirmed(serving, suspect, _killed_in_the_end, limit=limit(suspect, "stop", 30))
        for stop in late:
            listeners = stop.listeners or ()
            why = ""
            if any(one.ignores_sigterm for one in listeners):
                why = ", since it ignores the signal,"
            elif any(one.pid_one and one.catches_sigterm is False for one in listeners):
                why = ", since the kernel drops a signal for which the first process has no handler,"
            raise Violation(
                expected=f"the end of the container within {within(life, 'stop', 30)} of SIGTERM, whatever the code",
                observed=f"it was still there{why} and had to be killed ({life.name})",
                fix="install a handler of SIGTERM: take no more connections, finish what is open, and exit",
                because=telling(life),
                evidence=[stop],
            )


# --- what was seen ------------------------------------------------------------------------------------


def _killed_in_the_end(life: Life) -> list[Stop]:
    return [life.stop] if life.stop is not None and life.stop.killed else []


def _looked_into(serving: Serving) -> Life:
    """The life of odd requests, come so far that its processes were looked at."""
    answering(serving)
    life = probed(serving)
    if life.kill is None:
        if serving.record.engine.get("inside") != "yes":
            raise NotTestable("needs root on a local Linux engine: a process inside has to be killed")
        cut_short(life, "a child was to be killed")
    return life


def _killed(serving: Serving) -> Life:
    """The life in which the biggest child was killed."""
    life = _looked_into(serving)
    assert life.kill is not None
    if not life.kill.victim:
        raise NotApplicable("the first process serves by itself: it has no child that could be killed")
    return life


def _asked(life: Life, what: str) -> list[Asked]:
    found = [one for one in life.asked if what in one.what]
    if not found:
        cut_short(life, what)
    return found


def _next_plain(life: Life, asked: Asked) -> Invocation | None:
    """The next good request as it is."""
    return next((one for one in life.invocations if one.at > asked.at and one.name in (ALONE, AGAIN)), None)


def _recovered(life: Life) -> bool:
    return any(one.name == AFTER_KILL and one.ok for one in life.invocations)


def _victim(life: Life) -> str:
    assert life.kill is not None
    return life.kill.victim[:60]


def _at(life: Life) -> float:
    assert life.kill is not None
    return life.kill.at


def _then(one: Asked) -> str:
    return "" if one.ping_ok else ", and the ping behind it was not answered with 200 in time"
