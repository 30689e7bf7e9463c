"""An image in a ``docker save`` tar or an OCI layout, read and converted without an engine."""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sm_contract.image.choose import Found, choose, in_docker_archive, in_layout, mismatch
from sm_contract.image.loose import mapping, strings
from sm_contract.image.manifest import pushed
from sm_contract.image.reference import BadImage
from sm_contract.image.store import Store, document, open_store
from sm_contract.image.streams import CHUNK, Damaged, Feed, Slice, Source, Unsupported, packing, unpacked
from sm_contract.image.tarstream import BLOCK, members
from sm_contract.image.tree import BUDGET, Tree
from sm_contract.record import FileFact


@dataclass
class Layer:
    """One layer as it lies in the archive."""

    blob: Slice
    diff_id: str  # sum of the unpacked tar
    source: Source | None  # its unpacked bytes; None if they cannot be had here
    unpacked_size: int


class LayerFiles:
    """The merged layers as a FileSystem: what is where from the index, contents by a second look at the layer."""

    def __init__(self, tree: Tree, layers: list[Layer]) -> None:
        self._tree = tree
        self._layers = layers

    def stat(self, path: str) -> FileFact | None:
        return self._tree.stat(path)

    def read(self, path: str, limit: int = 65536) -> bytes | None:
        entry = self._tree.file(path)
        source = self._layers[entry.layer].source if entry is not None else None
        if entry is None or source is None or entry.offset < 0:
            return None
        source.seek(entry.offset)
        parts, left = [], min(limit, entry.size)
        while left and (data := source.read(min(left, CHUNK))):
            parts.append(data)
            left -= len(data)
        return b"".join(parts)

    def walk(self, path: str, limit: int = 1000) -> list[FileFact]:
        return self._tree.walk(path, limit)

    def every(self) -> Iterator[FileFact]:
        return self._tree.every()


class Archive:
    """One image of an archive: everything that can be said of it without an engine."""

    def __init__(self, path: Path, reference: str, architecture: str) -> None:
        """Open and read it through. Raises BadImage."""
        self._name = reference
        self._store = open_store(path, reference)
        try:
            self._open(architecture)
        except BaseException:
            self.close()
            raise

    def _open(self, architecture: str) -> None:
        self.source, found = _images(self._store, self._name)
        chosen = choose(found, architecture, self._name, self.source)
        blob = self._store.find(chosen.config)
        if blob is None:
            raise BadImage(f"{self._name}: lacks its config {chosen.config}; save the image again")
        self._config, config = document(blob, self._name, "config")
        self.config: dict[str, Any] = mapping(config)
        self.id = f"sha256:{hashlib.sha256(self._config).hexdigest()}"
        named = re.search(r"[0-9a-f]{64}", chosen.config)
        if named and named[0] != self.id[7:]:
            raise BadImage(mismatch(self._name, "its config", f"sha256:{named[0]}", self.id))
        self.tags = chosen.tags
        beside = None if chosen.digest else _beside(self._store, self._name, self.id)
        self.digest = beside.digest if beside else chosen.digest
        self.manifest = pushed(beside.manifest) if beside else chosen.manifest
        self.unreadable = ""
        self._read_layers(chosen)

    def _read_layers(self, chosen: Found) -> None:
        diff_ids = strings(mapping(self.config.get("rootfs")).get("diff_ids"))
        if not diff_ids or len(diff_ids) != len(chosen.layers):
            raise BadImage(
                f"{self._name}: its config speaks of {len(diff_ids)} layers, its manifest of {len(chosen.layers)}; "
                "save the image again"
            )
        tree = Tree(BUDGET)
        self.layers: list[Layer] = []
        for number, (name, diff_id) in enumerate(zip(chosen.layers, diff_ids, strict=True), 1):
            what = f"layer {number} of {len(diff_ids)}"
            blob = self._store.find(name)
            if blob is None:
                raise BadImage(f"{self._name}: lacks {what} ({name}); save or copy the image again, with all its blobs")
            try:
                layer = self._read_layer(blob, diff_id, what, tree)
            except Damaged as error:
                raise BadImage(f"{self._name}: {what} is damaged: {error}; save or build the image again") from None
            wanted = re.fullmatch(r"blobs/sha256/([0-9a-f]{64})", name)
            if wanted and packing(blob):
                got = blob.hashed().digest()
                if got[7:] != wanted[1]:
                    raise BadImage(mismatch(self._name, what, f"sha256:{wanted[1]}", got))
            self.layers.append(layer)
        self.files = LayerFiles(tree, self.layers) if not self.unreadable else None
        self.size = sum(layer.blob.size for layer in self.layers) if self.unreadable else tree.size
        self.biggest_layer = max(layer.unpacked_size for layer in self.layers)

    def _read_layer(self, blob: Slice, diff_id: str, what: str, tree: Tree) -> Layer:
        """Read a layer through once: its files into the tree, its sum against the config."""
        try:
            source = unpacked(blob.again())
        except Unsupported as error:
            self.unreadable = self.unreadable or f"{what} {error}"
            return Layer(blob, diff_id, None, 0)
        feed = Feed(source, summed=True)
        try:
            if not self.unreadable:
                for member in members(feed):
                    tree.add(member)
                tree.merge()
        except Unsupported as error:
            self.unreadable = f"{what} {error}"
        got = feed.digest()
        if got != diff_id:
            raise BadImage(mismatch(self._name, what, diff_id, got))
        return Layer(blob, diff_id, source, feed.at)

    def as_docker_archive(self, tag: str) -> Iterator[bytes]:
        """The image as a docker archive whose only tag is ``tag``, for any engine since 20.10.

        Layers go as they are, except zstd ones, which that engine does not unpack. Equal layers go once.
        """
        config = f"{self.id[7:]}.json"
        names = [f"{layer.diff_id[7:]}/layer.tar" for layer in self.layers]
        manifest = json.dumps([{"Config": config, "RepoTags": [tag], "Layers": names}]).encode()
        yield from _member("manifest.json", manifest)
        yield from _member(config, self._config)
        for name, layer in dict(zip(names, self.layers, strict=True)).items():
            source: Source = layer.blob.again()
            size = layer.blob.size
            if packing(layer.blob) == "zstd" and layer.source is not None:
                source, size = unpacked(layer.blob.again()), layer.unpacked_size
            yield _header(name, size)
            while data := source.read(CHUNK):
                yield data
            yield bytes(-size % BLOCK)
        yield bytes(2 * BLOCK)

    def close(self) -> None:
        self._store.close()


def _images(store: Store, name: str) -> tuple[str, list[Found]]:
    if store.find("manifest.json") is not None:
        return "docker archive", in_docker_archive(store, name)
    if store.find("index.json") is not None:
        return "oci layout", in_layout(store, name)
    names = store.names()
    inside = next((one for one in names if one.endswith(("/oci-layout", "/manifest.json"))), "")
    if inside:
        folder = inside.rpartition("/")[0]
        raise BadImage(f"{name}: holds the image in a folder; pack that folder's content: tar -C {folder} -c .")
    if {"etc", "usr", "bin"} & {one.split("/")[0] for one in names[:10_000]}:
        raise BadImage(f"{name}: is a file system (of docker export?), not an image; use docker save")
    raise BadImage(f"{name}: has neither manifest.json nor index.json; give a `docker save` tar or an OCI layout")


def _beside(store: Store, name: str, config: str) -> Found | None:
    """The same image in a docker archive that is an OCI layout too, as engines since 25 write them."""
    try:
        found = in_layout(store, name) if store.find("index.json") is not None else []
    except BadImage:
        return None  # manifest.json was enough for the image
    for image in found:
        # a manifest of schema 1 names no config: it is this image's where it stands alone
        if image.config.endswith(config[7:]) or (not image.config and len(found) == 1):
            return image
    return None


def _member(name: str, data: bytes) -> Iterator[bytes]:
    yield _header(name, len(data))
    yield data + bytes(-len(data) % BLOCK)


def _header(name: str, size: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.size = size
    return member.tobuf(tarfile.PAX_FORMAT)
