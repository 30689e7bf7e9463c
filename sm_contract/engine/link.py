"""The line to one engine: where it is, its clients, and the one place where its failures become ours."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import threading
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import docker
import requests
import urllib3
from docker.errors import APIError, DockerException
from docker.tls import TLSConfig

from sm_contract.engine.protocol import EngineError, EngineFull, EngineLost

CALL_SECONDS = 120.0  # the longest a call may be silent; a commit of gigabytes is slow
PING_SECONDS = 3.0
ROOM = 1 << 20  # bytes; with less a disk is full
FULL = ("no space left on device", "disk quota exceeded", "not enough space")

# docker-py's APIClient; its stubs leave half of the calls untyped, which strict checking would refuse one by one.
Client = Any

# APIError derives from two of these: catch it first.
TRANSPORT = (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, DockerException)


@dataclass(frozen=True)
class Address:
    """Where an engine listens, and who said so."""

    url: str
    source: str = ""  # "--sm-engine", "DOCKER_HOST", "docker context 'ci'", "the default socket"
    ca: str = ""
    cert: str = ""
    key: str = ""
    tls: bool = False
    verify: bool = True

    def client(self, timeout: float | None, version: str | None = None) -> Client:
        """A client of this address; without a version it asks the engine for one."""
        tls: TLSConfig | bool = False
        if self.tls:
            pair = (self.cert, self.key) if self.cert and self.key else None
            tls = TLSConfig(client_cert=pair, ca_cert=self.ca or None, verify=self.verify)
        client = docker.APIClient(
            base_url=self.url,
            version=version or "1.40",  # any that may be built without a question to the engine
            timeout=timeout,  # type: ignore[arg-type]  # None is docker-py's "never", the stubs say int
            tls=tls,
            use_ssh_client=self.url.startswith("ssh://"),
        )
        # The environment's proxies are meant for the internet: requests would send tcp://127.0.0.1 there too.
        client.trust_env = False
        return client

    @property
    def socket_path(self) -> str:
        """The path of a Unix socket; empty for any other kind of address."""
        return self.url[len("unix://") :] if self.url.startswith("unix://") else ""

    def dump(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def parse(text: str) -> Address:
        return Address(**json.loads(text))


def says(error: APIError) -> str:
    """The engine's own words."""
    return str(error.explanation or error).strip()


class Source:
    """A body to be streamed to the engine, which remembers its own failure (requests would call it the engine's)."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self.error: BaseException | None = None

    def __iter__(self) -> Iterator[bytes]:
        try:
            for chunk in self._chunks:
                if chunk:  # an empty chunk would end a chunked body
                    yield chunk
        except GeneratorExit:
            raise
        except BaseException as error:
            self.error = error
            raise


class Link:
    """The clients of one engine; once lost, always lost: what ran there died or went on unseen."""

    def __init__(self, address: Address, version: str, data_disk: str = "") -> None:
        self.address = address
        self.version = version
        self.data_disk = data_disk
        self.api = address.client(CALL_SECONDS, version)
        self.patient = address.client(None, version)  # for what blocks by design: waits, attached streams
        self.lost = ""
        self.on_loss = threading.Event()

    @contextlib.contextmanager
    def calls(self, doing: str, source: Source | None = None) -> Iterator[Client]:
        """Around every call: transport failures become EngineLost, a full disk EngineFull; APIError goes through."""
        self.check()
        try:
            yield self.api
        except APIError as error:
            self.check_full(says(error))
            raise
        except TRANSPORT as error:
            if source is not None and source.error is not None:
                raise source.error from None
            raise self.broke(doing, error) from error

    @contextlib.contextmanager
    def ask(self, doing: str) -> Iterator[Client]:
        """Calls whose refusal can only be ours or the engine's fault: EngineError with the engine's words."""
        try:
            with self.calls(doing) as api:
                yield api
        except APIError as error:
            raise EngineError(f"the engine refused {doing}: {says(error)}") from error

    def check(self) -> None:
        """Raise EngineLost if the engine was lost before."""
        if self.lost:
            raise EngineLost(self.lost)

    def check_full(self, words: str) -> None:
        """Raise EngineFull if the engine's words say so."""
        if any(text in words.lower() for text in FULL):
            disk = f" ({self.data_disk})" if self.data_disk else ""
            raise EngineFull(
                f"the data disk{disk} of the engine at {self.address.url} is full: {words}. "
                "Free some space there (`docker system df` shows what takes it) and run again"
            )

    def check_room(self) -> None:
        """Raise EngineFull if nothing more can be written to the data disk. It has to be a disk of this machine."""
        try:
            disk = os.statvfs(self.data_disk)
        except OSError:  # not for us to see
            return
        room = disk.f_bavail * disk.f_frsize
        if disk.f_blocks and room < ROOM:
            self.check_full(f"{FULL[0]}, {room >> 10} KB are left")
        if disk.f_files and not disk.f_favail:
            self.check_full(f"{FULL[0]} for one more file")

    def alive(self) -> bool:
        """Whether the engine answers at all."""
        try:
            return self.address.client(PING_SECONDS, self.version).ping() is not None
        except (*TRANSPORT, OSError):
            return False

    def broke(self, doing: str, error: BaseException) -> EngineError:
        """What a failure of the transport means: one call that broke off, or the engine itself lost."""
        if not self.lost and self.alive():
            return EngineError(f"the engine at {self.address.url} broke off {doing}: {error}")
        return self.lose(doing, error)

    def lose(self, doing: str, error: BaseException | str) -> EngineLost:
        """Mark the engine as lost, for every call from now on."""
        if not self.lost:
            self.lost = (
                f"the engine at {self.address.url} was lost while {doing}: {error}. "
                "See whether it still runs (`docker version`) and run again"
            )
            self.on_loss.set()
        return EngineLost(self.lost)
