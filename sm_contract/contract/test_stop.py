"""Serving: the stop signal."""

from __future__ import annotations

from sm_contract.contract import roots
from sm_contract.contract.causes import STARTS
from sm_contract.contract.invoking import lived
from sm_contract.contract.reading import within
from sm_contract.requirements import requirement
from sm_contract.verdict import NotTestable, Violation
from sm_contract.views import Serving

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
        deaf = [one for one in stop.listeners if not one.catches_sigterm and not one.ignores_sigterm]
        if stop.ended_when_told:
            deaf = list(stop.listeners)
        if any(one.catches_sigterm is None for one in deaf) and not stop.ended_when_told:
            blind = life
        elif deaf:
            told = "and ended when it was sent to it directly" if stop.ended_when_told else _DEFAULT
            raise Violation(
                expected="SIGTERM to the container's first process reaches the process that listens on port 8080",
                observed=f"the listener on port {deaf[0].port} was still there {within(life, 'stop', 30)} after "
                f"SIGTERM, {told}: the first process never passed it on ({life.name})",
                fix="start the server with exec, so that it is the first process (exec gunicorn …), or pass it on: "
                "trap 'kill -TERM $pid' TERM",
                because="a process that gets SIGTERM and has no handler is gone at once" if told == _DEFAULT else "",
                evidence=[stop, *deaf[:3]],
            )
    if blind is not None:
        raise NotTestable(
            f"needs root on a local Linux engine: the container had to be killed ({blind.name}), "
            "and who listened is not known",
            evidence=[blind.stop],
        )
