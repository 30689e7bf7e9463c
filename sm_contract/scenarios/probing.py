"""What a server of good standing is asked besides its requests: a life of its own, since some of it may break it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from sm_contract.candidate import Request
from sm_contract.engine.protocol import Process
from sm_contract.platform import invoke
from sm_contract.platform.http import HOST, Connect, exchange
from sm_contract.recipe import Sent
from sm_contract.record import (
    AFTER_KILL,
    AGAIN,
    ALONE,
    ANY_ACCEPT,
    BIG,
    HUGE,
    MALFORMED,
    NO_ACCEPT,
    PARALLEL,
    Asked,
    Invocation,
    Kill,
)
from sm_contract.scenarios import bodies
from sm_contract.scenarios.bodies import Body, kind, malformed, padded, parts
from sm_contract.scenarios.life import Watch

PATIENCE = 60.0  # seconds for all of it but the answer to a big body, which may take a minute by itself
GRACE = 10.0  # seconds for a worker that broke down to be started again, at least
PACE = 1.0
ASKED = 5.0  # seconds for the answer to a request that the platform may send unasked
AFTER = 0.5  # seconds from the death of a child until the server is looked at
SENDERS = 8  # at most, whatever the owner declares
ROUNDS = 6
HOSTS = ("169.254.255.131:8080", "sm-contract.example")  # that of an endpoint's own network, and any other
KINDS = 4  # content types of which broken bodies are sent


class Send(Protocol):
    """Send a request under a name, with another Accept or body if given, and note what came back."""

    def __call__(
        self, name: str, number: int, *, accept: str | None = None, body: Body | None = None
    ) -> Invocation: ...


@dataclass(kw_only=True)
class Probing:
    """One after the other, the harmless first; what breaks the server ends it."""

    watch: Watch
    connect: Connect
    requests: Sequence[Request]
    concurrency: int
    first: Callable[[], Invocation]  # send the first request, with some patience
    send: Send
    healthy: Callable[[], bool]  # ping once: answered in time with 200
    asked: list[Asked] = field(default_factory=list)
    kill: Kill | None = None
    _grace: float = GRACE

    def go(self) -> None:
        """Ask everything, as long as patience lasts."""
        answered = self._plain()
        if not answered:
            return
        until = time.monotonic() + PATIENCE
        self._accept(answered)
        if not self._other_requests(answered[0]):
            return
        self._at_once(answered)
        before = time.monotonic()
        if not self._big(answered):
            return
        until += time.monotonic() - before
        for number in self._of_a_kind_each(answered)[:KINDS]:
            if not self._malformed(malformed(self.requests[number]), number, answered[0], until):
                return
        if not self._gone() and self._kill() and not self._well_again(answered[0], AFTER_KILL):
            return
        if not self._gone():  # the last, since a server may end of it and break nothing
            number = self._padded_best(answered)
            self.send(HUGE, number, body=padded(self.requests[number], bodies.HUGE))

    def send_broken(self, broken: Sequence[Body], number: int) -> None:
        """Nothing but these in the place of a request, until one does harm."""
        if answered := self._plain():
            self._malformed(broken, number, answered[0], time.monotonic() + PATIENCE)

    def _plain(self) -> list[int]:
        """Send the requests as they are; those that are answered well."""
        good = [self.first().ok]
        needed = self.watch.now()  # by the server until it answered; a worker that is started again needs about that
        self._grace = max(GRACE, min(2 * needed, self.watch.stage.limits.start))
        good += [self.send("plain", n).ok for n in range(1, len(self.requests))]
        return [number for number, ok in enumerate(good) if ok]

    def _accept(self, answered: Sequence[int]) -> None:
        """Without Accept, and with one that takes anything."""
        for number in self._of_a_kind_each(answered):
            self.send(NO_ACCEPT, number, accept="")
            self.send(ANY_ACCEPT, number, accept="*/*")

    def _other_requests(self, good: int) -> bool:
        """False: the server did not get over it."""
        for host in HOSTS:
            self._ask("GET", "/ping", host=host)
            self._ask("POST", "/invocations", host=host)
        self._ask("POST", "/ping")
        for _ in range(3):
            self._ask("GET", "/metrics")
        return all(one.ping_ok for one in self.asked) or self._well_again(good)

    def _at_once(self, answered: Sequence[int]) -> None:
        """Different requests at the same time, each known by the answer that it got alone, twice the same."""
        if self.concurrency < 2:
            return
        wanted: list[tuple[int, Body | None]] = [(number, None) for number in answered]
        wanted += [(number, part) for number in answered for part in parts(self.requests[number])]
        alone: dict[str, tuple[int, Body | None]] = {}
        for number, body in wanted[: 2 * SENDERS]:
            first, second = (self.send(ALONE, number, body=body) for _ in range(2))
            if first.ok and first.body_sha256 == second.body_sha256:
                alone.setdefault(first.body_sha256, (number, body))
        senders = min(SENDERS, self.concurrency)
        told_apart = list(alone.values())[:senders]
        if len(told_apart) < 2 or self._gone():
            return

        def send(first: int) -> None:
            for turn in range(ROUNDS):
                number, body = told_apart[(first + turn) % len(told_apart)]
                self.send(PARALLEL, number, body=body)

        with ThreadPoolExecutor(senders) as pool:
            for done in [pool.submit(send, first) for first in range(senders)]:
                done.result()

    def _big(self, answered: Sequence[int]) -> bool:
        """One body as big as the API allows, of a format that shrugs the padding off if there is one."""
        number = self._padded_best(answered)
        self.send(BIG, number, body=padded(self.requests[number], bodies.BIG))
        return self._well_again(number)

    def _padded_best(self, answered: Sequence[int]) -> int:
        return min(answered, key=lambda n: not kind(self.requests[n].content_type).endswith("json"))

    def _malformed(self, broken: Iterable[Body], number: int, good: int, until: float) -> bool:
        """Broken bodies in the place of a request, the server looked at after each; False: it is time to end."""
        for body in broken:
            if self._gone() or time.monotonic() > until:
                return False
            self.send(MALFORMED, number, body=body)
            if not self._well_again(good):
                return False
        return True

    def _well_again(self, number: int, name: str = AGAIN) -> bool:
        """Whether it is healthy and answers a good request, at once or after a while."""
        since, tries = time.monotonic(), 0
        until = since + self._grace
        while not self._gone():
            if not self.healthy():
                self.watch.stage.waiting(self.watch.setup.name, "the server to be well again", since, until)
            elif self.send(name, number).ok:
                return True
            tries += 1
            if tries > 1 and time.monotonic() > until:  # one answer may take longer than all the patience
                return False
            time.sleep(PACE)
        return False

    def _ask(self, method: str, path: str, *, host: str = "") -> None:
        """Send another request, or one of the two for another Host, and a ping behind it."""
        if self._gone():
            return
        request, limits = self.requests[0], self.watch.stage.limits
        invoked = path == "/invocations"
        at = self.watch.now()
        answer = exchange(
            self.connect,
            method,
            path,
            headers=invoke.request_headers(request.content_type, request.accept) if invoked else {},
            body=request.body if invoked else b"",
            limit=limits.invoke if invoked else ASKED,
            host=host or HOST,
        )
        self.watch.sent.append(
            Sent(name="ask", request=0, headers={}, body=request.body, asked=(method, path, host or HOST))
        )
        ping_ok = self.healthy()
        ping_ok = not self.watch.container.exited.wait(0.05 if ping_ok else 1.0) and ping_ok
        self.asked.append(
            Asked(
                what=f"{method} {path}{f' for Host {host}' if host else ''}",
                at=at,
                seconds=round(answer.seconds, 4),
                status=None if answer.error else answer.status,
                error=answer.error,
                body_head=answer.body_head[:120],
                ping_ok=ping_ok,
            )
        )

    def _kill(self) -> bool:
        """Kill a child that does the work, if there is one to be seen."""
        inside, container = self.watch.stage.engine.inside, self.watch.container
        if inside is None:
            return False
        children = [process for process in inside.processes(container) if process.depth > 0]
        zombies = inside.zombies(container)
        self.kill = Kill(at=self.watch.now(), victim="", depth=0, zombies=zombies)
        if not children:
            return False
        victim = self._worker(children)
        try:
            inside.kill(container, victim.pid)
        except ProcessLookupError:
            return False
        self.kill = Kill(at=self.watch.now(), victim=victim.command, depth=victim.depth, zombies=zombies)
        self.watch.event(f"SIGKILL to {victim.command[:60]}")
        container.exited.wait(AFTER)
        return True

    def _worker(self, children: Sequence[Process]) -> Process:
        """The biggest child; one behind a front end that is big itself, where a fair-sized one is."""
        inside = self.watch.stage.engine.inside
        assert inside is not None
        front = {pid for one in inside.listeners(self.watch.container) if one.port == 8080 for pid in one.pids}
        biggest = max(children, key=lambda process: process.rss)
        if sum(one.pid in front for one in children) > 1:  # workers that share the socket, and no front end
            return biggest
        behind = [one for one in children if one.pid not in front and one.rss > biggest.rss / 10]
        return max(behind, key=lambda process: process.rss, default=biggest)

    def _gone(self) -> bool:
        return self.watch.container.exited.is_set()

    def _of_a_kind_each(self, numbers: Sequence[int]) -> list[int]:
        """The first request of each content type."""
        first: dict[str, int] = {}
        for number in numbers:
            first.setdefault(kind(self.requests[number].content_type), number)
        return list(first.values())
