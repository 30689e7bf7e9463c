"""Finding an engine, and saying clearly why there is none."""

from __future__ import annotations

import os
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from good_record import good_record

from sm_contract.engine import connect
from sm_contract.engine.protocol import EngineFacts, EngineMissing
from sm_contract.run import foreign


def _missing(url: str | None) -> str:
    start = time.monotonic()
    with pytest.raises(EngineMissing) as caught:
        connect.open_engine(url, deadline_seconds=60)
    assert time.monotonic() - start < 5
    return str(caught.value)


def test_no_engine_gives_one_clear_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    text = _missing(f"unix://{tmp_path}/none.sock")
    assert "--sm-engine" in text
    assert "no such socket" in text
    closed = socket.socket(socket.AF_UNIX)
    closed.bind(f"{tmp_path}/closed.sock")
    assert "refused" in _missing(f"unix://{tmp_path}/closed.sock")
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    text = _missing(None)
    assert "DOCKER_HOST" in text
    assert "refused" in text
    assert "is no engine URL" in _missing("ftp://x")
    monkeypatch.delenv("DOCKER_HOST")
    monkeypatch.setenv("DOCKER_CONTEXT", "elsewhere")
    assert "docker context 'elsewhere'" in _missing(None)
    if os.geteuid() == 0:
        monkeypatch.setattr(socket.socket, "connect", _forbidden)
        assert "usermod -aG docker" in _missing(f"unix://{tmp_path}/closed.sock")


def _forbidden(self: Any, target: Any) -> None:
    raise PermissionError(13, "Permission denied")


def test_what_listens_but_is_no_engine_does_not_hang_us(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "no answer within" in _missing(f"tcp://127.0.0.1:{silent.getsockname()[1]}")
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer() -> None:
            line, _ = other.accept()  # the knock
            line.close()
            line, _ = other.accept()
            line.recv(1000)
            line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
            line.close()

        threading.Thread(target=answer, daemon=True).start()
        assert "does not answer as a container engine" in _missing(f"tcp://127.0.0.1:{other.getsockname()[1]}")


def test_a_docker_context_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import hashlib  # noqa: PLC0415
    import json  # noqa: PLC0415

    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    home = tmp_path / "contexts" / "meta" / hashlib.sha256(b"ci").hexdigest()
    home.mkdir(parents=True)
    (home / "meta.json").write_text(
        json.dumps({"Name": "ci", "Endpoints": {"docker": {"Host": "unix:///var/run/docker.sock"}}})
    )
    (tmp_path / "config.json").write_text('{"currentContext": "ci"}')
    found = connect.find(None)
    assert (found.url, found.source) == ("unix:///var/run/docker.sock", "docker context 'ci'")


@pytest.mark.parametrize(
    ("registered", "info", "local", "found"),
    [
        (["qemu-aarch64", "qemu-s390x", "register"], {}, True, ("arm64",)),
        (["qemu-x86_64"], {}, True, ()),  # its own
        ([], {}, True, ()),
        (["qemu-aarch64"], {}, False, ()),  # this machine's kernel is not the engine's
        ([], {"OperatingSystem": "Docker Desktop"}, False, ("arm64",)),
    ],
)
def test_what_an_engine_can_emulate(
    registered: list[str], info: dict[str, Any], local: bool, found: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "listdir", lambda _: registered)
    assert connect.emulated_beside("amd64", info, local) == found


@pytest.mark.parametrize(
    ("image", "emulates", "needs"),
    [
        ({}, (), ""),
        ({"architecture": "arm64"}, (), "needs an arm64 engine"),
        ({"architecture": "arm64"}, ("arm64",), ""),
        ({"os": "windows"}, ("arm64",), "needs an engine for windows containers"),
    ],
)
def test_what_an_engine_cannot_start(image: dict[str, str], emulates: tuple[str, ...], needs: str) -> None:
    here = EngineFacts(
        name="docker", version="28", os="linux", architecture="amd64", cpus=2, memory=1, url="", local=True
    )
    assert foreign(replace(good_record().image, **image), replace(here, emulates=emulates)) == needs
