"""Which image of an archive is meant: the one there is, or the one for the declared architecture."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sm_contract.image.loose import mapping, maps, strings
from sm_contract.image.manifest import OCI_INDEX, Index, is_attestation, is_list, manifest_fact
from sm_contract.image.reference import BadImage
from sm_contract.image.store import Store, document
from sm_contract.image.streams import Slice
from sm_contract.record import ManifestFact

_IMAGES = 200  # looked at in one archive
_DEPTH = 4  # of indexes in indexes
_ALIASES = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64"}
_TAG_KEYS = ("io.containerd.image.name", "org.opencontainers.image.ref.name")


@dataclass(frozen=True, kw_only=True)
class Found:
    """One image of an archive, not read beyond its manifest."""

    digest: str  # of the manifest; empty in a docker archive
    tags: tuple[str, ...]
    os: str = ""
    architecture: str = ""
    variant: str = ""
    config: str = ""  # name in the store, as are the layers
    layers: tuple[str, ...] = ()
    missing: str = ""  # the blob that would say more
    manifest: ManifestFact | None = None  # None in a docker archive

    @property
    def platform(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part) or "no platform"


def architecture_name(name: str) -> str:
    """The engine's name of an architecture, for any of its usual names."""
    return _ALIASES.get(name.lower(), name.lower())


def choose(found: list[Found], architecture: str, name: str, kind: str) -> Found:
    """The image meant. Raises BadImage where several could be, or none is whole."""
    found = [image for image in found if not image.missing] or found
    if not found:
        raise BadImage(f"{name}: holds no image; save it again: docker save IMAGE -o FILE.tar")
    names = sorted({image.tags for image in found})
    if len(names) > 1:
        listed = ", ".join(" = ".join(tags) or "one without a tag" for tags in names[:8])
        listed += f" and {len(names) - 8} more" if len(names) > 8 else ""
        one = next((tags[0] for tags in names if tags), "IMAGE")
        way_out = (
            f"save the one to be judged: docker save {one} -o one.tar"
            if kind == "docker archive"
            else f"copy out the one to be judged: skopeo copy oci:{name}:{one} oci:one"
        )
        raise BadImage(f"{name}: holds several images ({listed}); {way_out}")
    fitting = [image for image in found if architecture_name(image.architecture) == architecture_name(architecture)]
    fitting = [image for image in fitting if image.os == "linux"] or fitting
    fitting = [image for image in fitting if not image.variant] or fitting
    if len(found) > 1 and len(fitting) != 1:
        platforms = ", ".join(sorted(image.platform for image in found[:20]))
        several = "several" if fitting else "none"
        raise BadImage(
            f"{name}: holds {len(found)} images ({platforms}), {several} for {architecture}; build it for one platform "
            f"(docker build --platform linux/{architecture}), or declare another architecture"
        )
    chosen = fitting[0] if fitting else found[0]
    if chosen.missing:
        raise BadImage(f"{name}: lacks {chosen.missing}; save or copy the image again, with all its blobs")
    return chosen


def in_docker_archive(store: Store, name: str) -> list[Found]:
    """The images that ``manifest.json`` lists."""
    blob = store.find("manifest.json")
    if blob is None:
        raise BadImage(f"{name}: lacks manifest.json; save the image again")
    entries = document(blob, name, "manifest.json")[1]
    images: list[Found] = []
    for entry in maps(entries)[:_IMAGES]:
        config = entry.get("Config")
        layers = strings(entry.get("Layers"))
        if not isinstance(config, str):
            raise BadImage(f"{name}: its manifest.json names no config; save the image again")
        tags = tuple(sorted(strings(entry.get("RepoTags"))))
        same = next((i for i, image in enumerate(images) if (image.config, image.layers) == (config, layers)), None)
        if same is not None:
            images[same] = replace(images[same], tags=tuple(sorted({*images[same].tags, *tags})))
            continue
        images.append(_with_platform(Found(digest="", tags=tags, config=config, layers=layers), store, name))
    return images


def in_layout(store: Store, name: str) -> list[Found]:
    """The images that ``index.json`` leads to; attestations and artifacts are none."""
    index = store.find("index.json")
    if index is None:
        raise BadImage(f"{name}: lacks index.json; copy the layout again")
    images: dict[str, Found] = {}
    for tags, descriptor, listed in _descriptors(document(index, name, "index.json")[1], store, name, (), 0):
        digest = str(descriptor.get("digest", ""))
        if digest in images:
            both = tuple(sorted({*images[digest].tags, *tags}))
            images[digest] = replace(images[digest], tags=both)
        elif len(images) >= _IMAGES:
            raise BadImage(f"{name}: holds more than {_IMAGES} images; copy out the one to be judged")
        else:
            image = _in_manifest(descriptor, listed, tags, store, name)
            if image is not None:
                images[digest] = image
    return list(images.values())


def _descriptors(
    index: Any, store: Store, name: str, tags: tuple[str, ...], depth: int
) -> Iterator[tuple[tuple[str, ...], dict[str, Any], Index]]:
    """Each image's descriptor, with its tags and the innermost list that holds it."""
    if not isinstance(index, dict):
        raise BadImage(f"{name}: its index is no JSON object; copy the layout again")
    listed = Index.of(index, str(index.get("mediaType") or OCI_INDEX) if depth else "")
    for descriptor in maps(index.get("manifests")):
        if is_attestation(descriptor):
            continue
        notes = mapping(descriptor.get("annotations"))
        own = next(((str(notes[key]),) for key in _TAG_KEYS if notes.get(key)), tags)
        blob = store.find(blob_name(descriptor, name))
        kind = str(descriptor.get("mediaType", ""))
        if blob is None or not is_list(kind):
            yield own, descriptor, listed
        elif depth >= _DEPTH:
            raise BadImage(f"{name}: its indexes lead to each other too deeply; copy the layout again")
        else:
            inner = verified(blob, descriptor, name, "index")[1]
            yield from _descriptors(inner, store, name, own, depth + 1)


def _in_manifest(
    descriptor: dict[str, Any], listed: Index, tags: tuple[str, ...], store: Store, name: str
) -> Found | None:
    platform = mapping(descriptor.get("platform"))
    digest = str(descriptor.get("digest", ""))
    image = Found(
        digest=digest,
        tags=tags,
        os=str(platform.get("os", "")),
        architecture=str(platform.get("architecture", "")),
        variant=str(platform.get("variant", "")),
    )
    blob = store.find(blob_name(descriptor, name))
    if blob is None:
        return replace(image, missing=f"its manifest {digest}")
    data, manifest = verified(blob, descriptor, name, "manifest")
    if not isinstance(manifest, dict):
        raise BadImage(f"{name}: its manifest {digest} is no JSON object; save the image again")
    config = mapping(manifest.get("config"))
    fact = manifest_fact(data, manifest, descriptor, listed)
    if fact.schema == 1:
        return replace(image, manifest=fact, missing="a config, for its manifest is of Docker V2 schema 1")
    if not config:
        raise BadImage(f"{name}: its manifest is not of Docker V2 schema 2 or OCI; save the image again")
    if manifest.get("artifactType") or "image" not in str(config.get("mediaType", "image")):
        return None  # a chart, a signature, a bill of materials
    layers = tuple(blob_name(layer, name) for layer in maps(manifest.get("layers")))
    image = replace(image, config=blob_name(config, name), layers=layers, manifest=fact)
    return image if image.architecture else _with_platform(image, store, name)


def _with_platform(image: Found, store: Store, name: str) -> Found:
    """The image with the platform of its config."""
    blob = store.find(image.config)
    if blob is None:
        return replace(image, missing=f"its config {image.config}")
    config = mapping(document(blob, name, "config")[1])
    return replace(
        image,
        os=str(config.get("os", "")),
        architecture=str(config.get("architecture", "")),
        variant=str(config.get("variant", "")),
    )


def verified(blob: Slice, descriptor: Mapping[str, Any], name: str, what: str) -> tuple[bytes, Any]:
    """The bytes and the JSON document a descriptor leads to. Raises BadImage where they are not those described."""
    data, content = document(blob, name, what)
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    if digest != descriptor.get("digest"):
        raise BadImage(mismatch(name, f"its {what}", str(descriptor.get("digest")), digest))
    return data, content


def mismatch(name: str, what: str, wanted: str, got: str) -> str:
    return f"{name}: {what} is not the one described: digest {got}, not {wanted}; save or copy the image again"


def blob_name(descriptor: Mapping[str, Any], name: str) -> str:
    """Where a layout keeps what a descriptor describes."""
    digest = str(descriptor.get("digest", ""))
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        raise BadImage(f"{name}: describes a blob by {digest or 'no digest'}; sha256 is needed: save the image again")
    return posixpath.join("blobs", "sha256", digest[7:])
