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

from sm_contract.capabilities import PAX_KEY, demanded
from sm_contract.engine.link import TRANSPORT, Link, says
from sm_contract.engine.protocol import EngineError
from sm_contract.engine.volumes import archive, path_stat
from sm_contract.record import FileFact

if TYPE_CHECKING:
    from sm_contract.engine.docker import DockerEngine

HEAD = 65536  # bytes of a file that are kept
LINKS = 40  # as many as the kernel follows
GO_DIRECTORY, GO_LINK = 1 << 31, 1 << 27
GO_TYPE = GO_DIRECTORY | GO_LINK | 1 << 26 | 1 << 25 | 1 << 24 | 1 << 21 | 1 << 19  # device, pipe, socket, …


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


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
        capabilities=demanded(member.pax_headers.get(PAX_KEY, "").encode("utf-8", "surrogateescape")),
    )


class ChunkStream(io.RawIOBase):
    """Chunks as a file, for tarfile's stream mode."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._chunk = b""
        self._used = 0  # of the chunk

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        parts, have = [], 0
        while size < 0 or have < size:
            if self._used == len(self._chunk):
                self._chunk, self._used = next(self._chunks, b""), 0
                if not self._chunk:
                    break
            part = self._chunk[self._used :] if size < 0 else self._chunk[self._used : self._used + size - have]
            self._used += len(part)
            have += len(part)
            parts.append(part)
        return b"".join(parts)


class ImageFiles:
    """Implements ``protocol.FileSystem``. Links are followed here, in the image's own root, never the engine's."""

    def __init__(self, engine: DockerEngine, image: str) -> None:
        self._engine = engine
        self._link: Link = engine.link
        self._image = image
        self._door = ""
        self._steps: dict[str, str | None] = {}
        self._heads: dict[str, bytes] = {}
        self._members: dict[str, tarfile.TarInfo | None] = {}
        self._lock = threading.RLock()

    def _container(self) -> str:
        with self._lock:
            if not self._door:
                self._door = self._engine.volumes.open_door(self._image, "files")
            return self._door

    @contextlib.contextmanager
    def _open(self, path: str) -> Iterator[Iterator[bytes] | None]:
        """The tar stream of a path that holds no link but perhaps its last part; None if nothing is there."""
        door = self._container()
        with self._link.calls(f"reading {path} of an image") as api:
            try:
                response, chunks = archive(api, door, path)
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

    def _step(self, path: str) -> str | None:
        """What is at one step of a way: "directory", "file", "other", or the target of a link after "->"."""
        if path not in self._steps:
            mode, target = self._look(path)
            if mode is None:
                self._steps[path] = None
            elif mode & GO_LINK:
                if not target and (member := self._member(path)) is not None:
                    target = member.linkname
                self._steps[path] = f"->{target}" if target else None
            else:
                self._steps[path] = "directory" if mode & GO_DIRECTORY else "other" if mode & GO_TYPE else "file"
        return self._steps[path]

    def _look(self, path: str) -> tuple[int | None, str]:
        """The mode in Go's numbering, and where a link leads."""
        door = self._container()
        with self._link.calls(f"looking at {path} of an image") as api:
            status, found = path_stat(api, door, path)
        if found:
            return int(found["mode"]), str(found.get("linkTarget") or "")
        if status == 404:
            return None, ""
        try:
            with self._open(path):  # for the words, which only this has
                return None, ""
        except EngineError as error:
            if "too many links" in str(error):
                return GO_LINK, path
            raise

    def _member(self, path: str) -> tarfile.TarInfo | None:
        """The archive's own header for one path, the only place that names its owner."""
        if path not in self._members:
            self._members[path] = self._first(path)
        return self._members[path]

    def _first(self, path: str) -> tarfile.TarInfo | None:
        try:
            return self._header(path)
        except EngineError as error:
            if "too many links" not in str(error):
                raise
            member = tarfile.TarInfo(path)  # a link in a circle, which the engine does not even pack
            member.type, member.mode, member.linkname = tarfile.SYMTYPE, 0o777, path
            return member

    def _header(self, path: str) -> tarfile.TarInfo | None:
        with self._open(path) as chunks:
            if chunks is None:
                return None
            with tarfile.open(fileobj=ChunkStream(chunks), mode="r|", bufsize=tarfile.BLOCKSIZE) as tar:
                member = tar.next()
                body = tar.extractfile(member) if member is not None and member.isreg() else None
                if body is not None:  # whoever asks for a file's owner mostly asks for its first line next
                    self._heads[path] = body.read(HEAD)
        if member is None:  # a socket is left out of archives
            member = tarfile.TarInfo(path)
            member.type = tarfile.CHRTYPE
        return member

    def _real(self, path: str) -> tuple[str, str | None]:
        """Where a path leads, every link on the way followed, and what is there.

        A last link that leads nowhere (or in a circle) gives the link itself.
        """
        todo, real, links, here = _parts(path), "/", 0, "directory"
        last: tuple[str, str] | None = None  # the link that the path itself names
        while todo:
            part = todo.pop(0)
            if part == "..":
                real = posixpath.dirname(real)
                continue
            step = posixpath.join(real, part)
            found = self._step(step)
            if found is None or (todo and found in ("file", "other")) or links > LINKS:
                return last or (step, None)
            if found.startswith("->"):
                links += 1
                last = last or ((step, found) if not todo else None)
                target = found[2:]
                real = "/" if target.startswith("/") else real
                todo = _parts(target) + todo
                here = "directory"
                continue
            real, here = step, found
        return real, here

    def stat(self, path: str) -> FileFact | None:
        """What is at an absolute path, symbolic links followed; None if nothing is."""
        real, here = self._real(path)
        member = None if here is None else self._member(real)
        return None if member is None else _fact(path, real, member)

    def read(self, path: str, limit: int = 65536) -> bytes | None:
        """The first ``limit`` bytes of a regular file, symbolic links followed."""
        real, here = self._real(path)
        if here != "file":
            return None
        if limit <= HEAD:
            self._member(real)
            return self._heads.get(real, b"")[:limit]
        with self._open(real) as chunks:
            if chunks is None:
                return None
            with tarfile.open(fileobj=ChunkStream(chunks), mode="r|", bufsize=tarfile.BLOCKSIZE) as tar:
                first = tar.next()
                body = tar.extractfile(first) if first is not None else None
                return body.read(limit) if body is not None else None

    def walk(self, path: str, limit: int = 1000) -> list[FileFact]:
        """What lies below a directory, recursively, links not followed; at most ``limit`` entries."""
        real, here = self._real(path)
        found: list[FileFact] = []
        if here != "directory" or limit < 1:
            return found
        for entry in self._entries(real):
            # The archive's names begin with the directory's own, whatever the engine calls it.
            _, _, below = entry.name.strip("/").partition("/") if real != "/" else ("", "", entry.name)
            below = below.strip("/")
            if below in ("", "."):
                continue
            found.append(_fact(posixpath.join(path, below), posixpath.join(real, below), entry))
            if len(found) >= limit:
                break
        return found

    def every(self) -> Iterator[FileFact]:
        """All there is, links not followed. As long as it takes to read the whole image, in constant memory."""
        for entry in self._entries("/"):
            path = f"/{entry.name.strip('/')}"
            yield _fact(path, path, entry)

    def _entries(self, path: str) -> Iterator[tarfile.TarInfo]:
        """The headers in the archive of a directory, one by one."""
        with self._open(path) as chunks:
            if chunks is None:
                return
            with tarfile.open(fileobj=ChunkStream(chunks), mode="r|") as tar:
                while (entry := tar.next()) is not None:
                    tar.members.clear()  # type: ignore[attr-defined]  # which tarfile keeps for ever
                    yield entry
