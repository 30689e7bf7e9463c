"""Archives made to harm: nothing is written, memory is bounded, one line says what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_support import (
    ONE,
    Layout,
    docker_archive,
    docker_files,
    file,
    folder,
    hardlink,
    opened,
    other,
    packed,
    put,
    refusal,
    symlink,
    tree_of,
    written,
)

from sm_contract.image import BadImage, examine
from sm_contract.image.tarstream import Member
from sm_contract.image.tree import Tree


class TestHostile:
    @pytest.mark.parametrize(
        ("member", "says"),
        [
            (hardlink("x", "../../etc/passwd"), "not there"),
            (hardlink("x", "no/such"), "not there"),
            (file("n" * 5000), "longer than a path"),
            (symlink("x", "y/" * 3000), "longer than a name"),
        ],
    )
    def test_a_member_that_no_engine_unpacks(
        self, member: tuple[tarfile.TarInfo, bytes], says: str, tmp_path: Path
    ) -> None:
        text = refusal(docker_archive(tmp_path / "a.tar", [member]))
        assert "layer 1 of 1 is damaged" in text
        assert says in text or "longer than" in text

    def test_absolute_and_odd_names_stay_inside(self, tmp_path: Path) -> None:
        layer = [
            file("/etc/a", b"1"),
            file("./b", b"2"),
            file("c/../d", b"3"),
            file("/../e", b"4"),
            file("a/../../f"),
            folder("./"),
        ]
        found = tree_of(docker_archive(tmp_path / "a.tar", layer))
        assert found == {"/etc": "directory", "/etc/a": "1", "/b": "2", "/d": "3", "/e": "4", "/f": ""}
        assert not (tmp_path / "e").exists()

    def test_links_do_not_lead_out(self, tmp_path: Path) -> None:
        layer = [symlink("up", "../../../.."), symlink("host", "/etc"), file("etc/hostname", b"inside")]
        archive = opened(docker_archive(tmp_path / "a.tar", layer))
        assert archive.files is not None
        assert archive.files.read("/up/host/hostname") == b"inside"
        assert archive.files.stat("/up/etc/passwd") is None

    def test_a_member_below_a_link_of_its_own_layer(self, tmp_path: Path) -> None:
        layer = [folder("usr/lib"), symlink("lib", "usr/lib"), file("lib/x", b"1")]
        assert tree_of(docker_archive(tmp_path / "a.tar", layer))["/usr/lib/x"] == "1"

    @pytest.mark.parametrize("parent", [file("p"), symlink("p", "p"), other("p", tarfile.FIFOTYPE)])
    def test_a_member_below_what_is_no_folder(self, parent: tuple[tarfile.TarInfo, bytes], tmp_path: Path) -> None:
        assert "no directory" in refusal(docker_archive(tmp_path / "a.tar", [parent, file("p/x")]))

    @pytest.mark.parametrize("kind", [b"x", b"L", b"K", b"g"])
    def test_a_name_that_claims_gigabytes(self, kind: bytes, tmp_path: Path) -> None:
        header = tarfile.TarInfo("x")
        header.type, header.size = kind, 7 << 30
        layer = header.tobuf() + bytes(2048)
        path = put(tmp_path / "a.tar", packed(docker_files([layer])))
        assert "claims a name of" in refusal(path)

    @pytest.mark.parametrize(("at", "data"), [(124, b"\xff" * 12), (124, b"99999999999"), (100, b"-0000001")])
    def test_numbers_that_are_none(self, at: int, data: bytes, tmp_path: Path) -> None:
        header = bytearray(tarfile.TarInfo("x").tobuf()[:512])
        header[at : at + len(data)] = data
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        layer = bytes(header) + bytes(1024)
        assert "header at byte 0" in refusal(put(tmp_path / "a.tar", packed(docker_files([layer]))))

    def test_an_outer_archive_of_countless_members(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sm_contract.image.store._MEMBERS", 50)
        path = put(tmp_path / "a.tar", packed({f"{n}": b"" for n in range(51)}))
        with pytest.raises(BadImage, match="more than 50 members"):
            opened(path)

    def test_more_files_than_are_looked_at(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A limit of ours is no verdict on the image: its config is still judged."""
        monkeypatch.setattr("sm_contract.image.archive.BUDGET", 100_000)
        layer = [file(f"{number}") for number in range(1000)]
        facts = examine(docker_archive(tmp_path / "a.tar", layer, layer, User="x"), None, "amd64").facts
        assert facts.unreadable.startswith("layer 1 of 2 holds more files than are looked at")
        assert (facts.user, facts.layers) == ("x", 2)

    def test_deep_paths_and_wide_links(self, tmp_path: Path) -> None:
        deep = "d/" * 2000
        layer = [file(deep + "x", b"1"), symlink("to", deep)]
        archive = opened(docker_archive(tmp_path / "a.tar", layer, layer))
        assert archive.files is not None
        assert archive.files.read("/to/x") == b"1"
        assert len(archive.files.walk("/", 5000)) == 2002

    def test_the_budget_covers_what_an_entry_takes(self) -> None:
        tree = Tree()
        before = tree._left
        tracemalloc.start()
        for number in range(20_000):
            tree.add(
                Member(f"some/folder/{number // 500}/name-{number}", "file", 0o644, number, 0, 10, "", number << 20)
            )
        used = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        assert used < before - tree._left

    @pytest.mark.parametrize("form", ["packed tar", "layout"])
    def test_memory_stays_bounded(self, form: str, tmp_path: Path) -> None:
        """A layer of 300 MB is read, summed up and converted in a few megabytes."""
        script = (
            "import sys, resource; from pathlib import Path\n"
            "from sm_contract.image.archive import Archive\n"
            "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            "a = Archive(Path(sys.argv[1]), sys.argv[1], 'amd64')\n"
            "assert len(a.files.read('/big/zeros', 100)) == 100\n"
            "n = sum(len(c) for c in a.as_docker_archive('a:1'))\n"
            "print(n, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
        )
        size = 300 << 20
        layer = tmp_path / "layer.tar"
        info = tarfile.TarInfo("big/zeros")
        info.size = size
        with layer.open("wb") as out:
            out.write(info.tobuf())
            out.truncate(512 + size + 1024)
        reference = _big(tmp_path, layer, form)
        run = subprocess.run([sys.executable, "-c", script, reference], capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        streamed, grown = map(int, run.stdout.split())
        assert streamed > (size if form != "layout" else 100_000)
        assert grown < 32 << 10  # kilobytes


def _big(tmp_path: Path, layer: Path, form: str) -> str:
    """An archive around a layer on disk, itself built without holding it."""

    def digest(path: Path) -> str:
        return subprocess.run(["sha256sum", path], capture_output=True, text=True, check=True).stdout[:64]

    config = json.dumps(
        {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"diff_ids": [f"sha256:{digest(layer)}"]}}
    ).encode()
    if form == "layout":
        subprocess.run(["gzip", "-1", layer], check=True)
        zipped = layer.with_suffix(".tar.gz")
        layout = Layout()
        manifest = {
            "schemaVersion": 2,
            "config": layout.blob(config, "application/vnd.oci.image.config.v1+json"),
            "layers": [{"digest": f"sha256:{digest(zipped)}", "size": zipped.stat().st_size}],
        }
        image = layout.blob(json.dumps(manifest).encode(), "application/vnd.oci.image.manifest.v1+json")
        reference = written(layout.finished(image), tmp_path / "layout")
        zipped.rename(tmp_path / "layout" / "blobs" / "sha256" / digest(zipped))
        return reference
    manifest_json = json.dumps([{"Config": "c.json", "RepoTags": ["a:1"], "Layers": ["layer.tar"]}]).encode()
    (tmp_path / "c.json").write_bytes(config)
    (tmp_path / "manifest.json").write_bytes(manifest_json)
    names = ["layer.tar", "c.json", "manifest.json"]
    subprocess.run(
        ["tar", "-C", tmp_path, "--use-compress-program=gzip -1", "-cf", tmp_path / "a.tar", *names], check=True
    )
    return str(tmp_path / "a.tar")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_harmed_archive_is_refused_in_one_line_or_read(data: st.DataObject, tmp_path: Path) -> None:
    layout = Layout()
    whole = bytearray(packed(layout.finished(layout.manifest([ONE]))))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "a.tar"
    path.write_bytes(whole[: data.draw(st.integers(1, len(whole)))])
    refused = ""
    try:
        examine(str(path), None, "amd64").close()
    except BadImage as error:
        refused = str(error)
    assert refused.startswith(str(path) if refused else "")
    assert "\n" not in refused
