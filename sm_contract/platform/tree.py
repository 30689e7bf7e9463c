"""Trees for the engine's archive API: tar streams made on the fly, and read back without unpacking."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

CHUNK = 256 * 1024


@dataclass(frozen=True, kw_only=True)
class Member:
    """One member to write: a directory, a small file, a file streamed from disk, or a named pipe."""

    path: str
    kind: str = "file"  # "file", "directory", "fifo"
    data: bytes = b""
    source: Path | None = None
    mode: int = 0o644


def directory(path: str, mode: int = 0o755) -> Member:
    return Member(path=path, kind="directory", mode=mode)


def folder(source: Path, prefix: str) -> Iterator[Member]:
    """The files below a local folder (or one file), streamed later, links followed."""
    if source.is_file():
        yield Member(path=f"{prefix}/{source.name}", source=source)
        return
    yield directory(prefix)
    for home, names, files in os.walk(source, followlinks=True):
        names.sort()
        below = Path(home).relative_to(source)
        for name in names:
            yield directory((prefix / below / name).as_posix() if prefix else (below / name).as_posix())
        for name in sorted(files):
            yield Member(path=f"{prefix}/{(below / name).as_posix()}", source=Path(home, name))


def tar_stream(members: Iterable[Member], *, mtime: float, owner: int = 0) -> Iterator[bytes]:
    """A tar stream, everything owned by root as an agent of the platform would leave it, or by another user."""
    for member in members:
        info = tarfile.TarInfo(member.path.lstrip("/"))
        info.mode, info.mtime, info.uid, info.gid = member.mode, int(mtime), owner, 0
        info.type = {"file": tarfile.REGTYPE, "directory": tarfile.DIRTYPE, "fifo": tarfile.FIFOTYPE}[member.kind]
        if member.source is None:
            info.size = len(member.data)
            yield info.tobuf(tarfile.PAX_FORMAT)
            yield from _padded(iter([member.data]), info.size)
            continue
        with member.source.open("rb") as stream:
            info.size = os.fstat(stream.fileno()).st_size
            yield info.tobuf(tarfile.PAX_FORMAT)
            yield from _padded(_exactly(stream, info.size, member.source), info.size)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _exactly(stream: io.BufferedReader, size: int, source: Path) -> Iterator[bytes]:
    left = size
    while left:
        chunk = stream.read(min(CHUNK, left))
        if not chunk:
            raise OSError(f"{source} became shorter while it was read")
        left -= len(chunk)
        yield chunk


def _padded(chunks: Iterator[bytes], size: int) -> Iterator[bytes]:
    yield from chunks
    if size % tarfile.BLOCKSIZE:
        yield bytes(tarfile.BLOCKSIZE - size % tarfile.BLOCKSIZE)


class ChunkReader(io.RawIOBase):
    """A stream of byte chunks as a readable file."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # what RawIOBase passes
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = chunk
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


def members(chunks: Iterable[bytes]) -> Iterator[tuple[tarfile.TarInfo, io.BufferedIOBase | None]]:
    """The members of a tar stream, each file open for reading until the next is asked for."""
    with tarfile.open(fileobj=io.BufferedReader(ChunkReader(chunks), CHUNK), mode="r|") as archive:
        for info in archive:
            yield info, archive.extractfile(info) if info.isreg() else None  # type: ignore[misc]


def kind_of(info: tarfile.TarInfo) -> str:
    """A member's kind, as the record names it."""
    if info.isreg():
        return "file"
    if info.isdir():
        return "directory"
    if info.issym():
        return "symlink"
    return "hardlink" if info.islnk() else "other"
