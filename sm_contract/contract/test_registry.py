"""What a registry and the platform's pull see of an image: its name, its size, its layers, its manifest."""

from __future__ import annotations

import re

from sm_contract.contract.programs import images
from sm_contract.contract.references import NAMELESS, Name, parsed, too_long_or_spaced
from sm_contract.record import ImageFacts, ManifestFact, Record
from sm_contract.requirements import requirement
from sm_contract.verdict import Blocked, NotApplicable, NotTestable, Violation

LAYERS, MANY_LAYERS = 125, 100
MIB = 1 << 20
LAYER_MIB = 52_000
MANIFEST_CHARACTERS = 4_194_304
SCHEMA_2 = "application/vnd.docker.distribution.manifest.v2+json"
_REPOSITORY = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
_BUILD = "docker buildx build --provenance=false --sbom=false --output type=registry,oci-mediatypes=false …"
_PUSH = "push it, and give what was pushed as an OCI layout: skopeo copy docker://NAME oci:FOLDER"


@requirement("SM-IMAGE-SIZE-01")
def test_size_is_within_the_budget(record: Record) -> None:
    """The image is no bigger than its owner allows."""
    budget = record.candidate.max_image_size
    for image in images(record):
        if budget is None:
            raise NotTestable(f'declare max_image_size, such as "10 GB": {image.reference} has {_mb(image.size)}')
        if image.size > budget:
            raise Violation(
                expected=f"an image of at most {_mb(budget)}, as declared",
                observed=f"{image.reference} has {_mb(image.size)} unpacked",
                fix="leave out what it does not need at run time (docker history shows which line brings how much), "
                "or declare a bigger max_image_size",
                evidence=[f"{image.size:,} bytes in {image.layers} layers"],
            )


@requirement("SM-IMAGE-LAYERS-01")
def test_number_of_layers(record: Record) -> None:
    """The image has at most 125 layers."""
    for image in images(record):
        if image.layers >= MANY_LAYERS:
            near = image.layers <= LAYERS
            raise Violation(
                expected=f"at most {LAYERS} layers, more than which an engine does not take",
                observed=f"{image.reference} has {image.layers} layers"
                + (": a few lines more in the Dockerfile, and nothing can start it" if near else ""),
                fix="join RUN lines with &&, or copy the result into a fresh stage: FROM …, COPY --from=…",
                evidence=[f"{image.layers} layers in the image config"],
                near=near,
            )


@requirement("SM-IMAGE-LAYERS-02")
def test_size_of_each_layer(record: Record) -> None:
    """Every layer is at most 52,000 MiB as it is pushed."""
    for image in images(record):
        layers = image.manifest.layers if image.manifest else None
        for number, layer in enumerate(layers or (), 1):
            if layer.size > LAYER_MIB * MIB:
                raise Violation(
                    expected=f"layers of at most {LAYER_MIB:,} MiB, which is what ECR takes",
                    observed=f"layer {number} of {image.reference} has {layer.size / MIB:,.0f} MiB",
                    fix="split the COPY or RUN that makes it, or give big files as a model or a channel",
                    evidence=[layer],
                )
        unpacked = image.biggest_layer or image.size
        if layers is None and unpacked > LAYER_MIB * MIB:
            raise NotTestable(f"{_PUSH}; unpacked, up to {unpacked / MIB:,.0f} MiB are in one layer, and packed counts")


@requirement("SM-IMAGE-MANIFEST-01", hidden_by=["SM-IMAGE-MANIFEST-02", "SM-IMAGE-MANIFEST-03"])
def test_manifest_is_docker_schema_2(record: Record) -> None:
    """The name leads to one manifest, of Docker V2 schema 2."""
    for image, manifest in _manifests(record):
        kind = manifest.media_type
        if manifest.schema == 1:
            raise Blocked("SM-IMAGE-MANIFEST-03")
        if kind in ("", SCHEMA_2) and manifest.index:
            if manifest.images == 1 and manifest.attestations:
                raise Blocked("SM-IMAGE-MANIFEST-02")  # the index is there for them alone
            kind = manifest.index
        if kind != SCHEMA_2:
            raise Violation(
                expected=f"one image manifest of media type {SCHEMA_2}",
                observed=f"{image.reference} leads to {kind}; CreateModel was seen to refuse it",
                fix=f"build it for one platform with Docker's media types: {_BUILD}",
                evidence=[manifest],
            )


@requirement("SM-IMAGE-MANIFEST-02")
def test_no_attestations(record: Record) -> None:
    """No attestation rides on the name."""
    for image, manifest in _manifests(record):
        if manifest.attestations is None:
            raise NotTestable(_PUSH)
        if manifest.attestations:
            raise Violation(
                expected="an image alone behind its name, without provenance or bill of materials",
                observed=f"{manifest.attestations} attestation manifest(s) (platform unknown/unknown) ride on "
                f"{image.reference}",
                fix=f"switch them off: {_BUILD}",
                evidence=[manifest],
            )


@requirement("SM-IMAGE-MANIFEST-03")
def test_manifest_is_not_of_schema_1(record: Record) -> None:
    """The manifest is not of Docker V2 schema 1."""
    for image, manifest in _manifests(record):
        if manifest.schema == 1:
            raise Violation(
                expected="a manifest of Docker V2 schema 2",
                observed=f"that of {image.reference} is of schema 1 ({manifest.media_type})",
                fix="pull it and push it again with a docker client since 1.10",
                evidence=[manifest],
            )


@requirement("SM-IMAGE-MANIFEST-04")
def test_length_of_the_manifest(record: Record) -> None:
    """The manifest has at most 4,194,304 characters."""
    for image, manifest in _manifests(record):
        if not manifest.characters:
            raise NotTestable(_PUSH)
        if manifest.characters > MANIFEST_CHARACTERS:
            raise Violation(
                expected=f"a manifest of at most {MANIFEST_CHARACTERS:,} characters, which is what ECR takes",
                observed=f"the manifest of {image.reference} has {manifest.characters:,} characters",
                fix="drop annotations from the build (--annotation), and layers if there are very many",
                evidence=[f"manifest of {manifest.characters:,} characters"],
            )


@requirement("SM-IMAGE-COMPRESSION-02")
def test_layers_are_not_zstd(record: Record) -> None:
    """No layer is packed with zstd."""
    for image, manifest in _manifests(record):
        if manifest.layers is None:
            raise NotTestable(_PUSH)
        packed = [n for n, layer in enumerate(manifest.layers, 1) if "zstd" in layer.media_type]
        if packed:
            raise Violation(
                expected="layers packed with gzip: zstd ones need OCI manifests, which CreateModel was seen to refuse",
                observed=f"layer {packed[0]} of {len(manifest.layers)} of {image.reference} is "
                f"{manifest.layers[packed[0] - 1].media_type}",
                fix="build it with compression=gzip: docker buildx build --output type=registry,compression=gzip …",
                evidence=[f"{len(packed)} of {len(manifest.layers)} layers are packed with zstd"],
            )


@requirement("SM-IMAGE-REFERENCE-01", hidden_by=["SM-IMAGE-REFERENCE-03"])
def test_repository_name(record: Record) -> None:
    """The name of the repository is one that ECR takes."""
    for name in _names(record):
        if name.repository and not (2 <= len(name.repository) <= 256 and _REPOSITORY.fullmatch(name.repository)):
            _unless_hidden(name)
            raise Violation(
                expected="a repository of 2 to 256 characters: lower-case letters, digits, and . _ - / between them",
                observed=f"the repository of {name.text} is {name.repository!r} ({len(name.repository)} characters)",
                fix=f"tag it under another name: docker tag {name.text} team/{_fitting(name.repository)}",
                evidence=[name.text],
            )


@requirement("SM-IMAGE-REFERENCE-02", hidden_by=["SM-IMAGE-REFERENCE-03"])
def test_tag(record: Record) -> None:
    """The tag is one that a registry takes."""
    for name in _names(record):
        if name.tag and not _TAG.fullmatch(name.tag):
            _unless_hidden(name)
            raise Violation(
                expected="a tag of at most 128 letters, digits, _ . and -, which does not begin with . or -",
                observed=f"the tag of {name.text} is {name.tag!r} ({len(name.tag)} characters)",
                fix=f"tag it anew: {re.sub(r'[^A-Za-z0-9_.-]', '-', name.tag).lstrip('.-')[:128] or 'v1'}",
                evidence=[name.text],
            )


@requirement("SM-IMAGE-REFERENCE-04")
def test_reference_is_pinned(record: Record) -> None:
    """The reference names a version, not `latest`."""
    for name in _names(record):
        if not name.digest and name.tag in ("", "latest"):
            raise Violation(
                expected="a reference that goes on naming the image that was judged: a digest, or a tag of its own",
                observed=f"{name.text} " + ("is whatever was tagged last" if name.tag else "names no tag: latest"),
                fix=f"tag each build, and judge and deploy that one: {name.text.removesuffix(':latest')}:1.0",
                evidence=[name.text],
            )


def _names(record: Record) -> list[Name]:
    found = [name for image in images(record) for name in parsed(image)]
    if not found:
        raise NotApplicable(NAMELESS)
    return found


def _unless_hidden(name: Name) -> None:
    if too_long_or_spaced(name.text):
        raise Blocked("SM-IMAGE-REFERENCE-03")


def _manifests(record: Record) -> list[tuple[ImageFacts, ManifestFact]]:
    """Each image with its manifest, as it would be pushed. Raises NotTestable where a store keeps none."""
    found = []
    for image in images(record):
        if image.manifest is None:
            kept = "this engine's image store keeps" if image.source == "engine" else "a docker archive holds"
            raise NotTestable(f"{_PUSH} ({kept} no manifest)")
        found.append((image, image.manifest))
    return found


def _mb(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"


def _fitting(repository: str) -> str:
    return re.sub(r"[^a-z0-9/]+", "-", repository.lower()).strip("-/") or "image"
