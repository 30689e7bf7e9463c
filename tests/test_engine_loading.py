"""Images that are brought in: gone with the run, unless they were there before."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from typing import Any

import engine_support as support
import pytest
from engine_support import NAME

from sm_contract.engine import connect
from sm_contract.engine.docker import DockerEngine
from sm_contract.engine.ownership import Session
from sm_contract.engine.protocol import EngineError


@pytest.fixture
def engine() -> Iterator[DockerEngine]:
    yield from support.opened()


def _archive(api: Any, image: str, tag: str, mark: str = "") -> bytes:
    """A docker archive of an image whose only tag is ours; with a mark, of another image that only the archive has."""

    layer = support.busybox_tar(support.member("mark", mark.encode()))
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": ["/bin/sh"]},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
    }
    body = json.dumps(config).encode()
    digest = hashlib.sha256(body).hexdigest()
    manifest = [{"Config": f"{digest}.json", "RepoTags": [tag], "Layers": ["layer.tar"]}]
    return support.tar(
        support.member(f"{digest}.json", body),
        support.member("layer.tar", layer),
        support.member("manifest.json", json.dumps(manifest).encode()),
    )


def _there(api: Any, image: str) -> bool:
    return any(found["Id"] == image for found in api.images(all=True))


@pytest.mark.parametrize("before", ["absent", "tagged", "without a tag"])
def test_a_loaded_image_goes_again_unless_it_was_there_before(
    api: Any, image: str, engine: DockerEngine, before: str
) -> None:
    mark = f"{before} {os.getpid()}"
    users = f"{NAME}-users:{before.replace(' ', '-')}"
    if before != "absent":
        (line,) = [line for line in api.load_image(_archive(api, image, users, mark)) if "stream" in line]
        assert "Loaded image" in line["stream"]
    if before == "without a tag":  # the tag moves on to another image
        api.tag(image, *users.split(":"))
    tag = engine.tag()
    loaded = engine.load([_archive(api, image, tag, mark)])
    try:
        assert engine.files(loaded).read("/mark") == mark.encode()
        engine.close()
        assert support.things(api, engine.session.id) == []
        assert _there(api, loaded) == (before != "absent")
        if before == "tagged":
            assert api.inspect_image(users)["Id"] == loaded
    finally:
        with contextlib.suppress(Exception):
            api.remove_image(users)
        with contextlib.suppress(Exception):
            api.remove_image(loaded, force=True)


def test_a_loaded_image_goes_with_a_killed_run_too(api: Any, image: str) -> None:
    session = Session.begin(-1)
    list(api.load_image(_archive(api, image, session.tag(), f"killed {os.getpid()}")))
    assert len(support.things(api, session.id)) == 1
    connect.open_engine(None, deadline_seconds=60).close()  # the next run
    assert support.things(api, session.id) == []


def test_an_archive_that_is_cut_or_nonsense_is_said_to_be(engine: DockerEngine, api: Any, image: str) -> None:
    whole = _archive(api, image, engine.tag(), "cut")
    for broken in (b"no tar at all" * 100, whole[: len(whole) // 2], support.tar(support.member("x", b"y"))):
        with pytest.raises(EngineError, match="could not load the image archive"):
            engine.load([broken])
