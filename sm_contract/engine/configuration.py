"""A container in the engine's own words."""

from __future__ import annotations

from typing import Any

from sm_contract.engine.protocol import ContainerSpec

PODMAN_LIMIT = 65536


def configuration(spec: ContainerSpec, labels: dict[str, str], *, publish: bool, podman: bool) -> dict[str, Any]:
    """The engine's own form of a spec: as the platform would have it, nothing of this machine added.

    Written out and not made by docker-py's helpers, which add the client's proxy settings.
    """
    host: dict[str, Any] = {
        "NetworkMode": spec.network.name,
        "ShmSize": spec.shm,
        "Init": False,
        "Privileged": spec.privileged,
        "CapAdd": list(spec.capabilities),
        "CapDrop": ["ALL"] if spec.dropped else [],
        "SecurityOpt": [
            *([] if spec.seccomp else ["seccomp=unconfined"]),
            *(["no-new-privileges"] if spec.dropped else []),
        ],
        "ReadonlyRootfs": spec.read_only_root,
        "Devices": [{"PathOnHost": d, "PathInContainer": d, "CgroupPermissions": "rwm"} for d in spec.devices],
        "ExtraHosts": [f"{name}:{address}" for name, address in spec.hosts.items()],
        "Dns": list(spec.dns),
        "LogConfig": {
            "Type": "json-file",
            "Config": {"max-size": f"{max(spec.log_bytes // 1024, 64)}k", "max-file": "1"},
        },
        "Mounts": [
            {
                "Type": "volume",
                "Source": mount.volume.name,
                "Target": mount.target,
                "ReadOnly": mount.read_only,
                # A fresh volume is otherwise filled with what the image holds there, and passes for output.
                "VolumeOptions": {"NoCopy": True},
            }
            for mount in spec.mounts
        ],
    }
    if spec.memory:
        host |= {"Memory": spec.memory, "MemorySwap": spec.memory}
    if spec.processes:
        host["PidsLimit"] = spec.processes
    if spec.read_only_root:
        host["Tmpfs"] = {"/tmp": ""}
    limits = _podman_limits() if podman else {}  # its own defaults can exceed the machine's hard limits
    if spec.open_files:
        limits["nofile"] = spec.open_files
    if limits:
        host["Ulimits"] = [{"Name": name, "Soft": most, "Hard": most} for name, most in limits.items()]
    config: dict[str, Any] = {
        "Image": spec.image,
        "Env": [f"{name}={value}" for name, value in spec.environment.items()],
        "Labels": labels,
        "Tty": spec.terminal,
        "OpenStdin": spec.terminal,
        "HostConfig": host,
    }
    if spec.command is not None:
        config["Cmd"] = list(spec.command)
    if spec.user:
        config["User"] = spec.user
    if not spec.healthcheck:
        config["Healthcheck"] = {"Test": ["NONE"]}
    if spec.hostname:
        config["Hostname"] = spec.hostname
    if spec.network.kind != "none":
        config["NetworkingConfig"] = {"EndpointsConfig": {spec.network.name: {"Aliases": list(spec.aliases)}}}
        if publish and spec.ports:
            config["ExposedPorts"] = {f"{port}/tcp": {} for port in spec.ports}
            host["PortBindings"] = {f"{p}/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}] for p in spec.ports}
    return config


def _podman_limits() -> dict[str, int]:
    try:
        import resource  # noqa: PLC0415  # not on Windows
    except ImportError:
        return {"nofile": PODMAN_LIMIT, "nproc": PODMAN_LIMIT}
    hard = {
        "nofile": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        "nproc": resource.getrlimit(resource.RLIMIT_NPROC)[1],
    }
    return {name: PODMAN_LIMIT if most < 0 else min(most, PODMAN_LIMIT) for name, most in hard.items()}
