"""CUDA in an image."""

from __future__ import annotations

from dataclasses import replace

from mutations import Mutation, image
from sm_contract.record import GpuFacts

CUDA = "/usr/local/cuda-12.4"
DRIVER = "/usr/lib/x86_64-linux-gnu/libcuda.so.550.54.15"
LABEL = "com.amazonaws.sagemaker.inference.cuda.verified_versions"
GPU = GpuFacts(signs=("ENV CUDA_VERSION=12.4.1",), runtimes=(f"{CUDA}/lib64/libcudart.so.12.4.127",), entry_texts=2)
COMPAT = replace(GPU, compat=(f"{CUDA}/compat",))


def _gpu(facts: GpuFacts, **fields: object) -> object:
    return image(gpu=replace(facts, **fields))


BREAKS = {
    "SM-IMAGE-GPU-01": [
        Mutation("its library", _gpu(GPU, drivers=(DRIVER,))),
        Mutation(
            "nothing but its program", _gpu(GPU, drivers=("/usr/bin/nvidia-smi",), signs=("/usr/bin/nvidia-smi",))
        ),
    ],
    "SM-IMAGE-GPU-02": [
        Mutation("taken out", _gpu(GPU, runtimes=())),
        Mutation("declared and never put in", _gpu(GPU, runtimes=(), signs=('features = ["gpu"]',))),
    ],
    "SM-IMAGE-GPU-03": [
        Mutation("nobody loads them", _gpu(COMPAT)),
        Mutation("of two versions", _gpu(COMPAT, compat=(f"{CUDA}/compat", "/usr/local/cuda-12.6/compat"))),
    ],
    "SM-INFER-GPU-03": [
        Mutation("by ENV", _gpu(COMPAT, always=("ENV LD_LIBRARY_PATH=/usr/local/cuda/compat:/usr/local/lib",))),
        Mutation(
            "by the loader, and by the entry script too",
            _gpu(COMPAT, always=("/etc/ld.so.conf.d/cuda.conf: /usr/local/cuda/compat",), on_condition="/opt/start"),
        ),
    ],
    "SM-IMAGE-LABEL-02": [
        Mutation("a word", image(labels={LABEL: "latest"})),
        Mutation("no minor version", image(labels={LABEL: "12"})),
    ],
}

KEEPS = {
    "SM-IMAGE-GPU-01": [Mutation("none", _gpu(GPU))],
    "SM-IMAGE-GPU-02": [
        Mutation("the framework's own", _gpu(GPU, runtimes=("/opt/torch/lib/libcudart-d0da41ae.so.11.0",))),
    ],
    "SM-IMAGE-GPU-03": [Mutation("the entry script does", _gpu(COMPAT, on_condition="/opt/program/start"))],
    "SM-INFER-GPU-03": [Mutation("on condition", _gpu(COMPAT, on_condition="/opt/program/start"))],
    "SM-IMAGE-LABEL-02": [Mutation("several", image(labels={LABEL: "12.4,12.6,13.0"}))],
}
