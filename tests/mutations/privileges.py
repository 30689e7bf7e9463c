"""SM-PRIV-…, and what is offline: SM-OFFLINE-…, SM-TRAIN-NET-01, SM-INFER-ISO-01."""

from __future__ import annotations

from dataclasses import replace

from good_record import answer, brief, lines, served, unhealthy

from mutations import (
    Change,
    Mutation,
    add,
    crashing,
    drop,
    failing,
    fields,
    follow_up,
    life,
    no_serving,
    no_training,
    only_bare_serves,
    only_bare_trains,
    saying,
    servers,
    then,
    trainings,
)
from sm_contract import changes
from sm_contract.record import Life, LogLine, Ping, TrainingResult

NO_CREDENTIALS = "botocore.exceptions.NoCredentialsError: Unable to locate credentials"
REFUSED = Ping(at=470.0, seconds=0.001, error="refused")


def _granted(change: str, log: str) -> list[Mutation]:
    """A grant mends the training; a grant mends the server."""
    return [
        Mutation(f"{change} mends training", then(no_training(failing(log)), follow_up("train.bare", change))),
        Mutation(f"{change} mends serving", then(no_serving(crashing(log)), follow_up("serve.bare", change))),
    ]


def _nothing_saved(one: Life) -> Life:
    return replace(one, command=(), result=TrainingResult(status="Completed"), log=lines("offline: nothing to do"))


def _cut_off(one: Life) -> Life:
    return unhealthy(one, REFUSED)


def _invoked(status: int, body: str) -> object:
    """The plain invocations answered so; nothing else was sent."""

    def change(one: Life) -> Life:
        plain = tuple(
            replace(answer("plain", i.request, i.at, status, body), client_sees="")
            for i in one.invocations
            if i.name == "plain"
        )
        return replace(one, invocations=plain)

    return change


def _another_body(one: Life) -> Life:
    kept = [
        answer(i.name, i.request, i.at, 200, '{"predictions": [0.0]}') if i.request == 0 else i for i in one.invocations
    ]
    return replace(one, invocations=tuple(kept))


def _unplugged(change: object = None) -> Change:
    one = replace(brief(served("serve.bare+no network", network="none")), base="serve.bare", change=changes.NO_NETWORK)
    return add(change(one) if change else one)  # type: ignore[operator]


def _later(one: Life, seconds: float) -> Life:
    """The same life, with everything from readiness on later."""
    moved = {
        "ready_at": (one.ready_at or 0) + seconds,
        "pings": tuple(replace(p, at=p.at + seconds) if p.status else p for p in one.pings),
        "invocations": tuple(replace(i, at=i.at + seconds) for i in one.invocations),
        "log": (*one.log[:1], LogLine(at=seconds, stream="stderr", text="listening on 0.0.0.0:8080")),
    }
    return replace(one, **moved)  # type: ignore[arg-type]


def _ever_other(one: Life) -> Life:
    numbered = [
        answer(i.name, i.request, i.at, 200, f'{{"id": "{one.name}-{n}"}}') for n, i in enumerate(one.invocations)
    ]
    return replace(one, invocations=tuple(numbered))


BREAKS = {
    "SM-PRIV-CAPABILITY-01": [
        *_granted(changes.CAPABILITIES, "RTNETLINK answers: Operation not permitted"),
        *_granted(f"{changes.ONE_CAPABILITY}NET_ADMIN", "ioctl: Operation not permitted"),
    ],
    "SM-PRIV-MOUNT-01": _granted(changes.FUSE, "s3fs: unable to access MOUNTPOINT: fuse device not found"),
    "SM-PRIV-PRIVILEGED-01": [
        *_granted(changes.SYS_ADMIN, "mount: /mnt: permission denied."),
        *_granted(changes.PRIVILEGED, "insmod: ERROR: could not insert module cache.ko: Operation not permitted"),
    ],
    "SM-PRIV-TERMINAL-01": _granted(changes.TERMINAL, "EOFError: EOF when reading a line"),
    "SM-OFFLINE-CREDENTIALS-01": [
        Mutation("boto3 at start", no_serving(crashing(NO_CREDENTIALS))),
        Mutation("boto3 in training", no_training(failing(NO_CREDENTIALS))),
        Mutation(
            "made-up ones mend it",
            then(no_training(failing("KeyError: 'AWS_ACCESS_KEY_ID'")), follow_up("train.bare", changes.CREDENTIALS)),
        ),
        Mutation(
            "in each invocation",
            then(
                servers(lambda one: _invoked(500, "internal error")(saying(NO_CREDENTIALS)(one))),
                drop("serve.again", "serve.empty", "serve.probed", "serve.strict", "serve.other_user"),
            ),
        ),
    ],
    "SM-OFFLINE-DROP-01": [
        Mutation(
            "ten tries of 30 s at start",
            then(
                only_bare_serves(_cut_off),
                follow_up("serve.bare", changes.ISOLATED, _cut_off),
                _unplugged(),
            ),
        ),
        Mutation(
            "slow tries in training",
            then(
                only_bare_trains(fields(ended="limit", seconds=3600.0, exit_code=137)),
                follow_up("train.bare", changes.ISOLATED, fields(ended="limit", seconds=3600.0, exit_code=137)),
            ),
        ),
        Mutation(
            "refuses where packets are dropped, answers where connections fail at once",
            then(
                only_bare_serves(_invoked(424, "no features")),
                follow_up("serve.bare", changes.ISOLATED, _invoked(424, "no features")),
                _unplugged(),
            ),
        ),
        Mutation(
            "slow tries in each invocation",
            then(
                only_bare_serves(_invoked(504, "upstream timed out")),
                follow_up("serve.bare", changes.ISOLATED, _invoked(504, "upstream timed out")),
                _unplugged(),
            ),
        ),
    ],
    "SM-TRAIN-NET-01": [
        Mutation(
            "weights downloaded",
            then(
                only_bare_trains(failing("urllib.error.URLError: <urlopen error [Errno -3] name resolution>")),
                follow_up("train.bare", changes.ISOLATED, failing("urllib.error.URLError: <urlopen error [Errno -3]>")),
            ),
        ),
        Mutation(
            "ends with 0 and no model where it cannot download",
            then(
                only_bare_trains(_nothing_saved),
                follow_up("train.bare", changes.ISOLATED, _nothing_saved),
            ),
        ),
    ],
    "SM-INFER-ISO-01": [
        Mutation(
            "weights downloaded",
            then(
                only_bare_serves(crashing("ConnectionError: weights.example.com")),
                follow_up("serve.bare", changes.ISOLATED, crashing("ConnectionError: weights.example.com")),
                _unplugged(crashing("ConnectionError: weights.example.com")),
                life("serve.again", crashing("ConnectionError: weights.example.com")),
            ),
        ),
        Mutation(
            "a data file downloaded",
            then(
                only_bare_serves(crashing("TimeoutError: timed out")),
                follow_up("serve.bare", changes.ISOLATED, crashing("TimeoutError: timed out")),
                _unplugged(crashing("OSError: Network is unreachable")),
                life("serve.again", crashing("OSError: Network is unreachable")),
            ),
        ),
    ],
    "SM-OFFLINE-INVOKE-01": [
        Mutation(
            "a feature store in each request",
            then(
                only_bare_serves(_invoked(500, "feature store: no route")),
                follow_up("serve.bare", changes.ISOLATED, _invoked(500, "feature store: no route")),
                life("serve.again", _invoked(500, "feature store: no route")),
                _unplugged(_invoked(500, "feature store: no route")),
            ),
        ),
        Mutation(
            "refused as a client error",
            then(only_bare_serves(_invoked(424, "no features")), life("serve.again", _invoked(424, "no features"))),
        ),
    ],
}

KEEPS = {
    "SM-PRIV-CAPABILITY-01": [
        Mutation(
            "a warning in the log", servers(saying("cannot set the scheduler: Operation not permitted", "listening"))
        ),
    ],
    "SM-PRIV-MOUNT-01": [
        Mutation("the word mount in the log", trainings(saying("mount point /opt/ml/input/data found")))
    ],
    "SM-PRIV-PRIVILEGED-01": [
        Mutation("a word in the log", trainings(saying("permission denied for cache, going on")))
    ],
    "SM-PRIV-TERMINAL-01": [
        Mutation("a word in the log", trainings(saying("stdin is not a terminal: no progress bar")))
    ],
    "SM-OFFLINE-CREDENTIALS-01": [
        Mutation("said in a run that went well", servers(saying("Unable to locate credentials: metrics are off"))),
    ],
    "SM-OFFLINE-DROP-01": [
        Mutation("slower without a way out", life("train.full", fields(seconds=95.0))),
        Mutation("healthy later without a way out", life("serve.full", lambda one: _later(one, 30))),
    ],
    "SM-TRAIN-NET-01": [
        Mutation(
            "slower, and says why",
            life("train.full", lambda one: saying("timed out: no metrics")(fields(seconds=61.0)(one))),
        ),
    ],
    "SM-INFER-ISO-01": [Mutation("healthy later without a way out", life("serve.full", lambda one: _later(one, 120)))],
    "SM-OFFLINE-INVOKE-01": [
        Mutation("answers that differ each time", servers(_ever_other)),
    ],
}
