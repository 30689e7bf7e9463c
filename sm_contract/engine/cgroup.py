"""A container's control groups, read from this kernel: its limits that were hit, its processor time, its processes."""

from __future__ import annotations

import contextlib
import os
import re
import select
import threading
from collections.abc import Callable
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
PROC = Path("/proc")


def holds(pid: int, container_id: str) -> bool:
    """Whether a process of this PID namespace runs in the container of that id: the proof that we see its kernel."""
    try:
        return bool(pid) and container_id in (PROC / str(pid) / "cgroup").read_text()
    except OSError:
        return False


class Cgroup:
    """The directories of one container, found by its id; version 1 and 2."""

    def __init__(self, container_id: str) -> None:
        self._id = container_id
        self._found: dict[str, Path] = {}

    def _candidates(self, controller: str) -> list[Path]:
        ident = self._id
        names = [f"docker/{ident}", f"system.slice/docker-{ident}.scope", f"machine.slice/libpod-{ident}.scope"]
        names += [f"machine.slice/libpod-{ident}.scope/container", f"libpod_parent/libpod-{ident}"]
        roots = [ROOT / controller, ROOT] if controller else [ROOT]
        return [root / name for root in roots for name in names]

    def locate(self, pid: int) -> None:
        """Learn the directories from a process that is certain to be in it (any layout, any parent)."""
        with contextlib.suppress(OSError, ValueError):
            for line in (PROC / str(pid) / "cgroup").read_text().splitlines():
                _, controllers, path = line.split(":", 2)
                if self._id in path:
                    path = path.split("/../")[-1].lstrip("/")
                    for controller in controllers.split(","):
                        self._found[controller] = ROOT / controller / path if controller else ROOT / path

    def path(self, controller: str, file: str) -> Path | None:
        """A file of the container's group: its version 1 controller's, or version 2's."""
        known = [self._found[key] for key in (controller, "") if key in self._found]
        for folder in (*known, *self._candidates(controller)):
            if (folder / file).exists():
                return folder / file
        return None

    def _number(self, controller: str, file: str, pattern: str) -> int | None:
        path = self.path(controller, file)
        if path is None:
            return None
        try:
            found = re.search(pattern, path.read_text(), re.MULTILINE)
        except OSError:
            return None
        return int(found[1]) if found else None

    def refused_processes(self) -> int | None:
        return self._number("pids", "pids.events", r"^max (\d+)")

    def oom_kills(self) -> int | None:
        kills = self._number("memory", "memory.events", r"^oom_kill (\d+)")
        return kills if kills is not None else self._number("memory", "memory.oom_control", r"^oom_kill (\d+)")

    def cpu_seconds(self) -> float | None:
        micro = self._number("", "cpu.stat", r"^usage_usec (\d+)")
        if micro is not None:
            return micro / 1e6
        nano = self._number("cpuacct", "cpuacct.usage", r"^(\d+)")
        return None if nano is None else nano / 1e9


class KernelLog:
    """What the kernel says from now on: it names the container whose limit it enforced, and remembers it longer."""

    def __init__(self) -> None:
        self._text = ""
        self._lock = threading.Lock()
        try:
            self._descriptor = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
            os.lseek(self._descriptor, 0, os.SEEK_END)
        except OSError:  # needs root
            self._descriptor = -1

    def limits_of(self, container_id: str) -> tuple[bool, bool]:
        """Whether a container ran out of its memory, and out of its processes."""
        with self._lock:
            while self._descriptor >= 0:
                try:
                    record = os.read(self._descriptor, 8192).decode(errors="replace")
                except BrokenPipeError:  # the ring was overwritten: go on with the oldest there is
                    continue
                except OSError:
                    break
                if "oom-kill:" in record or "pids controller" in record:
                    self._text += record
            lines = [line for line in self._text.splitlines() if container_id in line]
        return any("oom-kill:" in line for line in lines), any("pids controller" in line for line in lines)

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)


class LimitWatch:
    """Looks for limits of ours that are hit, from before the start on: the groups are gone with the container."""

    EVERY = 0.25  # seconds; the kernel wakes us before, where it can
    SPIN = 0.003
    PATIENCE = 0.3  # after the start, for the groups to be found

    def __init__(
        self, cgroup: Cgroup, ended: threading.Event, fallback: Callable[[], bool], first: Callable[[], int]
    ) -> None:
        self.memory = False
        self.processes = False
        self.cpu: float | None = None
        self.started = threading.Event()
        self._cgroup = cgroup
        self._ended = ended
        self._first = first  # the number of the container's first process
        self._fallback = fallback  # "the process limit is reached", asked of the engine where no group can be read
        threading.Thread(target=self._run, name="sm-contract-limits", daemon=True).start()

    def look(self) -> bool:
        """One look; False if the groups cannot be read."""
        refused, kills = self._cgroup.refused_processes(), self._cgroup.oom_kills()
        self.processes = self.processes or bool(refused)
        self.memory = self.memory or bool(kills)
        cpu = self._cgroup.cpu_seconds()
        self.cpu = cpu if cpu is not None else self.cpu
        return refused is not None or kills is not None

    def _find(self) -> Path | None:
        """The group's file of refused forks, as soon as the engine has made it: some containers end within a breath."""
        late = 0.0
        while not self._ended.is_set() and late < self.PATIENCE:
            if path := self._cgroup.path("pids", "pids.events"):
                return path
            self._ended.wait(self.SPIN)
            late += self.SPIN if self.started.is_set() else 0
        self._cgroup.locate(self._first())  # an engine with a layout of its own
        return self._cgroup.path("pids", "pids.events")

    def _run(self) -> None:
        path = self._find()
        waker = select.poll() if hasattr(select, "poll") else None
        with contextlib.ExitStack() as stack:
            events = None
            if waker is not None and path is not None:
                with contextlib.suppress(OSError):
                    events = stack.enter_context(path.open())
                    events.read()  # a kernfs file wakes only who has read it
                    waker.register(events, select.POLLPRI)
            readable = self.look()
            while not self._ended.is_set():
                if not readable and self._fallback():
                    self.processes = True
                if waker is None or events is None or not readable:
                    self._ended.wait(1.0)
                elif waker.poll(self.EVERY * 1000):
                    self.look()
                    self._ended.wait(0.02)  # a storm of refused forks wakes us each time
                    with contextlib.suppress(OSError, ValueError):
                        events.seek(0)
                        events.read()
                self.look()
