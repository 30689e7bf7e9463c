"""The image without a start: what REF means, its facts, and the same from a real engine."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from engine_support import busybox_program, busybox_tar, client
from image_support import (
    ONE,
    Layout,
    docker_archive,
    docker_files,
    file,
    folder,
    hardlink,
    opened,
    packed,
    refusal,
    symlink,
    tar,
    written,
)

from sm_contract.engine.connect import open_engine
from sm_contract.engine.protocol import EngineMissing
from sm_contract.image import BadImage, examine
from sm_contract.image.reference import locate, shown
from sm_contract.record import ImageFacts


class TestReference:
    @pytest.mark.parametrize("name", ["busybox", "busybox:1.36", "a/b:c", "r.io:5000/a@sha256:" + "0" * 64, "Odd Name"])
    def test_a_name_is_the_engines(self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert locate(name) is None

    def test_a_file_or_layout_is_an_archive(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        docker_archive(tmp_path / "one.tar", [])
        docker_archive(tmp_path / "saved", [])
        written({"oci-layout": b"{}"}, tmp_path / "layout")
        for name in ("one.tar", "saved", "layout", "./one.tar", str(tmp_path / "one.tar")):
            assert locate(name) == Path(name)

    def test_a_project_folder_or_script_does_not_hide_the_tag(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "my-image").mkdir()
        (tmp_path / "train").write_text("#!/bin/sh\n")
        assert locate("my-image") is None
        assert locate("train") is None

    @pytest.mark.parametrize("name", ["/no/such/file", "./image", "image.tar", "image.tgz", "folder/"])
    def test_a_path_that_is_not_there(self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert "no such file" in refusal(name)

    def test_empty(self) -> None:
        with pytest.raises(BadImage, match="is empty: give a tag"):
            examine(" ", None, "amd64")

    def test_no_engine_for_a_tag(self) -> None:
        why = EngineMissing("no engine at /var/run/docker.sock")
        with pytest.raises(EngineMissing) as caught:
            examine("busybox:1", None, "amd64", missing=why)
        assert caught.value is why

    def test_a_pipe_is_not_opened(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "image.tar")
        assert "not a regular file" in refusal(str(tmp_path / "image.tar"))

    def test_control_characters_in_the_name_are_shown(self, tmp_path: Path) -> None:
        with pytest.raises(BadImage) as caught:
            examine(f"{tmp_path}/a\x1b[31m\nb.tar", None, "amd64")
        assert "a\\x1b[31m\\nb.tar: no such file" in str(caught.value)

    def test_a_file_that_may_not_be_read(self, tmp_path: Path) -> None:
        path = tmp_path / "image.tar"
        path.write_bytes(packed(docker_files([ONE])))
        path.chmod(0)
        if os.access(path, os.R_OK):
            uid = os.geteuid()
            for part in (tmp_path, *tmp_path.parents):
                if not part.stat().st_mode & 0o001:
                    part.chmod(part.stat().st_mode | 0o001)
            os.seteuid(65534)
            try:
                text = refusal(str(path))
            finally:
                os.seteuid(uid)
        else:
            text = refusal(str(path))
        assert "cannot be read (Permission denied); make it readable" in text


class TestFacts:
    def test_what_is_baked(self, tmp_path: Path) -> None:
        layer = [file("opt/ml/code/a.py", b"1"), folder("opt/ml/model"), symlink("opt/ml/x", "/etc"), file("opt/mlx")]
        facts = examine(docker_archive(tmp_path / "a.tar", layer), None, "amd64").facts
        assert [fact.path for fact in facts.baked] == ["/opt/ml/code/a.py"]
        layer = [file(f"opt/ml/{number}") for number in range(1500)]
        assert len(examine(docker_archive(tmp_path / "a.tar", layer), None, "amd64").facts.baked) == 1000

    def test_accounts(self, tmp_path: Path) -> None:
        layer = [
            file("etc/passwd", b"root:x:0:0::/:\n\nbroken\n#no:x:7:\napp:x:1000:1000::/:\nroot:x:0:0:::\n"),
            file("etc/group", b"root:x:0:\nstaff:x:50:app,\xff\n"),
        ]
        facts = examine(docker_archive(tmp_path / "a.tar", layer), None, "amd64").facts
        assert facts.passwd == ("root", "0", "app", "1000")
        assert facts.groups == ("root", "0", "staff", "50")

    @pytest.mark.parametrize("workdir", ["", "/", "app", "/no/such", "/app/../app/"])
    def test_workdir(self, workdir: str, tmp_path: Path) -> None:
        facts = examine(docker_archive(tmp_path / "a.tar", [folder("app")], WorkingDir=workdir), None, "amd64").facts
        assert facts.workdir == workdir
        assert (facts.workdir_file is not None) is (workdir != "/no/such")

    @pytest.mark.parametrize("value", [None, 3, "text", [1, None], {"a": 1}])
    def test_a_config_of_wrong_types_is_read_as_far_as_it_goes(self, value: Any, tmp_path: Path) -> None:
        names = ("Entrypoint", "Env", "Cmd", "User", "WorkingDir", "Volumes", "Labels", "ExposedPorts", "StopSignal")
        facts = examine(docker_archive(tmp_path / "a.tar", [], **dict.fromkeys(names, value)), None, "amd64").facts
        assert facts.architecture == "amd64"

    def test_undecodable_names_are_fit_for_a_report(self) -> None:
        assert shown("a\udcffb") == "a\\xffb"


@pytest.fixture
def api() -> Iterator[Any]:
    """The engine, and what was made in it removed again, by the ids and tags made."""
    engine = client()
    engine.made = []
    yield engine
    for name in reversed(engine.made):
        with contextlib.suppress(docker.errors.ImageNotFound):
            engine.remove_image(name)


def facts_but(facts: ImageFacts) -> dict[str, Any]:
    """What has to be the same from the engine and from an archive."""
    different = ("reference", "source", "digest", "tags", "biggest_layer", "manifest")
    return {name: value for name, value in vars(facts).items() if name not in different}


class TestRealEngine:
    @pytest.fixture
    def two_layers(self, api: Any) -> str:
        """An image of ours with two layers, the second one with whiteouts, made by the engine itself."""
        tag = f"sm-image-test-{uuid.uuid4().hex[:8]}:1"
        extra = [
            file("usr/local/bin/train", b"#!/bin/sh\nexit 0\n", mode=0o755),
            hardlink("usr/local/bin/serve", "usr/local/bin/train", 0o755),
            file("opt/ml/code/a.py", b"1"),
            file("old/file", b"2"),
        ]
        api.import_image_from_data(busybox_tar(*extra), repository=tag[:-2], tag="1", changes=['CMD ["sh"]'])
        api.made.append(tag)
        change = "rm -r /old; echo x > /opt/ml/code/b.py; rm /etc/passwd"
        apart = api.create_host_config(network_mode="none")
        made = api.create_container(tag, ["sh", "-c", change], host_config=apart)
        try:
            api.start(made["Id"])
            assert api.wait(made["Id"])["StatusCode"] == 0
            api.commit(made["Id"], repository=tag[:-2], tag="2", changes="ENTRYPOINT []\nWORKDIR /opt\nUSER 1000:50")
            api.made.append(f"{tag[:-2]}:2")
        finally:
            api.remove_container(made["Id"], force=True)
        return f"{tag[:-2]}:2"

    def test_engine_and_archive_say_the_same(self, two_layers: str, tmp_path: Path) -> None:
        path = tmp_path / "saved.tar"
        subprocess.run(["docker", "save", two_layers, "-o", path], check=True, capture_output=True)
        engine = open_engine(None, deadline_seconds=300)
        try:
            there = examine(two_layers, engine, "amd64")
            here = examine(str(path), None, "amd64")
            assert facts_but(there.facts) == facts_but(here.facts)
            assert there.facts.tags == here.facts.tags == (two_layers,)
            assert there.facts.passwd is None
            assert [fact.path for fact in here.facts.baked] == ["/opt/ml/code/a.py", "/opt/ml/code/b.py"]
            assert there.image(engine) == here.facts.id
            here.close()
        finally:
            engine.close()

    def test_a_layout_is_converted_loaded_and_runs(self, api: Any, tmp_path: Path) -> None:
        base = busybox_tar(file("gone/x", b"1"))
        above = tar([file(".wh.gone"), file("bin/serve", b"#!/bin/sh\necho serving $1\n", mode=0o755)])
        layout = Layout()
        image = layout.manifest([base, above, above], Entrypoint=["/bin/serve"], Env=[f"UNIQUE={uuid.uuid4()}"])
        reference = written(layout.finished(image, layout.attestation(image)), tmp_path / "layout")
        engine = open_engine(None, deadline_seconds=300)
        try:
            here = examine(reference, engine, "amd64")
            before = {image["Id"] for image in api.images()}
            id = here.image(engine)
            assert id == here.facts.id
            assert here.image(engine) == id
            assert len({image["Id"] for image in api.images()} - before) >= 1
            there = examine(id, engine, "amd64")
            assert facts_but(there.facts) == facts_but(here.facts)
            ran = subprocess.run(
                ["docker", "run", "--rm", "--network=none", id, "train"], capture_output=True, text=True, check=True
            )
            assert ran.stdout == "serving train\n"
        finally:
            engine.close()
        assert id not in {image["Id"] for image in api.images()}

    def test_the_merge_is_the_engines(self, api: Any, tmp_path: Path) -> None:
        """What the specification leaves open is taken from the engine that starts the image."""
        below = [
            *((info, data) for info, data in [file("bin/busybox", busybox_program().read_bytes(), mode=0o755)]),
            folder("usr/lib", 0o711),
            symlink("lib", "usr/lib"),
            file("usr/lib/below", b"1"),
            file("a/x", b"2"),
            file("a/y", b"3"),
            file("opaque/old", b"4"),
            file("becomes-folder", b"5"),
            file("becomes-file/x", b"6"),
            file("/abs/../dots", b"7"),
            file("one", b"8", mode=0o600),
            hardlink("two", "one", 0o755),
        ]
        above = [
            file("lib/above", b"9"),
            file("a/.wh.x"),
            file("opaque/.wh..wh..opq"),
            file("opaque/new", b"10"),
            file("../../up", b"14"),
            file("usr/../../up2", b"15"),
            file("becomes-folder/x", b"11"),
            file("becomes-file", b"12"),
            folder("same"),
            symlink("into", "same"),
            file("into/x", b"13"),
        ]
        reference = docker_archive(tmp_path / "a.tar", below, above, Env=[f"UNIQUE={uuid.uuid4()}"], Cmd=["x"])
        engine = open_engine(None, deadline_seconds=300)
        try:
            here = examine(reference, engine, "amd64")
            there = engine.files(here.image(engine))
            archive = opened(reference)
            assert archive.files is not None
            for path in ("/usr", "/lib", "/a", "/opaque", "/becomes-folder", "/becomes-file", "/same", "/into"):
                mine = sorted((f.path, f.real_path, f.kind, f.size) for f in archive.files.walk(path))
                assert mine == sorted((f.path, f.real_path, f.kind, f.size) for f in there.walk(path)), path
            for path in ("/lib", "/into/x", "/up", "/up2", "/one", "/two", "/dots", "/becomes-file", "/usr/lib"):
                assert archive.files.stat(path) == there.stat(path), path
                assert archive.files.read(path) == there.read(path), path
        finally:
            engine.close()

    @pytest.mark.parametrize(
        "member", [hardlink("x", "../../etc/passwd"), hardlink("x", "no/such"), file("bin/sh/x"), file("n" * 5000)]
    )
    def test_what_is_refused_here_the_engine_refuses_too(
        self, member: tuple[tarfile.TarInfo, bytes], api: Any, tmp_path: Path
    ) -> None:
        reference = docker_archive(
            tmp_path / "a.tar", [file("bin/sh"), member], tags=(), Env=[f"UNIQUE={uuid.uuid4()}"]
        )
        refusal(reference)
        run = subprocess.run(["docker", "load", "-i", reference], capture_output=True, text=True, check=False)
        api.made += [line.split()[-1] for line in run.stdout.splitlines() if line.startswith("Loaded image")]
        assert run.returncode != 0, run.stdout
