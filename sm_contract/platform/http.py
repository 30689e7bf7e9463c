"""One HTTP exchange with a container: exact headers, one connection, hard limits, no redirects.

``http.client`` rather than a client library: the platform's requests carry the headers of InvokeEndpoint
and nothing else, and the time to connect is judged by itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import io
import select
import socket
import struct
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

HOST = "model.aws.local:8080"  # of the platform's own requests
Connect = Callable[[float], socket.socket]
HEAD = 400  # characters of a body that are kept
_TCP_INFO = struct.Struct("=8x60xI28xI")  # of struct tcp_info: tcpi_rtt and tcpi_total_retrans
BODY_LIMIT = 256 * 1024 * 1024
_PIECE = 64 * 1024  # bytes that are read or sent at once
_REST = 0.02  # seconds for bytes behind the end of an answer to come


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back. ``error`` is empty where a whole answer did; ``status`` may stand beside an error."""

    seconds: float
    connect_seconds: float | None = None
    status: int | None = None
    error: str = ""  # "refused", "reset", "closed", "timed out", "unreachable", "not HTTP", "broken off"
    headers: tuple[tuple[str, str], ...] = ()
    body_sha256: str = ""
    body_bytes: int = 0  # as they came; all else of the body is unpacked, where it came packed as the request allowed
    body_head: str = ""
    body: bytes = b""  # its beginning, where that was asked for
    body_cut: bool = False  # there is more of it
    extra_bytes: int = 0  # that came behind the length which the header promised, or behind the last chunk


class _Reader(io.BufferedReader):
    """What came of an answer, read ahead; it knows how much of that the answer itself was."""

    taken = 0  # bytes

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.taken += len(data)
        return data

    def readline(self, size: int | None = -1, /) -> bytes:
        data = super().readline(size)
        self.taken += len(data)
        return data

    def readinto(self, buffer: Any, /) -> int:
        count = super().readinto(buffer)
        self.taken += count
        return count


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.reader = self.fp = _Reader(self.fp.detach())


class _Connection(http.client.HTTPConnection):
    response_class = _Response

    def __init__(self, sock: socket.socket) -> None:
        super().__init__("container", 8080)
        self.sock = sock


def exchange(
    connect: Connect,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str],
    body: bytes = b"",
    limit: float,
    host: str = HOST,
    keep: int = 0,
) -> Answer:
    """Send one request and read the whole answer within ``limit`` seconds, connecting included.

    ``keep``: how many bytes of the body to hand over.
    """
    begin = time.monotonic()
    sock = None
    connected: float | None = None
    status: int | None = None
    try:
        sock = _Deadline.wrap(connect(limit), begin + limit)
        connected = _handshake(sock, time.monotonic() - begin)
        connection = _Connection(sock)
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", host)
        for name, value in headers.items():
            connection.putheader(name, value)
        if method == "POST":
            connection.putheader("Content-Length", str(len(body)))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # an early answer (413) is there all the same
            connection.endheaders(body or None)
        response = connection.getresponse()
        assert isinstance(response, _Response)
        status = response.status
        digest, count, head, kept = hashlib.sha256(), 0, b"", bytearray()
        came = _Body(response, headers)
        for chunk in came.unpacked():
            digest.update(chunk)
            count += len(chunk)
            head = head or chunk[: HEAD * 4]
            kept += chunk[: max(0, keep - len(kept))]
            if count > BODY_LIMIT:
                raise http.client.IncompleteRead(b"")
        if response.length:  # what Content-Length promised and never came
            raise http.client.IncompleteRead(b"", response.length)
        seconds = time.monotonic() - begin
        counted = response.getheader("Content-Length") is not None or response.chunked
        return Answer(
            seconds=seconds,
            connect_seconds=connected,
            status=status,
            headers=tuple(response.getheaders()),
            body_sha256=digest.hexdigest(),
            body_bytes=came.bytes,
            body_head=head.decode("utf-8", "replace")[:HEAD],
            body=bytes(kept),
            body_cut=len(kept) < count,
            extra_bytes=sock.behind(response.reader.taken) if counted else 0,
        )
    except (OSError, http.client.HTTPException) as error:
        return Answer(
            seconds=time.monotonic() - begin, connect_seconds=connected, status=status, error=_named(error, status)
        )
    finally:
        if sock is not None:
            sock.close()


class _Body:
    """The body of an answer, in pieces."""

    def __init__(self, response: http.client.HTTPResponse, request: Mapping[str, str]) -> None:
        self.bytes = 0  # as they came
        self._response = response
        self._packing = (response.getheader("Content-Encoding") or "").strip().lower()
        allowed = ",".join(value for name, value in request.items() if name.lower() == "accept-encoding").lower()
        self._packed = self._packing in ("gzip", "deflate") and self._packing in allowed

    def unpacked(self) -> Iterator[bytes]:
        """As the client reads it who sent the request. Raises HTTPException where it cannot be unpacked."""
        if not self._packed:
            yield from self._pieces()
            return
        unpacker = None
        try:
            for piece in self._pieces():
                rest = piece
                while rest:
                    if unpacker is None or unpacker.eof:  # the first, or of several members the next
                        unpacker = self._unpacker(rest)
                    yield unpacker.decompress(rest, _PIECE)
                    rest = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
            if unpacker is not None:
                yield unpacker.flush()
        except zlib.error as error:
            raise http.client.HTTPException(str(error)) from error
        if unpacker is not None and not unpacker.eof:
            raise http.client.IncompleteRead(b"")

    def _unpacker(self, beginning: bytes) -> zlib._Decompress:
        """Of what begins so: "deflate" has a header by the standard, and none from several servers."""
        bare = self._packing == "deflate" and beginning[0] & 0x0F != zlib.DEFLATED
        return zlib.decompressobj(-zlib.MAX_WBITS if bare else zlib.MAX_WBITS | 32)

    def _pieces(self) -> Iterator[bytes]:
        while piece := self._response.read(_PIECE):
            self.bytes += len(piece)
            yield piece


def _handshake(sock: socket.socket, measured: float) -> float:
    """How long the connection took: by the kernel's own clock, where it says so, and by ours otherwise.

    A busy machine wakes this process late, which says nothing of the container. The kernel answers for it, so its
    round trip is the time; unless the first packet had to be sent again, which is how a full backlog shows.
    """
    if sys.platform != "linux":
        return measured
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
    except OSError:  # not a TCP connection
        return measured
    if len(info) < _TCP_INFO.size:
        return measured
    microseconds, sent_again = _TCP_INFO.unpack(info)
    return measured if sent_again or not microseconds else min(measured, float(microseconds) / 1e6)


class _Deadline(socket.socket):
    """A socket whose every operation is bounded by one deadline: a server that drips bytes gains nothing."""

    deadline = 0.0
    received = 0  # bytes

    @classmethod
    def wrap(cls, sock: socket.socket, deadline: float) -> _Deadline:
        made = cls(fileno=sock.detach())
        made.deadline = deadline
        return made

    def _arm(self) -> None:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self.settimeout(left)

    def recv_into(self, *args: Any) -> int:
        self._arm()
        count = super().recv_into(*args)
        self.received += count
        return count

    def behind(self, answer: int) -> int:
        """How many bytes have come behind the ``answer`` bytes of an answer: none, if it keeps to its own length."""
        extra = max(0, self.received - answer)
        try:
            if select.select([self], [], [], _REST)[0]:
                extra += len(self.recv(65536))
        except (OSError, ValueError):
            pass
        return extra

    def sendall(self, *args: Any) -> None:
        """Send it all, unless the server refuses before it has read all: then the answer is there to be read.

        Sent on, the rest would meet a closed connection, whose reset takes the answer with it.
        """
        whole = memoryview(args[0])
        for begin in range(0, len(whole), _PIECE):
            if begin and self._refused():
                return
            self._arm()
            super().sendall(whole[begin : begin + _PIECE])

    def _refused(self) -> bool:
        if not select.select([self], [], [], 0)[0]:
            return False
        status = self.recv(12, socket.MSG_PEEK)[9:10]
        return status >= b"3"


def _named(error: Exception, status: int | None) -> str:  # noqa: PLR0911  # a table of kinds
    if isinstance(error, TimeoutError):
        return "timed out"
    if status is not None:
        return "broken off"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, http.client.RemoteDisconnected):
        return "closed"
    if isinstance(error, ConnectionError):
        return "reset"
    if isinstance(error, http.client.HTTPException):
        return "not HTTP"
    return "unreachable"


def first_bytes(connect: Connect, limit: float) -> str:
    """What a raw HTTP/1.1 request line is answered with, control characters shown; empty if with nothing."""
    try:
        with connect(limit) as sock:
            sock.settimeout(limit)
            sock.sendall(b"GET /ping HTTP/1.1\r\nHost: model.aws.local:8080\r\nConnection: close\r\n\r\n")
            data = sock.recv(400)
    except OSError:
        return ""
    return data.decode("latin-1").encode("unicode_escape").decode("ascii")
