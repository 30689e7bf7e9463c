"""Finding the engine, quickly, and saying clearly why there is none."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import socket
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from docker.errors import APIError

from sm_contract.engine.capabilities import withheld
from sm_contract.engine.link import PING_SECONDS, TRANSPORT, Address, Link, says
from sm_contract.engine.protocol import EngineFacts, EngineMissing

if TYPE_CHECKING:
    from sm_contract.engine.docker import DockerEngine

NEWEST_API = (1, 47)  # what this was written against; the engine's own if older
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64", "armv7l": "arm"}
QEMU = {"qemu-aarch64": "arm64", "qemu-x86_64": "amd64", "qemu-arm": "arm", "rosetta": "amd64"}
OUT = "Start one (`systemctl start docker`, or Docker Desktop), or name it with --sm-engine URL or DOCKER_HOST"


def open_engine(url: str | None, *, deadline_seconds: float, keep: bool = False) -> DockerEngine:
    """Connect, sweep what dead runs left, and start this run's watchdog. Raises EngineMissing.

    ``deadline_seconds`` is the run's own upper limit: after it, anybody's sweep may remove what is left.
    With ``keep`` nothing is removed before close(), which leaves what ``leave`` says until then.
    The watchdog inherits standard error as it is now: call this while nothing captures it.
    """
    from sm_contract.engine.docker import DockerEngine  # noqa: PLC0415  # docker imports this module's facts

    link, facts = connect(find(url))
    return DockerEngine(link, facts, deadline_seconds=deadline_seconds, keep=keep)


# --- where --------------------------------------------------------------------------------------------


def find(url: str | None) -> Address:
    """The address of the engine to use, in the order of the docker command."""
    if url:
        return _with_tls(Address(_normal(url), "--sm-engine"))
    if host := os.environ.get("DOCKER_HOST"):
        return _with_tls(Address(_normal(host), "DOCKER_HOST"))
    home = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    context = os.environ.get("DOCKER_CONTEXT") or _current_context(home)
    if context and context != "default":
        return _of_context(home, context)
    tried = _sockets()
    return next((a for a in tried if os.path.exists(a.socket_path)), tried[0])


def _sockets() -> list[Address]:
    if sys.platform == "win32":
        return [Address("npipe:////./pipe/docker_engine", "the default pipe")]
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    paths = {
        "/var/run/docker.sock": "the default socket",
        f"{runtime}/docker.sock": "the rootless docker socket",
        f"{Path.home()}/.docker/run/docker.sock": "Docker Desktop's socket",
        "/run/podman/podman.sock": "podman's socket",
        f"{runtime}/podman/podman.sock": "the rootless podman socket",
    }
    return [Address(f"unix://{path}", source) for path, source in paths.items()]


def _normal(url: str) -> str:
    url = url.strip()
    if url.startswith("/"):
        return f"unix://{url}"
    scheme, separator, rest = url.partition("://")
    if not separator:
        return f"tcp://{url}"
    if scheme not in ("unix", "tcp", "http", "https", "ssh", "npipe") or not rest:
        raise EngineMissing(f"{url!r} is no engine URL: unix:///path, tcp://host:port, https://host:port or ssh://host")
    return url


def _with_tls(address: Address) -> Address:
    """The TLS settings of docker's environment variables, for an address over TCP."""
    verify = bool(os.environ.get("DOCKER_TLS_VERIFY"))
    if not address.url.startswith("https://") and not (address.url.startswith("tcp://") and verify):
        return address
    folder = Path(os.environ.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
    return _certified(replace(address, tls=True, verify=verify), folder)


def _certified(address: Address, folder: Path) -> Address:
    files = {name: str(folder / f"{name}.pem") for name in ("ca", "cert", "key") if (folder / f"{name}.pem").exists()}
    return replace(address, **files)  # type: ignore[arg-type]


def _current_context(home: Path) -> str:
    try:
        return str(json.loads((home / "config.json").read_text()).get("currentContext") or "")
    except (OSError, ValueError, AttributeError):
        return ""


def _of_context(home: Path, name: str) -> Address:
    digest = hashlib.sha256(name.encode()).hexdigest()
    source = f"docker context {name!r}"
    try:
        meta: dict[str, Any] = json.loads((home / "contexts" / "meta" / digest / "meta.json").read_text())
        endpoint = meta["Endpoints"]["docker"]
        host = str(endpoint["Host"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineMissing(
            f"{source} cannot be read ({type(error).__name__}: {error}). See `docker context ls`, "
            "choose one with DOCKER_CONTEXT, or name the engine with --sm-engine URL"
        ) from error
    address = Address(_normal(host), source, verify=not endpoint.get("SkipTLSVerify", False))
    certificates = home / "contexts" / "tls" / digest / "docker"
    if certificates.is_dir() and address.url.startswith(("tcp://", "https://")):
        address = _certified(replace(address, tls=True), certificates)
    return address


# --- whether ------------------------------------------------------------------------------------------


def connect(address: Address) -> tuple[Link, EngineFacts]:
    """Ask the engine who it is. Raises EngineMissing with what was tried and the way out."""
    _knock(address)
    try:
        probe = address.client(PING_SECONDS)
        version = probe.version(api_version=False)
        newest = min(NEWEST_API, tuple(int(part) for part in str(version["ApiVersion"]).split(".")[:2]))
        api = ".".join(str(part) for part in newest)
        info = address.client(PING_SECONDS, api).info()
    except APIError as error:
        raise EngineMissing(f"{_place(address)} refuses us: {says(error)}. {OUT}") from error
    except (*TRANSPORT, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        words = str(error)
        if "timed out" in words.lower():
            words = f"no answer within {PING_SECONDS:.0f} s"
        raise EngineMissing(f"{_place(address)} does not answer as a container engine: {words}. {OUT}") from error
    link = Link(address, api, str(info.get("DockerRootDir") or ""))
    return link, _facts(address, version, info)


def _place(address: Address) -> str:
    return f"the container engine at {address.url} (from {address.source})"


def _knock(address: Address) -> None:
    """Open the socket first: its errors are exact where the HTTP stack's are not, and it never hangs."""
    if address.socket_path:
        family, target, timeout = socket.AF_UNIX, address.socket_path, PING_SECONDS
    elif address.url.startswith(("tcp://", "http://", "https://")):
        parts = urlsplit(address.url)
        target = (parts.hostname or "", parts.port or (2376 if address.tls else 2375))  # type: ignore[assignment]
        family, timeout = socket.AF_INET, PING_SECONDS
    else:
        return
    try:
        if family == socket.AF_INET:
            socket.create_connection(target, timeout).close()  # type: ignore[arg-type]
            return
        with socket.socket(family, socket.SOCK_STREAM) as knock:
            knock.settimeout(timeout)
            knock.connect(target)
    except OSError as error:
        raise EngineMissing(_why(address, error)) from error


def _why(address: Address, error: OSError) -> str:
    place = f"no container engine at {address.url} (from {address.source})"
    if error.errno in (errno.EACCES, errno.EPERM):
        return (
            f"no permission for the engine's socket {address.socket_path or address.url} (from {address.source}). "
            "Run as root, join the group that owns it (`sudo usermod -aG docker $USER`, then log in again), "
            "or name another engine with --sm-engine URL or DOCKER_HOST"
        )
    if error.errno == errno.ENOENT:
        others = [a.socket_path for a in _sockets()[1:]] if address.source == "the default socket" else []
        also = f", nor at {', '.join(others)}" if others else ""
        return f"{place}: there is no such socket{also}. {OUT}"
    if error.errno == errno.ECONNREFUSED:
        return f"{place}: refused, nothing listens there. {OUT}"
    if isinstance(error, TimeoutError):
        return f"{place}: no answer within {PING_SECONDS:.0f} s. {OUT}"
    return f"{place}: {error.strerror or error}. {OUT}"


def _facts(address: Address, version: dict[str, Any], info: dict[str, Any]) -> EngineFacts:
    components = " ".join(str(c.get("Name", "")) for c in version.get("Components") or [])
    architecture = str(version.get("Arch") or info.get("Architecture") or "")
    architecture = ARCHITECTURES.get(architecture, architecture)
    local = bool(address.socket_path) and same_kernel(info)
    return EngineFacts(
        name="podman" if "podman" in components.lower() else "docker",
        version=str(version.get("Version", "")),
        os=str(version.get("Os") or info.get("OSType") or "linux"),
        architecture=architecture,
        cpus=int(info.get("NCPU") or 0),
        memory=int(info.get("MemTotal") or 0),
        url=address.url,
        local=local,
        emulates=emulated_beside(architecture, info, local),
        withheld=withheld() if local else frozenset(),
    )


def same_kernel(info: dict[str, Any]) -> bool:
    """Whether the engine's containers run on the kernel this process runs on, as far as the engine says."""
    return sys.platform == "linux" and info.get("KernelVersion") == os.uname().release


def emulated_beside(architecture: str, info: dict[str, Any], local: bool) -> tuple[str, ...]:
    """Foreign architectures that run by emulation: what the kernel has registered, what Docker Desktop brings."""
    found: set[str] = set()
    if local:
        try:
            registered = os.listdir("/proc/sys/fs/binfmt_misc")
        except OSError:
            registered = []
        found = {name for entry, name in QEMU.items() if entry in registered}
    elif "docker desktop" in str(info.get("OperatingSystem", "")).lower():
        found = {"amd64", "arm64"}
    return tuple(sorted(found - {architecture}))
