"""Docker archives, OCI layouts and ELF heads, built in pure Python for tests that need no engine."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import struct
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from sm_contract.image import BadImage, examine
from sm_contract.image.archive import Archive

Members = Sequence[tuple[tarfile.TarInfo, bytes]]
OCI = "application/vnd.oci.image"


def file(name: str, data: bytes = b"", *, mode: int = 0o644, uid: int = 0) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.mode, info.uid, info.size = mode, uid, len(data)
    return info, data


def other(name: str, kind: bytes, link: str = "", mode: int = 0o755) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    return info, b""


def folder(name: str, mode: int = 0o755) -> tuple[tarfile.TarInfo, bytes]:
    return other(name, tarfile.DIRTYPE, mode=mode)


def symlink(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return other(name, tarfile.SYMTYPE, target, 0o777)


def hardlink(name: str, target: str, mode: int = 0o644) -> tuple[tarfile.TarInfo, bytes]:
    return other(name, tarfile.LNKTYPE, target, mode)


def tar(members: Members, format: int = tarfile.PAX_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data) if info.isreg() else None)
    return buffer.getvalue()


def packed(files: Mapping[str, bytes]) -> bytes:
    return tar([file(name, data) for name, data in files.items()])


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def config(layers: Sequence[bytes], architecture: str = "amd64", os: str = "linux", **inner: Any) -> bytes:
    """A config for layers given unpacked."""
    content = {
        "architecture": architecture,
        "os": os,
        "config": inner,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha(layer)}" for layer in layers]},
        "history": [{"created_by": "test"} for _ in layers],
    }
    return json.dumps(content).encode()


def docker_files(layers: Sequence[bytes], tags: Sequence[str] = ("a:1",), **config_fields: Any) -> dict[str, bytes]:
    """The files of a docker archive with one image."""
    text = config(layers, **config_fields)
    names = [f"{number}/layer.tar" for number in range(len(layers))]
    manifest = [{"Config": f"{sha(text)}.json", "RepoTags": list(tags), "Layers": names}]
    files = dict(zip(names, layers, strict=True))
    return {**files, f"{sha(text)}.json": text, "manifest.json": json.dumps(manifest).encode()}


def docker_archive(path: Path, *layers: Members, **config_fields: Any) -> str:
    """Write a docker archive; returns its path as a REF."""
    path.write_bytes(packed(docker_files([tar(layer) for layer in layers], **config_fields)))
    return str(path)


class Layout:
    """An OCI layout being built: blobs, and what its index names."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}
        self.manifests: list[dict[str, Any]] = []

    def blob(self, data: bytes, kind: str) -> dict[str, Any]:
        self.files[f"blobs/sha256/{sha(data)}"] = data
        return {"mediaType": kind, "digest": f"sha256:{sha(data)}", "size": len(data)}

    def manifest(
        self, layers: Sequence[bytes], *, zipped: bool = True, platform: bool = True, **config_fields: Any
    ) -> dict[str, Any]:
        """Add an image (not yet to the index); returns its descriptor."""
        text = config(layers, **config_fields)
        kind = f"{OCI}.layer.v1.tar"
        blobs = [
            self.blob(gzip.compress(one, mtime=0), f"{kind}+gzip") if zipped else self.blob(one, kind) for one in layers
        ]
        document = {"schemaVersion": 2, "config": self.blob(text, f"{OCI}.config.v1+json"), "layers": blobs}
        found = self.blob(json.dumps(document).encode(), f"{OCI}.manifest.v1+json")
        if platform:
            found["platform"] = {"os": "linux", "architecture": config_fields.get("architecture", "amd64")}
        return found

    def attestation(self, of: dict[str, Any]) -> dict[str, Any]:
        text = {"schemaVersion": 2, "config": self.blob(b"{}", f"{OCI}.config.v1+json"), "layers": []}
        found = self.blob(json.dumps(text).encode(), f"{OCI}.manifest.v1+json")
        notes = {"vnd.docker.reference.digest": of["digest"], "vnd.docker.reference.type": "attestation-manifest"}
        return {**found, "platform": {"os": "unknown", "architecture": "unknown"}, "annotations": notes}

    def nested(self, *manifests: dict[str, Any]) -> dict[str, Any]:
        text = {"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": list(manifests)}
        return self.blob(json.dumps(text).encode(), f"{OCI}.index.v1+json")

    def finished(self, *manifests: dict[str, Any]) -> dict[str, bytes]:
        index = {"schemaVersion": 2, "manifests": list(manifests)}
        return {**self.files, "index.json": json.dumps(index).encode()}


def named(descriptor: dict[str, Any], name: str) -> dict[str, Any]:
    return {**descriptor, "annotations": {"org.opencontainers.image.ref.name": name}}


def written(files: Mapping[str, bytes], path: Path) -> str:
    """Write files as a folder; returns its path as a REF."""
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return str(path)


def elf(machine: int = 62, loader: str = "", *, wide: bool = True, loader_at: int = 0) -> bytes:
    """The head of an ELF file; ``loader_at`` moves the loader's name far back, as patchelf does."""
    at = loader_at or 200
    name = loader.encode() + b"\0"
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1, 1]) + bytes(9)
    count = 1 if loader else 0
    if wide:
        head = ident + struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, 0, 64, 0, 0, 64, 56, count, 0, 0, 0)
        table = struct.pack("<IIQQQQQQ", 3, 4, at, 0, 0, len(name), len(name), 1)
    else:
        head = ident + struct.pack("<HHIIIIIHHHHHH", 2, machine, 1, 0, 52, 0, 0, 52, 32, count, 0, 0, 0)
        table = struct.pack("<IIIIIIII", 3, at, 0, 0, len(name), len(name), 4, 1)
    return (head + table * count).ljust(at, b"\0") + (name if loader else b"")


ONE = tar([file("etc/passwd", b"root:x:0:0::/:/bin/sh\n"), file("usr/bin/train", elf(), mode=0o755)])


def opened(reference: str) -> Archive:
    return Archive(Path(reference), reference, "amd64")


def tree_of(reference: str) -> dict[str, str]:
    """Path to kind, or to the content of a file, of all there is."""
    archive = opened(reference)
    assert archive.files is not None
    found = {}
    for fact in archive.files.walk("/", 10_000):
        data = archive.files.read(fact.path) if fact.kind == "file" else None
        found[fact.path] = fact.kind if data is None else data.decode()
    archive.close()
    return found


def refusal(reference: str, architecture: str = "amd64") -> str:
    """The one line that refuses a REF; it names the REF and holds a way out."""
    with pytest.raises(BadImage) as caught:
        examine(reference, None, architecture)
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith(reference)
    assert text.isprintable()
    assert ";" in text
    return text


def put(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)
