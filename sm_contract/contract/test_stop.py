"""Serving: the stop signal."""

from __future__ import annotations

from sm_contract.contract import roots
from sm_contract.contract.causes import STARTS
from sm_contract.contract.invoking import lived
from sm_contract.contract.reading import within
from sm_contract.record import Life
from sm_contract.requirements import requirement
from sm_contract.verdict import NotTestable, Violation
from sm_contract.views import Serving

TOLD_DIRECTLY = "SIGTERM to the listener itself"
_DEFAULT = "with the signal's default action"


@requirement(
    "SM-INFER-STOP-01",
    runs=("serve.bare", "serve.full"),
    rests_on=[*STARTS, "SM-INFER-RUN-03"],
    hidden_by=roots.SERVING,
)
def test_sigterm_reaches_the_server(serving: Serving) -> None:
    """SIGTERM reaches the serving process."""
    lives = [life for life in lived(serving) if life.stop is not None]
    if not lives:
        raise NotTestable("no healthy server was stopped")
    blind = None
    for life in lives:
        stop = life.stop
        assert stop is not None
        if not stop.killed:
            continue
        if stop.listeners is None:
            blind = life
            continue
        if any(one.pid_one for one in stop.listeners):
            continue  # it got the signal; the kernel drops it for a first process without a handler
        once = _handled_at_first(life)
        deaf = [
            one
            for one in stop.listeners
            if not one.catches_sigterm and not one.ignores_sigterm and not once.intersection(one.pids)
        ]
        told = bool(stop.ended_when_told) and not once and not _spoke(life)
        if any(one.catches_sigterm is None for one in deaf) and not told:
            blind = life
        elif deaf or told:
            how = "and ended when it was sent to it directly" if told else _DEFAULT
            one = (*deaf, *stop.listeners)[0]
            raise Violation(
                expected="SIGTERM to the container's first process reaches the process that listens on port 8080",
                observed=f"the listener on port {one.port} was still there {within(life, 'stop', 30)} after "
                f"SIGTERM, {how}: the first process never passed it on ({life.name})",
                fix="start the server with exec, so that it is the first process (exec gunicorn …), or pass it on: "
                "trap 'kill -TERM $pid' TERM",
                because="a process that gets SIGTERM and has no handler is gone at once" if how == _DEFAULT else "",
                evidence=[stop, *stop.listeners[:3]],
            )
    if blind is not None:
        raise NotTestable(
            f"needs root on a local Linux engine: the container had to be killed ({blind.name}), "
            "and who listened is not known",
            evidence=[blind.stop],
        )


def _handled_at_first(life: Life) -> frozenset[int]:
    """The listeners' processes that had a handler when the server became healthy and have the default action now.

    Handlers that are meant to run once do that: such a process got the signal, and would end at a second one.
    """
    stop = life.stop
    assert stop is not None
    now = {pid for one in stop.listeners or () if one.catches_sigterm is False for pid in one.pids}
    return frozenset(pid for one in life.listeners or () if one.catches_sigterm for pid in one.pids if pid in now)


def _spoke(life: Life) -> bool:
    """Whether a line was written between the two signals: nobody asked the server anything then, so it was told."""
    stop = life.stop
    assert stop is not None
    directly = next((event.at for event in life.events if event.what == TOLD_DIRECTLY), stop.at + stop.seconds)
    return any(stop.at < line.at < directly for line in life.log)
