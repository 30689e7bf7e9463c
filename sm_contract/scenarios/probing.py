"""What a server of good standing is asked besides its requests: a life of its own, since some of it may break it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from sm_contract.candidate import Request
from sm_contract.record import AGAIN, ALONE, ANY_ACCEPT, BIG, MALFORMED, NO_ACCEPT, PARALLEL, Invocation
from sm_contract.scenarios.bodies import Body, kind, malformed, padded, parts

PATIENCE = 60.0  # seconds for all of it
GRACE = 10.0  # seconds for a worker that broke down to be started again
PACE = 0.3
SENDERS = 8  # at most, whatever the owner declares
ROUNDS = 6
KINDS = 4  # content types of which broken bodies are sent


class Send(Protocol):
    """Send a request under a name, with another Accept or body if given, and note what came back."""

    def __call__(
        self, name: str, number: int, *, accept: str | None = None, body: Body | None = None
    ) -> Invocation: ...


@dataclass(kw_only=True)
class Probing:
    """One after the other, the harmless first; what breaks the server ends it."""

    requests: Sequence[Request]
    concurrency: int
    send: Send
    healthy: Callable[[], bool]  # ping once: answered in time with 200
    gone: Callable[[], bool]  # the container has ended

    def go(self) -> None:
        """Ask everything, as long as patience lasts."""
        until = time.monotonic() + PATIENCE
        answered = [n for n in range(len(self.requests)) if self.send("plain", n).ok]
        if not answered:
            return
        self._accept(answered)
        self._at_once(answered)
        self._big(answered)
        for number in self._of_a_kind_each(answered)[:KINDS]:
            if not self._malformed(number, answered[0], until):
                return

    def _accept(self, answered: Sequence[int]) -> None:
        """Without Accept, and with one that takes anything."""
        for number in self._of_a_kind_each(answered):
            self.send(NO_ACCEPT, number, accept="")
            self.send(ANY_ACCEPT, number, accept="*/*")

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
        if len(told_apart) < 2 or self.gone():
            return

        def send(first: int) -> None:
            for turn in range(ROUNDS):
                number, body = told_apart[(first + turn) % len(told_apart)]
                self.send(PARALLEL, number, body=body)

        with ThreadPoolExecutor(senders) as pool:
            for done in [pool.submit(send, first) for first in range(senders)]:
                done.result()

    def _big(self, answered: Sequence[int]) -> None:
        """One body as big as the API allows, of a format that shrugs the padding off if there is one."""
        number = min(answered, key=lambda n: not kind(self.requests[n].content_type).endswith("json"))
        if not self.gone():
            self.send(BIG, number, body=padded(self.requests[number]))
            self._well_again(number)

    def _malformed(self, number: int, good: int, until: float) -> bool:
        """Broken bodies in the place of a request, the server looked at after each; False: it is time to end."""
        for body in malformed(self.requests[number]):
            if self.gone() or time.monotonic() > until:
                return False
            self.send(MALFORMED, number, body=body)
            if not self._well_again(good):
                return False
        return True

    def _well_again(self, number: int) -> bool:
        """Whether it is healthy and answers a good request, at once or after a while."""
        until = time.monotonic() + GRACE
        while not self.gone():
            if self.healthy() and self.send(AGAIN, number).ok:
                return True
            if time.monotonic() > until:
                return False
            time.sleep(PACE)
        return False

    def _of_a_kind_each(self, numbers: Sequence[int]) -> list[int]:
        """The first request of each content type."""
        first: dict[str, int] = {}
        for number in numbers:
            first.setdefault(kind(self.requests[number].content_type), number)
        return list(first.values())
