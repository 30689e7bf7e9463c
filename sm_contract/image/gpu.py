"""What speaks of CUDA in an image: the driver it must not hold, the runtime it needs, the compatibility libraries.

Only an image with a sign of CUDA is read through to its last file: a big one takes the engine minutes.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sm_contract.engine.protocol import FileSystem
from sm_contract.image.entry import search_path, workdir
from sm_contract.image.knows import entry_texts
from sm_contract.image.loose import strings
from sm_contract.record import GpuFacts, Program

_SETTING = re.compile(r"CUDA_VERSION|NVIDIA_(VISIBLE_DEVICES|DRIVER_CAPABILITIES|REQUIRE_\w+)")
_LIBRARIES = ("/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib")
_PLACES = (
    "/usr/local/cuda",
    "/usr/local/nvidia",
    "/usr/bin/nvidia-smi",
    *(f"{folder}/{name}" for folder in _LIBRARIES for name in ("libcuda.so.1", "libnvidia-ml.so.1", "libcudart.so")),
)
_PACKAGES = (  # of Python, below a folder for packages
    "nvidia/cuda_runtime",
    "torch/lib/libtorch_cuda.so",
    "onnxruntime/capi/libonnxruntime_providers_cuda.so",
)
_DRIVER = re.compile(r"(libcuda|libnvidia-ml)\.so\.\d+(\.\d+)+|nvidia-smi|nvidia(-\w+)?\.ko(\.\w+)?")
_DRIVER_PACKAGE = re.compile(
    r"/var/lib/dpkg/info/(cuda-drivers|nvidia-(driver|kernel|utils|dkms)|libnvidia-compute)[^/]*\.list"
)
_COMMENT = re.compile(r"^\s*#.*$", re.MULTILINE)
_IF = re.compile(r"\b(if|elif|case|test|when|unless)\b|\[|&&|\|\||\?")  # of whatever language: something is asked
_LOADER = re.compile(r"LD_LIBRARY_PATH|ldconfig|ld\.so")
_COMPAT = re.compile(r"/(cuda-)?compat(?![\w-])")
_BESIDE_THE_DRIVER = re.compile(r"/(stubs|[\w-]*compat)/")
_LISTED = 20  # of each kind
_CONFIGURATION = 65536  # bytes of a file of the loader's


def look(
    fs: FileSystem, config: Mapping[str, Any], programs: Iterable[Program], *, declared: bool = False
) -> GpuFacts | None:
    """What speaks of CUDA in an image; None if nothing does. ``config`` is the config's inner part."""
    env = strings(config.get("Env"))
    signs = (*(['features = ["gpu"]'] if declared else []), *_settings(env), *_places(fs, env))
    if not signs:
        return None
    found: dict[str, list[str]] = {"driver": [], "runtime": [], "compat": []}
    for fact in fs.every():
        if fact.kind == "file" and fact.size:  # the container runtime leaves empty files where it mounts the driver
            kind, path = _kind_of(fact.path)
            if kind and path not in found[kind] and len(found[kind]) < _LISTED:
                found[kind].append(path)
    texts = [text for one in programs for text in _texts(fs, one, workdir(config)).items()]
    bare = {path: _COMMENT.sub("", text) for path, text in texts}
    loading = {path: text for path, text in bare.items() if _COMPAT.search(text) and _LOADER.search(text)}
    asking = [
        path
        for path, text in loading.items()
        if _IF.search(text) or any(path in other and _IF.search(other) for other in bare.values())
    ]
    return GpuFacts(
        signs=signs[:_LISTED],
        drivers=tuple(found["driver"]),
        runtimes=tuple(found["runtime"]),
        compat=tuple(found["compat"]),
        always=(*_always(fs, env), *(f"{path}, on no condition" for path in loading if path not in asking)),
        on_condition=next(iter(asking), ""),
        entry_texts=len(texts),
    )


def _settings(env: Sequence[str]) -> Iterator[str]:
    for setting in env:
        name, _, value = setting.partition("=")
        if _SETTING.fullmatch(name) and value not in ("", "void", "none"):
            yield f"ENV {name}={value[:40]}"


def _places(fs: FileSystem, env: tuple[str, ...]) -> Iterator[str]:
    below = [f"{folder}/{package}" for folder in _package_folders(fs, env) for package in _PACKAGES]
    return (place for place in (*_PLACES, *below) if fs.stat(place) is not None)


def _package_folders(fs: FileSystem, env: tuple[str, ...]) -> Iterator[str]:
    """Where the Pythons on PATH look for packages."""
    for setting in env:
        if setting.startswith("PYTHONPATH="):
            yield from (folder for folder in setting.partition("=")[2].split(":") if folder)
    roots = [posixpath.dirname(folder) for folder in search_path(env) if posixpath.basename(folder) == "bin"]
    found = {root: fs.stat(f"{root}/bin/python3") for root in dict.fromkeys(roots)}
    versions = {match[0] for fact in found.values() if fact and (match := re.search(r"python3\.\d+$", fact.real_path))}
    for root in found:
        for version in sorted(versions):
            yield from (f"{root}/lib/{version}/{folder}" for folder in ("site-packages", "dist-packages"))


def _kind_of(path: str) -> tuple[str, str]:
    """What a file is to us, and the name to list it under; ("", "") for all but a few."""
    folder, name = posixpath.split(path)
    if name.startswith("libcudart") and ".so" in name:
        return "runtime", path
    if name.startswith("libcuda.so.") and _COMPAT.search(folder):
        return "compat", folder
    if _DRIVER_PACKAGE.fullmatch(path) or (_DRIVER.fullmatch(name) and not _BESIDE_THE_DRIVER.search(path)):
        return "driver", path
    return "", ""


def _always(fs: FileSystem, env: Sequence[str]) -> Iterator[str]:
    """The settings that put a folder of compatibility libraries on the loader's path, wherever it runs."""

    def there(folder: str) -> bool:
        fact = fs.stat(folder) if folder.startswith("/") and _COMPAT.search(folder) else None
        return fact is not None and fact.kind == "directory"

    for setting in env:
        name, _, value = setting.partition("=")
        if name == "LD_LIBRARY_PATH" and any(there(folder) for folder in value.split(":")):
            yield f"ENV {setting}"
    for path in ("/etc/ld.so.conf", *(fact.path for fact in fs.walk("/etc/ld.so.conf.d"))):
        text = (fs.read(path, _CONFIGURATION) or b"").decode("utf-8", "replace")
        yield from (f"{path}: {line.strip()}" for line in text.splitlines() if there(line.strip()))


def _texts(fs: FileSystem, program: Program, workdir: str) -> dict[str, str]:
    script = program.file if program.form in ("script", "other") else None
    return entry_texts(fs, program.argv, script, workdir)
