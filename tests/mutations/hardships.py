"""SM-PRIV-…: what an image may bear besides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from good_record import REQUESTS, brief, served, trained

from mutations import Change, Mutation, add, crashing, failing, life, saying, then
from sm_contract import changes
from sm_contract.record import INFERENCE, TRAINING, Life, Record, RoleFact

HARDSHIPS = (changes.NO_CAPABILITIES, changes.READ_ONLY_ROOT, changes.FEW_FILES)


def _alone(run: str, good: Life, bad: Callable[[Life], Life], *breaking: str) -> Change:
    """All at once goes wrong; so do those alone that break it."""
    singles = [
        replace((bad if name in breaking else replace)(good), name=f"{run}+{name}", base=run, change=name)
        for name in HARDSHIPS
    ]
    return then(life(run, bad), add(*singles))


def _serving(log: str, *breaking: str) -> Change:
    return _alone("serve.strict", brief(served("serve.strict")), crashing(log), *breaking)


def _training(log: str, *breaking: str) -> Change:
    return _alone("train.strict", trained("train.strict"), failing(log), *breaking)


def _both(change: str, log: str) -> list[Mutation]:
    return [Mutation(f"{log}, to serve", _serving(log, change)), Mutation(f"{log}, to train", _training(log, change))]


def _refuses(one: Life) -> Life:
    """Healthy, and its only answer is an error."""
    return replace(one, invocations=tuple(replace(i, status=500) for i in one.invocations[: len(REQUESTS)]))


def only_trains(record: Record) -> Record:
    """An image that is declared to train, and no more."""
    lives = {name: one for name, one in record.lives.items() if one.role == TRAINING}
    roles = {**record.roles, INFERENCE: RoleFact(claimed=False, how="declared", why="not declared")}
    return replace(record, lives=lives, roles=roles)


_TOGETHER_ALONE = [
    Mutation("only all at once break it", _serving("no")),
    Mutation("noisier", life("serve.strict", saying("warning: cannot setpriority: Operation not permitted", "ready"))),
]

BREAKS = {
    "SM-PRIV-CAPABILITY-02": [
        *_both(changes.NO_CAPABILITIES, "su: cannot set groups: Operation not permitted"),
        Mutation(
            "workers of another user",
            _serving('[emerg] chown("/tmp/client", 33) failed (1: Operation not permitted)', changes.NO_CAPABILITIES),
        ),
    ],
    "SM-PRIV-READONLY-01": [
        *_both(changes.READ_ONLY_ROOT, "open() '/var/run/nginx.pid' failed (30: Read-only file system)"),
        Mutation(
            "a cache that every answer needs",
            _alone("serve.strict", brief(served("serve.strict")), _refuses, changes.READ_ONLY_ROOT),
        ),
    ],
    "SM-PRIV-UID-02": [
        Mutation(
            "chowns by number", life("serve.other_user", crashing("chown: /opt/program: Operation not permitted"))
        ),
        Mutation("fails on every request", life("serve.other_user", _refuses)),
        Mutation(
            "an image that only trains",
            then(only_trains, add(failing("PermissionError: /opt/program/cache")(trained("train.other_user")))),
        ),
    ],
    "SM-PRIV-LIMITS-01": _both(changes.FEW_FILES, "ulimit: open files: cannot modify limit"),
}

KEEPS = {
    "SM-PRIV-CAPABILITY-02": _TOGETHER_ALONE,
    "SM-PRIV-READONLY-01": _TOGETHER_ALONE,
    "SM-PRIV-UID-02": [
        Mutation(
            "without a name for it", life("serve.other_user", saying("whoami: cannot find name for user ID 12345"))
        ),
        Mutation("and only trains", then(only_trains, add(trained("train.other_user")))),
    ],
    "SM-PRIV-LIMITS-01": _TOGETHER_ALONE,
}
