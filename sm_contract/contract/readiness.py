"""Why a server never became healthy, or refused what it was sent: one requirement for each way of it."""

from __future__ import annotations

from sm_contract.contract.reading import limit
from sm_contract.record import AFTERWARDS, BUSY, NOT_YET, Asked, Invocation, Life, Listener, Ping

WANTS_A_KEY = (401, 403, 407, 511)
NO_ROUTE = (404, 405, 501)
PROMPT = 10.0  # seconds: what took longer to fail may have run out of time on a busy machine


def stuck(life: Life) -> str:  # noqa: PLR0911  # a decision list reads best as one
    """The requirement that a server broke that was never healthy in this life."""
    if life.start_error or (life.ended == "itself" and life.exit_code != 0):
        return "SM-INFER-RUN-01"
    if life.ended == "itself":
        return "SM-INFER-RUN-03"
    if life.ended not in ("stopped", "killed"):
        return ""
    limit_of_ping = limit(life, "ping", 2)
    first_good = next((n for n, ping in enumerate(life.pings) if ping.ok(limit_of_ping)), None)
    if first_good is not None:
        faults = [ping for ping in life.pings[first_good:] if not ping.ok(limit_of_ping)]
        if not faults:
            return "SM-INFER-PING-03"  # the window ended before it was healthy for good
        return "SM-INFER-PING-02" if all(slow(ping, life) for ping in faults) else "SM-INFER-PING-04"
    last = life.pings[-1] if life.pings else None
    if last is not None and slow(last, life):
        return "SM-INFER-PING-02"
    if no_http(life):
        return "SM-INFER-NET-04"
    if last is not None and last.status is not None:
        return "SM-INFER-PING-03" if last.status >= 500 else "SM-INFER-PING-01"
    if life.listeners is not None and not outward(life) and elsewhere(life):
        return "SM-INFER-NET-01"
    return "SM-INFER-PING-03"


def slow(ping: Ping, life: Life) -> bool:
    """Whether a ping was accepted, and answered too late or never."""
    if ping.error == "timed out":
        return ping.connect_seconds is not None
    return ping.status == 200 and ping.seconds > limit(life, "ping", 2)


def ping_failed(ping: Ping, life: Life) -> bool:
    """Whether a ping got no whole answer with 200, for another reason than time."""
    return not ping.ok(limit(life, "ping", 2)) and not slow(ping, life)


def no_http(life: Life) -> bool:
    """Whether port 8080 takes connections and gives no HTTP status line for a plain request."""
    last = life.pings[-1] if life.pings else None
    if last is None or last.connect_seconds is None:
        return False
    if life.first_bytes:
        return not life.first_bytes.startswith("HTTP/") or "plain HTTP" in life.first_bytes
    if last.error == "not HTTP":
        return True
    return last.error in ("closed", "reset") and outward(life)


def outward(life: Life) -> bool:
    """Whether something in the container listens on port 8080 for others than itself, and not over IPv6 alone."""
    return not life.only_ipv6 and any(one.right for one in life.listeners or ())


def elsewhere(life: Life) -> list[Listener]:
    """What listens in the container, on an address or a port where the platform does not look."""
    found = [one for one in life.listeners or () if not one.of_the_engine]
    return [one for one in found if not one.right or life.only_ipv6]


# --- invocations ----------------------------------------------------------------------------------


def plain(life: Life, request: int = 0) -> Invocation | None:
    """The invocation of a request with nothing but Content-Type, Accept, Content-Length and Host."""
    return sent(life, "plain", request)


def sent(life: Life, name: str, request: int = 0) -> Invocation | None:
    """The first invocation of that name and request."""
    return next((one for one in life.invocations if one.name == name and one.request == request), None)


def steady(life: Life, first: Invocation) -> bool:
    """Whether a request got the same body each time: sent once more, and wherever several were sent at once.

    The latter because a time in a body, such as how long it took, may be the same twice by chance.
    """
    again = sent(life, "repeated", first.request)
    beside = (one for one in life.invocations if one.name == BUSY and one.request == first.request and one.ok)
    return again is not None and {one.body_sha256 for one in (again, *beside)} == {first.body_sha256}


def failed(one: Invocation | Asked) -> bool:
    """Whether it failed for no fault of what was sent, nor for want of time or capacity."""
    if one.seconds > PROMPT:
        return False
    if one.status is not None:
        return one.status >= 500 and one.status not in NOT_YET  # too much to do, which a busy machine may bring about
    return one.error in ("refused", "reset", "closed", "not HTTP")


def faltered(life: Life, *names: str) -> list[Invocation]:
    """Invocations that are the same as the first one, which was answered with 2xx, and failed.

    ``names``: those that were sent by themselves, besides the one that was sent once more and those after several.
    """
    first = plain(life)
    if first is None or not first.ok or life.ended == "itself" or life.hit_limits:
        return []
    afterwards = [one for one in life.invocations if one.name == AFTERWARDS]
    well = next((number for number, one in enumerate(afterwards) if one.ok), None)
    if afterwards and well is None:  # it was given time to come to itself, and did not
        return afterwards
    again = [one for one in life.invocations if one.name in ("repeated", *names) and one.request == 0]
    return [one for one in (*again, *afterwards[well:]) if failed(one)]


def works(life: Life) -> bool:
    """Whether a server was healthy, lived until it was stopped, and answered some request with 2xx."""
    stopped = life.ready_at is not None and life.ended in ("stopped", "killed")
    return stopped and any(one.ok for one in life.invocations if one.name == "plain")


def refusal(life: Life) -> str:
    """The requirement that explains why a plain request was not answered with 2xx in a life; "" if all were."""
    one = next((one for one in life.invocations if one.name == "plain" and not one.ok), None)
    with_more = sent(life, "usual client headers")
    if one is None:
        return ""
    if one.status in WANTS_A_KEY or (with_more is not None and with_more.ok):
        return "SM-INFER-INVOKE-04"
    if one.error == "timed out":
        return "SM-INFER-INVOKE-02"
    if any(other.ok for other in life.invocations if other.name == "plain") and not faltered(life):
        return "SM-INFER-INVOKE-05"
    return "SM-INFER-INVOKE-01"
