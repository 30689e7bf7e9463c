"""The model a server is given: unpacked from the owner's archive or folder, or what training produced."""

from __future__ import annotations

import io
import random
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from sm_contract.engine.protocol import Volume
from sm_contract.platform.content import Content
from sm_contract.platform.tree import CHUNK, folder, kind_of, members
from sm_contract.record import ModelFacts, TreeFile
from sm_contract.scenarios.contents import Contents

LISTED = 20000  # members kept in the record
PLACEHOLDER = ".gitkeep"  # what keeps an empty folder in a repository
MAGIC = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"PK\x05\x06": "zip"}


def examine_model(path: Path | None, name: str = "") -> ModelFacts:
    """What kind of thing the owner declared, read without an engine."""
    if path is None:
        return ModelFacts(source="none")
    if path.is_dir():
        listed = tuple(_listed(path))[:LISTED]
        if all(one.kind == "directory" or one.path == PLACEHOLDER for one in listed):
            return ModelFacts(source="none")  # the image holds its own, says the owner
        return ModelFacts(source="declared folder", path=str(path), name=name, members=listed)
    found: list[TreeFile] = []
    problem = ""
    magic = _magic(path)
    try:
        with tarfile.open(path, mode="r:*" if magic != "gzip" else "r:gz") as archive:
            for info in archive:
                if len(found) < LISTED:
                    kind = kind_of(info)
                    found.append(TreeFile(path=info.name, kind=kind, size=info.size, target=info.linkname))
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        problem = str(error) or type(error).__name__
    return ModelFacts(
        source="declared archive", path=str(path), name=name, magic=magic, problem=problem, members=tuple(found)
    )


def _magic(path: Path) -> str:
    with path.open("rb") as stream:
        head = stream.read(265)
    for magic, kind in MAGIC.items():
        if head.startswith(magic):
            return kind
    return "tar" if head[257:262] == b"ustar" else "other"


def _listed(path: Path) -> Iterator[TreeFile]:
    for entry in sorted(path.rglob("*")):
        kind = "symlink" if entry.is_symlink() else "directory" if entry.is_dir() else "file"
        size = entry.stat().st_size if kind == "file" else 0
        target = str(entry.readlink()) if kind == "symlink" else ""
        yield TreeFile(path=entry.relative_to(path).as_posix(), kind=kind, size=size, target=target)


class ModelSource:
    """Fills model volumes, each a copy of its own: from the declared model, or from a training's volume."""

    def __init__(self, contents: Contents, facts: ModelFacts, trained: Volume | None) -> None:
        self._contents, self._facts, self._trained = contents, facts, trained

    def fill(self, volume: Volume) -> None:
        path = Path(self._facts.path)
        if self._facts.source == "declared folder":
            members = lambda: (member for member in folder(path, "") if member.path)  # noqa: E731
            self._contents.fill(volume, Content(members=members, owned={"": path}))
        elif self._facts.source == "declared archive" and not self._facts.problem:
            self._contents.fill(volume, Content(archive=path))
        elif self._trained is not None:
            self._contents.copy(self._trained, volume)


def files_alone(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The regular files of a tar stream, as an upload file by file would keep them: no folder that is empty."""
    for info, content in members(chunks):
        if content is not None:
            yield from _member(info, content, lambda chunk: chunk)
    yield bytes(2 * tarfile.BLOCKSIZE)


def noise(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """A tar stream with noise in the place of what its files hold, the same each time."""
    drawn = random.Random("a damaged model")
    for info, content in members(chunks):
        yield from _member(info, content, lambda chunk: drawn.randbytes(len(chunk)))
    yield bytes(2 * tarfile.BLOCKSIZE)


def _member(info: tarfile.TarInfo, content: io.BufferedIOBase | None, way: Callable[[bytes], bytes]) -> Iterator[bytes]:
    yield info.tobuf(tarfile.PAX_FORMAT)
    while content is not None and (chunk := content.read(CHUNK)):
        yield way(chunk)
    if content is not None:
        yield bytes(-info.size % tarfile.BLOCKSIZE)
