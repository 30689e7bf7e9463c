"""A server of ours that does nothing but answer, pinged beside a life that is measured alone: late, the machine is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from sm_contract.engine.protocol import Container, ContainerSpec, Engine, Network, NotReachable, StartError
from sm_contract.platform.http import Connect
from sm_contract.platform.limits import Limits
from sm_contract.record import Ping
from sm_contract.scenarios.pinging import HEALTHY_PACE, send_ping

UP = 5.0  # seconds for the control to answer; it takes milliseconds


class Control:
    """The pings of one control server, one at a time, for as long as the life beside it goes on."""

    def __init__(self, connect: Connect, limits: Limits) -> None:
        self._connect, self._limits = connect, limits
        self._pings: list[Ping] = []
        self._finish = threading.Event()
        self._thread: threading.Thread | None = None

    def come_up(self, container: Container) -> None:
        """Wait until it answers, so that its own start is not taken for lateness."""
        until = time.monotonic() + UP
        while time.monotonic() < until and not container.exited.wait(0.02):
            if send_ping(self._connect, 0.0, self._limits.ping).status == 200:
                return

    def begin(self, now: Callable[[], float]) -> None:
        """Ping it from now on, by the clock of a life."""
        self._thread = threading.Thread(target=self._keep_pinging, args=(now,), daemon=True)
        self._thread.start()

    def end(self) -> tuple[Ping, ...]:
        """Its pings, with the one that is under way."""
        self._finish.set()
        if self._thread is not None:
            self._thread.join()
        return tuple(self._pings)

    def _keep_pinging(self, now: Callable[[], float]) -> None:
        due = now()
        while not self._finish.wait(max(0.0, due - now())):
            sent = now()  # where this process was late itself, so were the pings of the candidate
            ping = send_ping(self._connect, sent, self._limits.ping)
            self._pings.append(replace(ping, at=due, seconds=round(ping.seconds + sent - due, 4)))
            due = round(now() + HEALTHY_PACE, 4)


@contextmanager
def control_beside(engine: Engine, network: Network, name: str, limits: Limits) -> Iterator[Control | None]:
    """A control server on the network of a life; None where there is none to be had."""
    image = engine.control()
    if image is None:
        yield None
        return
    with ExitStack() as stack:
        try:
            container = engine.create(
                ContainerSpec(image=image, command=None, purpose=f"{name}-control", network=network)
            )
            stack.callback(container.remove)
            container.start()
            control = Control(container.endpoint(8080), limits)
        except (StartError, NotReachable):
            yield None
            return
        stack.callback(control.end)
        control.come_up(container)
        yield control
