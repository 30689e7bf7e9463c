"""The options of ``docker create`` that make a container as its spec has it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from shlex import quote

from sm_contract.engine.protocol import SHM, ContainerSpec, Mount


def options(spec: ContainerSpec) -> list[str]:
    """The options, each as it stands in a shell script."""
    return [option for make in _OPTIONS.values() for option in make(spec)]


def volumes(spec: ContainerSpec) -> dict[str, Mount]:
    """The volumes by a short name each, as it is part of the volume's own name in a script."""
    named: dict[str, Mount] = {}
    for mount in spec.mounts:
        plain = re.sub(r"[^a-z0-9]", "", PurePosixPath(mount.target).name.lower()) or "volume"
        named[plain if plain not in named else f"{plain}{len(named)}"] = mount
    return named


def _mounts(spec: ContainerSpec) -> Iterator[str]:
    for name, mount in volumes(spec).items():
        fields = [f"target={mount.target}", "volume-nocopy", *(["readonly"] if mount.read_only else [])]
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(fields)  # as the command reads it
        yield f'--mount type=volume,source="$name-{name}",{quote(line.getvalue())}'


def _network(spec: ContainerSpec) -> Iterator[str]:
    yield "--network none" if spec.network.kind == "none" else '--network "$name"'


def _nothing(spec: ContainerSpec) -> Iterator[str]:
    yield from ()


_OPTIONS: dict[str, Callable[[ContainerSpec], Iterator[str]]] = {  # every field of a spec has its line
    "image": _nothing,  # stands behind the options
    "command": _nothing,
    "purpose": _nothing,
    "network": _network,
    "aliases": lambda spec: (f"--network-alias {quote(name)}" for name in spec.aliases),
    "hostname": lambda spec: iter([f"--hostname {quote(spec.hostname)}"] if spec.hostname else []),
    "hosts": lambda spec: (f"--add-host {quote(f'{name}:{at}')}" for name, at in spec.hosts.items()),
    "dns": lambda spec: (f"--dns {quote(server)}" for server in spec.dns),
    "environment": lambda spec: (f"--env {quote(f'{name}={value}')}" for name, value in spec.environment.items()),
    "mounts": _mounts,
    "terminal": lambda spec: iter(["--tty --interactive"] if spec.terminal else []),
    "capabilities": lambda spec: (f"--cap-add {quote(name)}" for name in spec.capabilities),
    "devices": lambda spec: (f"--device {quote(device)}" for device in spec.devices),
    "seccomp": lambda spec: iter([] if spec.seccomp else ["--security-opt seccomp=unconfined"]),
    "shm": lambda spec: iter([] if spec.shm == SHM else [f"--shm-size {spec.shm}"]),
    "privileged": lambda spec: iter(["--privileged"] if spec.privileged else []),
    "dropped": lambda spec: iter(["--cap-drop ALL --security-opt no-new-privileges"] if spec.dropped else []),
    "read_only_root": lambda spec: iter(["--read-only --tmpfs /tmp"] if spec.read_only_root else []),
    "user": lambda spec: iter([f"--user {quote(spec.user)}"] if spec.user else []),
    "open_files": lambda spec: iter([f"--ulimit nofile={spec.open_files}"] if spec.open_files else []),
    "healthcheck": lambda spec: iter([] if spec.healthcheck else ["--no-healthcheck"]),
    "memory": lambda spec: iter([f"--memory {spec.memory} --memory-swap {spec.memory}"] if spec.memory else []),
    "processes": lambda spec: iter([f"--pids-limit {spec.processes}"] if spec.processes else []),
    "log_bytes": lambda spec: iter([f"--log-driver json-file --log-opt max-size={max(spec.log_bytes // 1024, 64)}k"]),
    "ports": lambda spec: (f"--publish 127.0.0.1::{port}" for port in spec.ports if spec.network.published),
}
