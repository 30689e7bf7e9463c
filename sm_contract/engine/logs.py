"""Following a container's output through the engine's attach stream: every line with its time, nothing unbounded."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

LINE_BYTES = 64 * 1024
CHUNK = 256 * 1024
STREAMS = {1: "stdout", 2: "stderr"}

Line = Callable[[float, str, str], None]


class Splitter:
    """Bytes of one stream to lines; a line too long keeps its first 64 KB."""

    def __init__(self, stream: str, line: Line) -> None:
        self.stream = stream
        self.line = line
        self._rest = b""
        self._cut = False  # the line under way is longer than is kept

    def feed(self, at: float, data: bytes) -> None:
        *whole, rest = data.split(b"\n")
        for part in whole:
            self._emit(at, self._rest + part)
            self._rest, self._cut = b"", False
        self._rest += rest
        if len(self._rest) > LINE_BYTES:
            self._rest, self._cut = self._rest[:LINE_BYTES], True

    def end(self, at: float) -> None:
        if self._rest:
            self._emit(at, self._rest)
            self._rest = b""

    def _emit(self, at: float, line: bytes) -> None:
        cut = self._cut or len(line) > LINE_BYTES
        text = line[:LINE_BYTES].removesuffix(b"\r").decode("utf-8", "replace")
        self.line(at, self.stream, text + ("…" if cut else ""))


class Follower:
    """Reads an attach stream in a thread until it ends, or until more came than is kept.

    Attached and not read from the log file: the first byte is there even if the container dies at
    once, and what the engine's rotation drops was seen.
    """

    def __init__(self, stream: Any, line: Line, *, limit: int, multiplexed: bool) -> None:
        self._stream = stream
        self._limit = limit
        self._multiplexed = multiplexed
        self._splitters = {name: Splitter(name, line) for name in STREAMS.values()}
        self._seen = 0
        self.cut = False
        self.done = threading.Event()
        threading.Thread(target=self._run, name="sm-contract-log", daemon=True).start()

    def _run(self) -> None:
        try:
            if self._multiplexed:
                self._frames()
            else:
                while not self.cut and (data := self._receive(CHUNK)):
                    self._take("stdout", data)
            at = time.monotonic()
            for splitter in self._splitters.values():
                splitter.end(at)
        finally:
            self.done.set()
            self.hang_up()

    def _receive(self, size: int) -> bytes:
        """What has arrived; empty at the end, which an engine that goes away is too."""
        read = getattr(self._stream, "recv", None) or self._stream.read
        try:
            return bytes(read(size) or b"")
        except (OSError, ValueError):  # reset, or hung up by us
            return b""

    def _frames(self) -> None:
        buffer = bytearray()
        while not self.cut and (data := self._receive(CHUNK)):
            buffer += data
            start = 0
            while len(buffer) - start >= 8:
                size = int.from_bytes(buffer[start + 4 : start + 8], "big")
                if len(buffer) - start - 8 < size:
                    break
                stream = STREAMS.get(buffer[start])
                if stream:
                    self._take(stream, bytes(buffer[start + 8 : start + 8 + size]))
                start += 8 + size
            del buffer[:start]

    def _take(self, stream: str, data: bytes) -> None:
        if self.cut:
            return
        room = self._limit - self._seen
        self._seen += len(data)
        if len(data) > room:
            data, self.cut = data[: max(room, 0)], True
        self._splitters[stream].feed(time.monotonic(), data)

    def hang_up(self) -> None:
        """End the stream, from any thread; a reader that is blocked in it returns."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            twin = socket.socket(fileno=os.dup(self._stream.fileno()))
            try:
                twin.shutdown(socket.SHUT_RDWR)
            finally:
                twin.close()
        if self.done.is_set():
            with contextlib.suppress(OSError, ValueError):
                self._stream.close()
