"""What was measured besides the verdicts: of which lives and requests, and by nearest rank."""

from __future__ import annotations

from dataclasses import replace

from good_record import good_record
from hypothesis import given
from hypothesis import strategies as st
from mutations import life

from sm_contract.measured import Spread, biggest, spreads
from sm_contract.record import HUGE, Life, Ping, Record


def spread(record: Record, what: str) -> Spread:
    return next(one for one in spreads(record) if one.what == what)


@given(st.lists(st.floats(0, 60), min_size=1, max_size=60))
def test_ranks_are_those_of_some_answer_and_rise(seconds: list[float]) -> None:
    def pinged(one: Life) -> Life:
        assert one.ready_at is not None
        late = [Ping(at=one.ready_at + n, seconds=value, status=200) for n, value in enumerate(seconds)]
        early = Ping(at=0.0, seconds=99.0, status=503)
        return replace(one, pings=(early, *late, Ping(at=99.0, seconds=99.0, error="timed out")))

    record = life("serve.full", lambda one: replace(one, ready_at=None))(life("serve.bare", pinged)(good_record()))
    found = spread(record, "ping")
    assert found.count == len(seconds)
    assert found.longest == max(seconds)
    assert {found.median, found.p95} <= set(seconds)
    assert min(seconds) <= found.median <= found.p95 <= found.longest
    assert sum(value <= found.median for value in seconds) >= len(seconds) / 2 - 1


def test_a_measurement_alone_speaks_and_other_lives_do_not() -> None:
    record = good_record()
    bare = record.lives["serve.bare"]
    slow = replace(bare, ended="itself", pings=tuple(replace(ping, seconds=9.0) for ping in bare.pings))
    again = replace(bare, name="serve.bare@alone")
    lives = {**record.lives, "serve.bare": slow, "serve.bare@alone": again, "serve.empty": replace(slow, name="x")}
    assert spread(replace(record, lives=lives), "ping").longest < 9.0


def test_what_became_of_the_biggest_body() -> None:
    record = good_record()
    assert biggest(record) is None
    bare = record.lives["serve.probed"]
    sent = replace(bare.invocations[0], name=HUGE, body_of="a body of 25 MB", status=413)
    found = biggest(life("serve.probed", lambda one: replace(one, invocations=(*one.invocations, sent)))(record))
    assert found is not None
    assert found.status == 413


def test_without_a_server_nothing_was_measured() -> None:
    record = good_record()
    trainings = {name: one for name, one in record.lives.items() if name.startswith("train")}
    assert spreads(replace(record, lives=trainings)) == []
