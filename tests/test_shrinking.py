"""A malformed body that does harm is made smaller in further lives, of which there are few."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st

from sm_contract.candidate import Request
from sm_contract.record import AGAIN, MALFORMED, Invocation, Life
from sm_contract.scenarios.bodies import Body, malformed
from sm_contract.scenarios.setup import Setup
from sm_contract.scenarios.shrinking import LIVES, SMALL, shrink, smaller

REQUEST = Request(body=b"1,2\n", content_type="text/csv", accept="")
SETUP = Setup(name="serve.probed", role="inference", probing=True)


def lived(setup: Setup, bodies: list[Body], needle: bytes) -> Life:
    """A server that bears everything but what holds these bytes."""
    sent = []
    for at, body in enumerate(bodies):
        one = Invocation(name=MALFORMED, request=0, content_type="text/csv", at=at, seconds=0, body_of=body.what)
        sent.append(one)
        if needle in body.data:
            break
        sent.append(replace(one, name=AGAIN, at=at + 0.5, status=200))
    return Life(name=setup.name, role="inference", base=setup.base, change=setup.change, invocations=tuple(sent))


def shrunk(needle: bytes) -> list[tuple[Setup, Body]]:
    """The lives that followed, each with the body that did harm in it."""
    found: list[tuple[Setup, Body]] = []

    def one(setup: Setup) -> Life:
        life = lived(setup, list(setup.bodies), needle)
        if life.harm is not None:
            found.append((setup, next(body for body in setup.bodies if needle in body.data)))
            assert found[-1][1].what == life.harm.body_of
        return life

    shrink(lived(SETUP, malformed(REQUEST), needle), SETUP, [REQUEST], one)
    return found


@given(st.binary(max_size=5000), st.integers(0, 5000))
@example(b"[" * 2000, 0)
def test_parts_are_smaller_and_the_smallest_come_first(data: bytes, at: int) -> None:
    parts = smaller(Body("whole", data))
    assert len({part.data for part in parts}) == len(parts)
    if len(data) <= SMALL:
        assert not parts
        return
    assert 0 < len(parts[0].data) <= -(-len(data) // 8)
    assert all(len(part.data) < len(data) for part in parts)
    assert any(data[at % len(data) :][:1] in part.data for part in parts[:8])  # whichever byte it was


def test_few_lives_leave_a_few_bytes() -> None:
    found = shrunk(b"<!")
    assert [setup.change for setup, _ in found] == ["smaller body 1", "smaller body 2"]
    assert {setup.base for setup, _ in found} == {"serve.probed"}
    assert found[-1][1] == Body("4 bytes of it: '<!DO'", b"<!DO")


def test_what_does_harm_by_its_length_ends_the_search() -> None:
    found = shrunk(b"," * 60_000)
    sizes = [len(body.data) for _, body in found]
    assert len(sizes) <= LIVES
    assert sizes == sorted(sizes, reverse=True)
    assert 60_000 <= sizes[-1] < 75_000


def test_nothing_follows_where_no_harm_was_done_or_a_byte_did_it() -> None:
    assert not shrunk(b"a text that is in none of them")
    assert not shrunk(b"{")


def test_a_life_that_bears_all_parts_is_the_last() -> None:
    turns: list[Setup] = []

    def one(setup: Setup) -> Life:
        turns.append(setup)
        return lived(setup, list(setup.bodies), b"nothing of the kind")

    shrink(lived(SETUP, malformed(REQUEST), b"<!"), SETUP, [REQUEST], one)
    assert len(turns) == 1
