"""One training job: its tree is written, it runs to its end, what it leaves is read."""

from __future__ import annotations

import codecs
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from sm_contract.candidate import Given
from sm_contract.engine.protocol import Container, Mount, NotReachable, Volume
from sm_contract.platform import config
from sm_contract.platform.content import Content
from sm_contract.platform.tree import Member, directory, folder, kind_of, members
from sm_contract.record import TRAINING, Life, TrainingResult, TreeFile
from sm_contract.scenarios import midrun, odd
from sm_contract.scenarios.life import Stage, Watch, watched
from sm_contract.scenarios.pinging import send_ping
from sm_contract.scenarios.setup import Setup

TREE_FILES = 5000  # of one tree, kept in the record
OTHER = "sm-contract"  # a channel that nobody declared
FAILURE = 1024  # characters that the platform shows
FAILURE_READ = 64 * 1024  # bytes of the file that are looked at
PROBE_PACE = 1.0  # seconds between pings that find out whether it serves
PROBE_LIMIT = 0.5  # seconds for the answer to one
SERVERS = (200, 500, 502, 503, 504)  # what a ping is answered with by a server; without its model, or its worker
WRITTEN = 4 * 1024 * 1024  # bytes: what is less is not looked into


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

    ``probe_port`` looks for a server on port 8080 while it runs: an image that ignores its argument serves on ``train``
    as well, and would never end. Where the owner declares data for training, only one that does nothing else is taken
    for that. ``at_end`` is given the ended container before it is removed.
    """
    engine = stage.engine
    with ExitStack() as stack:

        def volume(purpose: str) -> Volume:
            made = engine.volume(purpose)
            stack.callback(engine.remove_volume, made)
            return made

        def filled(purpose: str, content: Content) -> Volume:
            made = volume(purpose)
            stage.contents.fill(made, content)
            return made

        mode = 0o777 if setup.writable else 0o755
        inputs = filled(
            "input",
            Content(
                members=partial(_input_tree, given, setup),
                owned=_owned(given, setup),
                owner=_owner(stage) if setup.owned else 0,
            ),
        )
        output = filled("output", Content(members=lambda: [directory("./", mode), directory("data", mode)]))
        model = keep_model or volume("model")
        if setup.writable:
            stage.contents.fill(model, Content(members=lambda: [directory("./", mode)]))
        mounts = [
            Mount(volume=inputs, target="/opt/ml/input", read_only=setup.read_only),
            Mount(volume=model, target="/opt/ml/model"),
            Mount(volume=output, target="/opt/ml/output"),
        ]
        environment = config.job_environment(setup.environment)
        if setup.checkpoint:
            files = [Member(path="checkpoint-1", data=b"1\n")] if setup.checkpoint == "file" else []
            mounts.append(
                Mount(volume=filled("checkpoints", Content(members=lambda: files)), target=config.CHECKPOINTS)
            )
        if setup.warm_cache:
            mounts.append(Mount(volume=filled("cache", Content(members=_cache_tree)), target=config.CACHE))
            environment[config.CACHE_VARIABLE] = config.CACHE
        watch = stack.enter_context(watched(stage, setup, mounts, environment))
        kill, stop = None, None
        if watch.start():
            if setup.midway == "stop":
                stop = midrun.stop(watch)
            elif setup.midway:
                kill = midrun.kill_child(watch)
            if stop is None:
                _wait(watch, model, probe_port=probe_port, trains=bool(given.table_of(TRAINING)))
            at_end(watch.container)
        life = watch.life()
        trees = {} if watch.start_error else {"model": model, "output": output}
        written = watch.container.written(WRITTEN) if life.trained else None
        life = replace(life, kill=kill, stop=stop, written=written, result=_result(watch, life, trees))
        return watch.keep(life)


def _input_tree(given: Given, setup: Setup) -> Iterator[Member]:
    content_types = {
        name: given.channels[name].content_type if setup.content_types else None for name in setup.channels
    }
    if setup.other_channel:
        content_types[OTHER] = None
    yield from config.config_files(
        setup.hyperparameters,
        content_types,
        with_resources=setup.resource_config,
        undocumented_keys=setup.undocumented_keys,
        further={
            **(config.FEATURE_FILES if setup.feature_files else {}),
            **(config.PLATFORM_FILES if setup.platform_files else {}),
        },
        wrong_names_too=setup.wrong_case,
    )
    yield directory("data")
    for name in setup.channels:
        yield directory(f"data/{name}")
        for member in folder(given.channels[name].path, f"data/{name}"):
            yield _spoilt(member, setup.data)
    if setup.other_channel:
        yield directory(f"data/{OTHER}")
        yield Member(path=f"data/{OTHER}/part-0", data=b"0\n")


def _cache_tree() -> Iterator[Member]:
    """What earlier jobs of a warm pool may have left."""
    yield directory("old-job")
    yield Member(path="old-job/data.arrow", data=random.Random("cache").randbytes(4096))
    yield Member(path="old-job/.lock")
    yield Member(path="index.json", data=b'{"half": "writ')


def _owner(stage: Stage) -> int:
    """The number of the image's own user."""
    described = stage.engine.inspect(stage.image).get("Config")
    user = str((described if isinstance(described, dict) else {}).get("User") or "").partition(":")[0]
    if user.isdigit():
        return int(user)
    accounts = (stage.engine.files(stage.image).read("/etc/passwd") or b"").decode("utf-8", "replace")
    fields = next((line.split(":") for line in accounts.splitlines() if line.startswith(f"{user}:")), [])
    return int(fields[2]) if len(fields) > 2 and fields[2].isdigit() else 0


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


def _wait(watch: Watch, model: Volume, *, probe_port: bool, trains: bool) -> None:
    """Until the program ends, hangs on with its work done, turns out to be a server, or our patience is over."""
    limits = watch.stage.limits
    patience = midrun.PATIENCE_AFTER_KILL if watch.setup.midway else watch.setup.patience or limits.train
    saved: frozenset[tuple[str, int, float]] = frozenset()
    idle = _Idleness(watch, min(limits.idle, limits.train))
    due = PROBE_PACE
    for _ in watch.wait(time.monotonic() + min(patience, limits.train), "the training to end"):
        idles = idle.is_over()
        if idles:
            before, saved = saved, _saved(watch.stage, model)
            if saved and saved == before:
                watch.end_by_force("idle")
                return
        if probe_port and ((idles and not saved) or (not trains and watch.now() > due)):
            due = watch.now() + PROBE_PACE
            if serves(watch, idles=idles and not trains):
                watch.event("served on port 8080")
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


def serves(watch: Watch, *, idles: bool) -> bool:
    """Whether a ping is answered as a server does, healthy or not; the dashboard of a training does not know it.

    Of one that ``idles`` with its port open nothing else is asked.
    """
    try:
        ping = send_ping(watch.container.endpoint(8080), watch.now(), PROBE_LIMIT, patience=1)
    except NotReachable:
        return False
    return ping.status in SERVERS or (idles and ping.connect_seconds is not None)


def _result(watch: Watch, life: Life, trees: dict[str, Volume]) -> TrainingResult:
    files: dict[str, tuple[TreeFile, ...]] = {}
    failure = None
    for name, volume in trees.items():
        found: list[TreeFile] = []
        for info, content in members(watch.stage.engine.read(volume, watch.stage.image)):
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
                failure = content.read(FAILURE_READ)
        files[name] = tuple(found)
    text = "" if failure is None else failure.decode("utf-8", "replace")
    shown = None if failure is None else text[:FAILURE]
    status = "Completed" if life.trained else "Failed"
    reason = "" if life.trained else config.failure_reason(shown, life.exit_code)
    if life.start_error:
        reason = f"ClientError: {life.start_error}"
    elif life.ended == "stopped":
        status, reason = "Stopped", ""
    elif life.ended not in ("itself", "killed"):
        status, reason = "Stopped", "MaxRuntimeExceeded"  # it was ended by us, as the platform would in the end
    before_end = watch.container.before_end("/opt/ml/output/failure") if failure is not None else None
    output = files.get("output", ())
    return TrainingResult(
        status=status,
        failure_reason=reason,
        model=files.get("model", ()),
        output=output,
        failure=shown,
        failure_rest=text[FAILURE:][-FAILURE:],
        failure_utf8=_is_utf8(failure or b""),
        failure_at=None if before_end is None else round(life.seconds - before_end, 3),
        ran=odd.ran(file.path for file in output),
    )


def _is_utf8(head: bytes) -> bool:
    """Whether the head of a file is UTF-8, though its last character may be cut."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True
