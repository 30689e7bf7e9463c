"""SM-IMAGE-…: names, sizes, layers and manifests, as a registry meets them."""

from __future__ import annotations

from dataclasses import replace

from good_record import image as good_image
from good_record import manifest

from mutations import Mutation, candidate, image, then
from sm_contract.record import LayerFact, Record

MIB = 1 << 20
OCI = "application/vnd.oci.image"
LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
ZSTD = "application/vnd.docker.image.rootfs.diff.tar.zstd"


def _manifest(**fields: object) -> object:
    return image(manifest=replace(manifest(), **fields))


def _layers(*sizes: int, kind: str = "application/vnd.docker.image.rootfs.diff.tar.gzip") -> tuple[LayerFact, ...]:
    return tuple(LayerFact(media_type=kind, size=size) for size in sizes)


def _pair(**fields: object) -> object:
    def change(record: Record) -> Record:
        return replace(record, training_image=replace(good_image("team/train:1"), **fields))

    return change


def _big(**fields: object) -> object:
    return then(candidate(max_image_size=None), image(size=90_000 * MIB, **fields))


def _tagged(*tags: str, source: str = "docker archive") -> object:
    return image(source=source, reference="/tmp/image.tar", tags=tags)


BREAKS = {
    "SM-IMAGE-SIZE-01": [
        Mutation("twice as big", image(size=200_000_001)),
        Mutation("a smaller budget", candidate(max_image_size=60_000_000)),
    ],
    "SM-IMAGE-LAYERS-01": [
        Mutation("130", image(layers=130)),
        Mutation("one too many in the training image of a pair", _pair(layers=126)),
    ],
    "SM-IMAGE-LAYERS-02": [
        Mutation("one of 52,001 MiB", _manifest(layers=_layers(30 * MIB, 52_001 * MIB))),
        Mutation("one byte more", _manifest(layers=_layers(52_000 * MIB + 1))),
    ],
    "SM-IMAGE-MANIFEST-01": [
        Mutation("an OCI manifest", _manifest(media_type=f"{OCI}.manifest.v1+json")),
        Mutation("an index of two images", _manifest(index=LIST, images=2)),
        Mutation("an index that the engine keeps", _manifest(media_type="", index=f"{OCI}.index.v1+json", images=0)),
    ],
    "SM-IMAGE-MANIFEST-02": [
        Mutation("provenance in an index", _manifest(index=LIST, attestations=1)),
        Mutation("two beside it in a layout", _manifest(attestations=2)),
    ],
    "SM-IMAGE-MANIFEST-03": [
        Mutation("signed", _manifest(schema=1, media_type="application/vnd.docker.distribution.manifest.v1+prettyjws")),
        Mutation("without a media type", _manifest(schema=1, media_type="")),
    ],
    "SM-IMAGE-MANIFEST-04": [
        Mutation("five million characters", _manifest(characters=5_000_000)),
        Mutation("one too many", _manifest(characters=4_194_305)),
    ],
    "SM-IMAGE-COMPRESSION-02": [
        Mutation("one layer", _manifest(layers=(*_layers(1000), *_layers(2000, kind=ZSTD)))),
        Mutation("of OCI's type", _manifest(layers=_layers(1000, kind=f"{OCI}.layer.v1.tar+zstd"))),
    ],
    "SM-IMAGE-REFERENCE-01": [
        Mutation("capitals", _tagged("My_Repo:1")),
        Mutation("one letter", image(reference="registry.example:5000/x:1")),
        Mutation("a dash at the end", image(reference="team/linear-/serve:1")),
    ],
    "SM-IMAGE-REFERENCE-02": [
        Mutation("a build number", _tagged("team/linear:1.4+build7")),
        Mutation("129 characters", image(reference=f"team/linear:{'1' * 129}")),
        Mutation("in a layout that holds the tag alone", _tagged("-beta", source="oci layout")),
    ],
    "SM-IMAGE-REFERENCE-04": [
        Mutation("latest", image(reference="registry.example/team/linear:latest")),
        Mutation("no tag", image(reference="registry.example:5000/team/linear")),
        Mutation("a layout's", _tagged("latest", source="oci layout")),
    ],
}

KEEPS = {
    "SM-IMAGE-SIZE-01": [Mutation("to the byte", candidate(max_image_size=61_000_000))],
    "SM-IMAGE-LAYERS-01": [Mutation("99", image(layers=99))],
    "SM-IMAGE-LAYERS-02": [
        Mutation("to the byte", _manifest(layers=_layers(52_000 * MIB))),
        Mutation("not seen, and small together", image(manifest=None, biggest_layer=0)),
        Mutation("not seen, and small each", _big(manifest=None, biggest_layer=20_000 * MIB)),
    ],
    "SM-IMAGE-MANIFEST-01": [Mutation("more layers", _manifest(layers=_layers(*range(1, 40))))],
    "SM-IMAGE-MANIFEST-02": [Mutation("a longer manifest", _manifest(characters=9000))],
    "SM-IMAGE-MANIFEST-03": [Mutation("one layer", _manifest(layers=_layers(10)))],
    "SM-IMAGE-MANIFEST-04": [Mutation("to the character", _manifest(characters=4_194_304))],
    "SM-IMAGE-COMPRESSION-02": [
        Mutation("not packed", _manifest(layers=_layers(10, kind="application/vnd.docker.image.rootfs.diff.tar"))),
    ],
    "SM-IMAGE-REFERENCE-01": [
        Mutation("a port and all signs", image(reference="localhost:5000/a-b/c.d/e_f/g__h:1")),
        Mutation("a digest", image(reference=f"team/linear@sha256:{'0' * 64}")),
    ],
    "SM-IMAGE-REFERENCE-02": [Mutation("all signs", image(reference="team/linear:_v1.4-Beta"))],
    "SM-IMAGE-REFERENCE-04": [
        Mutation("a digest beside it", image(reference=f"team/linear:latest@sha256:{'0' * 64}")),
        Mutation("a layout's own tag", _tagged("1.4", source="oci layout")),
    ],
}
