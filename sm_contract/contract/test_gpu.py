"""CUDA in an image: what it must leave to the host, what it has to bring, and how it finds it."""

from __future__ import annotations

import re

from sm_contract.contract.programs import CUDA_LABEL, images
from sm_contract.record import GpuFacts, ImageFacts, Record
from sm_contract.requirements import requirement
from sm_contract.verdict import Blocked, NotApplicable, NotTestable, Violation

_ON_CONDITION = (
    "in the entry script compare the driver's version (/proc/driver/nvidia/version) with the one the folder is for "
    "(its libcuda.so.*), and only if it is older: export LD_LIBRARY_PATH={}:$LD_LIBRARY_PATH"
)


@requirement("SM-IMAGE-GPU-01")
def test_no_nvidia_driver(record: Record) -> None:
    """The image holds no NVIDIA driver: the host's is mounted in."""
    for image, gpu in _gpus(record):
        if gpu.drivers:
            raise Violation(
                expected="no file of the NVIDIA driver: each host mounts its own, and two of them do not work together",
                observed=f"{image.reference} holds {_listed(gpu.drivers)}",
                fix="leave driver packages out (nvidia-driver-*, libnvidia-compute-*, nvidia-utils-*): the CUDA "
                "toolkit's packages are enough, such as cuda-libraries-12-4",
                evidence=list(gpu.drivers),
            )


@requirement("SM-IMAGE-GPU-02")
def test_cuda_runtime(record: Record) -> None:
    """The image holds the CUDA runtime, or its framework's own copy."""
    for image, gpu in _gpus(record):
        if not gpu.runtimes:
            raise Violation(
                expected="libcudart.so in the image: the host brings the driver and nothing else of CUDA",
                observed=f"there is none in {image.reference}, though it is meant for GPUs ({_listed(gpu.signs)})",
                fix="build it from nvidia/cuda:…-runtime, or install the framework with its CUDA packages; if it needs "
                "no GPU, take those settings out",
                evidence=list(gpu.signs),
            )


@requirement("SM-IMAGE-GPU-03", hidden_by=["SM-INFER-GPU-03"])
def test_compat_libraries_are_found_on_condition(record: Record) -> None:
    """An image with libraries of CUDA forward compatibility puts them on the loader's path itself, on condition."""
    for image, gpu in _with_compat(record):
        if gpu.always:
            raise Blocked("SM-INFER-GPU-03")
        if not gpu.on_condition and not gpu.entry_texts:
            raise NotTestable(
                "needs a look into the entry program, which is no script: does it set the path on condition?"
            )
        if not gpu.on_condition:
            raise Violation(
                expected="an entry script that puts the compatibility libraries on LD_LIBRARY_PATH where the host's "
                "driver is older than the image's CUDA: nothing else does",
                observed=f"{image.reference} holds {_listed(gpu.compat)}, and its entry point does not speak of it",
                fix=_ON_CONDITION.format(gpu.compat[0]) + "; or remove the package cuda-compat",
                evidence=list(gpu.compat),
            )


@requirement("SM-INFER-GPU-03")
def test_compat_libraries_are_not_always_on(record: Record) -> None:
    """The libraries of CUDA forward compatibility are not on the loader's path of every host."""
    for image, gpu in _with_compat(record):
        if gpu.always:
            raise Violation(
                expected="compatibility libraries used only where the host's driver is older than the image's CUDA",
                observed=f"{image.reference} uses them everywhere, under a newer driver too: {_listed(gpu.always)}",
                fix=f"take that out; {_ON_CONDITION.format(gpu.compat[0])}",
                evidence=list(gpu.always),
            )


@requirement("SM-IMAGE-GPU-04")
def test_works_under_the_nvidia_runtime(record: Record) -> None:
    """The image works with GPUs."""
    _gpus(record)
    raise NotTestable(
        "needs an NVIDIA GPU, which this suite does not drive yet: try it on a GPU instance, and name SM-IMAGE-GPU-04 "
        "in accept_not_testable"
    )


@requirement("SM-IMAGE-LABEL-02")
def test_verified_cuda_versions(record: Record) -> None:
    """The label of verified CUDA versions, if there is one, lists versions."""
    values = [image.labels[CUDA_LABEL] for image in images(record) if CUDA_LABEL in image.labels]
    if not values:
        raise NotApplicable(f"it has no label {CUDA_LABEL}")
    for value in values:
        if not re.fullmatch(r"\d+\.\d+(,\d+\.\d+)*", value):
            raise Violation(
                expected="CUDA versions with a comma between them, such as 12.4,12.6",
                observed=f"LABEL {CUDA_LABEL} is {value!r}",
                fix=f"list the versions the image was tried with: LABEL {CUDA_LABEL}=12.4",
                evidence=[f"image config: LABEL {CUDA_LABEL}={value}"],
            )


def _gpus(record: Record) -> list[tuple[ImageFacts, GpuFacts]]:
    """The images in which something speaks of CUDA."""
    for image in images(record):
        if image.unreadable:
            raise NotTestable(f"its files could not be read: {image.unreadable}")
    found = [(image, image.gpu) for image in images(record) if image.gpu is not None]
    if not found:
        raise NotApplicable("nothing in it speaks of CUDA")
    return found


def _with_compat(record: Record) -> list[tuple[ImageFacts, GpuFacts]]:
    found = [(image, gpu) for image, gpu in _gpus(record) if gpu.compat]
    if not found:
        raise NotApplicable("it holds no libraries of CUDA forward compatibility")
    return found


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
