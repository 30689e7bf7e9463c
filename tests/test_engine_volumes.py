"""Volumes on the real engine: filled and read through containers that never start."""

from __future__ import annotations

import tarfile
import time
from collections.abc import Iterator

import engine_support as support
import pytest
from engine_support import NAME, Run, link

from sm_contract.engine import connect
from sm_contract.engine.docker import DockerEngine
from sm_contract.engine.protocol import EngineFull, Mount


def test_a_volume_keeps_owner_mode_and_time_through_fill_and_read(engine: DockerEngine, image: str) -> None:
    members = [
        support.folder("./", uid=1000, gid=1000, mode=0o750, mtime=1_500_000_001),
        support.member("./plain", b"data" * 1000, uid=7, gid=8, mode=0o640, mtime=1_500_000_002),
        support.member("./setuid", b"", uid=0, gid=9, mode=0o4711, mtime=1_500_000_003),
        support.folder("./folder", uid=3, gid=4, mode=0o1777, mtime=1_500_000_004),
        support.member("./folder/päth " + "n" * 120, b"x", uid=5, mtime=1_500_000_005),
        support.member("./pipe", type=tarfile.FIFOTYPE, uid=6, mode=0o622, mtime=1_500_000_006),
        link("./link", "plain"),
    ]
    volume = engine.volume("input")
    engine.fill(volume, image, iter([support.tar(*members)]))
    found = support.read_tar(engine.read(volume, image))
    assert set(found) == {".", *(m.name.removeprefix("./") for m, _ in members[1:])}
    for info, _ in members:
        there = found[info.name.removeprefix("./") or "."]
        assert (there.type, there.uid, there.gid, there.mtime) == (info.type, info.uid, info.gid, info.mtime), info.name
        assert there.size == info.size
        if not info.issym():
            assert there.mode & 0o7777 == info.mode, info.name
    # … and as the container sees it, which may not write there
    run = Run(
        engine,
        image,
        "cd /opt/ml/input; stat -c '%n %u %g %a' . plain pipe; (echo x > new) 2>&1; ls /opt/ml/out | head; id",
        mounts=(Mount(volume=volume, target="/opt/ml/input", read_only=True),),
    )
    run.finish()
    assert run.text()[:3] == [". 1000 1000 750", "plain 7 8 640", "pipe 6 0 622"]
    assert "Read-only file system" in "\n".join(run.text())
    run.container.remove()
    engine.remove_volume(volume)
    engine.remove_volume(volume)  # one that is gone


def test_a_fresh_volume_hides_what_the_image_holds_there(engine: DockerEngine, image: str) -> None:
    volume = engine.volume("model")
    mount = Mount(volume=volume, target="/opt/ml/model")
    run = Run(engine, image, "ls /opt/ml/model; echo made > /opt/ml/model/new", mounts=(mount,))
    assert run.finish() == 0
    assert run.text() == []
    assert set(support.read_tar(engine.read(volume, image))) == {".", "new"}


def test_a_big_stream_is_never_held_and_a_failing_source_is_not_the_engines(engine: DockerEngine, image: str) -> None:
    volume = engine.volume("big")
    size = 64 << 20

    def source() -> Iterator[bytes]:
        info, _ = support.member("big")
        info.size = size
        yield info.tobuf()
        for _ in range(size >> 20):
            yield b"\0" * (1 << 20)
        yield b"\0" * 1024

    start = time.monotonic()
    engine.fill(volume, image, source())
    sizes = [len(chunk) for chunk in engine.read(volume, image)]
    assert sum(sizes) > size
    assert max(sizes) <= 1 << 20
    assert time.monotonic() - start < 20

    def broken() -> Iterator[bytes]:
        yield support.member("x")[0].tobuf()
        raise FileNotFoundError("the owner's file")

    with pytest.raises(FileNotFoundError, match="the owner's file"):
        engine.fill(volume, image, broken())
    reading = engine.read(volume, image)  # a reader that stops early leaves nothing open
    next(reading)
    reading.close()  # type: ignore[attr-defined]


def test_a_full_disk_of_the_engine_has_a_name() -> None:
    with support.second_engine(disk="48m") as second:
        image = support.import_image(second.client(), NAME)
        engine = connect.open_engine(second.url, deadline_seconds=60)
        volume = engine.volume("big")
        big = support.tar(support.member("big", b"\0" * (100 << 20)))
        with pytest.raises(EngineFull, match=r"data disk \(/tmp/.*is full.*docker system df"):
            engine.fill(volume, image, (big[i : i + (1 << 20)] for i in range(0, len(big), 1 << 20)))
        engine.close()
        assert engine.remains() == []
