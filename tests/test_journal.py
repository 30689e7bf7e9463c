"""The journal: what is written is read back the same; what is cut short or changed is recognised."""

from __future__ import annotations

from pathlib import Path

import pytest

from sm_contract.journal import JournalError, read_journal, write_journal
from sm_contract.record import ImageFacts, Invocation, Life, Listener, Ping, Record, RoleFact, Stop

LIFE = Life(
    name="serve.full",
    role="inference",
    ready_at=0.5,
    control=(Ping(at=0.2, seconds=0.001, status=200),),
    pings=(Ping(at=0.1, seconds=0.01, error="refused"), Ping(at=0.5, seconds=0.02, status=200)),
    invocations=(
        Invocation(
            name="plain", request=0, content_type="text/csv", at=1, seconds=0.1, status=200, headers=(("A", "b"),)
        ),
    ),
    listeners=(Listener(address="0.0.0.0", port=8080),),
    stop=Stop(at=6, seconds=30.1, limit=30, killed=True, idle=29.5),
)
RECORD = Record(
    image=ImageFacts(reference="i:1", source="engine", id="sha256:1", os="linux", architecture="amd64"),
    roles={"inference": RoleFact(claimed=True, how="found out", why="it served")},
    lives={"serve.full": LIFE},
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "journal.jsonl"
    write_journal(path, {"i:1": RECORD})
    return path


def test_a_record_survives(path: Path) -> None:
    journal = read_journal(path)
    assert journal.records == {"i:1": RECORD}
    assert journal.complete


@pytest.mark.parametrize("cut", [1, 30])
def test_a_truncated_journal_is_recognised(path: Path, cut: int) -> None:
    path.write_bytes(path.read_bytes()[:-cut] if cut > 1 else b"".join(path.read_bytes().splitlines(True)[:-1]))
    journal = read_journal(path)
    assert not journal.complete
    assert journal.records == {"i:1": RECORD}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "has no header"),
        ("hello\nworld\n", "line 1: is no journal of sm_contract; give the journal.jsonl of an earlier run"),
        ('{"kind":"header","format":99}\n', "has format 99, this suite reads 1"),
        ('{"kind":"header","format":1}\n{"kind":"life","subject":"i","life":{"name":3}}\n', "line 2: does not fit"),
        ('{"kind":"header","format":1}\n[]\n', "line 2: is not an object"),
    ],
)
def test_what_is_no_journal_is_refused_by_name(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "j.jsonl"
    path.write_text(content)
    with pytest.raises(JournalError) as caught:
        read_journal(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_journal_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="there is no such journal"):
        read_journal(tmp_path / "none.jsonl")
