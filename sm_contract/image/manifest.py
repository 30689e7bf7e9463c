"""The manifest of an image as it would be pushed, and what rides on its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sm_contract.image.loose import mapping, maps, number
from sm_contract.record import LayerFact, ManifestFact

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
_NOTE = "vnd.docker.reference.type"  # on what BuildKit puts beside an image: provenance, bills of materials


@dataclass(frozen=True)
class Index:
    """The list of manifests that led to an image: one that is pushed with it, or the table of a layout."""

    media_type: str = ""  # of a list that is pushed
    images: int = 1
    attestations: int = 0

    @classmethod
    def of(cls, index: Mapping[str, Any], media_type: str = "") -> Index:
        descriptors = maps(index.get("manifests"))
        attestations = sum(is_attestation(one) for one in descriptors)
        return cls(media_type, len(descriptors) - attestations, attestations)


def is_attestation(descriptor: Mapping[str, Any]) -> bool:
    return _NOTE in mapping(descriptor.get("annotations")) or mapping(descriptor.get("platform")).get("os") == "unknown"


def is_list(media_type: str) -> bool:
    """Whether a media type is that of an index or of a manifest list."""
    return "index" in media_type or "manifest.list" in media_type


def manifest_fact(
    data: bytes, manifest: Mapping[str, Any], descriptor: Mapping[str, Any], index: Index
) -> ManifestFact:
    """What a raw manifest, and the descriptor and the list that led to it, say of an image."""
    return ManifestFact(
        media_type=str(manifest.get("mediaType") or descriptor.get("mediaType", "")),
        schema=number(manifest.get("schemaVersion"), 2),
        characters=len(data.decode("utf-8", "replace")),
        layers=tuple(
            LayerFact(media_type=str(layer.get("mediaType", "")), size=number(layer.get("size")))
            for layer in maps(manifest.get("layers"))
        ),
        index=index.media_type,
        images=index.images,
        attestations=index.attestations,
    )


def pushed(manifest: ManifestFact | None) -> ManifestFact | None:
    """The manifest beside a docker archive, unless it was only made up to save the image.

    An engine with a classic image store makes one up, of layers that are not packed; what it pushes is another.
    """
    if manifest is None or manifest.schema == 1:
        return manifest
    return manifest if any(not one.media_type.endswith("tar") for one in manifest.layers or ()) else None


def described(description: Mapping[str, Any]) -> ManifestFact | None:
    """What the engine's own description of an image says; None where its store keeps no manifest."""
    descriptor = mapping(description.get("Descriptor"))
    media_type = str(descriptor.get("mediaType", ""))
    if not media_type:
        return None
    if is_list(media_type):
        return ManifestFact(media_type="", index=media_type, images=0, attestations=None)
    schema = 1 if "docker.distribution.manifest.v1" in media_type else 2
    return ManifestFact(media_type=media_type, schema=schema, characters=number(descriptor.get("size")))
