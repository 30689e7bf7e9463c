"""Verdicts on time: a limit that was broken counts only if it is broken alone, too, and not by a control of ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from sm_contract.alone import is_alone, late, run_of
from sm_contract.contract.reading import limit as in_force
from sm_contract.record import Invocation, Life, Ping, Stop
from sm_contract.verdict import NotTestable
from sm_contract.views import RoleView

Timed = Ping | Invocation | Stop | Life
Sample = TypeVar("Sample", bound=Timed)
SHOWN = 12  # of one series in the evidence


def confirmed(
    view: RoleView,
    life: Life,
    broke: Callable[[Life], Sequence[Sample]],
    *,
    limit: float,
    seconds: Callable[[Sample], float] = lambda sample: sample.seconds,
) -> tuple[Life, Sequence[Sample]]:
    """What is beyond a limit in a run (``broke`` finds it in a life), and the life that shows it.

    Raises NotTestable where only the run beside others shows it, or where the control was late at the same time.
    """
    first, alone = view.measured(run_of(life))
    before = broke(first)
    if alone is None:
        if any(not (isinstance(sample, Stop) and sample.beyond_doubt) for sample in before):
            raise too_busy(first)
        return first, before
    again = broke(alone)
    sure = [sample for sample in again if not _excused(alone, sample, seconds(sample), limit)]
    if sure or not (before or again):
        return alone, sure
    where, late_there = (alone, again) if again else (first, before)
    worst = max(late_there, key=seconds)
    why = "and in time when measured again alone"
    if again:
        why = f"while a control server of ours was {_control_late(alone, worst):.2f} s late, too"
    raise NotTestable(
        f"machine too busy: {seconds(worst):.2f} s against a limit of {limit:g} s in {where.name}{_beside(where)}, "
        f"{why}; run it again on an idle machine",
        evidence=[
            *sorted(late_there, key=seconds)[-3:],
            *([] if again else [_series(first, worst)]),
            _series(alone, worst),
            _series_of_control(alone),
        ],
    )


def doubtful(life: Life) -> bool:
    """Whether a life that went wrong may have run out of time only because the machine was too busy."""
    if life.good or not late(life):
        return False
    return not is_alone(life.name) or _control_late(life, life) > in_force(life, "ping", 2)


def too_busy(life: Life) -> NotTestable:
    """What to say of a life that broke a time limit, when nothing shows that the machine did not."""
    why = f"out of time{_beside(life)}, and not measured again alone"
    if is_alone(life.name):
        why = f"out of time while a control server of ours was {_control_late(life, life):.2f} s late, too"
    return NotTestable(
        f"machine too busy: {life.name} was {why}; run it again on an idle machine",
        evidence=[life, _series(life, life), _series_of_control(life)],
    )


def _excused(life: Life, sample: Timed, seconds: float, limit: float) -> bool:
    """Whether the control was late by as much, or so late that a wait which ended unanswered says nothing."""
    control = _control_late(life, sample)
    answered = isinstance(sample, (Ping, Invocation)) and sample.error != "timed out"
    return control > in_force(life, "ping", 2) or (answered and seconds - control <= limit)


def _control_late(life: Life, sample: Timed) -> float:
    """How long the control took at worst while a sample was under way."""
    since = 0.0 if isinstance(sample, Life) else sample.at
    until = since + sample.seconds
    return max(
        (one.seconds for one in life.control or () if one.at <= until and one.at + one.seconds >= since), default=0
    )


def _beside(life: Life) -> str:
    others = life.neighbours
    return f" beside {others} other container{'s' if others > 1 else ''} of ours" if others else ""


def _series(life: Life, sample: Timed) -> str:
    """The candidate's side: its invocations if one of them was late, else its pings."""
    if isinstance(sample, Invocation):
        return _told(f"invocations of {life.name}", life.invocations)
    return _told(f"pings of {life.name}", life.pings)


def _series_of_control(life: Life) -> str:
    if life.control is None:
        return f"no control server beside {life.name}"
    return _told(f"pings of the control beside {life.name}", life.control)


def _told(what: str, series: Sequence[Ping | Invocation]) -> str:
    slowest = sorted(series, key=lambda one: one.seconds)[-SHOWN:]
    shown = ", ".join(f"{one.seconds:.3f} s at {one.at:.1f}" for one in sorted(slowest, key=lambda one: one.at))
    return f"{what}, the slowest of {len(series)}: {shown}" if series else f"{what}: none"
