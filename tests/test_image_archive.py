"""Archives and layouts: what they hold, which image is meant, and what is wrong with the bad ones."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from image_support import (
    ONE,
    Layout,
    docker_files,
    elf,
    file,
    named,
    opened,
    packed,
    put,
    refusal,
    sha,
    symlink,
    tar,
    tree_of,
    written,
)

from sm_contract.image import BadImage, examine


def _zstd_file(raw: Any) -> io.BytesIO:
    """Stands in for the module of Python 3.14."""
    data = b"".join(iter(lambda: raw.read(1000), b""))
    return io.BytesIO(subprocess.run(["zstd", "-dc"], input=data, capture_output=True, check=True).stdout)


class TestArchive:
    def test_docker_archive(self, tmp_path: Path) -> None:
        reference = str(tmp_path / "a.tar")
        files = docker_files([ONE], tags=("a:1", "b:2"), Env=["A=b"], Entrypoint=["/usr/bin/train"], User="app")
        Path(reference).write_bytes(packed(files))
        facts = examine(reference, None, "amd64").facts
        assert (facts.reference, facts.source, facts.tags) == (reference, "docker archive", ("a:1", "b:2"))
        assert facts.id[7:] + ".json" in files
        assert (facts.os, facts.architecture, facts.layers, facts.user) == ("linux", "amd64", 1, "app")
        assert facts.env == ("A=b",)
        assert facts.passwd == ("root", "0")
        assert facts.groups is None
        assert facts.programs["train"].machine == "amd64"
        assert facts.unreadable == ""

    @pytest.mark.parametrize("form", ["folder", "tar", "tar.gz", "dotted tar"])
    @pytest.mark.parametrize("zipped", [True, False])
    def test_oci_layout(self, form: str, zipped: bool, tmp_path: Path) -> None:
        layout = Layout()
        image = layout.manifest([ONE], zipped=zipped, WorkingDir="/etc")
        files = layout.finished(named(image, "mine:3"))
        path = tmp_path / "image"
        if form == "folder":
            written(files, path)
        elif form == "dotted tar":
            path.write_bytes(packed({f"./{name}": data for name, data in files.items()}))
        else:
            path.write_bytes(gzip.compress(packed(files)) if form == "tar.gz" else packed(files))
        facts = examine(str(path), None, "amd64").facts
        assert (facts.source, facts.tags, facts.digest) == ("oci layout", ("mine:3",), image["digest"])
        assert facts.workdir_file is not None
        assert facts.workdir_file.kind == "directory"
        assert facts.programs["train"].file is not None

    def test_members_in_any_order_and_links_between_layers(self, tmp_path: Path) -> None:
        """Engines before 25 write a layer that comes twice once, and link to it."""
        layers = [ONE, ONE]
        files = docker_files(layers)
        del files["1/layer.tar"]
        members = [file(name, data) for name, data in reversed(files.items())]
        members.insert(0, symlink("1/layer.tar", "../0/layer.tar"))
        path = tmp_path / "a.tar"
        path.write_bytes(tar(members))
        assert "/usr/bin/train" in tree_of(str(path))

    def test_what_newer_engines_save_gives_the_manifest_digest(self, tmp_path: Path) -> None:
        layout = Layout()
        image = layout.manifest([ONE])
        text = next(data for data in layout.files.values() if b"rootfs" in data and data.startswith(b"{"))
        layer = next(name for name, data in layout.files.items() if data.startswith(b"\x1f\x8b"))
        entry = {"Config": f"blobs/sha256/{sha(text)}", "RepoTags": ["a:1"], "Layers": [layer]}
        files = {**layout.finished(image, layout.attestation(image)), "manifest.json": json.dumps([entry]).encode()}
        path = tmp_path / "a.tar"
        path.write_bytes(packed(files))
        facts = examine(str(path), None, "amd64").facts
        assert (facts.source, facts.digest) == ("docker archive", image["digest"])

    def test_a_layer_of_several_gzip_members(self, tmp_path: Path) -> None:
        layout = Layout()
        image = layout.manifest([ONE])
        whole = next(name for name, data in layout.files.items() if data.startswith(b"\x1f\x8b"))
        del layout.files[whole]
        data = gzip.compress(ONE[:700]) + gzip.compress(ONE[700:])
        manifest = json.loads(layout.files[f"blobs/sha256/{image['digest'][7:]}"])
        manifest["layers"] = [layout.blob(data, "application/vnd.oci.image.layer.v1.tar+gzip")]
        again = layout.blob(json.dumps(manifest).encode(), "application/vnd.oci.image.manifest.v1+json")
        reference = written(layout.finished(again), tmp_path / "layout")
        assert "/usr/bin/train" in tree_of(reference)

    def test_reading_back_and_forth_in_a_packed_layer(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Marks in the stream make each read land on its own bytes, also once every second one was given up."""
        monkeypatch.setattr("sm_contract.image.streams._MARK_EVERY", 1 << 18)
        monkeypatch.setattr("sm_contract.image.streams._MARKS", 8)
        blocks = {f"d/{number:03}": os.urandom(1 << 16) for number in range(100)}
        layout = Layout()
        image = layout.manifest([tar([file(name, data) for name, data in blocks.items()])])
        archive = opened(written(layout.finished(image), tmp_path / "layout"))
        assert archive.files is not None
        for number in (99, 0, 50, 49, 51, 3, 98, 34, 33, 32, 31):
            name = f"d/{number:03}"
            assert archive.files.read(f"/{name}", 1 << 21) == blocks[name]
        assert archive.files.read("/d/007", 5) == blocks["d/007"][:5]
        archive.close()

    @pytest.mark.skipif(sys.version_info >= (3, 14), reason="this Python reads zstd")
    def test_zstd_says_what_is_missing(self, tmp_path: Path) -> None:
        reference = self.zstd_layout(tmp_path)
        facts = examine(reference, None, "amd64").facts
        assert facts.unreadable == "layer 1 of 1 is packed with zstd, which needs Python 3.14 or later to be read"
        assert (facts.programs, facts.layers, facts.architecture) == ({}, 1, "amd64")

    def test_zstd(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Read, read again from an earlier place, and converted: engine 20.10 does not unpack zstd."""
        if sys.version_info < (3, 14):
            monkeypatch.setitem(sys.modules, "compression.zstd", SimpleNamespace(ZstdFile=_zstd_file))
        archive = opened(self.zstd_layout(tmp_path))
        assert archive.files is not None
        assert archive.files.read("/usr/bin/train") == elf()
        assert archive.files.read("/etc/passwd") == b"root:x:0:0::/:/bin/sh\n"
        with tarfile.open(fileobj=io.BytesIO(b"".join(archive.as_docker_archive("a:1")))) as out:
            sums = {sha(body.read()) for member in out if (body := out.extractfile(member))}
        assert sha(ONE) in sums

    def zstd_layout(self, tmp_path: Path) -> str:
        try:
            data = subprocess.run(["zstd", "-c"], input=ONE, capture_output=True, check=True).stdout
        except FileNotFoundError:
            pytest.skip("needs zstd")
        layout = Layout()
        image = layout.manifest([ONE], zipped=False)
        manifest = json.loads(layout.files[f"blobs/sha256/{image['digest'][7:]}"])
        manifest["layers"] = [layout.blob(data, "application/vnd.oci.image.layer.v1.tar+zstd")]
        again = layout.blob(json.dumps(manifest).encode(), "application/vnd.oci.image.manifest.v1+json")
        return written(layout.finished(again), tmp_path / "zstd")

    def test_nothing_is_left_where_a_packed_archive_was_unpacked(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        temporary = tmp_path / "tmp"
        temporary.mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(temporary))
        path = tmp_path / "a.tar.gz"
        path.write_bytes(gzip.compress(packed(docker_files([ONE]))))
        archive = opened(str(path))
        assert list(temporary.iterdir()) == []
        archive.close()

    def test_a_packed_archive_does_not_fill_the_disk(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "a.tar.gz"
        path.write_bytes(gzip.compress(packed(docker_files([ONE]))))
        monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 1 << 20})())
        assert "set TMPDIR" in refusal(str(path))


class TestChoice:
    def test_the_declared_architecture(self, tmp_path: Path) -> None:
        layout = Layout()
        images = [layout.manifest([ONE], architecture=name) for name in ("arm64", "amd64", "s390x")]
        nested = layout.nested(*images, *(layout.attestation(image) for image in images))
        reference = written(layout.finished(named(nested, "a:1")), tmp_path / "layout")
        for name, image in zip(("arm64", "amd64", "s390x"), images, strict=True):
            found = examine(reference, None, name)
            assert (found.facts.architecture, found.facts.digest, found.unfit) == (name, image["digest"], "")
            assert found.facts.tags == ("a:1",)
        text = refusal(reference, "riscv64")
        assert "linux/amd64, linux/arm64, linux/s390x" in text
        assert "none for riscv64" in text

    def test_the_only_one_though_it_does_not_fit(self, tmp_path: Path) -> None:
        layout = Layout()
        image = layout.manifest([ONE], architecture="arm64")
        reference = written(layout.finished(image, layout.attestation(image)), tmp_path / "layout")
        found = examine(reference, None, "amd64")
        assert (found.facts.architecture, found.unfit) == ("arm64", "is not started: it is built for linux/arm64")
        with pytest.raises(BadImage, match="built for linux/arm64"):
            found.image(None)  # type: ignore[arg-type]  # no engine is asked

    def test_platform_from_the_config_where_the_index_says_none(self, tmp_path: Path) -> None:
        layout = Layout()
        images = [layout.manifest([ONE], architecture=name, platform=False) for name in ("amd64", "arm64")]
        reference = written(layout.finished(*images), tmp_path / "layout")
        assert examine(reference, None, "aarch64").facts.digest == images[1]["digest"]

    def test_a_listed_platform_that_was_not_saved(self, tmp_path: Path) -> None:
        """Newer engines save the index of all platforms and the blobs of one."""
        layout = Layout()
        absent = {**layout.manifest([ONE], architecture="arm64")}
        del layout.files[f"blobs/sha256/{absent['digest'][7:]}"]
        reference = written(layout.finished(absent, layout.manifest([ONE])), tmp_path / "layout")
        assert examine(reference, None, "arm64").facts.architecture == "amd64"

    def test_several_images_in_a_docker_archive(self, tmp_path: Path) -> None:
        first, second = docker_files([ONE], tags=("a:1", "a:2")), docker_files([ONE], tags=("b:1",), User="x")
        both = json.loads(first["manifest.json"]) + json.loads(second["manifest.json"])
        path = tmp_path / "a.tar"
        path.write_bytes(packed({**first, **second, "manifest.json": json.dumps(both).encode()}))
        assert "several images (a:1 = a:2, b:1); save the one to be judged: docker save a:1" in refusal(str(path))

    def test_several_images_in_a_layout(self, tmp_path: Path) -> None:
        layout = Layout()
        images = [named(layout.manifest([ONE], User=user), user) for user in ("x", "y")]
        text = refusal(written(layout.finished(*images), tmp_path / "layout"))
        assert "several images (x, y); copy out the one" in text

    def test_one_image_under_two_names(self, tmp_path: Path) -> None:
        layout = Layout()
        image = layout.manifest([ONE])
        reference = written(layout.finished(named(image, "x"), named(image, "y")), tmp_path / "layout")
        assert examine(reference, None, "amd64").facts.tags == ("x", "y")

    def test_attestations_alone_are_no_image(self, tmp_path: Path) -> None:
        layout = Layout()
        image = layout.manifest([ONE])
        assert "holds no image" in refusal(written(layout.finished(layout.attestation(image)), tmp_path / "layout"))


class TestBadArchive:
    def test_empty(self, tmp_path: Path) -> None:
        assert "is empty" in refusal(put(tmp_path / "a.tar", b""))

    @pytest.mark.parametrize("data", [b"x", b"hello" * 1000, b"\x1f\x8b", gzip.compress(b"hello" * 1000)])
    def test_no_tar(self, data: bytes, tmp_path: Path) -> None:
        text = refusal(put(tmp_path / "a.tar", data))
        assert "no tar" in text or "truncated" in text

    @pytest.mark.parametrize("kind", ["xz", "bzip2"])
    def test_packed_otherwise(self, kind: str, tmp_path: Path) -> None:
        data = b"\xfd7zXZ\0" if kind == "xz" else b"BZh9"
        assert f"is packed with {kind}" in refusal(put(tmp_path / "a.tar", data + bytes(600)))

    @pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
    @pytest.mark.parametrize("zipped", [True, False])
    def test_truncated(self, share: float, zipped: bool, tmp_path: Path) -> None:
        whole = packed(docker_files([tar([file("big", os.urandom(100_000))])]))
        whole = gzip.compress(whole) if zipped else whole
        text = refusal(put(tmp_path / "a.tar", whole[: int(len(whole) * share)]))
        assert "truncated" in text
        assert "docker save" in text

    def test_cut_between_two_members(self, tmp_path: Path) -> None:
        files = docker_files([ONE])
        del files["manifest.json"]
        assert "neither manifest.json nor index.json" in refusal(put(tmp_path / "a.tar", packed(files)))

    def test_a_file_system_of_docker_export(self, tmp_path: Path) -> None:
        assert "docker export" in refusal(put(tmp_path / "a.tar", ONE))

    def test_a_layout_packed_with_its_folder(self, tmp_path: Path) -> None:
        layout = Layout()
        files = layout.finished(layout.manifest([ONE]))
        path = put(tmp_path / "a.tar", packed({f"out/{name}": data for name, data in files.items()}))
        assert "tar -C out" in refusal(path)

    @pytest.mark.parametrize("what", ["manifest", "config", "layer"])
    @pytest.mark.parametrize("harm", ["missing", "changed"])
    def test_a_blob_missing_or_changed(self, what: str, harm: str, tmp_path: Path) -> None:
        layout = Layout()
        image = layout.manifest([ONE], zipped=False)
        manifest = json.loads(layout.files[f"blobs/sha256/{image['digest'][7:]}"])
        descriptor = {"manifest": image, "config": manifest["config"], "layer": manifest["layers"][0]}[what]
        name = f"blobs/sha256/{descriptor['digest'][7:]}"
        if harm == "missing":
            del layout.files[name]
        else:
            layout.files[name] = layout.files[name].replace(b"root:x", b"root:y").replace(b"amd64", b"arm64")
            layout.files[name] += b" " if what == "manifest" else b""
        text = refusal(written(layout.finished(image), tmp_path / "layout"))
        assert ("lacks" if harm == "missing" else "is not the one described") in text
        assert what in text

    def test_a_layer_whose_packed_bytes_changed(self, tmp_path: Path) -> None:
        layout = Layout()
        image = layout.manifest([ONE])
        name = next(name for name, data in layout.files.items() if data.startswith(b"\x1f\x8b"))
        layout.files[name] = gzip.compress(ONE, 1, mtime=7)
        assert "layer 1 of 1 is not the one described" in refusal(written(layout.finished(image), tmp_path / "l"))
        layout.files[name] = layout.files[name][:-30]
        assert "layer 1 of 1 is damaged" in refusal(written(layout.finished(image), tmp_path / "l"))

    def test_layers_and_config_disagree(self, tmp_path: Path) -> None:
        files = docker_files([ONE])
        manifest = json.loads(files["manifest.json"])
        manifest[0]["Layers"] *= 2
        files["manifest.json"] = json.dumps(manifest).encode()
        assert "1 layers, its manifest of 2" in refusal(put(tmp_path / "a.tar", packed(files)))

    @pytest.mark.parametrize("text", [b"{", b"[" * 100_000, b"[]", b"{}", b"null", b'[{"Config": 3}]', b"\xff"])
    def test_documents_that_are_not_what_they_should_be(self, text: bytes, tmp_path: Path) -> None:
        refusal(put(tmp_path / "a.tar", packed({**docker_files([ONE]), "manifest.json": text})))
        refusal(put(tmp_path / "b.tar", packed({"index.json": text, "oci-layout": b"{}"})))

    def test_a_digest_that_leads_out_of_the_layout(self, tmp_path: Path) -> None:
        evil = {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": "sha256:../../../etc/passwd",
            "size": 1,
        }
        assert "sha256 is needed" in refusal(written(Layout().finished(evil), tmp_path / "layout"))
