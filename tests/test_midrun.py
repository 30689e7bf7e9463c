"""What is seen of a training in mid-run: who does its work, whether it serves instead, and what that does not show."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
from contract_support import broken, mutated
from mutations import Change, fields, life, then
from mutations.training_end import AGAIN, at_work, midway
from mutations.training_stop import in_its_own_way

from sm_contract.engine.protocol import Process
from sm_contract.record import LogLine
from sm_contract.scenarios.life import LOG_LINES, kept
from sm_contract.scenarios.midrun import trains_itself
from sm_contract.scenarios.train import serves
from sm_contract.verdict import Verdict

FIRST = Process(pid=1, parent=0, command="python3 train.py", rss=30 << 20, depth=0)
HELPER = Process(pid=2, parent=1, command="python3 -c from multiprocessing", rss=9 << 20, depth=1)
LAUNCHER = replace(FIRST, command="python3 launch.py", rss=12 << 20, waits_for_child=True)
TRAINER = replace(HELPER, command="python3 train.py", rss=30 << 20)


@pytest.mark.parametrize(
    ("processes", "work", "itself"),
    [
        ([replace(FIRST, waits_for_pipe=True), HELPER], {}, True),
        ([replace(FIRST, waits_for_pipe=True), replace(HELPER, waits_for_pipe=True)], {}, True),  # a pipe of its own
        ([LAUNCHER, replace(TRAINER, waits_for_pipe=True)], {}, False),
        ([FIRST, HELPER], {}, False),  # nobody is seen at work
        ([FIRST, HELPER], {1: 9, 2: 1}, True),
        ([HELPER, FIRST], {1: 9}, True),
        ([FIRST, HELPER], {1: 3, 2: 9}, False),
        ([FIRST, replace(HELPER, rss=30 << 20)], {1: 9}, False),  # as big: forked, and perhaps waiting for a GPU
        ([LAUNCHER, TRAINER], {1: 9, 2: 3}, False),  # one that asks all the time whether its child is there
        ([HELPER], {2: 3}, False),  # the first one has just ended
    ],
)
def test_who_does_the_work_of_a_training(processes: list[Process], work: dict[int, int], itself: bool) -> None:
    assert trains_itself(processes, work) is itself


class _Server(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/ping" else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def watch() -> Iterator[Any]:
    """Of a container with a server on its port."""
    with HTTPServer(("127.0.0.1", 0), _Server) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        address = server.server_address[1]

        def endpoint(_: int) -> Any:
            return lambda limit: socket.create_connection(("127.0.0.1", address), limit)

        yield SimpleNamespace(now=lambda: 1.0, container=SimpleNamespace(endpoint=endpoint))
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "idles", "served"),
    [
        (200, False, True),
        (503, False, True),  # without its model
        (404, False, False),
        (501, False, False),
        (302, False, False),
        (404, True, True),  # a training that does nothing else
    ],
)
def test_a_dashboard_is_no_server(
    watch: Any, monkeypatch: pytest.MonkeyPatch, status: int, idles: bool, served: bool
) -> None:
    monkeypatch.setattr(_Server, "status", status)
    assert serves(watch, idles=idles) is served


def test_where_nobody_listens_nothing_serves() -> None:
    def refuse(_: float) -> socket.socket:
        raise ConnectionRefusedError

    watch: Any = SimpleNamespace(now=lambda: 1.0, container=SimpleNamespace(endpoint=lambda _: refuse))
    assert serves(watch, idles=True) is False


@pytest.mark.parametrize("count", [1, LOG_LINES, LOG_LINES + 1, 2 * LOG_LINES])
def test_the_last_line_of_a_long_log_is_kept(count: int) -> None:
    log = [LogLine(at=n, stream="stdout", text="x") for n in range(count)]
    assert len(kept(log)) == min(count, LOG_LINES)
    assert (kept(log)[0], kept(log)[-1]) == (log[0], log[-1])


EPOCHS = tuple(LogLine(at=at, stream="stdout", text=f"epoch {round(at)}") for at in (0.5, 29.0))
LOGS_ON = fields(exit_code=137, ended="limit", seconds=31.0, log=EPOCHS)
TOO_SOON = fields(kill=None)


@pytest.mark.parametrize(
    ("id", "change", "reason"),
    [
        (
            "SM-TRAIN-FAIL-08",
            midway(LOGS_ON),
            "that named pipes hold it: python3 trainer.py was killed midway, and the",
        ),
        ("SM-TRAIN-FAIL-08", then(life("train.killed_child", AGAIN), at_work(LOGS_ON)), "the log went on all the same"),
        (
            "SM-TRAIN-FAIL-08",
            then(life("train.killed_child", AGAIN), at_work(TOO_SOON)),
            "the launcher started the killed trainer again",
        ),
        ("SM-TRAIN-FAIL-08", life("train.killed_child", AGAIN), "the launcher started the killed trainer again"),
        ("SM-TRAIN-STOP-01", life("train.stopped", in_its_own_way), "long_hyperparameters"),
    ],
)
def test_what_it_does_not_show_accuses_nobody(id: str, change: Change, reason: str) -> None:
    found = mutated(change)
    assert found[id].verdict is Verdict.NOT_TESTABLE
    assert reason in found[id].reason
    assert broken(found) == set()
