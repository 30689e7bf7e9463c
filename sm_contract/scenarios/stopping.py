"""The end of a server: SIGTERM, a wait, SIGKILL, and who heard of it."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Sequence

from sm_contract.engine.protocol import Container, Inside, NotReachable
from sm_contract.record import Listener, Stop
from sm_contract.scenarios.life import Watch
from sm_contract.scenarios.midrun import DEAF, is_deaf, processes_of

TOLD = 5.0  # seconds for a listener to end that gets SIGTERM itself
NO_END = 2.0  # seconds for a later life to end of a server that did not end when it was told
PACE = 0.5  # seconds between two looks at whether a server that was told to end does anything


def stop(watch: Watch, limit: float) -> Stop | None:
    """Stop a server and note how it took that; None if it had ended before it was asked to."""
    container, inside = watch.container, watch.stage.engine.inside
    if container.exited.is_set():
        watch.note_exit()
        return None
    deaf, still = is_deaf(processes_of(watch)), list[bool]()
    at, begin = watch.now(), time.monotonic()
    watch.event("SIGTERM")
    container.signal("SIGTERM")
    for _ in watch.wait(begin + limit, "the server to end after SIGTERM", pace=PACE):
        if processes := processes_of(watch):
            still.append(not any(process.at_work for process in processes))
            deaf = deaf and is_deaf(processes)
        if deaf and time.monotonic() - begin > DEAF:
            break
    killed = not container.exited.is_set()
    seconds = time.monotonic() - begin
    outlived = ended_when_told = None
    if killed:
        if inside is not None:
            outlived = _on_8080(inside, container)
            if outlived and not any(one.pid_one for one in outlived):
                watch.event("SIGTERM to the listener itself")
                ended_when_told = _ends_when_told(inside, container, outlived)
        if not container.exited.is_set():
            watch.event("SIGKILL")
            container.signal("SIGKILL")
            container.exited.wait(10)
    watch.ended = "killed" if killed else "stopped"
    watch.event(f"exit {container.exit_code()}")
    return Stop(
        at=at,
        seconds=round(seconds, 4),
        limit=limit,
        killed=killed,
        idle=round(seconds * sum(still) / len(still), 1) if killed and still else None,
        dropped=killed and deaf,
        listeners=outlived,
        ended_when_told=ended_when_told,
    )


def patience(before: Sequence[Stop | None]) -> float:
    """Seconds at most for the end of a later life, where a server was killed in the two before."""
    return NO_END if len(before) > 1 and all(stop is not None and stop.killed for stop in before) else math.inf


def _ends_when_told(inside: Inside, container: Container, outlived: tuple[Listener, ...]) -> bool:
    """Send SIGTERM to the listeners themselves: one that ends now had not been told before."""
    for pid in {pid for one in outlived for pid in one.pids}:
        with contextlib.suppress(ProcessLookupError):
            inside.kill(container, pid, "SIGTERM")
    until = time.monotonic() + TOLD
    while time.monotonic() < until and not container.exited.wait(0.1):
        if not _on_8080(inside, container):
            return True
    return container.exited.is_set()


def _on_8080(inside: Inside, container: Container) -> tuple[Listener, ...]:
    with contextlib.suppress(NotReachable):  # it is just ending
        return tuple(one for one in inside.listeners(container) if one.port == 8080)
    return ()
