"""How long is waited for something again, after it was seen once."""

from __future__ import annotations

import contextlib
import math
from types import SimpleNamespace
from typing import Any

import pytest

from sm_contract.candidate import Given, Request
from sm_contract.platform.http import Connect
from sm_contract.platform.limits import Limits
from sm_contract.recipe import Sent
from sm_contract.record import EARLY, Invocation, Listener, Stop
from sm_contract.scenarios import probing, serve, stopping

ENDED = Stop(at=9.0, seconds=0.4, limit=30.0, killed=False)
KILLED = Stop(at=9.0, seconds=30.0, limit=30.0, killed=True)


@pytest.mark.parametrize(
    ("firsts", "seconds"),
    [
        ([KILLED, KILLED], stopping.NO_END),
        ([KILLED, ENDED], math.inf),  # it can end: the one that did not may have been slowed down
        ([ENDED, ENDED], math.inf),
        ([KILLED], math.inf),  # seen once is not enough
        ([KILLED, None], math.inf),  # the other had ended before it was told
        ([], math.inf),
    ],
)
def test_only_a_server_that_never_ended_is_not_waited_for_again(firsts: list[Stop | None], seconds: float) -> None:
    assert stopping.patience(firsts) == seconds


# --- a server that needs its time --------------------------------------------------------------------

REQUEST = Request(body=b"1,2\n", content_type="text/csv")
GIVEN = Given(declared=("requests",), roles=None, requests=(REQUEST,))


class Clock:
    """Seconds that pass when somebody waits, for a container that does not end."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def is_set(self) -> bool:
        return False

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        return False


def watched(clock: Clock, start: float = 480.0, *, thorough: bool = True) -> Any:
    stage = SimpleNamespace(
        limits=Limits(start=start), engine=SimpleNamespace(inside=None), waiting=lambda *_: None, noted=[].append
    )
    return SimpleNamespace(
        stage=stage,
        setup=SimpleNamespace(name="serve.bare", thorough=thorough),
        container=SimpleNamespace(exited=clock),
        began=0.0,
        now=clock.monotonic,
        sent=[],
    )


class Host(serve._Host):
    """A host whose server puts requests off until a time."""

    clock: Clock
    answers_at: float
    status = 503

    def _send(self, connect: Connect, name: str, number: int, **more: Any) -> Invocation:
        status = 200 if self.clock.now >= self.answers_at else self.status
        one = Invocation(name=name, request=0, content_type="text/csv", at=self.clock.now, seconds=0.01, status=status)
        self.invocations.append(one)
        self.watch.sent.append(Sent(name=name, request=0, headers={}, body=b""))
        return one


def host(clock: Clock, answers_at: float, given: Given = GIVEN, loading: float = 5.0, **how: Any) -> Host:
    made = Host(watched(clock, **how), given, math.inf, math.inf, loading)
    made.clock, made.answers_at = clock, answers_at
    return made


UNDECLARED = Given(declared=(), roles=None, requests=(REQUEST,))


@pytest.mark.parametrize(
    ("answers_at", "how", "early"),
    [
        (40.0, {}, True),
        (470.0, {}, True),
        (math.inf, {}, False),  # the whole window was waited, and it says so
        (40.0, {"start": 60.0}, True),
        (40.0, {"start": 20.0}, False),  # the window is over, and the least patience
        (40.0, {"thorough": False}, False),
        (40.0, {"thorough": False, "loading": 85.0}, True),  # the first lives needed 40 s
        (40.0, {"given": UNDECLARED}, False),  # shows nothing of a sample of ours
        (20.0, {"given": UNDECLARED}, True),
    ],
)
def test_a_first_request_that_is_put_off_is_sent_again_until_the_window_is_over(
    monkeypatch: pytest.MonkeyPatch, answers_at: float, how: dict[str, Any], early: bool
) -> None:
    clock = Clock(1.0)
    monkeypatch.setattr(serve, "time", clock)
    server = host(clock, answers_at, **how)
    one = server._first(lambda _: pytest.fail("no connection"))
    assert one.ok == early
    assert [one.name for one in server.invocations] == ([EARLY, "plain"] if early else ["plain"])
    assert [one.name for one in server.watch.sent] == [one.name for one in server.invocations]
    assert clock.now <= 1.0 + how.get("start", 480.0) + serve.LATER


def test_an_error_is_soon_taken_for_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(1.0)
    monkeypatch.setattr(serve, "time", clock)
    server = host(clock, 40.0)
    server.status = 500
    assert not server._first(lambda _: pytest.fail("no connection")).ok
    assert clock.now < 1.0 + 2 * serve.SOON


def probe(clock: Clock, needed: float, back: float, start: float = 480.0, *, ping: bool = False) -> bool:
    """Whether a server is well again that needed so long at first, and whose worker is back so long after it broke."""

    def send(name: str, number: int, **more: Any) -> Invocation:
        ok = clock.now >= needed + back or clock.now == needed
        return Invocation(
            name=name, request=0, content_type="text/csv", at=clock.now, seconds=0.01, status=200 if ok else 503
        )

    clock.now = needed
    one = probing.Probing(
        watch=watched(clock, start),
        connect=lambda _: pytest.fail("no connection"),
        requests=[REQUEST],
        concurrency=1,
        first=lambda: send("plain", 0),
        send=send,
        healthy=lambda: ping or clock.now >= needed + back,
    )
    assert one._plain() == [0]
    clock.now += 0.5
    return one._well_again(0)


@pytest.mark.parametrize(
    ("needed", "back", "start", "well"),
    [
        (1.0, 9.0, 480.0, True),
        (1.0, 15.0, 480.0, False),
        (12.0, 12.5, 480.0, True),
        (40.0, 45.0, 480.0, True),
        (40.0, 90.0, 480.0, False),
        (40.0, 70.0, 60.0, False),  # nobody waits longer than for a start
    ],
)
def test_a_worker_may_need_twice_what_the_server_needed(
    monkeypatch: pytest.MonkeyPatch, needed: float, back: float, start: float, well: bool
) -> None:
    clock = Clock()
    monkeypatch.setattr(probing, "time", clock)
    for ping in (False, True):  # whether it is good all the while
        assert probe(clock, needed, back, start, ping=ping) == well


@pytest.mark.parametrize(
    ("address", "taken", "noted"),
    [("::", False, True), ("::", True, False), ("127.0.0.1", False, True), ("0.0.0.0", False, False)],
)
def test_where_a_server_listens_is_noted_early_unless_it_is_reached(address: str, taken: bool, noted: bool) -> None:
    server = host(Clock(), 0.0)
    told: list[str] = []
    inside = SimpleNamespace(listeners=lambda _: (Listener(address=address, port=8080),))
    server.watch.stage = SimpleNamespace(  # type: ignore[assignment]
        limits=Limits(), engine=SimpleNamespace(inside=inside), noted=told.append
    )

    def connect(_: float) -> Any:
        if not taken:
            raise ConnectionRefusedError
        return contextlib.closing(SimpleNamespace(close=lambda: None))

    server._note_where_it_listens(connect)
    assert bool(told) == noted
