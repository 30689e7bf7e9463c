"""Fills the volumes of lives, and knows afterwards with what: for whoever wants to fill them again by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from sm_contract.engine.protocol import Engine, Volume
from sm_contract.platform.content import Content

Way = Callable[[Iterable[bytes]], Iterable[bytes]]  # from one tar stream to another
MOST = 20 * 1024 * 1024  # bytes of what an image wrote that are kept


class Contents:
    """The volumes of one image's lives. Without a folder to keep it in, what an image wrote is forgotten."""

    def __init__(self, engine: Engine, image: str, folder: Path | None = None) -> None:
        self._engine, self._image, self._folder = engine, image, folder
        self._known: dict[str, Content] = {}

    def of(self, volume: Volume) -> Content:
        """What a volume was filled with."""
        return self._known.get(volume.name, Content())

    def fill(self, volume: Volume, content: Content) -> None:
        """Fill a fresh volume."""
        self._engine.fill(volume, self._image, content.tar())
        self._known[volume.name] = content

    def copy(self, source: Volume, volume: Volume, way: Way | None = None) -> None:
        """Fill a fresh volume with what another one holds, that nobody writes to any more, perhaps a given way."""
        chunks = self._engine.read(source, self._image)
        self._engine.fill(volume, self._image, chunks if way is None else way(chunks))
        if way is not None:
            self.keep(volume)
            return
        if source.name not in self._known:
            self.keep(source)
        self._known[volume.name] = self.of(source)

    def keep(self, volume: Volume) -> None:
        """A container has written to a volume: keep what it holds now."""
        if self._folder is None:
            return
        path = self._folder / f"{volume.name}.tar"
        size = 0
        with path.open("wb") as out:
            for chunk in self._engine.read(volume, self._image):
                size += out.write(chunk)
                if size > MOST:
                    break
        self._known[volume.name] = Content(made="what an earlier life left there", archive=path)
        if size > MOST:
            path.unlink()
            self._known[volume.name] = Content(made=f"what an earlier life left there, over {MOST >> 20} MB")
