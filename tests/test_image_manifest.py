"""The manifest that would be pushed, where a source shows one; and the names that an image goes by."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from good_record import image as good_image
from image_support import OCI, ONE, Layout, docker_files, packed, put, sha, written

from sm_contract.contract.references import Name, names, parsed
from sm_contract.image import examine, image_facts
from sm_contract.record import LayerFact, ManifestFact

DOCKER = "application/vnd.docker"
SCHEMA_1 = f"{DOCKER}.distribution.manifest.v1+json"


def manifest_of(reference: str) -> ManifestFact | None:
    found = examine(reference, None, "amd64")
    found.close()
    return found.facts.manifest


def raw(layout: Layout, descriptor: dict[str, Any]) -> bytes:
    return layout.files[f"blobs/sha256/{descriptor['digest'][7:]}"]


def saved(layout: Layout, *descriptors: dict[str, Any]) -> bytes:
    """A docker archive that is a layout as well."""
    return packed({**docker_files([ONE]), **layout.finished(*descriptors)})


class TestLayout:
    def test_an_image_alone(self, tmp_path: Path) -> None:
        layout = Layout()
        image = layout.manifest([ONE])
        layers = json.loads(raw(layout, image))["layers"]
        assert manifest_of(written(layout.finished(image), tmp_path / "layout")) == ManifestFact(
            media_type=f"{OCI}.manifest.v1+json",
            characters=len(raw(layout, image)),
            layers=(LayerFact(media_type=f"{OCI}.layer.v1.tar+gzip", size=layers[0]["size"]),),
        )

    def test_an_index_with_provenance(self, tmp_path: Path) -> None:
        layout = Layout()
        image = layout.manifest([ONE])
        index = layout.nested(image, layout.attestation(image))
        found = manifest_of(written(layout.finished(index), tmp_path / "layout"))
        assert found is not None
        assert (found.index, found.images, found.attestations) == (f"{OCI}.index.v1+json", 1, 1)

    def test_an_index_of_two_platforms(self, tmp_path: Path) -> None:
        layout = Layout()
        index = layout.nested(layout.manifest([ONE]), layout.manifest([ONE], architecture="arm64"))
        found = manifest_of(written(layout.finished(index), tmp_path / "layout"))
        assert found is not None
        assert (found.index, found.images, found.attestations) == (f"{OCI}.index.v1+json", 2, 0)

    def test_characters_are_counted_and_not_bytes(self, tmp_path: Path) -> None:
        layout = Layout()
        image = layout.manifest([ONE])
        text = json.dumps({**json.loads(raw(layout, image)), "annotations": {"author": "Jürgen"}}, ensure_ascii=False)
        found = manifest_of(written(layout.finished(layout.blob(text.encode(), image["mediaType"])), tmp_path / "l"))
        assert found is not None
        assert found.characters == len(text) == len(text.encode()) - 1


class TestDockerArchive:
    def test_none_in_a_plain_one(self, tmp_path: Path) -> None:
        assert manifest_of(put(tmp_path / "a.tar", packed(docker_files([ONE])))) is None

    def test_one_that_was_only_made_up_to_save_it(self, tmp_path: Path) -> None:
        """Engines since 25 with a classic store write layers that are not packed, and push others."""
        layout = Layout()
        assert manifest_of(put(tmp_path / "a.tar", saved(layout, layout.manifest([ONE], zipped=False)))) is None

    def test_one_that_a_containerd_store_keeps(self, tmp_path: Path) -> None:
        layout = Layout()
        found = manifest_of(put(tmp_path / "a.tar", saved(layout, layout.manifest([ONE]))))
        assert found is not None
        assert found.media_type == f"{OCI}.manifest.v1+json"

    def test_one_of_schema_1(self, tmp_path: Path) -> None:
        layout = Layout()
        text = json.dumps({"schemaVersion": 1, "fsLayers": []}).encode()
        found = manifest_of(put(tmp_path / "a.tar", saved(layout, layout.blob(text, SCHEMA_1))))
        assert found is not None
        assert (found.schema, found.media_type) == (1, SCHEMA_1)

    def test_one_of_another_image(self, tmp_path: Path) -> None:
        layout = Layout()
        assert manifest_of(put(tmp_path / "a.tar", saved(layout, layout.manifest([ONE], User="other")))) is None


@pytest.mark.parametrize(
    ("descriptor", "manifest"),
    [
        (None, None),
        (
            {"mediaType": f"{DOCKER}.distribution.manifest.v2+json", "digest": f"sha256:{sha(b'')}", "size": 740},
            ManifestFact(media_type=f"{DOCKER}.distribution.manifest.v2+json", characters=740),
        ),
        ({"mediaType": SCHEMA_1, "size": 9}, ManifestFact(media_type=SCHEMA_1, schema=1, characters=9)),
        (
            {"mediaType": f"{OCI}.index.v1+json", "size": 856},
            ManifestFact(media_type="", index=f"{OCI}.index.v1+json", images=0, attestations=None),
        ),
    ],
)
def test_what_an_engine_says_of_a_manifest(descriptor: object, manifest: ManifestFact | None) -> None:
    description = {"Id": "sha256:1", "Os": "linux", "Architecture": "amd64", "Descriptor": descriptor}
    assert image_facts("a:1", "engine", description, None).manifest == manifest


@pytest.mark.parametrize(
    ("text", "repository", "tag", "digest"),
    [
        ("linear", "linear", "", ""),
        ("team/linear:1.4", "team/linear", "1.4", ""),
        ("My_Repo:1+2", "My_Repo", "1+2", ""),
        ("localhost/linear", "linear", "", ""),
        ("registry.example:5000/team/linear", "team/linear", "", ""),
        ("registry.example/linear:1@sha256:0", "linear", "1", "sha256:0"),
    ],
)
def test_a_reference_in_parts(text: str, repository: str, tag: str, digest: str) -> None:
    assert parsed(good_image(text)) == [Name(text, repository, tag, digest)]


def test_what_is_no_name() -> None:
    ident = f"sha256:{'5' * 64}"
    for reference in (ident, "5" * 64, "5" * 12):
        assert names(good_image(reference)) == ()
    archive = replace(good_image("/tmp/a b.tar"), source="docker archive", tags=("team/a:1",))
    assert names(archive) == ("team/a:1",)
    assert parsed(replace(archive, source="oci layout", tags=("1.4",))) == [Name("1.4", "", "1.4", "")]
