"""One training job: its tree is written, it runs to its end, what it leaves is read."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from sm_contract.candidate import Given
from sm_contract.engine.protocol import Container, Mount, NotReachable, Process, Volume
from sm_contract.platform import config
from sm_contract.platform.content import Content
from sm_contract.platform.tree import Member, directory, folder, kind_of, members
from sm_contract.record import Kill, Life, TrainingResult, TreeFile
from sm_contract.scenarios.life import Stage, Watch, watched
from sm_contract.scenarios.setup import Setup

TREE_FILES = 5000  # of one tree, kept in the record
PATIENCE_AFTER_KILL = 30.0  # seconds for the program to notice that its child is gone
PATIENCE_FOR_CHILD = 10.0  # seconds for a child to appear


def train(
    stage: Stage,
    given: Given,
    setup: Setup,
    *,
    keep_model: Volume | None = None,
    probe_port: bool = False,
    at_end: Callable[[Container], None] = lambda _: None,
) -> Life:
    """Run one training job and return its record; what it saved stays in ``keep_model`` if that is given.

    ``probe_port`` looks for a server on port 8080 while it runs: an image that ignores its argument serves
    on ``train`` as well, and would never end. ``at_end`` is given the ended container before it is removed.
    """
    engine = stage.engine
    with ExitStack() as stack:

        def volume(purpose: str) -> Volume:
            made = engine.volume(purpose)
            stack.callback(engine.remove_volume, made)
            return made

        inputs, output = volume("input"), volume("output")
        model = keep_model or volume("model")
        fill = stage.contents.fill
        fill(inputs, Content(members=partial(_input_tree, given, setup), owned=_owned(given, setup)))
        mode = 0o777 if setup.writable else 0o755
        fill(output, Content(members=lambda: [directory("./", mode), directory("data", mode)]))
        if setup.writable:
            fill(model, Content(members=lambda: [directory("./", mode)]))
        mounts = [
            Mount(volume=inputs, target="/opt/ml/input", read_only=setup.read_only),
            Mount(volume=model, target="/opt/ml/model"),
            Mount(volume=output, target="/opt/ml/output"),
        ]
        if setup.checkpoint:
            checkpoints = volume("checkpoints")
            if setup.checkpoint == "file":
                fill(checkpoints, Content(members=lambda: [Member(path="checkpoint-1", data=b"1\n")]))
            mounts.append(Mount(volume=checkpoints, target="/opt/ml/checkpoints"))
        watch = stack.enter_context(watched(stage, setup, mounts, config.job_environment(setup.environment)))
        kill = None
        if watch.start():
            if setup.kill_child:
                kill = _kill_child(watch)
            _wait(watch, model, probe_port=probe_port)
            at_end(watch.container)
        life = watch.life()
        trees = {} if watch.start_error else {"model": model, "output": output}
        return watch.keep(replace(life, kill=kill, result=_result(stage, life, trees)))


def _input_tree(given: Given, setup: Setup) -> Iterator[Member]:
    content_types = {
        name: given.channels[name].content_type if setup.content_types else None for name in setup.channels
    }
    yield from config.config_files(
        setup.hyperparameters,
        content_types,
        with_resources=setup.resource_config,
        wrong_names_too=setup.wrong_case,
    )
    yield directory("data")
    for name in setup.channels:
        yield directory(f"data/{name}")
        for member in folder(given.channels[name].path, f"data/{name}"):
            yield _spoilt(member, setup.data)


def _owned(given: Given, setup: Setup) -> dict[str, Path]:
    """Where in the input tree the owner's own files lie, as they are."""
    return {f"data/{name}": given.channels[name].path for name in setup.channels} if setup.data == "good" else {}


def _spoilt(member: Member, how: str) -> Member:
    if how == "good" or member.kind != "file":
        return member
    if how == "pipes":
        return Member(path=member.path, kind="fifo")
    noise = random.Random(member.path)  # the same bytes in every run
    size = member.source.stat().st_size if member.source else len(member.data)
    return Member(path=member.path, data=noise.randbytes(min(max(size, 256), 1 << 20)))


def _wait(watch: Watch, model: Volume, *, probe_port: bool) -> None:
    """Until the program ends, hangs on with its work done, turns out to be a server, or our patience is over."""
    limits = watch.stage.limits
    patience = PATIENCE_AFTER_KILL if watch.setup.kill_child else limits.train
    saved: frozenset[tuple[str, int, float]] = frozenset()
    idle = _Idleness(watch, min(limits.idle, limits.train))
    for _ in watch.wait(time.monotonic() + min(patience, limits.train), "the training to end"):
        if idle.is_over():
            before, saved = saved, _saved(watch.stage, model)
            if saved and saved == before:
                watch.end_by_force("idle")
                return
        if probe_port and watch.now() > 1 and _serves(watch):
            watch.event("port 8080 open")
            watch.end_by_force("serving")
            return
    if watch.container.exited.is_set():
        watch.note_exit()
    else:
        watch.end_by_force("limit")


class _Idleness:
    """Whether no processor time to speak of was used for a while."""

    def __init__(self, watch: Watch, span: float) -> None:
        self._watch, self._span = watch, span
        self._looked = self._since = time.monotonic()
        self._used = 0.0

    def is_over(self) -> bool:
        """True once per idle span."""
        now = time.monotonic()
        if now - self._looked < min(1.0, self._span / 4):
            return False
        self._looked = now
        used = self._watch.container.cpu_seconds()
        if used is None or used - self._used > 0.01 * max(1.0, now - self._since):
            self._used, self._since = used or 0.0, now
            return False
        if now - self._since < self._span:
            return False
        self._since = now
        return True


def _saved(stage: Stage, model: Volume) -> frozenset[tuple[str, int, float]]:
    """What lies in the model folder: a program that idles for two spans over the same files is done with them."""
    tree = members(stage.engine.read(model, stage.image))
    return frozenset((info.name, info.size, float(info.mtime)) for info, _ in tree if info.isreg())


def _serves(watch: Watch) -> bool:
    try:
        watch.container.endpoint(8080)(0.2).close()
    except (OSError, NotReachable):
        return False
    return True


def _kill_child(watch: Watch) -> Kill | None:
    """Kill the biggest descendant of the first process: once the tree stands still, or midway through the work."""
    inside = watch.stage.engine.inside
    assert inside is not None  # the planner leaves this run out otherwise
    before: set[int] = set()
    until = time.monotonic() + PATIENCE_FOR_CHILD
    settled = 0
    children: list[Process] = []
    after = watch.setup.kill_after
    pace = 0.1 if after is None else 0.02
    seen = False
    for _ in watch.wait(until + (after or 0.0), "a child process to kill", pace=pace):
        children = [process for process in inside.processes(watch.container) if process.depth > 0]
        pids = {process.pid for process in children}
        seen = seen or bool(children)
        if after is not None:
            if children and watch.now() >= after:
                break
            continue
        settled = settled + 1 if pids == before else 0
        before = pids
        if settled >= 8 and (children or watch.now() > PATIENCE_FOR_CHILD / 3):
            break
    if watch.container.exited.is_set():
        return None if seen or after is None else Kill(at=watch.now(), victim="", depth=0)
    if not children:
        watch.end_by_force("no child")
        return Kill(at=watch.now(), victim="", depth=0)
    victim = max(children, key=lambda process: process.rss)
    try:
        inside.kill(watch.container, victim.pid)
    except ProcessLookupError:
        return None
    watch.event(f"SIGKILL to {victim.command[:60]}")
    return Kill(at=watch.now(), victim=victim.command, depth=victim.depth)


def _result(stage: Stage, life: Life, trees: dict[str, Volume]) -> TrainingResult:
    files: dict[str, tuple[TreeFile, ...]] = {}
    failure = None
    for name, volume in trees.items():
        found: list[TreeFile] = []
        for info, content in members(stage.engine.read(volume, stage.image)):
            path = os.path.normpath(info.name)
            if path != "." and len(found) < TREE_FILES:
                found.append(
                    TreeFile(
                        path=path,
                        kind=kind_of(info),
                        size=info.size,
                        mode=info.mode,
                        mtime=float(info.mtime),
                        target=info.linkname,
                    )
                )
            if name == "output" and path == "failure" and content is not None:
                failure = content.read(4096).decode("utf-8", "replace")[:1024]
        files[name] = tuple(found)
    status = "Completed" if life.trained else "Failed"
    reason = "" if life.trained else config.failure_reason(failure, life.exit_code)
    if life.start_error:
        reason = f"ClientError: {life.start_error}"
    elif life.ended not in ("itself", "killed"):
        status, reason = "Stopped", "MaxRuntimeExceeded"  # it was ended by us, as the platform would in the end
    return TrainingResult(
        status=status,
        failure_reason=reason,
        model=files.get("model", ()),
        output=files.get("output", ()),
        failure=failure,
    )
