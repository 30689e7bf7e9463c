"""Volumes, filled and read through never-started containers and the archive API; streamed both ways."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import tarfile
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import requests
import urllib3
from docker.errors import APIError

from sm_contract.engine.link import TRANSPORT, Link, Source, says
from sm_contract.engine.protocol import EngineError, Volume

if TYPE_CHECKING:
    from sm_contract.engine.docker import DockerEngine

PLACE = "sm-contract-volume"  # where a helper has the volume; a name no image uses
CHUNK = 1024 * 1024


def helper(image: str, labels: dict[str, str], volume: Volume | None = None) -> dict[str, Any]:
    """A container that is never started: a door to a file system. The command only satisfies the engine."""
    host: dict[str, Any] = {"NetworkMode": "none"}
    if volume is not None:
        options = {"NoCopy": True}
        host["Mounts"] = [{"Type": "volume", "Source": volume.name, "Target": f"/{PLACE}", "VolumeOptions": options}]
    return {"Image": image, "Cmd": ["-"], "Entrypoint": ["-"], "Labels": labels, "HostConfig": host}


def archive(api: Any, container: str, path: str) -> tuple[requests.Response, Iterator[bytes]]:
    """A path of a container as a tar stream, and the response to close when no more of it is wanted.

    Not docker-py's ``get_archive``: that gives no way to stop early, and reads the body a byte at a time.
    """
    url = f"{api.base_url}/v{api.api_version}/containers/{container}/archive"
    headers = {"Accept-Encoding": "identity"}  # or the engine compresses what is wanted as it is
    response = api.get(url, params={"path": path}, headers=headers, stream=True, timeout=api.timeout)
    try:
        if response.status_code >= 400:
            words = ""
            with contextlib.suppress(ValueError, AttributeError):
                words = str(response.json().get("message", ""))
            raise APIError(words or f"status {response.status_code}", response=response, explanation=words)
    except BaseException:
        response.close()
        raise
    return response, _chunks(response)


def path_stat(api: Any, container: str, path: str) -> tuple[int, dict[str, Any]]:
    """The engine's answer to a look at one path of a container: a status, and name, size, mode (Go's) and mtime.

    Ten times as fast as an archive of one file; docker-py has no method for it.
    """
    url = f"{api.base_url}/v{api.api_version}/containers/{container}/archive"
    with api.head(url, params={"path": path}, timeout=api.timeout) as response:
        stat = response.headers.get("X-Docker-Container-Path-Stat")
        return response.status_code, json.loads(base64.b64decode(stat)) if response.ok and stat else {}


def _chunks(response: requests.Response) -> Iterator[bytes]:
    raw: urllib3.response.BaseHTTPResponse = response.raw
    yield from raw.stream(CHUNK, decode_content=False)


class Volumes:
    """Implements the part of ``protocol.Engine`` that is about volumes."""

    def __init__(self, engine: DockerEngine) -> None:
        self._engine = engine
        self._link: Link = engine.link

    def make(self, purpose: str) -> Volume:
        name = self._engine.session.name(purpose)
        try:
            with self._engine.making("volume", name), self._link.calls(f"making the volume {name}") as api:
                api.create_volume(name, driver="local", labels=self._engine.session.labels(purpose))
        except APIError as error:
            raise EngineError(f"the engine could not make a volume: {says(error)}") from error
        return Volume(name=name)

    def remove(self, volume: Volume) -> None:
        if self._engine.keep:  # until the end, which knows whose it is
            return
        try:
            with self._link.calls(f"removing {volume.name}") as api:
                api.remove_volume(volume.name, force=True)
        except APIError as error:
            if error.status_code != 404:
                raise EngineError(f"the engine could not remove the volume {volume.name}: {says(error)}") from error
        self._engine.gone(volume.name)

    @contextlib.contextmanager
    def door(self, image: str, purpose: str, volume: Volume | None = None) -> Iterator[str]:
        """A never-started container, for as long as it is needed; its name."""
        name = self.open_door(image, purpose, volume)
        try:
            yield name
        finally:
            with contextlib.suppress(APIError, EngineError), self._link.calls("removing a helper") as api:
                api.remove_container(name, v=True, force=True)
                self._engine.gone(name)

    def open_door(self, image: str, purpose: str, volume: Volume | None = None) -> str:
        name = self._engine.session.name(purpose)
        config = helper(image, self._engine.session.labels(purpose), volume)
        try:
            with self._engine.making("container", name), self._link.calls(f"making {name}") as api:
                api.create_container_from_config(config, name)
        except APIError as error:
            raise EngineError(f"the engine could not make a container of {image}: {says(error)}") from error
        return name

    def fill(self, volume: Volume, image: str, tar: Iterable[bytes]) -> None:
        """Unpack a tar stream into a volume, owner, mode and mtime exact, through a never-started helper.

        A first member "./" gives the volume itself its owner and mode, which the engine would skip.
        """
        source = Source(tar)
        stream = iter(source)
        head = b""
        for chunk in stream:
            head += chunk
            if len(head) >= tarfile.BLOCKSIZE:
                break
        if not head:
            return
        with self.door(image, "fill", volume) as name:
            self._put(name, f"/{PLACE}", source, _chain(head, stream))
            top = _top(head)
            if top is not None:
                self._put(name, "/", None, iter([top]))  # an iterator is streamed, a list would be form fields

    def _put(self, name: str, path: str, source: Source | None, body: Iterable[bytes]) -> None:
        try:
            with self._link.calls("filling a volume", source) as api:
                api.put_archive(name, path, body)
        except APIError as error:
            if source is not None and source.error is not None:
                raise source.error from None
            raise EngineError(f"the engine could not fill a volume: {says(error)}") from error

    def read(self, volume: Volume, image: str) -> Iterator[bytes]:
        """A volume's content as a tar stream (members below "./")."""
        with self.door(image, "read", volume) as name, self._link.calls("reading a volume") as api:
            try:
                response, chunks = archive(api, name, f"/{PLACE}/.")
            except APIError as error:
                raise EngineError(f"the engine could not read a volume: {says(error)}") from error
            try:
                yield from chunks
            except TRANSPORT as error:
                raise self._link.broke("reading a volume", error) from error
            finally:
                response.close()


def _chain(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from rest


def _top(head: bytes) -> bytes | None:
    """A tar of the first member alone, if that is the tree's own folder, under the name it has in the helper."""
    try:
        first = tarfile.TarInfo.frombuf(head[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
    except tarfile.TarError:
        return None
    if not first.isdir() or first.name.strip("/") not in (".", ""):
        return None
    first.name = PLACE
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        tar.addfile(first)
    return buffer.getvalue()
