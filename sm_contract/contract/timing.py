"""Verdicts on time: a limit that was broken under load counts only if it is broken alone, too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from sm_contract.record import Invocation, Life, Ping
from sm_contract.verdict import NotTestable
from sm_contract.views import RoleView

Sample = TypeVar("Sample", bound=Ping | Invocation)


def confirmed(
    view: RoleView,
    life: Life,
    late: Callable[[Life], Sequence[Sample]],
    *,
    limit: float,
    seconds: Callable[[Ping | Invocation], float] = lambda sample: sample.seconds,
) -> Sequence[Sample]:
    """The samples of a life that are beyond a limit, measured again alone where the record has that.

    Raises NotTestable where they are late only beside other lives of ours, or by no more than a
    control of ours was late at the same time.
    """
    first: Sequence[Sample] = late(life)
    if not first:
        return first
    alone = view.lives.get(f"{life.name}@alone")
    again: Sequence[Sample] = late(alone) if alone is not None else first
    control = (alone or life).machine_late
    sure = [sample for sample in again if sample.error == "timed out" or seconds(sample) - control > limit]
    if sure:
        return sure
    worst = max(seconds(sample) for sample in first)
    how = f"{worst:.2f} s against a limit of {limit:g} s in {life.name}"
    if alone is not None and not again:
        how += f" beside {life.neighbours} other containers of ours, in time when measured alone"
    else:
        how += f", with a control of ours late by {control:.2f} s"
    raise NotTestable(f"machine too busy: {how}; run it again on an idle machine", evidence=[*first, *again])
