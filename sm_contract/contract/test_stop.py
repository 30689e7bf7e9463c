"""Serving: the stop signal."""

from __future__ import annotations

from sm_contract.alone import outlived
from sm_contract.contract import roots
from sm_contract.contract.causes import STARTS
from sm_contract.contract.invoking import lived
from sm_contract.contract.reading import limit, within
from sm_contract.contract.timing import confirmed
from sm_contract.record import Life, Listener, Stop
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
    blind = next((life for life in lives if _not_to_be_seen(life)), None)
    for suspect in lives:
        life, unheard = confirmed(serving, suspect, _unheard, limit=limit(suspect, "stop", 30))
        for stop in unheard:
            how = "and ended when it was sent to it directly" if _told_at_last(life) else _DEFAULT
            listeners = stop.listeners or ()
            one = (*_deaf(life), *listeners)[0]
            why = "never passed it on"
            if stop.dropped:
                why = "has no handler, so that the kernel drops it and nobody is told"
            raise Violation(
                expected="SIGTERM to the container's first process reaches the process that listens on port 8080",
                observed=f"the listener on port {one.port} was still there "
                f"{f'{stop.seconds:.0f} s' if stop.dropped else within(life, 'stop', 30)} after "
                f"SIGTERM, {how}: the first process {why} ({life.name})",
                fix="start the server with exec, so that it is the first process (exec gunicorn …), or pass it on: "
                "trap 'kill -TERM $pid' TERM",
                because="a process that gets SIGTERM and has no handler is gone at once" if how == _DEFAULT else "",
                evidence=[stop, *listeners[:3]],
            )
    if blind is not None:
        raise NotTestable(
            f"needs root on a local Linux engine: the container had to be killed ({blind.name}), "
            "and who listened is not known",
            evidence=[blind.stop],
        )


def _unheard(life: Life) -> list[Stop]:
    """The stop of a life, if the signal never came to who listened."""
    accused = life.stop is not None and not _not_to_be_seen(life) and (_deaf(life) or _told_at_last(life))
    return [life.stop] if life.stop is not None and accused else []


def _not_to_be_seen(life: Life) -> bool:
    """Whether it had to be killed, and who listened, or how that takes signals, is not known."""
    if life.stop is None or not life.stop.killed:
        return False
    unknown = any(one.catches_sigterm is None for one in _deaf(life)) and not _told_at_last(life)
    return life.stop.listeners is None or unknown


def _deaf(life: Life) -> list[Listener]:
    """Who outlived SIGTERM as nobody does who got it; the kernel drops it for a first process without a handler."""
    stop = life.stop
    if stop is None or not stop.killed or not outlived(stop):
        return []
    once = _handled_at_first(life)
    unaware = [one for one in stop.listeners or () if not one.catches_sigterm and not one.ignores_sigterm]
    return [one for one in unaware if not once.intersection(one.pids)]


def _told_at_last(life: Life) -> bool:
    """Whether who listened ended when the signal was sent to it directly, and had not been told before."""
    stop = life.stop
    told = stop is not None and outlived(stop) and bool(stop.ended_when_told)
    return told and not _handled_at_first(life) and not _spoke(life)


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
