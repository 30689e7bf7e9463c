"""The candidates themselves: they build, quickly the second time, and the reference does its work by hand."""

from __future__ import annotations

import io
import json
import tarfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fixtures import declaration
from fixtures.archives import rewritten
from fixtures.base import base_image
from fixtures.build import REFERENCE, reference_image
from fixtures.faults import FAULTS
from fixtures.faults.fault import Fault, hook
from fixtures.layers import Docker, File
from sm_contract.resources import resource

SAMPLE = resource("data", "sample")


@pytest.fixture(scope="module")
def docker() -> Docker:
    return Docker()


@pytest.fixture
def volume(docker: Docker) -> Iterator[Any]:
    made = docker.client.volumes.create(labels={"sm-contract-fixture": "test"})
    yield made
    made.remove(force=True)


@pytest.fixture
def network(docker: Docker) -> Iterator[Any]:
    made = docker.client.networks.create(f"sm-contract-fixture-{time.monotonic_ns()}", driver="bridge")
    yield made
    made.remove()


def test_the_base_image_is_built_once(docker: Docker) -> None:
    first = base_image(docker)
    begin = time.monotonic()
    assert base_image(docker) == first
    assert time.monotonic() - begin < 1
    assert docker.client.images.get(first).attrs["Size"] < 150e6


def test_a_derived_image_has_what_was_said_and_nothing_else(docker: Docker) -> None:
    image = docker.derive("test", base_image(docker), {"/opt/a": File(b"a", 0o640)}, ["USER 12", 'ENTRYPOINT ["/x"]'])
    config = docker.client.images.get(image).attrs["Config"]
    assert (config["User"], config["Entrypoint"], config["Cmd"]) == ("12", ["/x"], None)
    assert docker.derive("test", base_image(docker), {"/opt/a": File(b"b", 0o640)}) != image


@pytest.mark.parametrize("data", [REFERENCE / "data", SAMPLE], ids=["its own data", "the sample of the package"])
def test_the_reference_trains_and_serves(data: Path, docker: Docker, volume: Any, network: Any) -> None:
    image = reference_image(docker)
    mounts = {volume.name: {"bind": "/opt/ml/model", "mode": "rw"}}
    training = docker.client.containers.create(image, ["train"], network_mode="none", volumes=mounts)
    try:
        training.put_archive("/", inputs(data))
        training.start()
        assert training.wait(timeout=60)["StatusCode"] == 0, training.logs().decode()
    finally:
        training.remove(force=True, v=True)

    mounts[volume.name]["mode"] = "ro"
    server = docker.client.containers.run(image, ["serve"], network=network.name, volumes=mounts, detach=True)
    try:
        url = f"http://{address(server)}:8080"
        wait_until_healthy(url)
        request = urllib.request.Request(
            f"{url}/invocations", (data / "requests/request.json").read_bytes(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            low, middle, high = json.load(answer)["predictions"]
        assert low < middle < high
        begin = time.monotonic()
        server.kill("SIGTERM")
        assert server.wait(timeout=10)["StatusCode"] == 0
        assert time.monotonic() - begin < 3
    finally:
        server.remove(force=True, v=True)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=lambda fault: fault.name)
def test_every_patch_still_fits_the_reference(fault: Fault) -> None:
    for path, file in fault.programs().items():
        if path.endswith(".py") or file.content.startswith(b"#!/usr/local/bin/python3"):
            compile(file.content, path, "exec")


def test_a_patch_that_fits_no_more_is_an_error() -> None:
    with pytest.raises(ValueError, match="0 times"):
        Fault(name="none", breaks=(), serve=(hook("gone", "pass"),)).programs()


def test_an_archive_gets_another_platform(docker: Docker, tmp_path: Path) -> None:
    saved = docker.save(docker.derive("test", base_image(docker), {"/opt/a": File(b"a")}), tmp_path / "saved.tar")
    with tarfile.open(rewritten(lambda config: config.update(os="windows"))(saved, tmp_path / "changed")) as tar:
        manifest = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]  # it is a file
        config = json.load(tar.extractfile(manifest[0]["Config"]))  # type: ignore[arg-type]
    assert config["os"] == "windows"


def test_a_declaration_survives_being_written(tmp_path: Path) -> None:
    declared = declaration.read(REFERENCE / "sm-contract.toml")
    assert declaration.read(declaration.write(declared, tmp_path, REFERENCE / "data")) == declared
    assert (tmp_path / declared["training"]["channels"]["training"]["path"]).is_dir()


def inputs(data: Path) -> bytes:
    """/opt/ml/input of a job with one channel, as a tar."""
    files = {
        "config/hyperparameters.json": b'{"epochs": "3"}',
        "config/resourceconfig.json": b'{"current_host": "algo-1", "hosts": ["algo-1"]}',
        "config/inputdataconfig.json": b'{"training": {"TrainingInputMode": "File"}}',
        **{f"data/training/{path.name}": path.read_bytes() for path in (data / "training").iterdir()},
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"opt/ml/input/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def address(container: Any) -> str:
    container.reload()
    networks = container.attrs["NetworkSettings"]["Networks"]
    return str(next(iter(networks.values()))["IPAddress"])


def wait_until_healthy(url: str) -> None:
    until = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(f"{url}/ping", timeout=2) as answer:
                assert (answer.status, answer.read()) == (200, b"")
                return
        except OSError:
            assert time.monotonic() < until, "the server never answered"
            time.sleep(0.05)
