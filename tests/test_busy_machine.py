"""Broken time limits: only what breaks them alone as well, while a control of ours keeps them, is broken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from contract_support import broken, mutated, verdicts
from good_record import good_record, in_time, served, unhealthy
from mutations import Change, add, alone, crashing, fields, follow_up, lives, no_serving, only_bare_serves, then

from sm_contract import changes
from sm_contract.record import Life, Listener, Ping, Record, Stop
from sm_contract.verdict import Verdict

How = Callable[[Life], Life]
AT = 5.0  # seconds: when the control is late, and something of every life that is late, too
BOTH = ("serve.bare", "serve.full")


def _late_ping(one: Life) -> Life:
    """One idle ping takes 3 s."""
    pings = tuple(replace(p, at=AT, seconds=3.0) if n == 25 else p for n, p in enumerate(one.pings))
    return replace(one, pings=pings)


def _late_call(one: Life) -> Life:
    return _called(one, seconds=61.0)


def _endless_call(one: Life) -> Life:
    return _called(one, seconds=60.01, status=None, error="timed out")


def _called(one: Life, **facts: object) -> Life:
    calls = list(one.invocations)
    calls[1] = replace(calls[1], **facts)  # type: ignore[arg-type]
    return replace(one, invocations=tuple(calls))


def _slow_connection(one: Life) -> Life:
    pings = tuple(
        replace(p, at=AT, seconds=1.1, connect_seconds=1.03) if n == 25 else p for n, p in enumerate(one.pings)
    )
    return replace(one, pings=pings)


def _never_healthy(one: Life) -> Life:
    return unhealthy(one, Ping(at=479.0, seconds=0.0004, error="refused"))


def _unheard(one: Life) -> Life:
    listener = Listener(address="0.0.0.0", port=8080, catches_sigterm=False, ignores_sigterm=False)
    stop = Stop(at=AT - 0.1, seconds=30.02, limit=30.0, killed=True, listeners=(listener,))
    return replace(one, ended="killed", exit_code=137, stop=stop)


def _idle(one: Life) -> Life:
    return replace(one, ended="idle", exit_code=137, seconds=300.0)


def _in_time(one: Life) -> Life:
    return one


def _measured(runs: tuple[str, ...], first: How, again: How, control: float) -> Change:
    """Runs and what they were when they were measured again alone, one ping of the control taking so long."""
    return lambda record: then(
        lives(runs, first), add(*(alone(again(record.lives[run]), in_time(AT, control)) for run in runs))
    )(record)


LIMITS = [  # the requirement, the runs that break it, how, and by how much the control is late that excuses it
    ("SM-INFER-PING-02", BOTH[:1], _late_ping, 1.2),
    ("SM-INFER-PING-03", BOTH, _never_healthy, 2.4),
    ("SM-INFER-NET-02", BOTH[:1], _slow_connection, 0.9),
    ("SM-INFER-INVOKE-02", BOTH[:1], _late_call, 1.4),
    ("SM-INFER-INVOKE-02", BOTH, _endless_call, 2.4),
    ("SM-INFER-STOP-01", BOTH[:1], _unheard, 2.4),
]
each_limit = pytest.mark.parametrize(
    ("id", "runs", "how", "control"), [pytest.param(*row, id=f"{row[0]}{row[2].__name__}") for row in LIMITS]
)


@each_limit
def test_broken_alone_and_kept_by_the_control_is_broken(
    id: str, runs: tuple[str, ...], how: How, control: float
) -> None:
    found = mutated(_measured(runs, how, how, 0.02))
    assert broken(found) == {id}
    assert "serve.bare@alone" in found[id].observed
    assert "serve.bare@alone" in found[id].lives


@each_limit
def test_broken_only_beside_others_is_no_verdict(id: str, runs: tuple[str, ...], how: How, control: float) -> None:
    one = mutated(_measured(runs, how, _in_time, 0.02))[id]
    assert one.verdict is Verdict.NOT_TESTABLE
    assert one.reason.startswith("machine too busy: ")
    assert "in serve.bare beside 1 other container of ours, and in time when measured again alone" in one.reason
    series = " ".join(one.evidence)
    assert "of serve.bare, the slowest of" in series
    assert "of serve.bare@alone, the slowest of" in series


@each_limit
def test_broken_alone_and_by_the_control_is_no_verdict(
    id: str, runs: tuple[str, ...], how: How, control: float
) -> None:
    found = mutated(_measured(runs, how, how, control))
    one = found[id]
    assert broken(found) == set()
    assert one.verdict is Verdict.NOT_TESTABLE, one
    assert f"in serve.bare@alone, while a control server of ours was {control:.2f} s late, too" in one.reason
    series = " ".join(one.evidence)
    assert "of serve.bare@alone, the slowest of" in series
    assert "pings of the control beside serve.bare@alone, the slowest of 32: " in series
    assert f"{control:.3f} s at 5.0" in series


@each_limit
def test_no_time_under_emulation_is_a_verdict(id: str, runs: tuple[str, ...], how: How, control: float) -> None:
    found = mutated(then(_measured(runs, how, how, 0.02), lambda record: replace(record, emulated=True)))
    if id == "SM-INFER-STOP-01":  # that it was told of nothing is no question of time
        assert broken(found) == {id}
        return
    assert broken(found) == set()
    assert found[id].verdict is Verdict.NOT_TESTABLE
    assert found[id].reason.startswith("needs an amd64 engine: times under emulation prove nothing (")


@each_limit
def test_broken_and_not_measured_again_is_no_verdict(id: str, runs: tuple[str, ...], how: How, control: float) -> None:
    found = verdicts(lives(runs, how)(good_record()))
    assert broken(found) == set()
    assert found[id].reason.startswith("machine too busy: serve.bare was out of time beside 1 other container of ours")


def test_who_did_nothing_while_it_was_to_end_was_not_slowed_down() -> None:
    def idle(seconds: float) -> Change:
        def change(one: Life) -> Life:
            killed = _unheard(one)
            assert killed.stop is not None
            return replace(killed, stop=replace(killed.stop, idle=seconds))

        return lives(BOTH[:1], change)

    assert broken(verdicts(idle(29.5)(good_record()))) == {"SM-INFER-STOP-01"}
    assert broken(verdicts(idle(20.0)(good_record()))) == set()


def test_a_control_that_was_late_at_another_time_excuses_nothing() -> None:
    def again(record: Record) -> Record:
        return add(alone(_late_ping(record.lives["serve.bare"]), in_time(1.0, 3.0)))(record)

    assert broken(mutated(again)) == {"SM-INFER-PING-02"}


def test_without_a_control_the_measurement_alone_decides() -> None:
    def again(record: Record) -> Record:
        return add(replace(alone(_late_ping(record.lives["serve.bare"])), control=None))(record)

    assert broken(mutated(again)) == {"SM-INFER-PING-02"}


@pytest.mark.parametrize(
    ("id", "run", "how"),
    [
        ("SM-TRAIN-RUN-06", "train.bare", _idle),
        ("SM-TRAIN-FAIL-08", "train.killed_child", fields(ended="limit", seconds=32.0)),
        ("SM-INFER-RUN-11", "serve.again", _never_healthy),
    ],
)
def test_what_ran_out_of_our_patience_is_judged_by_the_measurement_alone(id: str, run: str, how: How) -> None:
    assert broken(mutated(_measured((run,), how, how, 0.02))) == {id}
    assert mutated(_measured((run,), how, _in_time, 0.02))[id].verdict is Verdict.PASSED
    too_busy = mutated(_measured((run,), how, how, 2.4))
    assert broken(too_busy) == set()
    assert f"machine too busy: {run}@alone was out of time" in too_busy[id].reason
    assert f"pings of the control beside {run}@alone" in " ".join(too_busy[id].evidence)


def test_a_follow_up_that_may_have_been_slowed_down_names_no_cause() -> None:
    run = f"serve.bare+{changes.HOST_NAME}"
    parsed = then(only_bare_serves(crashing("it ended")), follow_up("serve.bare", changes.HOST_NAME, _never_healthy))
    assert broken(mutated(parsed)) == {"SM-INFER-ENV-01"}
    found = mutated(then(parsed, _measured((run,), _in_time, _in_time, 2.4)))
    assert broken(found) == set()
    assert found["SM-INFER-ENV-01"].reason.startswith(f"machine too busy: {run}@alone was out of time")


def test_a_server_that_is_healthy_only_alone_is_judged_by_that() -> None:
    found = mutated(no_serving(_never_healthy), add(alone(served("serve.bare"))))
    assert broken(found) == set()
    assert found["SM-INFER-PING-01"].verdict is Verdict.PASSED
    assert found["SM-INFER-PING-03"].verdict is Verdict.NOT_TESTABLE
    assert found["SM-INFER-ENV-01"].verdict is Verdict.NOT_TESTABLE


def test_a_limit_kept_first_and_broken_alone_is_broken() -> None:
    assert broken(mutated(_measured(BOTH[:1], _in_time, _late_ping, 0.02))) == {"SM-INFER-PING-02"}
