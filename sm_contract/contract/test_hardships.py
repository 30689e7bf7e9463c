"""What an image may bear besides: a stricter host than the platform is, all at once and one by one."""

from __future__ import annotations

from sm_contract import changes
from sm_contract.contract import roots
from sm_contract.contract.causes import STARTS, claimed, firsts, good, why_not
from sm_contract.contract.reading import found, telling
from sm_contract.record import Life, Record
from sm_contract.requirements import requirement
from sm_contract.verdict import NotRecorded, NotTestable, Violation
from sm_contract.views import raise_limits

RUNS = ("train.strict", "serve.strict")


@requirement("SM-PRIV-CAPABILITY-02", runs=RUNS, rests_on=STARTS, hidden_by=roots.SERVING)
def test_works_without_capabilities(record: Record) -> None:
    """Works with all capabilities dropped and `no-new-privileges`."""
    if life := _broken_by(record, changes.NO_CAPABILITIES):
        raise Violation(
            expected="a run without any capability, and without a way to one (no-new-privileges)",
            observed=f"without capabilities and new privileges {found(life)}; with the default ones it works",
            fix="start as the user that the program runs as (no su, gosu, setuid, chown at start)",
            because=telling(life),
            evidence=[life],
        )


@requirement(
    "SM-PRIV-READONLY-01",
    runs=RUNS,
    rests_on=[*STARTS, "SM-TRAIN-FS-02", "SM-TRAIN-FS-04", "SM-TRAIN-OUT-02"],  # what it writes elsewhere
    hidden_by=roots.SERVING,
)
def test_works_with_a_read_only_root(record: Record) -> None:
    """Works with a read-only root file system and a tmpfs on `/tmp`."""
    if life := _broken_by(record, changes.READ_ONLY_ROOT):
        raise Violation(
            expected="a run that writes only below /opt/ml and /tmp",
            observed=f"with a read-only root file system {found(life)}; with a writable one it works",
            fix="put PID files, caches and sockets into /tmp",
            because=telling(life),
            evidence=[life],
        )


@requirement(
    "SM-PRIV-UID-02",
    runs=("train.other_user", "serve.other_user"),
    rests_on=[*STARTS, "SM-INFER-MODEL-02"],  # a model's folder is its owner's
    hidden_by=roots.SERVING,
)
def test_relies_on_no_numeric_owner(record: Record) -> None:
    """Nothing relies on numeric owner ids."""
    view = claimed(record)[-1]  # a server where there is one: it may be run as any user (serverless), a training never
    first = good(view) or why_not(view)
    life = view.life(f"{view.prefix}.other_user")
    if not life.fine(first):
        raise Violation(
            expected="a run as a user and group that the image does not know (12345:12345), its outputs open to all",
            observed=f"as that user {found(life)}; as the image's own it works",
            fix="let every user read and execute the program's files, write below /tmp or where every user may (a file "
            "that only the image's user may write is enough to fail), and chown nothing at start",
            because=telling(life),
            evidence=[life],
        )


@requirement("SM-PRIV-LIMITS-01", runs=RUNS, rests_on=STARTS, hidden_by=roots.SERVING)
def test_needs_no_raised_limit(record: Record) -> None:
    """No raised ulimit or cgroup limit is needed."""
    if life := _broken_by(record, changes.FEW_FILES):
        raise Violation(
            expected="a run with at most 1,024 open files, soft and hard",
            observed=f"with that limit {found(life)}; with the engine's it works",
            fix="raise a limit as far as it goes, and go on where it does not (ulimit -n 65536 || true)",
            because=telling(life),
            evidence=[life],
        )


def _broken_by(record: Record, hardship: str) -> Life | None:
    """The life that went wrong by this hardship alone. Raises what stands in the way of seeing it."""
    for view in claimed(record):
        if not good(view):
            why_not(view)
        name = f"{view.prefix}.strict"
        if view.life(name).fine(firsts(view)):
            continue  # all of them at once
        life = view.lives.get(f"{name}+{hardship}")
        if life is None:
            raise NotRecorded(f"{name} with {hardship} alone")
        if life.hit_limits:
            raise NotTestable(raise_limits(life))
        if life.start_error:
            raise NotTestable(f"the engine cannot start it with {hardship}: {life.start_error}", evidence=[life])
        if not life.fine(firsts(view)):
            return life
    return None
