"""Images on the real engine: found, read and made."""

from __future__ import annotations

from typing import Any

import pytest
from engine_support import NAME, Run

from sm_contract.engine.docker import DockerEngine
from sm_contract.engine.protocol import ImageUnknown


def test_references_are_resolved_without_a_pull(engine: DockerEngine, image: str) -> None:
    short = image.removeprefix("sha256:")[:12]
    assert {engine.resolve(reference) for reference in (f"{NAME}:1", image, short)} == {image}
    with pytest.raises(ImageUnknown, match=f"no image '{NAME}'.*Did you mean {NAME}:1"):
        engine.resolve(NAME)  # :latest, as docker has it
    with pytest.raises(ImageUnknown, match=f"Did you mean {NAME}:1"):
        engine.resolve(f"{NAME[:-1]}:1")
    for reference in ("Upper/Case:1", "a b", "", "nowhere.invalid/x@sha256:" + "0" * 64):
        with pytest.raises(ImageUnknown, match="no image"):
            engine.resolve(reference)
    assert engine.inspect(image)["Id"] == image


def test_an_image_is_read_as_its_container_would_see_it(engine: DockerEngine, image: str) -> None:
    files = engine.files(image)
    expected = {
        "/absolute": ("/bin/busybox", "file"),
        "/escape": ("/etc/passwd", "file"),
        "/opt/ml/link/passwd": ("/etc/passwd", "file"),
        "/opt/ml/link/../ml/pipe": None,  # /etc/../ml, as the kernel has it
        "/circle": ("/circle", "symlink"),
        "/dangling": ("/dangling", "symlink"),
        "/opt/ml/pipe": ("/opt/ml/pipe", "other"),
        "/opt/ml": ("/opt/ml", "directory"),
        "/": ("/", "directory"),
        "/etc/passwd/x": None,
        "/nothing": None,
    }
    for path, there in expected.items():
        found = files.stat(path)
        assert (found and (found.real_path, found.kind)) == there, path
    baked = files.stat("/opt/ml/model/baked")
    assert baked is not None
    assert (baked.uid, baked.gid, baked.mode, baked.size) == (12, 13, 0o4755, 70_000)
    assert (files.read("/escape", 4), files.read("/dangling"), files.read("/opt/ml")) == (b"root", None, None)
    assert len(files.read("/opt/ml/model/baked", 70_000) or b"") == 70_000
    walked = {fact.path: fact.kind for fact in files.walk("/opt/ml")}
    assert walked == {
        "/opt/ml/model": "directory",
        "/opt/ml/model/baked": "file",
        "/opt/ml/pipe": "other",
        "/opt/ml/link": "symlink",
    }
    assert len(files.walk("/", 3)) == 3
    assert files.walk("/nothing") == []


def test_a_stopped_container_becomes_an_image(engine: DockerEngine, image: str) -> None:
    run = Run(engine, image, "echo trained > /result", environment={"A": "B"})
    run.finish()
    made = engine.commit(run.container)
    assert engine.files(made).read("/result") == b"trained\n"
    found: Any = engine.inspect(made)
    assert [tag.rpartition(":")[0] for tag in found["RepoTags"]] == [engine.session.repository]
    assert found["Config"]["Labels"]["sm-contract.session"] == engine.session.id
