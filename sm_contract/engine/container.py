"""One container of ours, through docker-py."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from docker.errors import APIError, NotFound

from sm_contract.engine import traces
from sm_contract.engine.cgroup import Cgroup, LimitWatch
from sm_contract.engine.link import TRANSPORT, Link, says
from sm_contract.engine.logs import Follower
from sm_contract.engine.protocol import (
    ContainerSpec,
    EngineError,
    NotReachable,
    StartError,
    State,
)

if TYPE_CHECKING:
    from sm_contract.engine.docker import DockerEngine
    from sm_contract.record import Written

GONE_SECONDS = 15.0
FORWARD_SECONDS = 1.0


class DockerContainer:
    """Implements ``protocol.Container``."""

    def __init__(self, engine: DockerEngine, ident: str, name: str, spec: ContainerSpec) -> None:
        self.id = ident
        self.name = name
        self.exited = threading.Event()
        self.spec = spec
        self._engine = engine
        self._link: Link = engine.link
        self._exit_code: int | None = None
        self._follower: Follower | None = None
        self._watch: LimitWatch | None = None
        self._out_of_memory = False
        self._started = False
        self._cgroup = Cgroup(ident) if engine.facts.local else None
        self._published: dict[int, tuple[str, int]] = {}

    def __repr__(self) -> str:
        return f"<container {self.name}>"

    # --- its life ---

    def start(self) -> None:
        """Start it, begin the blocked wait. Raises StartError with the engine's words."""
        if self._cgroup is not None or self.spec.processes:
            cgroup = self._cgroup or Cgroup(self.id)
            self._watch = LimitWatch(cgroup, self.exited, self._at_process_limit, self._pid)
        try:
            with self._link.calls(f"starting {self.name}") as api:
                api.start(self.id)
        except (APIError, EngineError) as error:
            if self._follower:
                self._follower.hang_up()
            self.exited.set()
            if isinstance(error, APIError):
                if error.status_code == 404:  # the container itself is gone; a missing program is a 400
                    raise EngineError(f"the engine could not start {self.name}: {says(error)}") from error
                raise StartError(says(error)) from error
            raise
        self._started = True
        self._engine.starts += 1
        if self._watch:
            self._watch.started.set()
        threading.Thread(target=self._await, name=f"sm-contract-wait-{self.spec.purpose}", daemon=True).start()

    def _await(self) -> None:
        try:
            while True:
                try:
                    answer = self._link.patient.wait(self.id)
                    self._exit_code = int(answer["StatusCode"])
                    return
                except APIError:  # removed meanwhile
                    return
                except TRANSPORT as error:
                    if self._link.lost or not self._still_there():
                        self._link.lose(f"waiting for {self.name}", error)
                        return
        finally:
            self.exited.set()

    def _still_there(self) -> bool:
        """After a wait that broke off: the line was cut (a proxy, an idle tunnel) and not the engine lost."""
        if self._link.address.socket_path:  # nothing cuts a local socket but the end of the engine
            return False
        try:
            return bool(self._link.api.inspect_container(self.id)["State"]["Running"])
        except (APIError, *TRANSPORT):
            return False

    def exit_code(self) -> int | None:
        """The exit code once ``exited`` is set."""
        if self._exit_code is None:
            self._link.check()
        return self._exit_code

    def state(self) -> State:
        with self._link.ask(f"to look at {self.name}") as api:
            found = api.inspect_container(self.id)
        state = found["State"]
        running = bool(state.get("Running"))
        ended = not running and state.get("Status") not in ("created", "configured", "initialized")
        networks = (found.get("NetworkSettings") or {}).get("Networks") or {}
        self._out_of_memory = self._out_of_memory or bool(state.get("OOMKilled"))
        return State(
            running=running,
            exit_code=int(state["ExitCode"]) if ended else None,
            out_of_memory=self._out_of_memory,
            error=str(state.get("Error") or ""),
            pid=int(state.get("Pid") or 0) if running else 0,
            address=next((str(n["IPAddress"]) for n in networks.values() if n.get("IPAddress")), ""),
        )

    def signal(self, name: str) -> None:
        """Send "SIGTERM" or "SIGKILL" to the first process; nothing if it has ended."""
        try:
            with self._link.calls(f"sending {name} to {self.name}") as api:
                api.kill(self.id, signal=name)
        except APIError as error:
            if error.status_code not in (404, 409) and "is not running" not in says(error):
                raise EngineError(f"the engine could not send {name} to {self.name}: {says(error)}") from error

    def remove(self) -> None:
        """Kill and remove it with its anonymous volumes, or leave it stopped; never fails on one that is gone."""
        if self._engine.keep:
            with contextlib.suppress(APIError), self._link.calls(f"stopping {self.name}") as api:  # it may have ended
                api.kill(self.id)
            self._let_go()
            return
        for last in (False, True):
            try:
                with self._link.calls(f"removing {self.name}") as api:
                    api.remove_container(self.id, v=True, force=True)
                break
            except NotFound:
                break
            except APIError as error:
                if "already in progress" in says(error):
                    break
                if last:  # a busy engine may not see the end of what it killed in its own time limit
                    raise EngineError(f"the engine could not remove {self.name}: {says(error)}") from error
        self._let_go()
        self._engine.gone(self.name)

    def _let_go(self) -> None:
        if self._started:
            self.exited.wait(GONE_SECONDS)
        self.exited.set()
        if self._follower:
            self._follower.hang_up()

    # --- its log ---

    def follow(self, line: Callable[[float, str, str], None]) -> None:
        """Call ``line(time.monotonic(), stream, text)`` for each log line, in a thread; call before start."""
        params = {"stdout": 1, "stderr": 1, "stream": 1}
        with self._link.ask(f"to attach to {self.name}"):
            stream = self._link.patient.attach_socket(self.id, params=params)
        multiplexed = not self.spec.terminal
        self._follower = Follower(stream, line, limit=self.spec.log_bytes, multiplexed=multiplexed)

    def drained(self, timeout: float) -> bool:
        """Wait until the log was read to its end after the exit; False if it was not within ``timeout``."""
        return self._follower.done.wait(timeout) if self._follower else True

    @property
    def log_cut(self) -> bool:
        """Whether more was logged than is kept."""
        return self._follower.cut if self._follower else False

    def type(self, text: bytes) -> None:
        """Write to the standard input of a container made with a terminal."""
        with self._link.ask(f"to type to {self.name}"):
            stream: Any = self._link.patient.attach_socket(self.id, params={"stdin": 1, "stream": 1})
        try:
            writer = stream if hasattr(stream, "sendall") else socket.socket(fileno=os.dup(stream.fileno()))
            writer.sendall(text)
            writer.close()
        except OSError as error:
            raise EngineError(f"could not type to {self.name}: {error}") from error
        finally:
            stream.close()

    # --- what it uses ---

    def cpu_seconds(self) -> float | None:
        """Processor time used so far, None if the engine does not say."""
        if self._cgroup is not None:
            used = self._cgroup.cpu_seconds()
            if used is not None:
                return used
            if self._watch is not None and self._watch.cpu is not None:
                return self._watch.cpu  # the last one seen before the exit
        if self.exited.is_set():
            return None
        usage = self._stats().get("cpu_stats", {}).get("cpu_usage", {}).get("total_usage")
        return usage / 1e9 if usage else None

    def written(self, at_least: int) -> Written:
        """What an ended one left in its own file system; nothing if all it wrote there is less than ``at_least``."""
        return traces.written(self._link, self.id, self._engine.files(self.spec.image), at_least)

    def before_end(self, path: str) -> float | None:
        """How many seconds before its end a file was last written, by the engine's clock; None if it is not there."""
        return traces.before_end(self._link, self.id, path)

    def _stats(self) -> dict[str, Any]:
        with contextlib.suppress(APIError, EngineError), self._link.calls(f"measuring {self.name}") as api:
            return dict(api.stats(self.id, stream=False, one_shot=True))
        return {}

    def _pid(self) -> int:
        with contextlib.suppress(EngineError):
            return self.state().pid
        return 0

    def _at_process_limit(self) -> bool:
        if not self.spec.processes:
            return False
        current = self._stats().get("pids_stats", {}).get("current") or 0
        return bool(current >= self.spec.processes)

    def hit_limits(self) -> tuple[str, ...]:
        """Limits of ours that were hit: "memory", "processes", "log"."""
        if self._watch is not None and not self.exited.is_set():
            self._watch.look()
        with contextlib.suppress(APIError, EngineError):
            self.state()
        if self._watch is not None:
            memory, processes = (
                self._engine.kernel_log.limits_of(self.id) if self._cgroup is not None else (False, False)
            )
            self._watch.memory = self._watch.memory or memory or self._out_of_memory
            self._watch.processes = self._watch.processes or processes
        watched = self._watch
        hits = {
            "memory": bool(self.spec.memory) and (self._out_of_memory or bool(watched and watched.memory)),
            "processes": bool(self.spec.processes and watched and watched.processes),
            "log": self.log_cut,
        }
        return tuple(name for name, hit in hits.items() if hit)

    # --- its port ---

    def endpoint(self, port: int) -> Callable[[float], socket.socket]:
        """A function that opens a TCP connection to ``port`` within a time-out in seconds.

        Raises NotReachable with what it would need.
        """
        if self.spec.network.kind == "none":
            return self._through_namespace(port)
        with self._link.ask(f"to look at {self.name}") as api:
            settings = api.inspect_container(self.id)["NetworkSettings"]
        if self._engine.networks.published:
            bound = (settings.get("Ports") or {}).get(f"{port}/tcp") or []
            if not bound and not self.exited.is_set():
                raise NotReachable(f"needs port {port} published: it was not named when the container was made")
            target = ("127.0.0.1", int(bound[0]["HostPort"]) if bound else 0)
            connect = self._connector(target)
            if bound and not self._answers(target):
                raise NotReachable(f"needs an engine whose published ports are this machine's: nobody has {target[1]}")
            return connect
        address = next((n["IPAddress"] for n in settings["Networks"].values() if n.get("IPAddress")), "")
        return self._connector((str(address), port))

    def mac(self) -> str:
        """Its address on the bridge of its network, while it runs; empty where it has none."""
        with self._link.ask(f"to look at {self.name}") as api:
            networks = api.inspect_container(self.id)["NetworkSettings"]["Networks"]
        return next((str(one["MacAddress"]) for one in networks.values() if one.get("MacAddress")), "")

    def _connector(self, target: tuple[str, int]) -> Callable[[float], socket.socket]:
        def connect(timeout: float) -> socket.socket:
            # After the exit the address may already be another container's.
            if self.exited.is_set() or not target[0] or not target[1]:
                raise ConnectionRefusedError(f"{self.spec.purpose} has ended")
            return socket.create_connection(target, timeout)

        return connect

    def _answers(self, target: tuple[str, int]) -> bool:
        """Whether the engine's own listener is behind a published port (it is, before the image's is)."""
        end = time.monotonic() + FORWARD_SECONDS
        while not self.exited.is_set():
            try:
                socket.create_connection(target, FORWARD_SECONDS).close()
                return True
            except ConnectionRefusedError:
                if time.monotonic() > end:
                    return False
                time.sleep(0.05)
            except OSError:
                return True
        return True

    def _through_namespace(self, port: int) -> Callable[[float], socket.socket]:
        inside = self._engine.inside
        if inside is None:
            raise NotReachable(self._engine.inside_needs)
        opener = inside.opener(self)

        def connect(timeout: float) -> socket.socket:
            if self.exited.is_set() or opener is None:
                raise ConnectionRefusedError(f"{self.spec.purpose} has ended")
            made = opener()
            try:
                made.settimeout(timeout)
                made.connect(("127.0.0.1", port))
            except BaseException:
                made.close()
                raise
            return made

        return connect
