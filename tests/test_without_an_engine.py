"""An archive where no engine answers: what needs a start is not testable, all the rest is judged."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from image_support import Layout, config, docker_archive, elf, file, named, tar, written

from sm_contract.contract import load
from sm_contract.requirements import registry
from sm_contract.status import Exit

LOADER = "/lib64/ld-linux-x86-64.so.2"
FILES = (
    file("etc/passwd", b"root:x:0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n"),
    file("bin/python3", elf(62, LOADER), mode=0o755),
    file("lib64/ld-linux-x86-64.so.2", elf(), mode=0o755),
    file("bin/train", b"#!/bin/python3\n", mode=0o755),
    file("bin/serve", b"#!/bin/python3\n", mode=0o755),
)
FAULTY = (*FILES[:-1], file("bin/serve", b"#!/bin/python3\r\n", mode=0o755))
SPOILT = {
    "Env": ["PATH=/bin", "AWS_REGION=us-east-1", "CUDA_VERSION=12.4"],
    "User": "app",
    "StopSignal": "SIGINT",
    "Volumes": {"/opt/ml/model": {}},
    "ExposedPorts": {"5000/tcp": {}},
    "Labels": {"com.amazonaws.sagemaker.capabilities.multi-models": "True"},
}
BROKEN = {
    *("SM-IMAGE-USER-01", "SM-IMAGE-STOPSIGNAL-01", "SM-IMAGE-VOLUME-01", "SM-IMAGE-EXPOSE-01", "SM-IMAGE-ENV-02"),
    *("SM-IMAGE-LABEL-01", "SM-IMAGE-REFERENCE-04", "SM-IMAGE-GPU-02", "SM-INFER-RUN-10"),
}
OF_A_LAYOUT = {"SM-IMAGE-MANIFEST-01", "SM-IMAGE-MANIFEST-02"}


def run(folder: Path, *arguments: str) -> tuple[int, dict[str, dict[str, Any]], str]:
    """The exit status, the verdicts and the output of a run whose engine is nowhere."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments, "--sm-report=report"]
    environment = {**os.environ, "DOCKER_HOST": "unix:///nowhere.sock"}
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    rows = json.loads((folder / "report" / "result.json").read_text("utf-8"))["images"][0]["verdicts"]
    return ran.returncode, {row["id"]: row for row in rows}, ran.stdout


def ids(verdicts: dict[str, dict[str, Any]], *wanted: str) -> set[str]:
    return {id for id, row in verdicts.items() if row["verdict"] in wanted}


def an_archive(folder: Path) -> str:
    return docker_archive(folder / "image.tar", list(FAULTY), tags=("team/linear:latest",), **SPOILT)


def a_layout(folder: Path) -> str:
    layout = Layout()
    image = layout.manifest([tar(FAULTY)], **SPOILT)
    index = layout.nested(image, layout.attestation(image))
    return written(layout.finished(named(index, "team/linear:latest")), folder / "layout")


@pytest.mark.parametrize("make", [an_archive, a_layout])
def test_what_needs_no_start_is_judged(make: Any, tmp_path: Path) -> None:
    status, verdicts, output = run(tmp_path, f"--image={make(tmp_path)}")
    of_a_layout = OF_A_LAYOUT if make is a_layout else set()

    assert ids(verdicts, "failed", "warned", "noted") == BROKEN | of_a_layout, output
    assert status == Exit.ENGINE
    assert ids(verdicts, "not judged") == set()
    if not of_a_layout:
        assert "a docker archive holds no manifest" in verdicts["SM-IMAGE-MANIFEST-01"]["reason"]


def test_what_needs_a_start_says_so(tmp_path: Path) -> None:
    load()
    archive = docker_archive(tmp_path / "image.tar", list(FILES), tags=("team/linear:1",), Env=["PATH=/bin"])
    status, verdicts, output = run(tmp_path, f"--image={archive}")

    assert ids(verdicts, "failed", "warned", "noted", "blocked") == set(), output
    assert len(ids(verdicts, "passed")) >= 20
    for id, row in verdicts.items():
        if registry()[id].runs and row["verdict"] == "not testable":
            assert "needs a container engine" in row["reason"] or "declare" in row["reason"], row
    started = {"SM-INFER-PING-01", "SM-TRAIN-RUN-01", "SM-IMAGE-LOG-01", "SM-PRIV-CAPABILITY-01"}
    assert started <= ids(verdicts, "not testable")
    assert "SM-IMAGE-SIZE-01" in ids(verdicts, "not testable"), "nobody declared how big it may be"
    assert status == Exit.ENGINE


def test_a_big_image_takes_little_memory(tmp_path: Path) -> None:
    """The peak of the whole run, over a layer of 400 MB; one of 6 GB took no more when it was measured."""
    info = tarfile.TarInfo("opt/weights.bin")
    info.size = 400 << 20
    head, end = tar(FILES)[: -2 * 512].rstrip(b"\0"), bytes(1024)
    head += bytes(-len(head) % 512) + info.tobuf()
    summed = hashlib.sha256(head)
    for _ in range(400):
        summed.update(bytes(1 << 20))
    summed.update(end)
    layout = Layout()
    text = json.loads(config([], Env=["PATH=/bin"]))
    text["rootfs"]["diff_ids"] = [f"sha256:{summed.hexdigest()}"]
    layer = {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": text["rootfs"]["diff_ids"][0]}
    described = layout.blob(json.dumps(text).encode(), "application/vnd.oci.image.config.v1+json")
    manifest = {"schemaVersion": 2, "config": described, "layers": [layer]}
    image = layout.blob(json.dumps(manifest).encode(), "application/vnd.oci.image.manifest.v1+json")
    reference = written(layout.finished(image), tmp_path / "layout")
    with (tmp_path / "layout" / "blobs" / "sha256" / summed.hexdigest()).open("wb") as blob:
        blob.write(head)
        blob.truncate(len(head) + (400 << 20) + len(end))
    assert b"opt/weights.bin" in head

    peak = "[line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')][0]"
    script = f"import sys, pytest; pytest.main(sys.argv[1:]); print({peak})"  # getrusage counts its parent's, too
    ran = subprocess.run(
        [sys.executable, "-c", script, "-p", "no:cacheprovider", "-p", "no:hypothesispytest", f"--image={reference}"],
        cwd=tmp_path,
        env={**os.environ, "DOCKER_HOST": "unix:///nowhere.sock"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "419 MB" in ran.stdout, ran.stdout + ran.stderr
    assert int(ran.stdout.split()[-1]) < 150 << 10  # kilobytes
