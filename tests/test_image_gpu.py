"""What speaks of CUDA in an image, told by the names and places of files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from image_support import docker_archive, elf, file, folder, symlink

from sm_contract.image import examine
from sm_contract.record import GpuFacts

CUDA = "usr/local/cuda-12.4"
RUNTIME = file(f"{CUDA}/lib64/libcudart.so.12.4.127", b"x")
COMPAT = file(f"{CUDA}/compat/libcuda.so.550.54.15", b"x")
LINK = symlink("usr/local/cuda", "cuda-12.4")
SCRIPT = (
    "#!/bin/sh\n[ -e /proc/driver/nvidia/version ] && export LD_LIBRARY_PATH=/usr/local/cuda/compat\nexec python3\n"
)


def gpu(tmp_path: Path, *members: Any, declared: bool = False, **config: Any) -> GpuFacts | None:
    found = examine(docker_archive(tmp_path / "a.tar", list(members), **config), None, "amd64", gpu=declared)
    found.close()
    return found.facts.gpu


@pytest.mark.parametrize(
    "env", [["PATH=/bin"], ["NVIDIA_VISIBLE_DEVICES=void"], ["CUDA_VERSION="], ["MY_CUDA_VERSION=12"]]
)
def test_nothing_speaks_of_it(env: list[str], tmp_path: Path) -> None:
    assert gpu(tmp_path, file("usr/lib/libc.so.6", b"x"), Env=env) is None


@pytest.mark.parametrize(
    ("members", "config", "sign"),
    [
        ([], {"Env": ["NVIDIA_VISIBLE_DEVICES=all"]}, "ENV NVIDIA_VISIBLE_DEVICES=all"),
        ([RUNTIME, LINK], {}, "/usr/local/cuda"),
        ([file("usr/bin/nvidia-smi", b"x")], {}, "/usr/bin/nvidia-smi"),
        (
            [
                symlink("opt/venv/bin/python3", "/usr/bin/python3.12"),
                file("usr/bin/python3.12", elf(), mode=0o755),
                folder("opt/venv/lib/python3.12/site-packages/nvidia/cuda_runtime"),
            ],
            {"Env": ["PATH=/opt/venv/bin:/usr/bin"]},
            "/opt/venv/lib/python3.12/site-packages/nvidia/cuda_runtime",
        ),
        (
            [file("opt/packages/torch/lib/libtorch_cuda.so", b"x")],
            {"Env": ["PYTHONPATH=/opt/packages"]},
            "/opt/packages/torch/lib/libtorch_cuda.so",
        ),
    ],
)
def test_signs(members: list[Any], config: dict[str, Any], sign: str, tmp_path: Path) -> None:
    found = gpu(tmp_path, *members, **config)
    assert found is not None
    assert sign in found.signs


def test_the_declared_feature_is_a_sign(tmp_path: Path) -> None:
    found = gpu(tmp_path, declared=True)
    assert found is not None
    assert found.signs == ('features = ["gpu"]',)


@pytest.mark.parametrize(
    ("path", "driver"),
    [
        ("usr/lib/x86_64-linux-gnu/libcuda.so.550.54.15", True),
        ("usr/lib64/libnvidia-ml.so.535.183.01", True),
        ("lib/modules/6.1/extra/nvidia-uvm.ko.xz", True),
        ("var/lib/dpkg/info/libnvidia-compute-550:amd64.list", True),
        ("usr/lib/x86_64-linux-gnu/libcuda.so.1", False),
        (f"{CUDA}/lib64/stubs/libcuda.so.550.54.15", False),
        ("opt/conda/cuda-compat/libcuda.so.550.54.15", False),
        ("var/lib/dpkg/info/cuda-libraries-12-4.list", False),
        ("opt/docs/nvidia-smi.txt", False),
    ],
)
def test_files_of_the_driver(path: str, driver: bool, tmp_path: Path) -> None:
    found = gpu(tmp_path, RUNTIME, file(path, b"x"), declared=True)
    assert found is not None
    assert found.drivers == ((f"/{path}",) if driver else ())


def test_an_empty_file_is_where_the_container_runtime_mounted_the_driver(tmp_path: Path) -> None:
    found = gpu(tmp_path, file("usr/lib/x86_64-linux-gnu/libcuda.so.550.54.15"), declared=True)
    assert found is not None
    assert found.drivers == ()


def test_a_frameworks_own_runtime(tmp_path: Path) -> None:
    own = "opt/packages/torch/lib/libcudart-d0da41ae.so.11.0"
    found = gpu(tmp_path, file(own, b"x"), declared=True)
    assert found is not None
    assert found.runtimes == (f"/{own}",)


@pytest.mark.parametrize(
    ("members", "config", "always"),
    [
        ([], {"Env": ["LD_LIBRARY_PATH=/usr/local/cuda/compat:/lib"]}, 1),
        ([file("etc/ld.so.conf.d/x.conf", b"# CUDA\n/usr/local/cuda-12.4/compat\n/usr/local/lib\n")], {}, 1),
        ([file("etc/ld.so.conf", b"include /etc/ld.so.conf.d/*.conf\n/usr/local/cuda/lib64\n")], {}, 0),
        ([], {"Env": ["LD_LIBRARY_PATH=/usr/local/cuda/lib64"]}, 0),
        ([], {"Env": ["LD_LIBRARY_PATH=/usr/local/cuda/compat/lib"]}, 0),  # made by the entry script, on condition
    ],
)
def test_compatibility_libraries_on_the_path(
    members: list[Any], config: dict[str, Any], always: int, tmp_path: Path
) -> None:
    found = gpu(tmp_path, RUNTIME, COMPAT, LINK, *members, **config)
    assert found is not None
    assert found.compat == (f"/{CUDA}/compat",)
    assert len(found.always) == always, found.always


@pytest.mark.parametrize(
    ("text", "says", "always"),
    [
        (SCRIPT, True, False),
        ("#!/bin/sh\n# compatible with all\nexec python3\n", False, False),
        ("#!/bin/sh\n# LD_LIBRARY_PATH=/usr/local/cuda/compat if it is old\nexec python3\n", False, False),
        ("#!/bin/sh\nls /usr/local/cuda/compat\nexec python3\n", False, False),
        ("#!/bin/sh\nexport LD_LIBRARY_PATH=/usr/local/cuda/compat\nexec python3\n", False, True),
        ("#!/usr/bin/env python3\nif old():\n    environ['LD_LIBRARY_PATH'] = '/usr/local/cuda/compat'\n", True, False),
    ],
)
def test_an_entry_script_that_asks_for_them(text: str, says: bool, always: bool, tmp_path: Path) -> None:
    script = file("opt/start", text.encode(), mode=0o755)
    found = gpu(tmp_path, RUNTIME, COMPAT, LINK, script, Entrypoint=["/opt/start"])
    assert found is not None
    assert found.on_condition == ("/opt/start" if says else "")
    assert found.always == (("/opt/start, on no condition",) if always else ())
    assert found.entry_texts > 0
