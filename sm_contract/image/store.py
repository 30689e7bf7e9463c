"""The named files inside an archive or a layout folder, each readable at any offset."""

from __future__ import annotations

import contextlib
import json
import os
import posixpath
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Any, Protocol

from sm_contract.image.reference import BadImage
from sm_contract.image.streams import CHUNK, Damaged, Feed, Slice, Unsupported, packing, unpacked
from sm_contract.image.tarstream import members

_MEMBERS = 100_000  # of the outer archive: an image has a few for each layer
_DOCUMENT = 8 << 20  # a manifest may have 4 MiB
_SPARE = 1 << 30  # of disk, left free by a packed archive
_OPEN = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0)


class Store(Protocol):
    """Where the blobs are."""

    def find(self, name: str) -> Slice | None:
        """The file of that name, links inside the archive followed."""

    def names(self) -> list[str]: ...

    def close(self) -> None: ...


class TarStore:
    """A tar file. A packed one is unpacked once to a file without a name, which no end of ours leaves behind."""

    def __init__(self, path: Path, name: str) -> None:
        try:
            self._fd = os.open(path, _OPEN)
        except OSError as error:
            raise BadImage(f"{name}: cannot be read ({error.strerror}); make it readable for this user") from None
        try:
            self._index(name)
        except BaseException:
            self.close()
            raise

    def _index(self, name: str) -> None:
        size = os.fstat(self._fd).st_size
        if not size:
            raise BadImage(f"{name}: is empty; save it again: docker save IMAGE -o {name}")
        self._files: dict[str, tuple[int, int]] = {}
        self._links: dict[str, str] = {}
        try:
            raw = Slice(self._fd, 0, size)
            if packing(raw):
                self._unpack(raw, name)
                size = os.fstat(self._fd).st_size
            self._read(Feed(Slice(self._fd, 0, size), size=size))
        except Unsupported as error:
            raise BadImage(f"{name}: {error}") from None
        except Damaged as error:
            if str(error) == "it is no tar":
                way_out = "give a `docker save` tar or an OCI layout; for a tag of that name write NAME:latest"
            else:
                way_out = f"copy it or save it again: docker save IMAGE -o {name}"
            raise BadImage(f"{name}: {error}; {way_out}") from None

    def _unpack(self, raw: Slice, name: str) -> None:
        try:
            folder = tempfile.gettempdir()
            unpacking = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  # entered below: its errors are others
        except OSError as error:
            raise BadImage(f"{name}: cannot be unpacked ({error.strerror}); set TMPDIR to a bigger disk") from None
        with unpacking as file:
            source = unpacked(raw)
            while data := source.read(CHUNK):
                if shutil.disk_usage(folder).free < _SPARE + len(data):
                    raise BadImage(
                        f"{name}: unpacked it does not fit into {folder}; unpack it yourself and give the tar, "
                        "or set TMPDIR to a bigger disk"
                    )
                try:
                    file.write(data)
                except OSError as error:
                    raise BadImage(
                        f"{name}: cannot be unpacked into {folder} ({error.strerror}); set TMPDIR to a bigger disk"
                    ) from None
            file.flush()
            packed, self._fd = self._fd, os.dup(file.fileno())
            os.close(packed)

    def _read(self, feed: Feed) -> None:
        for count, member in enumerate(members(feed)):
            if count >= _MEMBERS:
                raise Unsupported(f"holds more than {_MEMBERS:,} members, which no image needs")
            name = posixpath.normpath(member.name.lstrip("/"))
            self._files.pop(name, None)
            self._links.pop(name, None)
            if member.kind == "file" and member.offset >= 0:
                self._files[name] = (member.offset, member.size)
            elif member.kind == "symlink":  # engines before 25 write equal layers once, and link to them
                self._links[name] = posixpath.normpath(posixpath.join(posixpath.dirname(name), member.link))
            elif member.kind == "hardlink":
                self._links[name] = posixpath.normpath(member.link.lstrip("/"))

    def find(self, name: str) -> Slice | None:
        name = posixpath.normpath(name)
        for _ in range(40):
            if name not in self._links:
                break
            name = self._links[name]
        where = self._files.get(name)
        return Slice(self._fd, *where) if where is not None else None

    def names(self) -> list[str]:
        return [*self._files, *self._links]

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1


class FolderStore:
    """A layout folder. Its blobs may be links: build tools lay them out so; what counts is their digest."""

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._name = name
        self._open: dict[str, int] = {}

    def find(self, name: str) -> Slice | None:
        if posixpath.isabs(name) or ".." in name.split("/"):
            return None
        fd = self._open.get(name)
        if fd is None:
            try:
                if not stat.S_ISREG((self._path / name).stat().st_mode):  # opening a pipe would wait for ever
                    return None
                fd = self._open[name] = os.open(self._path / name, _OPEN)
            except FileNotFoundError:
                return None
            except OSError as error:
                raise BadImage(
                    f"{self._name}: {name} cannot be read ({error.strerror}); make it readable for this user"
                ) from None
        return Slice(fd, 0, os.fstat(fd).st_size)

    def names(self) -> list[str]:
        try:
            return sorted(os.listdir(self._path))
        except OSError as error:
            raise BadImage(f"{self._name}: cannot be read ({error.strerror}); make it readable for this user") from None

    def close(self) -> None:
        for fd in self._open.values():
            with contextlib.suppress(OSError):
                os.close(fd)
        self._open.clear()


def open_store(path: Path, name: str) -> Store:
    """The store at a path. Raises BadImage."""
    return FolderStore(path, name) if path.is_dir() else TarStore(path, name)


def document(blob: Slice, name: str, what: str) -> tuple[bytes, Any]:
    """A JSON document and its bytes. Raises BadImage."""
    if blob.size > _DOCUMENT:
        raise BadImage(f"{name}: its {what} has {blob.size:,} bytes, more than any engine takes; save the image again")
    data = Feed(blob).take(blob.size)
    try:
        return data, json.loads(data)
    except (ValueError, RecursionError):
        raise BadImage(f"{name}: its {what} is no JSON; save the image again") from None
