"""SM-OFFLINE-…: what is reached for outside of the container."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from good_record import answer, brief, served

from mutations import (
    Change,
    Mutation,
    add,
    crashing,
    failing,
    follow_up,
    life,
    no_serving,
    no_training,
    only_bare_serves,
    only_bare_trains,
    saying,
    servers,
    then,
)
from sm_contract import changes
from sm_contract.record import BUSY, Attempt, Life

GAIERROR = "socket.gaierror: [Errno -3] Temporary failure in name resolution"
PIP = "ERROR: Could not find a version that satisfies the requirement numpy (from versions: none)"
HUB = "OSError: We couldn't connect to 'https://huggingface.co' to load this file"
REGION = "botocore.exceptions.NoRegionError: You must specify a region."


def _tried(*what: str) -> Callable[[Life], Life]:
    return lambda one: replace(one, attempts=tuple(Attempt(at=n / 10, what=each) for n, each in enumerate(what, 1)))


def _cut_off(bad: Callable[[Life], Life]) -> Change:
    """The server works with a way out alone."""
    unplugged = replace(
        brief(served("serve.bare+no network", network="none")), base="serve.bare", change=changes.NO_NETWORK
    )
    return then(
        only_bare_serves(bad),
        follow_up("serve.bare", changes.ISOLATED, bad),
        add(bad(unplugged)),
        life("serve.again", bad),
    )


def _cut_off_training(bad: Callable[[Life], Life]) -> Change:
    return then(only_bare_trains(bad), follow_up("train.bare", changes.ISOLATED, bad))


def _needs(name: str, log: str) -> list[Mutation]:
    """Where there is no way out, in either role, and where there is none for anybody."""
    return [
        Mutation(f"{name}, to serve", _cut_off(crashing(log))),
        Mutation(f"{name}, to train", _cut_off_training(failing(log))),
        Mutation(f"{name}, where nobody has a way out", no_serving(crashing(log))),
    ]


def _metadata(one: Life) -> Life:
    return _tried("169.254.169.254:80")(crashing("cannot serve: timed out")(one))


def _other(one: Life) -> Life:
    kept = [
        answer(i.name, i.request, i.at, 200, '{"predictions": [0.0]}') if i.request == 0 else i for i in one.invocations
    ]
    return replace(one, invocations=tuple(kept))


def _timed_while_busy(one: Life) -> Life:
    """Answers that say how long they took: others, when several are open."""
    timed = [replace(i, body_sha256=f"{n:064d}") if i.name == BUSY else i for n, i in enumerate(one.invocations)]
    return replace(one, invocations=tuple(timed))


def _empty(one: Life) -> Life:
    return replace(
        one, invocations=tuple(replace(i, body_sha256="0", body_bytes=0, body_head="") for i in one.invocations)
    )


def _unplugged_alone(log: str) -> Change:
    """It fails with loopback alone, and works on a network without a way out."""
    one = brief(served("serve.bare+no network", network="none"))
    bad = crashing(log)(replace(one, base="serve.bare", change=changes.NO_NETWORK))
    return then(life("serve.again", crashing(log)), follow_up("serve.bare", changes.USED_MODEL), add(bad))


def _granted(change: str, log: str) -> list[Mutation]:
    return [
        Mutation(f"{change}, to serve", then(no_serving(crashing(log)), follow_up("serve.bare", change))),
        Mutation(f"{change}, to train", then(no_training(failing(log)), follow_up("train.bare", change))),
    ]


BREAKS = {
    "SM-OFFLINE-INSTALL-01": _needs("pip", PIP),
    "SM-OFFLINE-FETCH-01": _needs("a hub", HUB),
    "SM-OFFLINE-DNS-01": _needs("a name", GAIERROR),
    "SM-OFFLINE-METADATA-01": [
        Mutation("tried, and not answered", no_serving(_metadata)),
        Mutation("said", no_training(failing("EC2 IMDS: http://169.254.169.254 timed out"))),
    ],
    "SM-OFFLINE-REGION-01": _granted(changes.REGION, REGION),
    "SM-OFFLINE-PROXY-01": _granted(changes.PROXY, "KeyError: 'https_proxy'"),
    "SM-OFFLINE-LOOPBACK-01": [
        Mutation("a worker at its own address", _unplugged_alone("OSError: [Errno 101] Network is unreachable")),
        Mutation("its own name looked up", _unplugged_alone(GAIERROR)),
        Mutation(
            "a licence server that must be there, on an internal network too",
            _unplugged_alone("licence: network is unreachable"),
        ),
    ],
    "SM-OFFLINE-ANSWER-01": [
        Mutation("a default model without a way out", then(only_bare_serves(_other), life("serve.again", _other))),
        Mutation(
            "an empty answer without a way out",
            then(
                only_bare_serves(_empty),
                life("serve.again", _empty),
            ),
        ),
    ],
    "SM-OFFLINE-TELEMETRY-01": [
        Mutation("statistics of a framework", life("serve.full", _tried("telemetry.example.com"))),
        Mutation("and in training", life("train.full", _tried("o1234.ingest.sentry.io", "203.0.113.9:443"))),
    ],
    "SM-OFFLINE-ATTEMPT-01": [
        Mutation("an update check", life("serve.full", _tried("203.0.113.7:443"))),
        Mutation("a name in training", life("train.full", _tried("updates.example.com"))),
    ],
}

KEEPS = {
    "SM-OFFLINE-INSTALL-01": [Mutation("says so and goes on", servers(saying(PIP, "going on without", "listening")))],
    "SM-OFFLINE-FETCH-01": [Mutation("says so and goes on", servers(saying(HUB, "using the copy", "listening")))],
    "SM-OFFLINE-DNS-01": [Mutation("says so and goes on", servers(saying(GAIERROR, "no metrics", "listening")))],
    "SM-OFFLINE-METADATA-01": [Mutation("tried with a way out", life("serve.bare", _tried("169.254.169.254:80")))],
    "SM-OFFLINE-REGION-01": [Mutation("warns", servers(saying("no Region: no uploads", "listening")))],
    "SM-OFFLINE-PROXY-01": [Mutation("says that there is none", servers(saying("no proxy", "listening")))],
    "SM-OFFLINE-LOOPBACK-01": [Mutation("slower", life("serve.again", lambda one: replace(one, ready_at=9.0)))],
    "SM-OFFLINE-ANSWER-01": [
        Mutation("another body where the variables differ", only_bare_serves(_other)),
        Mutation(
            "a time that is the same twice",
            then(only_bare_serves(_other), life("serve.again", _other), life("serve.bare", _timed_while_busy)),
        ),
    ],
    "SM-OFFLINE-TELEMETRY-01": [Mutation("with a way out", life("serve.bare", _tried("telemetry.example.com")))],
    "SM-OFFLINE-ATTEMPT-01": [Mutation("where there is a way out", life("train.bare", _tried("updates.example.com")))],
}
