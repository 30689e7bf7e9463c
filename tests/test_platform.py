"""The emulated platform: what it writes fits its schemas, what it asks and says is as documented."""

from __future__ import annotations

import gzip
import hashlib
import json
import socket
import sys
import tarfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sm_contract.platform import config, invoke
from sm_contract.platform.http import Answer, exchange, first_bytes
from sm_contract.platform.tree import Member, directory, folder, members, tar_stream
from sm_contract.resources import resource

channel_names = st.from_regex(r"[A-Za-z0-9.\-_]{1,64}", fullmatch=True)
content_types = st.none() | st.text(st.characters(codec="ascii", min_codepoint=33), min_size=1, max_size=256)


@settings(deadline=None)
@given(
    st.dictionaries(st.text(min_size=1, max_size=256), st.text(max_size=2500), max_size=5),
    st.dictionaries(channel_names, content_types, max_size=20),
)
def test_config_files_fit_their_schemas(hyperparameters: dict[str, str], channels: dict[str, str | None]) -> None:
    written = {m.path: m.data for m in config.config_files(hyperparameters, channels) if m.kind == "file"}
    assert set(written) == {f"config/{n}.json" for n in ("hyperparameters", "inputdataconfig", "resourceconfig")}
    for path, data in written.items():
        schema = json.loads(resource("schemas", f"{Path(path).stem}.schema.json").read_text())
        jsonschema.validate(json.loads(data), schema)
    assert json.loads(written["config/hyperparameters.json"]) == hyperparameters


def test_undocumented_keys_are_those_of_real_jobs_and_one_that_is_made_up() -> None:
    entry = config.input_data_config({"training": None}, undocumented_keys=True)["training"]
    assert entry.pop(config.MADE_UP)
    assert entry == config.input_data_config({"training": None})["training"]
    resources = config.resource_config(undocumented_keys=True)
    assert resources.pop(config.MADE_UP)
    schema = json.loads(resource("schemas", "resourceconfig.schema.json").read_text())
    jsonschema.validate(resources, schema)
    assert set(resources) == set(schema["properties"])
    assert set(config.resource_config()) == set(schema["required"])


def test_further_files_lie_beside_the_core_three() -> None:
    written = {m.path: m.data for m in config.config_files({}, {}, further=config.FEATURE_FILES) if m.kind == "file"}
    assert json.loads(written["config/checkpointconfig.json"]) == {"LocalPath": "/opt/ml/checkpoints"}
    assert json.loads(written["config/inputdataconfig.json"]) == {}


def test_a_channel_without_content_type_has_no_such_key() -> None:
    assert "ContentType" not in config.input_data_config({"training": None})["training"]
    assert config.input_data_config({"training": "text/csv"})["training"]["ContentType"] == "text/csv"


def test_the_job_environment_is_the_users_and_two_names() -> None:
    assert set(config.job_environment({"A": "1"})) == {"A", "TRAINING_JOB_NAME", "TRAINING_JOB_ARN"}


@pytest.mark.parametrize(
    ("failure", "code", "words"),
    [
        ("bad data", 1, "AlgorithmError: bad data, exit code: 1"),
        (None, 137, "AlgorithmError: , exit code: 137"),
    ],
)
def test_the_failure_reason_has_the_platforms_words(failure: str | None, code: int, words: str) -> None:
    assert config.failure_reason(failure, code) == words
    assert len(config.failure_reason("x" * 5000, 1)) == 1024


def test_custom_attributes_are_1024_visible_characters() -> None:
    (value,) = invoke.custom_attributes().values()
    assert len(value) == 1024
    assert all(33 <= ord(c) <= 126 for c in value)
    assert set('",;=') <= set(value)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(seconds=1, status=204), "200 with the body"),
        (Answer(seconds=1, status=400, body_head="no"), 'Received client error (400) from primary with message "no"'),
        (Answer(seconds=1, status=503), "Received server error (503) from primary"),
        (Answer(seconds=60, error="timed out"), "timed out while waiting for a response from container primary"),
        (Answer(seconds=0, error="reset"), "could not get a response from the primary container"),
        (Answer(seconds=0, status=200, error="broken off"), "could not load the entire response body"),
    ],
)
def test_what_the_caller_sees(answer: Answer, words: str) -> None:
    assert words in invoke.client_sees(answer)


def test_a_tree_survives_the_archive(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.bin").write_bytes(b"x" * 1000)
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "a.bin")
    tree = [directory("data"), *folder(tmp_path, "data/c"), Member(path="pipe", kind="fifo")]
    found = {info.name: (info, content and content.read()) for info, content in members(tar_stream(tree, mtime=7))}
    assert found["data/c/deep/a.bin"][1] == found["data/c/link"][1] == b"x" * 1000
    assert found["pipe"][0].type == tarfile.FIFOTYPE
    assert {info.uid for info, _ in found.values()} == {0}
    assert found["data"][0].mode == 0o755
    assert found["data/c/link"][0].mtime == 7


Handler = Callable[[socket.socket], None]


@pytest.fixture
def serve() -> Iterator[Callable[[Handler], Callable[[float], socket.socket]]]:
    listeners: list[socket.socket] = []

    def start(handler: Handler) -> Callable[[float], socket.socket]:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def accept() -> None:
            conn, _ = listener.accept()
            with conn:
                handler(conn)

        threading.Thread(target=accept, daemon=True).start()
        return lambda limit: socket.create_connection(listener.getsockname(), limit)

    yield start
    for listener in listeners:
        listener.close()


def answering(data: bytes, seen: list[bytes] | None = None) -> Handler:
    def handle(conn: socket.socket) -> None:
        request = conn.recv(65536)
        if seen is not None:
            seen.append(request)
        conn.sendall(data)

    return handle


def test_a_request_carries_exactly_the_given_headers(
    serve: Callable[[Handler], Callable[[float], socket.socket]],
) -> None:
    seen: list[bytes] = []
    connect = serve(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", seen))
    answer = exchange(connect, "POST", "/invocations", headers={"Content-Type": "text/csv"}, body=b"1", limit=5)
    assert (answer.status, answer.body_head, answer.error) == (200, "ok", "")
    assert answer.connect_seconds is not None
    assert answer.connect_seconds < answer.seconds
    lines = seen[0].split(b"\r\n")
    assert lines[0] == b"POST /invocations HTTP/1.1"
    assert sorted(lines[1:-2]) == [b"Content-Length: 1", b"Content-Type: text/csv", b"Host: model.aws.local:8080"]


@pytest.mark.parametrize(
    ("data", "status", "error"),
    [
        (b"", None, "closed"),
        (b"\x15\x03\x03\x00\x02\x02\x16", None, "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", 200, "broken off"),
        (b"HTTP/1.1 302 Found\r\nLocation: /ping/\r\nContent-Length: 0\r\n\r\n", 302, ""),
    ],
)
def test_what_goes_wrong_gets_a_name(
    serve: Callable[[Handler], Callable[[float], socket.socket]], data: bytes, status: int | None, error: str
) -> None:
    answer = exchange(serve(answering(data)), "GET", "/ping", headers={}, limit=5)
    assert (answer.status, answer.error) == (status, error)


def test_an_answer_to_a_body_that_nobody_reads_is_read_all_the_same(
    serve: Callable[[Handler], Callable[[float], socket.socket]],
) -> None:
    connect = serve(answering(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"))
    answer = exchange(connect, "POST", "/invocations", headers={}, body=bytes(8 << 20), limit=5)
    assert (answer.status, answer.body_head, answer.error) == (413, "no", "")


def test_a_body_is_sent_on_to_who_answers_while_it_reads(
    serve: Callable[[Handler], Callable[[float], socket.socket]],
) -> None:
    body = bytes(8 << 20)

    def handle(conn: socket.socket) -> None:
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        left = len(body)
        while left > 0 and (data := conn.recv(65536)):
            left -= len(data)
        conn.sendall(b"ok")

    answer = exchange(serve(handle), "POST", "/invocations", headers={}, body=body, limit=5)
    assert (answer.status, answer.body_head, answer.error) == (200, "ok", "")


def test_a_refusal_is_read_although_the_connection_is_reset_behind_it(
    serve: Callable[[Handler], Callable[[float], socket.socket]],
) -> None:
    def handle(conn: socket.socket) -> None:
        conn.recv(1024)
        conn.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        time.sleep(0.2)  # closed with bytes unread it is reset, and a reset takes the answer with it

    answer = exchange(serve(handle), "POST", "/invocations", headers={}, body=bytes(64 << 20), limit=5)
    assert (answer.status, answer.body_head, answer.error) == (413, "no", "")


@pytest.mark.parametrize(
    ("rest", "extra"),
    [
        (b"Content-Length: 2\r\n\r\nok", 0),
        (b"Content-Length: 2\r\n\r\nokay", 2),
        (b"Content-Length: 2\r\nConnection: close\r\n\r\nokay", 2),
        (b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 0),
        (b"Transfer-Encoding: chunked\r\n\r\n1;a=b\r\no\r\n1\r\nk\r\n0\r\nX-Sum: 1\r\n\r\n", 0),
        (b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nstray\r\n", 7),
        (b"\r\nok and whatever comes until it is closed", 0),
    ],
    ids=["counted", "more", "more, and closed", "chunks", "a trailer", "behind the last chunk", "not counted"],
)
@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 100 Continue\r\n\r\n"], ids=["", "100 first"])
def test_what_comes_behind_an_answer_is_counted(
    serve: Callable[[Handler], Callable[[float], socket.socket]], before: bytes, rest: bytes, extra: int
) -> None:
    answer = exchange(serve(answering(before + b"HTTP/1.1 200 OK\r\n" + rest)), "GET", "/", headers={}, limit=5)
    assert (answer.status, answer.body_head[:2], answer.error) == (200, "ok", "")
    assert answer.extra_bytes == extra


def _raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "pack", "accepted", "read"),
    [
        ("gzip", gzip.compress, "gzip, deflate", True),
        ("deflate", zlib.compress, "gzip, deflate", True),
        ("deflate", _raw_deflate, "gzip, deflate", True),
        ("gzip", lambda data: gzip.compress(data[:1000]) + gzip.compress(data[1000:]), "gzip", True),  # two members
        ("gzip", gzip.compress, "identity", False),  # nobody asked for it: the client gets it as it is
        ("br", gzip.compress, "gzip, deflate", False),
    ],
)
def test_what_was_allowed_to_be_compressed_is_unpacked(
    serve: Callable[[Handler], Callable[[float], socket.socket]],
    encoding: str,
    pack: Callable[[bytes], bytes],
    accepted: str,
    read: bool,
) -> None:
    plain = b"0.5," * 100_000 + b"1"
    sent = pack(plain)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(sent)}\r\n\r\n".encode()
    connect = serve(answering(head + sent))
    answer = exchange(connect, "GET", "/", headers={"Accept-Encoding": accepted}, limit=5, keep=len(plain))
    assert (answer.status, answer.error, answer.extra_bytes) == (200, "", 0)
    assert answer.body == (plain if read else sent)
    assert (answer.body_bytes, answer.body_cut) == (len(sent), False)
    assert answer.body_sha256 == hashlib.sha256(answer.body).hexdigest()


@pytest.mark.parametrize("sent", [gzip.compress(b"0.5," * 100)[:-12], b"0.5,0.5"], ids=["cut off", "not packed"])
def test_what_cannot_be_unpacked_is_no_answer(
    serve: Callable[[Handler], Callable[[float], socket.socket]], sent: bytes
) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(sent)}\r\n\r\n".encode()
    answer = exchange(serve(answering(head + sent)), "GET", "/", headers={"Accept-Encoding": "gzip"}, limit=5)
    assert (answer.status, answer.error) == (200, "broken off")


def test_a_server_that_drips_bytes_does_not_stretch_the_limit(
    serve: Callable[[Handler], Callable[[float], socket.socket]],
) -> None:
    def drip(conn: socket.socket) -> None:
        conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        try:
            for _ in range(100):
                conn.sendall(b"x")
                time.sleep(0.05)
        except OSError:
            pass

    answer = exchange(serve(drip), "GET", "/ping", headers={}, limit=0.4)
    assert answer.error == "timed out"
    assert 0.35 < answer.seconds < 1.0


def test_nobody_there_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = gone.getsockname()
    answer = exchange(lambda limit: socket.create_connection(address, limit), "GET", "/ping", headers={}, limit=2)
    assert (answer.error, answer.connect_seconds) == ("refused", None)


def test_first_bytes_are_shown_safely(serve: Callable[[Handler], Callable[[float], socket.socket]]) -> None:
    assert first_bytes(serve(answering(b"\x15\x03\x1b[31m")), 2) == "\\x15\\x03\\x1b[31m"


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's clock of a connection is Linux's")
def test_a_connection_takes_what_the_kernel_says_and_not_when_we_were_woken(
    serve: Callable[[Handler], Callable[[float], socket.socket]],
) -> None:
    connect = serve(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))

    def woken_late(limit: float) -> socket.socket:
        sock = connect(limit)
        time.sleep(0.4)
        return sock

    answer = exchange(woken_late, "GET", "/ping", headers={}, limit=2)

    assert answer.seconds > 0.4
    assert answer.connect_seconds is not None
    assert answer.connect_seconds < 0.2


@pytest.mark.skipif(sys.platform != "linux", reason="a full backlog drops packets on Linux")
def test_a_full_backlog_shows_as_the_time_that_it_cost() -> None:
    with socket.socket() as listener, socket.socket() as first:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        first.connect(listener.getsockname())

        def accept() -> None:
            for _ in range(2):
                time.sleep(0.6)
                taken, _ = listener.accept()
                taken.close()

        accepting = threading.Thread(target=accept)
        accepting.start()
        answer = exchange(
            lambda limit: socket.create_connection(listener.getsockname(), limit), "GET", "/", headers={}, limit=5
        )
        accepting.join()

    assert answer.connect_seconds is not None
    assert answer.connect_seconds > 0.5
