"""One life of a server: started, pinged until healthy, invoked, pinged all the while, stopped."""

from __future__ import annotations

import contextlib
import math
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial

from sm_contract.candidate import Given
from sm_contract.engine.protocol import Mount, NotReachable, Volume
from sm_contract.platform import formats, invoke
from sm_contract.platform.http import Answer, Connect, exchange, first_bytes
from sm_contract.platform.limits import Limits
from sm_contract.recipe import Sent
from sm_contract.record import AFTERWARDS, BUSY, EARLY, HUGE, NOT_YET, Invocation, Life, Listener, Ping, Stop
from sm_contract.scenarios.additional import additional
from sm_contract.scenarios.bodies import Body
from sm_contract.scenarios.life import Stage, Watch, watched
from sm_contract.scenarios.pinging import HEALTHY_PACE, SELDOM, SLOW_PING, rounded, send_ping
from sm_contract.scenarios.probing import GRACE, Probing
from sm_contract.scenarios.setup import Setup
from sm_contract.scenarios.stopping import stop

UNOPENED = 0.3  # seconds for a connection before the port has ever opened
CLOSED_PACE = 0.03  # seconds between pings until the port opens
OPEN_PACE = 0.1  # from then until healthy
IN_A_ROW = 3  # good pings that make a server healthy (how many the platform wants is not documented)
FLAPPING = 30  # pings after the first good one without a row: it will not become healthy
WHOLE_LIFE = 5.0  # seconds of health that a thorough life shows at least
WHOLE_LIFE_PINGS = 20
BUSY_SECONDS = 2.0  # of parallel invocations
BUSY_EACH = 50  # invocations per sender at most
SOON, LATER = 3.0, 25.0  # seconds in which the first invocation is tried again: after an error; at least, after NOT_YET
AGAIN_PACE, LATER_PACE = 0.25, 1.0  # seconds between these tries, until LATER is over and from then on
ENDING = 0.5  # seconds for a container to end whose server is gone
ALONE_AGAIN = 20  # invocations one after the other at most, where one failed among several at once
LOOK = 3.0  # seconds between two looks at where a server listens that does not take connections


def serve(
    stage: Stage,
    given: Given,
    setup: Setup,
    model: Volume,
    *,
    patience: float = math.inf,
    stop_patience: float = math.inf,
    loading: float = 0.0,
    begun: Callable[[], None] = lambda: None,
) -> Life:
    """Run one life of the server with this model volume and return its record.

    ``patience`` ends the wait for health before the contract's window does, where nothing rests on the rest of it,
    ``stop_patience`` the one between SIGTERM and SIGKILL. ``loading``: how long an answer may be put off that an
    earlier life had to wait for. ``begun`` is called once the container is there.
    """
    mounts = [Mount(volume=model, target="/opt/ml/model", read_only=setup.read_only)]
    with (
        additional(stage, given, setup) as others,
        watched(stage, setup, [*mounts, *others], dict(setup.environment)) as watch,
    ):
        begun()
        host = _Host(watch, given, patience, stop_patience, loading)
        if watch.start():
            host.live()
        return watch.keep(host.record())


@dataclass
class _Host:
    """The platform's side of one server's life."""

    watch: Watch
    given: Given
    patience: float
    stop_patience: float
    loading: float
    pings: list[Ping] = field(default_factory=list)
    invocations: list[Invocation] = field(default_factory=list)
    ready_at: float | None = None
    listeners: tuple[Listener, ...] | None = None
    first_bytes: str = ""
    stop: Stop | None = None
    probing: Probing | None = None
    open_invocations: int = 0
    overlapped: bool = False  # an invocation was open at some time during the ping that is under way
    under_load: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def connect(self) -> Connect:
        return self.watch.container.endpoint(8080)

    def live(self) -> None:
        try:
            connect = self.connect
        except NotReachable as error:
            self.watch.end_by_force(str(error))
            return
        if self._become_healthy(connect):
            self.watch.event("healthy")
            self._see_listeners()
            if self.watch.setup.probing:
                self._probe(connect)
            else:
                self._serve(connect)
            self._stop()
        elif self.watch.container.exited.is_set():
            self.watch.note_exit()
        else:
            self.watch.event("not healthy in time")
            self._see_listeners()
            self.first_bytes = first_bytes(connect, self._limits.ping)
            self._stop()

    def record(self) -> Life:
        return replace(
            self.watch.life(),
            ready_at=self.ready_at,
            pings=tuple(self.pings),
            invocations=tuple(self.invocations),
            listeners=self.listeners,
            first_bytes=self.first_bytes,
            stop=self.stop,
            asked=tuple(self.probing.asked) if self.probing else (),
            kill=self.probing.kill if self.probing else None,
        )

    @property
    def _limits(self) -> Limits:
        return self.watch.stage.limits

    # --- health

    def _become_healthy(self, connect: Connect) -> bool:
        row = hung = 0
        since_first_good = 0
        until = time.monotonic() + min(self._limits.start, self.patience)
        seen: set[str] = set()
        opened = False
        look = time.monotonic() + LOOK

        def impatient(limit: float) -> socket.socket:
            """Until the port opens nothing hangs on a connection that a dead container will never take."""
            return connect(limit if opened else min(limit, UNOPENED))

        for _ in self.watch.wait(until, "the server to become healthy", pace=0):
            ping = self._ping(impatient, seen, 1 if hung % SELDOM else SLOW_PING)
            hung += ping.error == "timed out" and ping.connect_seconds is not None
            opened = opened or ping.connect_seconds is not None
            if not opened and time.monotonic() > look:
                look = time.monotonic() + LOOK
                self._note_where_it_listens(connect)
            good = ping.ok(self._limits.ping)
            row = row + 1 if good else 0
            since_first_good += 1 if good or since_first_good else 0
            if row == IN_A_ROW:
                self.ready_at = self.pings[-IN_A_ROW].at
                return True
            if since_first_good > FLAPPING:
                return False
            if not good or ping.seconds < OPEN_PACE:
                closed = ping.connect_seconds is None
                self.watch.container.exited.wait(CLOSED_PACE if closed else OPEN_PACE)
        return False

    def _ping(self, connect: Connect, seen: set[str], patience: int = SLOW_PING) -> Ping:
        at = self.watch.now()
        with self._lock:
            self.overlapped = self.under_load or self.open_invocations > 0
        ping = replace(send_ping(connect, at, self._limits.ping, patience), busy=self.overlapped)
        if self.watch.container.exited.is_set() and ping.status is None:
            return ping  # the container's end is a fact of its own, no bad ping
        if ping.connect_seconds is None and self._same_as_before(ping):
            return ping
        self.pings.append(ping)
        outcome = f"ping {ping.status if ping.status is not None else ping.error}"
        if outcome not in seen:
            seen.add(outcome)
            self.watch.event(outcome)
        return ping

    def _same_as_before(self, ping: Ping) -> bool:
        """Minutes of refused connections, many a second, are one fact: one a second is kept."""
        last = self.pings[-1] if self.pings else None
        return last is not None and last.error == ping.error and ping.at - last.at < 1.0

    def _see_listeners(self) -> None:
        inside = self.watch.stage.engine.inside
        if inside is not None and not self.watch.container.exited.is_set():
            self.listeners = inside.listeners(self.watch.container)

    def _note_where_it_listens(self, connect: Connect) -> None:
        """Say of a server that listens where nobody looks that it does, while it is waited for all the same."""
        inside = self.watch.stage.engine.inside
        if inside is None:
            return
        with contextlib.suppress(NotReachable):
            listeners = [one for one in inside.listeners(self.watch.container) if not one.of_the_engine]
            right = [one for one in listeners if one.right]
            if listeners and all(one.of_ipv6 for one in right) and not _taken(connect):
                where = " and ".join(map(str, listeners))
                self.watch.stage.noted(
                    f"the server listens on {where} only, and SageMaker needs 0.0.0.0:8080; waiting until "
                    f"{self._limits.start:g} s in case that still opens (--sm-start-limit=SECONDS shortens it)"
                )

    # --- service

    def _serve(self, connect: Connect) -> None:
        """Invoke, while pings go on beside it."""
        finish = threading.Event()
        seen: set[str] = {"ping 200"}

        def keep_pinging() -> None:
            while not finish.is_set() and not self.watch.container.exited.is_set():
                self._ping(connect, seen)
                finish.wait(HEALTHY_PACE)

        with ThreadPoolExecutor(1) as pool:
            pinging = pool.submit(keep_pinging)
            try:
                self._invoke_all(connect)
                if self.watch.setup.thorough:
                    self._live_on()
            finally:
                finish.set()
            pinging.result()

    def _invoke_all(self, connect: Connect) -> None:
        plain = []
        for number in range(len(self.given.requests)):
            plain.append(self._invoke(connect, "plain", number) if number else self._first(connect))
            if not self.watch.setup.thorough:
                return
        if not plain[0].ok:
            self._invoke(connect, "usual client headers", 0, invoke.USUAL_CLIENT_HEADERS)
            return
        self._invoke(connect, "repeated", 0)
        self._invoke(connect, "extra headers", 0, invoke.EXTRA_HEADERS)
        self._invoke(connect, "custom attributes", 0, invoke.custom_attributes())
        self._invoke(connect, "all headers", 0, invoke.all_headers())
        self._keep_busy(connect)

    def _first(self, connect: Connect) -> Invocation:
        """The first request; tried again for a while where the server may not be ready for it yet."""
        since, sent, begin = len(self.invocations), len(self.watch.sent), time.monotonic()
        one = first = self._invoke(connect, "plain", 0)
        until = begin
        while not one.ok and (now := time.monotonic()) < (until := max(until, begin + self._patience_with(one, begin))):
            self.watch.stage.waiting(self.watch.setup.name, "a first answer of /invocations", begin, until)
            if self.watch.container.exited.wait(AGAIN_PACE if now < begin + LATER else LATER_PACE):
                break
            one = self._send(connect, "plain", 0, announced=True)
        early = one.ok and not first.ok
        self.invocations[since:] = [replace(first, name=EARLY), one] if early else [first]
        plain = self.watch.sent[sent]
        self.watch.sent[sent:] = [replace(plain, name=EARLY), plain] if early else [plain]
        return one if early else first

    def _patience_with(self, one: Invocation, begin: float) -> float:
        """Seconds from ``begin`` on in which a first request that got this is sent again.

        One that is put off accuses its server only when the whole start window is over; what follows on the first
        lives, or shows nothing without a request of the owner's, is worth no such wait.
        """
        if one.status not in NOT_YET:
            return SOON if one.error in ("refused", "reset", "closed") or (one.status or 0) >= 500 else 0.0
        window = self.watch.began + self._limits.start - begin
        accuses = self.watch.setup.thorough and "requests" in self.given.declared
        return max(LATER, window if accuses else min(window, self.loading))

    def _keep_busy(self, connect: Connect) -> None:
        """As many invocations at once as the owner declares, for a while."""
        until = time.monotonic() + BUSY_SECONDS
        before = len(self.pings)

        def send() -> None:
            for _ in range(BUSY_EACH):
                self._invoke(connect, BUSY, 0)
                if time.monotonic() > until or self.watch.container.exited.is_set():
                    return
                if len(self.pings) < before + 2:  # a fast server is not through before a ping has met it at work
                    self.watch.container.exited.wait(0.02)

        self.under_load = True
        with ThreadPoolExecutor(self.given.concurrency) as pool:
            for sender in [pool.submit(send) for _ in range(self.given.concurrency)]:
                sender.result()
        self.under_load = False
        self._alone_again(connect)

    def _alone_again(self, connect: Connect) -> None:
        """The same request by itself, where it failed beside others: was it for them that it did?"""
        if all(one.ok for one in self.invocations if one.name == BUSY):
            return
        if self.watch.container.exited.wait(ENDING):
            return
        until, well, sent = time.monotonic() + GRACE, False, 0
        while sent < ALONE_AGAIN and time.monotonic() < until:
            one = self._invoke(connect, AFTERWARDS, 0)
            if one.ok and not well:  # a worker that it broke down was started again
                well, until = True, time.monotonic() + BUSY_SECONDS
            sent += well
            if self.watch.container.exited.wait(0.02 if one.ok or well else AGAIN_PACE):
                return

    def _probe(self, connect: Connect) -> None:
        """Odd requests, some of which may break it, and a ping where there is something to see in it."""
        self.probing = Probing(
            watch=self.watch,
            connect=connect,
            requests=self.given.requests,
            concurrency=self.given.concurrency,
            first=partial(self._first, connect),
            send=partial(self._send, connect),
            healthy=lambda: self._ping(connect, {"ping 200"}).ok(self._limits.ping),
        )
        if self.watch.setup.bodies:
            self.probing.send_broken(self.watch.setup.bodies, self.watch.setup.bodies_of)
        else:
            self.probing.go()

    def _invoke(self, connect: Connect, name: str, number: int, more: dict[str, str] | None = None) -> Invocation:
        return self._send(connect, name, number, more=more)

    def _send(
        self,
        connect: Connect,
        name: str,
        number: int,
        *,
        accept: str | None = None,
        body: Body | None = None,
        more: dict[str, str] | None = None,
        announced: bool = False,
    ) -> Invocation:
        self.watch.check_open()
        request = self.given.requests[number]
        data = request.body if body is None else body.data
        accept = request.accept if accept is None else accept
        headers = invoke.request_headers(request.content_type, accept, more)
        at = self.watch.now()
        limit = self._limits.invoke
        since = time.monotonic()
        if limit > 5 and not announced:
            self.watch.stage.waiting(self.watch.setup.name, "an answer of /invocations", since, since + limit)
        with self._lock:
            self.open_invocations += 1
            self.overlapped = True
        try:
            keep = 0 if name == BUSY else formats.MOST
            answer = exchange(connect, "POST", "/invocations", headers=headers, body=data, limit=limit, keep=keep)
        finally:
            with self._lock:
                self.open_invocations -= 1
        invocation = Invocation(
            name=name,
            request=number,
            content_type=request.content_type,
            accept=accept,
            at=at,
            seconds=round(answer.seconds, 4),
            connect_seconds=rounded(answer.connect_seconds),
            status=None if answer.error else answer.status,
            error=answer.error,
            headers=_text_headers(answer),
            body_sha256=answer.body_sha256,
            body_bytes=answer.body_bytes,
            body_head=answer.body_head,
            client_sees=invoke.client_sees(answer),
            reads_as=formats.reads_as(answer.body) if answer.body and not answer.body_cut else None,
            attributes_back=invoke.attributes_back(headers, answer),
            extra_bytes=answer.extra_bytes,
            body_of="" if body is None else body.what,
            broken=body is not None and body.broken,
        )
        self.invocations.append(invocation)
        if name not in (BUSY, HUGE):
            self.watch.sent.append(
                Sent(name=name, request=number, headers=headers, body=data, body_of="" if body is None else body.what)
            )
        return invocation

    def _live_on(self) -> None:
        """Stay up until health over time can be judged."""
        assert self.ready_at is not None
        until = self.watch.began + self.ready_at + WHOLE_LIFE
        for _ in self.watch.wait(until + 30, "enough pings to judge its health"):
            healthy = [ping for ping in self.pings if ping.at >= self.ready_at]
            if time.monotonic() >= until and len(healthy) >= WHOLE_LIFE_PINGS:
                return

    # --- the end

    def _stop(self) -> None:
        self.stop = stop(self.watch, min(self._limits.stop, self.stop_patience))


def _taken(connect: Connect) -> bool:
    """Whether a connection is taken at all."""
    with contextlib.suppress(OSError), connect(UNOPENED):
        return True
    return False


def _text_headers(answer: Answer) -> tuple[tuple[str, str], ...]:
    """At most 100 headers; a value over 8 KB is cut, its length is what matters then."""
    return tuple((name[:256], value[:8192]) for name, value in answer.headers[:100])
