"""What every life has in common: its container, its clock, its log, and how it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import cast

from sm_contract.alone import is_alone
from sm_contract.engine.protocol import (
    SHM,
    Container,
    ContainerSpec,
    Engine,
    Mount,
    Network,
    Packets,
    StartError,
    Volume,
)
from sm_contract.platform.limits import Limits
from sm_contract.recipe import Recipe, Sent
from sm_contract.record import INFERENCE, WORD, Attempt, Event, FileFact, Life, LogLine
from sm_contract.scenarios.contents import Contents
from sm_contract.scenarios.control import Control, control_beside
from sm_contract.scenarios.machine import Closed, Machine, Neighbours
from sm_contract.scenarios.setup import Setup

LOG_LINES = 2000  # kept of one life: the first and the last half
BIG_SHM = 2 << 30  # bytes of /dev/shm, where the container has all memory there is
LEAVES = ("/opt/ml/input", "/opt/ml/model", "/opt/ml/output", "/opt/ml/checkpoints")
Waiting = Callable[[str, str, float, float], None]  # name, what is waited for, since and until (monotonic)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What the lives of one image share."""

    engine: Engine
    machine: Machine
    image: str  # id in the engine
    limits: Limits
    baked: tuple[FileFact, ...]
    memory: int
    processes: int
    log_bytes: int
    contents: Contents
    waiting: Waiting = lambda *_: None
    done: Callable[[str], None] = lambda _: None
    noted: Callable[[str], None] = lambda _: None  # told at once, before the wait is over
    recorded: Callable[[Life], None] = lambda _: None
    written: Callable[[Recipe], None] = lambda _: None


@dataclass
class Watch:
    """One life while it goes on: events and log lines by its own clock."""

    stage: Stage
    setup: Setup
    container: Container
    network: Network
    neighbours: Neighbours
    control: Control | None
    sent: list[Sent]
    began: float = field(default_factory=time.monotonic)
    events: list[Event] = field(default_factory=list)
    lines: list[LogLine] = field(default_factory=list)
    start_error: str = ""
    ended: str = ""
    exited_at: float | None = None
    packets: Packets | None = None

    def now(self) -> float:
        return round(time.monotonic() - self.began, 4)

    def event(self, what: str) -> None:
        self.events.append(Event(at=self.now(), what=what))

    def line(self, at: float, stream: str, text: str) -> None:
        self.lines.append(LogLine(at=round(max(0.0, at - self.began), 4), stream=stream, text=text))
        if len(self.lines) > 2 * LOG_LINES:
            del self.lines[LOG_LINES // 2 : -LOG_LINES // 2]

    def start(self) -> bool:
        """Start the container; False, with the engine's words noted, if it would not."""
        inside = self.stage.engine.inside
        if inside is not None and self.setup.network != "none" and self.container.id:
            self.packets = inside.packets(self.container, self.network)
        self.began = time.monotonic()
        if self.control is not None:
            self.control.begin(self.now)
        self.event("start")
        try:
            self.container.start()
        except StartError as error:
            self.start_error = str(error)
            self.ended = "never started"
            self.event("start error")
        else:
            if self.packets is not None:
                self.packets.started()
            threading.Thread(target=self._note_time_of_exit, daemon=True).start()
            if self.setup.terminal:  # somebody who answers every question with Enter
                self.container.type(b"\n\n\n")
        return not self.start_error

    def end_listening(self) -> None:
        if self.packets is not None:
            self.packets.end()

    def check_open(self) -> None:
        """Raise Closed if the run is being ended, EngineFull if what goes on shows the disk and not the image."""
        if self.stage.machine.closed.is_set():
            raise Closed
        self.stage.engine.check_room()

    def keep(self, life: Life) -> Life:
        """Hand over the finished record, unless it was the end of the run that ended the container."""
        self.check_open()
        self.stage.recorded(life)
        return life

    def wait(self, until: float, what: str, pace: float = 0.2) -> Iterator[None]:
        """Yield now and then until the container exits or ``until`` (monotonic) has come."""
        since = time.monotonic()
        while not self.container.exited.is_set() and time.monotonic() < until:
            self.check_open()
            self.stage.waiting(self.setup.name, what, since, until)
            yield
            self.container.exited.wait(min(pace, max(0.0, until - time.monotonic())))

    def _note_time_of_exit(self) -> None:
        self.container.exited.wait()
        self.exited_at = self.now()

    def note_exit(self) -> None:
        """Note that the container ended by itself, and when."""
        self.ended = self.ended or "itself"
        at = self.exited_at if self.exited_at is not None else self.now()
        self.events.append(Event(at=at, what=f"exit {self.container.exit_code()}"))
        self.events.sort(key=lambda event: event.at)

    def end_by_force(self, why: str) -> None:
        """Kill what is still running; ``why`` says what ended the life."""
        self.ended = why
        self.container.signal("SIGKILL")
        self.container.exited.wait(10)
        self.event(f"killed by us ({why})")

    def _shortened(self) -> dict[str, float]:
        """The contract's limits that this life was held to, and were shortened by an option."""
        if self.setup.role == INFERENCE:
            return self.stage.limits.shortened()
        return self.stage.limits.shortened(training=True) if self.setup.midway == "stop" else {}

    def _attempts(self) -> tuple[Attempt, ...] | None:
        seen = self.packets.end() if self.packets is not None else None
        if seen is None:
            return None
        own = tuple(f"{name}." for name in ("localhost", self.setup.hostname) if name)  # before a search domain, too
        tried = [(at, what) for what, at in seen.items() if not f"{what}.".startswith(own)]
        return tuple(Attempt(at=round(max(0.0, at - self.began), 4), what=what) for at, what in sorted(tried))

    def life(self) -> Life:
        """The record so far, once the container has ended."""
        if not self.start_error:
            self.container.drained(5.0)
        limits = self.stage.limits
        return Life(
            name=self.setup.name,
            role=self.setup.role,
            base=self.setup.base,
            change=self.setup.change,
            conditions=self.setup.conditions,
            command=() if self.setup.own_command else (WORD[self.setup.role],),
            network=self.setup.network,
            seconds=self.exited_at if self.ended == "itself" and self.exited_at is not None else self.now(),
            neighbours=self.neighbours.most,
            control=None if self.control is None else self.control.end(),
            start_error=self.start_error,
            exit_code=None if self.start_error else self.container.exit_code(),
            ended=self.ended,
            hit_limits=() if self.start_error else self.container.hit_limits(),
            limits={
                **limits.in_force(),
                "memory": float(self.stage.memory),
                "processes": float(self.stage.processes),
                "log": float(self.stage.log_bytes),
            },
            shortened=self._shortened(),
            events=tuple(self.events),
            attempts=self._attempts(),
            log=kept(self.lines),
            log_cut=self.container.log_cut or len(self.lines) > LOG_LINES,
        )


def kept(lines: list[LogLine]) -> tuple[LogLine, ...]:
    """Of a long log its beginning and its end: what a program says last is what it died of."""
    half = LOG_LINES // 2
    return tuple(lines) if len(lines) <= LOG_LINES else (*lines[:half], *lines[-half:])


@contextmanager
def watched(stage: Stage, setup: Setup, mounts: list[Mount], environment: dict[str, str]) -> Iterator[Watch]:
    """A container of this set-up, created and not started, gone afterwards."""
    engine = stage.engine
    with ExitStack() as stack:
        neighbours = stack.enter_context(stage.machine.life(alone=is_alone(setup.name)))
        network = engine.network(setup.network)
        control = None
        if is_alone(setup.name):
            control = stack.enter_context(control_beside(engine, network, setup.name, stage.limits))
        stack.callback(stage.done, setup.name)
        mounts = mounts + [Mount(volume=_volume(engine, stack, "hidden"), target=path) for path in setup.hide]
        if not setup.mounted:
            covered = {leaf for leaf in LEAVES if any(f.path.startswith(leaf + "/") for f in stage.baked)}
            mounts = [mount for mount in mounts if mount.target not in covered]
        spec = ContainerSpec(
            image=stage.image,
            command=None if setup.own_command else (WORD[setup.role],),
            purpose=setup.name,
            network=network,
            environment=environment,
            hostname=setup.hostname,
            hosts={"algo-1": "127.0.0.1"} if setup.network == "none" else {},
            aliases=("algo-1",) if setup.role == "training" and setup.network != "none" else (),
            mounts=tuple(mounts),
            terminal=setup.terminal,
            capabilities=tuple(name for name in setup.capabilities if name not in engine.facts.withheld),
            devices=setup.devices,
            seccomp=setup.seccomp,
            shm=(stage.memory or BIG_SHM) if setup.big_shm else SHM,
            privileged=setup.privileged,
            dropped=setup.dropped,
            read_only_root=setup.read_only_root,
            user=setup.user,
            open_files=setup.open_files,
            healthcheck=setup.healthcheck,
            memory=stage.memory,
            processes=stage.processes,
            log_bytes=stage.log_bytes,
        )
        contents = {mount.target: stage.contents.of(mount.volume) for mount in mounts}
        recipe = Recipe(life=setup.name, spec=spec, contents=contents)
        stage.written(recipe)
        container: Container
        try:
            container = engine.create(spec)
        except StartError as error:
            container = cast(Container, NeverCreated(setup.name, str(error)))
        stack.callback(container.remove)
        watch = Watch(stage, setup, container, network, neighbours, control, recipe.sent)
        stack.callback(watch.end_listening)
        container.follow(watch.line)
        yield watch


def _volume(engine: Engine, stack: ExitStack, purpose: str) -> Volume:
    volume = engine.volume(purpose)
    stack.callback(engine.remove_volume, volume)
    return volume


class NeverCreated:
    """Stands for a container that the engine refused to create: it cannot start, and there is nothing to see."""

    def __init__(self, name: str, error: str) -> None:
        self.id, self.name, self._error = "", name, error
        self.exited = threading.Event()
        self.log_cut = False

    def start(self) -> None:
        raise StartError(self._error)

    def follow(self, line: object) -> None: ...

    def remove(self) -> None: ...

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"{name} of a container that was never created")
