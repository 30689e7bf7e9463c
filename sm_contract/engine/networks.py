"""The networks of a session, and whether a container's address on them can be reached from here."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any

from docker.errors import APIError

from sm_contract.engine.link import Link, says
from sm_contract.engine.protocol import EngineError, Network

if TYPE_CHECKING:
    from sm_contract.engine.docker import DockerEngine

NO_WAY_OUT = "com.docker.network.bridge.enable_ip_masquerade"


def is_ours(address: str) -> bool:
    """Whether an address belongs to this network namespace: then so does the bridge behind it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.bind((address, 0))
    except OSError:
        return False
    return True


class Networks:
    """One network a kind, made when first asked for.

    Where the bridge is not ours (Docker Desktop, rootless, an engine elsewhere) endpoints need a published
    port, and an internal network has none: a bridge without masquerading stands in for it.
    """

    def __init__(self, engine: DockerEngine) -> None:
        self._engine = engine
        self._link: Link = engine.link
        self._made: dict[str, Network] = {}
        self._lock = threading.RLock()
        self.published = False

    def get(self, kind: str) -> Network:
        if kind == "none":
            return Network(kind="none", name="none")
        if kind not in ("internal", "ordinary"):
            raise ValueError(f"no such kind of network: {kind}")
        with self._lock:
            if kind not in self._made:
                self._made[kind] = self._make(kind)
            return self._made[kind]

    def _make(self, kind: str) -> Network:
        internal = kind == "internal" and not self.published
        name, gateway, bridge = self._create(kind, internal=internal)
        if not self.published and not is_ours(gateway):
            self.published = True
            if internal:
                with contextlib.suppress(EngineError), self._link.ask(f"to remove {name}") as api:
                    api.remove_network(name)
                self._engine.gone(name)
                name, gateway, bridge = self._create(kind, internal=False)
        bridge = "" if self.published else bridge
        return Network(kind=kind, name=name, gateway=gateway, published=self.published, bridge=bridge)

    def _create(self, kind: str, *, internal: bool) -> tuple[str, str, str]:
        """Its name, the address of its gateway, and the interface of its bridge where this machine has that."""
        name = self._engine.session.name(kind)
        options = {NO_WAY_OUT: "false"} if kind == "internal" and not internal else None
        try:
            with self._engine.making("network", name), self._link.calls(f"making the network {name}") as api:
                api.create_network(
                    name, driver="bridge", internal=internal, options=options, labels=self._engine.session.labels(kind)
                )
                found: dict[str, Any] = api.inspect_network(name)
        except APIError as error:
            advice = ""
            if "pool" in says(error):
                advice = ". All its address ranges are taken: `docker network prune` frees those nobody uses"
            raise EngineError(f"the engine could not make a network: {says(error)}{advice}") from error
        ranges = (found.get("IPAM") or {}).get("Config") or [{}]
        bridge = f"br-{str(found.get('Id', ''))[:12]}"  # the engine's own rule
        there = bridge in (each for _, each in socket.if_nameindex())
        return name, str(ranges[0].get("Gateway") or "").partition("/")[0], bridge if there else ""
