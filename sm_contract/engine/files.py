"""The merged file system of an image, read through one never-started container."""

from __future__ import annotations

import contextlib
import io
import posixpath
import tarfile
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from docker.errors import APIError

from sm_contract.engine.link import TRANSPORT, Link, says
from sm_contract.engine.protocol import EngineError
from sm_contract.engine.volumes import archive
from sm_contract.record import FileFact

if TYPE_CHECKING:
    from sm_contract.engine.docker import DockerEngine

LINKS = 40  # as many as the kernel follows


def _kind(member: tarfile.TarInfo) -> str:
    if member.isdir():
        return "directory"
    if member.issym():
        return "symlink"
    # A hard link in an archive of one path is the file itself.
    return "file" if member.isreg() or member.islnk() else "other"


def _fact(path: str, real: str, member: tarfile.TarInfo) -> FileFact:
    return FileFact(
        path=path,
        real_path=real,
        kind=_kind(member),
        mode=member.mode & 0o7777,
        uid=member.uid,
        gid=member.gid,
        size=member.size if member.isreg() else 0,
    )


class _Stream(io.RawIOBase):
    """Chunks as a file, for tarfile's stream mode."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        parts, have = [self._rest], len(self._rest)
        while size < 0 or have < size:
            chunk = next(self._chunks, b"")
            if not chunk:
                break
            parts.append(chunk)
            have += len(chunk)
        data = b"".join(parts)
        cut = len(data) if size < 0 else size
        self._rest = data[cut:]
        return data[:cut]


class ImageFiles:
    """Implements ``protocol.FileSystem``. Links are followed here, in the image's own root, never the engine's."""

    def __init__(self, engine: DockerEngine, image: str) -> None:
        self._engine = engine
        self._link: Link = engine.link
        self._image = image
        self._door = ""
        self._known: dict[str, tarfile.TarInfo | None] = {}
        self._lock = threading.RLock()

    @contextlib.contextmanager
    def _open(self, path: str) -> Iterator[Iterator[bytes] | None]:
        """The tar stream of a path that holds no link but perhaps its last part; None if nothing is there."""
        with self._lock:
            if not self._door:
                self._door = self._engine.volumes.open_door(self._image, "files")
        with self._link.calls(f"reading {path} of an image") as api:
            try:
                response, chunks = archive(api, self._door, path)
            except APIError as error:
                if error.status_code == 404 or "not a directory" in says(error).lower():
                    yield None
                    return
                raise EngineError(f"the engine could not read {path} of the image: {says(error)}") from error
            try:
                yield chunks
            except TRANSPORT as error:
                raise self._link.broke(f"reading {path} of an image", error) from error
            finally:
                response.close()  # the engine stops packing what nobody reads

    def _lstat(self, path: str) -> tarfile.TarInfo | None:
        if path not in self._known:
            self._known[path] = self._first(path)
        return self._known[path]

    def _first(self, path: str) -> tarfile.TarInfo | None:
        with self._open(path) as chunks:
            if chunks is None:
                return None
            with tarfile.open(fileobj=_Stream(chunks), mode="r|", bufsize=tarfile.BLOCKSIZE) as tar:
                member = tar.next()
        if member is None:  # a socket is left out of archives
            member = tarfile.TarInfo(path)
            member.type = tarfile.CHRTYPE
        return member

    def _real(self, path: str) -> tuple[str, tarfile.TarInfo | None]:
        """Where a path leads, every link on the way followed, and what is there.

        A link that leads nowhere (or in a circle) gives the link itself.
        """
        todo = [part for part in path.split("/") if part]
        real, links = "/", 0
        here = self._lstat("/")
        dangling: tuple[str, tarfile.TarInfo] | None = None
        while todo:
            part = todo.pop(0)
            if part in (".", ".."):
                real = posixpath.dirname(real) if part == ".." else real
                here = self._lstat(real)
                continue
            step = posixpath.join(real, part)
            here = self._lstat(step)
            if here is None:
                return dangling or (step, None)
            if not here.issym():
                if todo and not here.isdir():
                    return dangling or (step, None)
                real = step
                if not todo:
                    break
                continue
            links += 1
            if not todo and dangling is None:
                dangling = (step, here)
            if links > LINKS:
                return dangling or (step, None)
            if here.linkname.startswith("/"):
                real = "/"
            todo = [p for p in here.linkname.split("/") if p] + todo
            here = self._lstat(real)
        return real, here

    def stat(self, path: str) -> FileFact | None:
        """What is at an absolute path, symbolic links followed; None if nothing is."""
        real, member = self._real(path)
        return None if member is None else _fact(path, real, member)

    def read(self, path: str, limit: int = 65536) -> bytes | None:
        """The first ``limit`` bytes of a regular file, symbolic links followed."""
        real, member = self._real(path)
        if member is None or _kind(member) != "file":
            return None
        with self._open(real) as chunks:
            if chunks is None:
                return None
            with tarfile.open(fileobj=_Stream(chunks), mode="r|", bufsize=tarfile.BLOCKSIZE) as tar:
                first = tar.next()
                body = tar.extractfile(first) if first is not None else None
                return body.read(limit) if body is not None else None

    def walk(self, path: str, limit: int = 1000) -> list[FileFact]:
        """What lies below a directory, recursively, links not followed; at most ``limit`` entries."""
        real, member = self._real(path)
        found: list[FileFact] = []
        if member is None or not member.isdir() or limit < 1:
            return found
        with self._open(real) as chunks:
            if chunks is None:
                return found
            with tarfile.open(fileobj=_Stream(chunks), mode="r|") as tar:
                for entry in tar:
                    # The archive's names begin with the directory's own, whatever the engine calls it.
                    _, _, below = entry.name.strip("/").partition("/") if real != "/" else ("", "", entry.name)
                    below = below.strip("/")
                    if below in ("", "."):
                        continue
                    found.append(_fact(posixpath.join(path, below), posixpath.join(real, below), entry))
                    if len(found) >= limit:
                        break
        return found
