"""What is done to a training in mid-run: its biggest child is killed, or all of it is stopped."""

from __future__ import annotations

import contextlib
import math
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from sm_contract.engine.protocol import NotReachable, Process
from sm_contract.record import Kill, Stop, Survivor
from sm_contract.scenarios.life import Watch

PATIENCE_AFTER_KILL = 30.0  # seconds for the program to notice that its child is gone
PATIENCE_FOR_CHILD = 10.0  # seconds for a child to appear
PATIENCE_TO_SETTLE = 60.0  # for a training that waits for its data to stand still
STILL = 8  # looks at a tenth of a second
STILL_ELSEWHERE = 40  # where nothing is seen to wait for a pipe: it may sleep before it begins
LAUNCHED = 30.0  # seconds that a launcher is given at most before it comes to its training
DEAF = 3.0  # seconds for something to happen though the first process has no handler
SPOKEN = 0.5  # seconds after its first line, when a training has surely begun
SILENT = 8.0  # seconds for a first line: a busy machine is slow to start a program
HELD = 20.0  # on pipes nobody waits longer: what is held by them cannot end, however well it was told
NAMED = 5


def kill_child(watch: Watch) -> Kill | None:
    """Kill a descendant of the first process: the one that waits for its data, or the biggest midway through the work.

    None if that was not to be seen: it would not wait for its data, or ended before. A child of a program that trains
    in its first process is a helper (of multiprocessing, of a logger): its death has no exit code to be passed on.
    """
    inside = watch.stage.engine.inside
    assert inside is not None  # the planner leaves this run out otherwise
    after, usual = watch.setup.after, _usual(watch)
    until = time.monotonic() + PATIENCE_FOR_CHILD + (usual if after is None else after)
    before: set[int] = set()
    settled = 0
    children: list[Process] = []
    processes: tuple[Process, ...] = ()
    work: Counter[int] = Counter()  # looks at which a process was at work, by number
    seen = held = False
    for _ in watch.wait(until, "a child process to kill", pace=0.1 if after is None else 0.02):
        processes = processes_of(watch)
        children = [process for process in processes if process.depth > 0]
        seen = seen or bool(children)
        if after is not None:
            work.update(process.pid for process in processes if children and process.at_work)
            if children and watch.now() >= after:
                break
            continue
        pids, held = {process.pid for process in processes}, any(process.waits_for_pipe for process in processes)
        settled = settled + 1 if pids == before else 0
        before = pids
        if settled >= STILL and (held or (settled >= STILL_ELSEWHERE and watch.now() > usual)):
            break
    if watch.container.exited.is_set():
        return None if seen or after is None else Kill(at=watch.now(), victim="", depth=0)
    if not children or trains_itself(processes, work):
        watch.end_by_force("no child")
        return Kill(at=watch.now(), victim="", depth=0) if held or after is not None else None
    waiting = [child for child in children if child.waits_for_pipe]
    victim = max(waiting or children, key=lambda process: process.rss)
    try:
        inside.kill(watch.container, victim.pid)
    except ProcessLookupError:
        return None
    watch.event(f"SIGKILL to {victim.command[:60]}")
    kill = Kill(at=watch.now(), victim=victim.command, depth=victim.depth)
    return replace(kill, replaced=bool(waiting) and _is_replaced(watch, {one.pid for one in processes}))


def trains_itself(processes: Iterable[Process], work: Mapping[int, int]) -> bool:
    """Whether the first process does the training: it waits for the data, or is bigger and busier than any other."""
    first, *children = sorted(processes, key=lambda one: one.depth)
    if first.depth > 0 or first.waits_for_pipe:
        return first.depth == 0
    return all(first.rss > one.rss and work.get(first.pid, 0) > work.get(one.pid, 0) for one in children)


def _is_replaced(watch: Watch, known: set[int]) -> bool:
    """Whether a process that is new waits for a pipe: the work began anew, and our pipes hold it as they did before."""
    patience = min(PATIENCE_AFTER_KILL, watch.stage.limits.train)
    for _ in watch.wait(time.monotonic() + patience, "the training to end without its child", pace=0.1):
        if any(one.waits_for_pipe and one.depth > 0 and one.pid not in known for one in processes_of(watch)):
            watch.end_by_force("killed")
            return True
    if not watch.container.exited.is_set():
        watch.end_by_force("limit")
    return False


def stop(watch: Watch) -> Stop | None:
    """SIGTERM in mid-run, a wait, SIGKILL. None if the training ended before it was told."""
    if not _midway(watch):
        return None
    container, limit = watch.container, watch.stage.limits.train_stop
    before = {process.pid: process for process in processes_of(watch)}
    deaf = is_deaf(before.values())
    at, begin = watch.now(), time.monotonic()
    watch.event("SIGTERM")
    container.signal("SIGTERM")
    on_pipes = watch.setup.data == "pipes"
    for _ in watch.wait(begin + (min(limit, HELD) if on_pipes else limit), "the training to end after SIGTERM"):
        if processes := processes_of(watch):
            deaf = deaf and is_deaf(processes)
        if deaf and time.monotonic() - begin > DEAF:
            break
    seconds = time.monotonic() - begin
    killed = not container.exited.is_set()
    survivors = None
    if killed:
        if watch.stage.engine.inside is not None:
            survivors = tuple(_survivor(one, before.get(one.pid)) for one in _by_weight(processes_of(watch)))[:NAMED]
        watch.event("SIGKILL")
        container.signal("SIGKILL")
        container.exited.wait(10)
    watch.ended = "stopped"
    watch.event(f"exit {container.exit_code()}")
    return Stop(at=at, seconds=round(seconds, 4), limit=limit, killed=killed, survivors=survivors, dropped=deaf)


def _midway(watch: Watch) -> bool:
    """Wait until the training is in its middle; False if it ended before."""
    after = watch.setup.after
    if after is not None:
        patience = max(after, SILENT if watch.setup.midway == "stop" else 0.0)
        for _ in watch.wait(watch.began + patience + after, "the middle of the training", pace=0.02):
            began = next((line.at for line in list(watch.lines) if line.text.strip()), math.inf)
            if watch.now() >= max(after, began + SPOKEN):
                break
        return not watch.container.exited.is_set()
    still, before = 0, (frozenset[int](), 0.0)
    for _ in watch.wait(time.monotonic() + PATIENCE_TO_SETTLE, "a training that waits for its data", pace=0.1):
        processes, used = processes_of(watch), watch.container.cpu_seconds() or 0.0
        pids, at_work = frozenset(one.pid for one in processes), any(one.at_work for one in processes)
        still = still + 1 if pids == before[0] and used - before[1] < 0.01 and not at_work else 0
        before = (pids, used)
        held = any(one.waits_for_pipe for one in processes)
        if still >= STILL and (held or (still >= STILL_ELSEWHERE and watch.now() > _usual(watch))):
            break
    return not watch.container.exited.is_set()


def _usual(watch: Watch) -> float:
    """Seconds after which a launcher has surely come to its training, as it did in a good one."""
    return min(watch.setup.usual, LAUNCHED)


def processes_of(watch: Watch) -> tuple[Process, ...]:
    """The processes of a container; none where they are not to be seen, or are just ending."""
    inside = watch.stage.engine.inside
    with contextlib.suppress(NotReachable):
        return inside.processes(watch.container) if inside is not None else ()
    return ()


def is_deaf(processes: Iterable[Process]) -> bool:
    """Whether the first process has no handler: the kernel drops the signal then."""
    return any(one.depth == 0 and not one.catches_sigterm for one in processes)


def _by_weight(processes: Iterable[Process]) -> list[Process]:
    """The training itself first: the biggest, but the first process where it does not only wait for the others."""
    found = sorted(processes, key=lambda one: one.rss, reverse=True)
    biggest = found[0].rss if found else 0

    def place(one: Process) -> int:
        if one.depth > 0:
            return 1
        return 2 if one.waits_for_child or one.rss < biggest / 2 else 0

    return sorted(found, key=place)


def _survivor(process: Process, before: Process | None) -> Survivor:
    return Survivor(
        command=process.command,
        depth=process.depth,
        caught_at_first=before is not None and before.catches_sigterm,
        catches=process.catches_sigterm,
        ignores=process.ignores_sigterm,
    )
