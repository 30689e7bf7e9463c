"""Bytes of a blob at any offset, in constant memory, packed or not."""

from __future__ import annotations

import hashlib
import importlib
import os
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from zlib import _Decompress

CHUNK = 1 << 20
_MARK_EVERY = 32 << 20  # of unpacked bytes
_MARKS = 64  # then every second one is given up: 40 KB each


class Damaged(Exception):
    """The bytes are not what they have to be; the text completes "is damaged: …"."""


class Unsupported(Exception):
    """The bytes may be well, but cannot be read here; the text says what is missing."""


class Source(Protocol):
    """Something that can be read from any offset."""

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes; none at the end. Raises Damaged."""

    def seek(self, offset: int) -> None: ...


class Slice:
    """A stretch of an open file with a position of its own, so that several may share one descriptor."""

    def __init__(self, fd: int, start: int, size: int) -> None:
        self._fd = fd
        self._start = start
        self.size = size
        self.at = 0
        self._hash: Any = None

    def again(self) -> Slice:
        """The same stretch, from its beginning."""
        return Slice(self._fd, self._start, self.size)

    def hashed(self) -> Slice:
        """The same stretch, summed up while it is read in order."""
        copy = self.again()
        copy._hash = hashlib.sha256()
        return copy

    def digest(self) -> str:
        """The sum of the whole stretch; reads what was not read yet."""
        while self.read(CHUNK):
            pass
        return f"sha256:{self._hash.hexdigest()}"

    def read(self, size: int) -> bytes:
        data = os.pread(self._fd, min(size, self.size - self.at), self._start + self.at)
        self.at += len(data)
        if self._hash is not None:
            self._hash.update(data)
        if not data and size and self.at < self.size:
            raise Damaged("it became shorter while it was read")
        return data

    def seek(self, offset: int) -> None:
        self.at = min(offset, self.size)
        self._hash = None


class _Gunzipped:
    """A gzip stream with marks to continue from, so that one small file in a big layer costs no whole pass."""

    def __init__(self, raw: Slice) -> None:
        self._raw = raw
        self._unpacker = zlib.decompressobj(31)
        self._pending = b""
        self._at = 0
        self._marks: list[tuple[int, int, _Decompress]] = [(0, raw.at, self._unpacker.copy())]
        self._every = _MARK_EVERY

    def read(self, size: int) -> bytes:
        while size:
            if self._unpacker.eof:
                self._pending = self._pending or self._raw.read(CHUNK)
                if not self._pending.strip(b"\0"):  # the end, or padding behind it
                    return b""
                self._unpacker = zlib.decompressobj(31)
            if not self._pending:
                self._pending = self._raw.read(CHUNK)
            ended = not self._pending
            try:
                data = self._unpacker.decompress(self._pending, size)
            except zlib.error as error:
                raise Damaged(f"its gzip stream breaks off in an error ({error})") from None
            unpacker = self._unpacker
            self._pending = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
            if data:
                self._at += len(data)
                self._mark()
                return data
            if ended and not unpacker.eof:
                raise Damaged("its gzip stream is truncated")
        return b""

    def _mark(self) -> None:
        if self._at < self._marks[-1][0] + self._every or self._unpacker.eof:
            return
        self._marks.append((self._at, self._raw.at - len(self._pending), self._unpacker.copy()))
        if len(self._marks) > _MARKS:
            self._marks = self._marks[::2]
            self._every *= 2

    def seek(self, offset: int) -> None:
        at, packed_at, unpacker = max((mark for mark in self._marks if mark[0] <= offset), key=lambda m: m[0])
        if not at <= self._at <= offset:
            self._at = at
            self._raw.seek(packed_at)
            self._unpacker = unpacker.copy()
            self._pending = b""
        _skip(self, offset - self._at)


class _Unzstd:
    """A zstd stream, by the standard library of Python 3.14 and later. Going back starts again."""

    def __init__(self, raw: Slice) -> None:
        self._open = _zstd_opener(raw)
        self._raw = raw
        self._at = 0
        self._file = self._open()

    def read(self, size: int) -> bytes:
        try:
            data: bytes = self._file.read(size)
        except EOFError:
            raise Damaged("its zstd stream is truncated") from None
        except Damaged:
            raise
        except Exception as error:  # ZstdError has no name before 3.14
            raise Damaged(f"its zstd stream breaks off in an error ({error})") from None
        self._at += len(data)
        return data

    def seek(self, offset: int) -> None:
        if offset < self._at:
            self._raw.seek(0)
            self._at = 0
            self._file = self._open()
        _skip(self, offset - self._at)


def _zstd_opener(raw: Slice) -> Callable[[], Any]:
    try:
        module = importlib.import_module("compression.zstd")
    except ImportError:
        raise Unsupported("is packed with zstd, which needs Python 3.14 or later to be read") from None
    return lambda: module.ZstdFile(raw)


def _skip(source: Source, count: int) -> None:
    while count > 0:
        data = source.read(min(count, CHUNK))
        if not data:
            return
        count -= len(data)


def packing(raw: Slice) -> str:
    """How a blob is packed, by its first bytes: "gzip", "zstd", "xz", "bzip2", or "" for not at all."""
    head = raw.again().read(6)
    for magic, name in ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"\xfd7zXZ\0", "xz"), (b"BZh", "bzip2")):
        if head.startswith(magic):
            return name
    return ""


def unpacked(raw: Slice) -> Source:
    """The blob's bytes unpacked, from its beginning. Raises Unsupported."""
    kind = packing(raw)
    if kind == "gzip":
        return _Gunzipped(raw)
    if kind == "zstd":
        return _Unzstd(raw)
    if kind:
        raise Unsupported(f"is packed with {kind}, which is not read here; unpack it first")
    return raw


class Feed:
    """A source read in order: whole blocks, skips, and a sum of all that passed."""

    def __init__(self, source: Source, *, summed: bool = False, size: int | None = None) -> None:
        self._source = source
        self._buffer = b""
        self._from = 0  # of the buffer, in the source
        self._used = 0  # of the buffer
        self._hash = hashlib.sha256() if summed else None
        self._size = size  # where the source can jump

    @property
    def at(self) -> int:
        return self._from + self._used

    def take(self, count: int) -> bytes:
        """Exactly ``count`` bytes, or fewer at the end of the source."""
        parts = []
        while count:
            if self._used == len(self._buffer) and not self._fill():
                break
            part = self._buffer[self._used : self._used + count]
            self._used += len(part)
            count -= len(part)
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def skip(self, count: int) -> bool:
        """Pass over ``count`` bytes; False if there are not so many."""
        target = self.at + count
        if self._size is not None and target > self._from + len(self._buffer):
            if target > self._size:
                return False
            self._source.seek(target)
            self._from, self._used, self._buffer = target, 0, b""
            return True
        while self.at < target:
            if self._used == len(self._buffer) and not self._fill():
                return False
            self._used += min(target - self.at, len(self._buffer) - self._used)
        return True

    def digest(self) -> str:
        """The sum of the whole source; reads what was not read yet."""
        while self._fill():
            pass
        return f"sha256:{self._hash.hexdigest()}" if self._hash is not None else ""

    def _fill(self) -> bool:
        self._from += len(self._buffer)
        self._buffer = self._source.read(CHUNK)
        self._used = 0
        if self._hash is not None:
            self._hash.update(self._buffer)
        return bool(self._buffer)
