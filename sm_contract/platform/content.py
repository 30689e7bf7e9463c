"""What a volume holds when a life begins, as something that can be written more than once."""

from __future__ import annotations

import tarfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from sm_contract.platform.tree import CHUNK, Member, tar_stream


@dataclass(frozen=True, kw_only=True)
class Content:
    """Files made on the fly, or an archive to unpack; nothing of both leaves a volume as it is."""

    members: Callable[[], Iterable[Member]] = tuple
    owned: Mapping[str, Path] = field(default_factory=dict)  # paths of the tree that are copies, and of what
    archive: Path | None = None
    owner: int = 0  # of all that is made on the fly
    made: str = ""  # by the image: what this is, in a few words; without an archive it was not kept

    def tar(self) -> Iterator[bytes]:
        """As a tar stream; empty if there is nothing to write."""
        if self.archive is not None:
            yield from _repacked(self.archive)
        elif members := list(self.members()):
            yield from tar_stream(members, mtime=time.time(), owner=self.owner)


def _repacked(path: Path) -> Iterator[bytes]:
    """The members of an archive once more, those that would leave the folder left out."""
    with path.open("rb") as stream, tarfile.open(fileobj=stream, mode="r|*") as archive:
        for info in archive:
            name = PurePosixPath(info.name)
            if name.is_absolute() or ".." in name.parts:
                continue
            yield info.tobuf(tarfile.PAX_FORMAT)
            content = archive.extractfile(info) if info.isreg() else None
            while content is not None and (chunk := content.read(CHUNK)):
                yield chunk
            if info.isreg() and info.size % tarfile.BLOCKSIZE:
                yield bytes(tarfile.BLOCKSIZE - info.size % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)
