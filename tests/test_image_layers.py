"""Layers merged as the engine merges them."""

from __future__ import annotations

import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_support import (
    Members,
    docker_archive,
    docker_files,
    file,
    folder,
    hardlink,
    opened,
    packed,
    symlink,
    tar,
    tree_of,
)

from sm_contract.image.streams import Damaged, Unsupported
from sm_contract.image.tarstream import Member
from sm_contract.image.tree import Tree


class TestMerge:
    def test_whiteouts(self, tmp_path: Path) -> None:
        below = [file("a/x", b"1"), file("a/y", b"2"), file("b/z", b"3"), file("c", b"4")]
        above = [file("a/.wh.x"), file(".wh.b"), file(".wh.never"), file("a/.wh."), file("a/.wh...")]
        found = tree_of(docker_archive(tmp_path / "a.tar", below, above))
        assert found == {"/a": "directory", "/a/y": "2", "/c": "4"}

    @pytest.mark.parametrize("first", [True, False])
    def test_a_whiteout_spares_its_own_layer(self, first: bool, tmp_path: Path) -> None:
        below = [file("a/old", b"1"), file("f", b"2")]
        above = [file("a/.wh..wh..opq"), file("a/new", b"3"), file(".wh.f"), file("f", b"4")]
        found = tree_of(docker_archive(tmp_path / "a.tar", below, above if first else above[::-1]))
        assert found == {"/a": "directory", "/a/new": "3", "/f": "4"}

    def test_a_folder_and_a_file_replace_each_other(self, tmp_path: Path) -> None:
        below = [file("a/x", b"1"), file("b", b"2"), symlink("c", "a")]
        above = [file("a", b"3"), file("b/y", b"4"), folder("c")]
        found = tree_of(docker_archive(tmp_path / "a.tar", below, above))
        assert found == {"/a": "3", "/b": "directory", "/b/y": "4", "/c": "directory"}

    def test_a_layer_that_only_names_a_folder_keeps_its_content(self, tmp_path: Path) -> None:
        archive = opened(docker_archive(tmp_path / "a.tar", [file("a/x"), folder("a", 0o700)], [folder("a", 0o711)]))
        assert archive.files is not None
        fact = archive.files.stat("/a")
        assert fact is not None
        assert fact.mode == 0o711
        assert archive.files.stat("/a/x") is not None

    def test_hard_links(self, tmp_path: Path) -> None:
        below = [file("x", b"one", mode=0o600), hardlink("d/y", "x", 0o755), hardlink("z", "/d/y", 0o700)]
        above = [hardlink("late", "d/y", 0o711), file(".wh.x")]
        archive = opened(docker_archive(tmp_path / "a.tar", below, above))
        assert archive.files is not None
        assert archive.files.stat("/x") is None
        assert archive.files.read("/late") == archive.files.read("/z") == b"one"
        modes = [archive.files.stat(path).mode for path in ("/d/y", "/z", "/late")]  # type: ignore[union-attr]
        assert modes == [0o700, 0o700, 0o711]

    def test_symbolic_links(self, tmp_path: Path) -> None:
        chain = [symlink(f"c{n}", f"c{n + 1}") for n in range(40)]
        layer = [
            *chain,
            file("c40", b"end", mode=0o755),
            symlink("too", "c0"),
            symlink("abs/lute", "/c40"),
            symlink("abs/rel", "../c40"),
            symlink("loop", "loop"),
            symlink("gone", "no/such"),
            symlink("folder", "abs"),
        ]
        archive = opened(docker_archive(tmp_path / "a.tar", layer))
        assert archive.files is not None
        stat = archive.files.stat
        for path in ("/c0", "/abs/lute", "/abs/rel", "/folder/rel", "/folder/../folder/lute"):
            fact = stat(path)
            assert fact is not None
            assert (fact.path, fact.real_path, fact.kind, fact.mode) == (path, "/c40", "file", 0o755)
        for path in ("/loop", "/gone", "/too"):
            fact = stat(path)
            assert fact is not None
            assert (fact.kind, fact.real_path) == ("symlink", path)
            assert archive.files.read(path) is None
        assert stat("/gone/x") is None
        assert stat("/c40/x") is None
        assert [fact.path for fact in archive.files.walk("/folder")] == ["/folder/lute", "/folder/rel"]
        assert [fact.kind for fact in archive.files.walk("/folder")] == ["symlink", "symlink"]

    @pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
    def test_tar_dialects(self, format: int, tmp_path: Path) -> None:
        name = "p" * 80 + "/" + "q" * 60 + ("" if format == tarfile.USTAR_FORMAT else "é" * 90)
        uid = 0o7777777 if format == tarfile.USTAR_FORMAT else 3_000_000_000
        members = [file(name, b"long", uid=uid), symlink("to", name[:99])]
        path = tmp_path / "a.tar"
        path.write_bytes(packed(docker_files([tar(members, format)])))
        archive = opened(str(path))
        assert archive.files is not None
        fact = archive.files.stat(f"/{name}")
        assert fact is not None
        assert (fact.uid, archive.files.read(f"/{name}")) == (uid, b"long")

    def test_a_sparse_file_is_there_and_its_neighbour_is_read(self, tmp_path: Path) -> None:
        (tmp_path / "holes").touch()
        os.truncate(tmp_path / "holes", 5 << 20)
        (tmp_path / "next").write_bytes(b"next")
        for style in ("gnu", "posix"):
            made = subprocess.run(
                ["tar", "-C", tmp_path, "-Scf", "-", f"--format={style}", "holes", "next"],
                capture_output=True,
                check=True,
            )
            path = tmp_path / f"{style}.tar"
            path.write_bytes(packed(docker_files([made.stdout])))
            archive = opened(str(path))
            assert archive.files is not None
            fact = archive.files.stat("/holes")
            assert fact is not None
            assert (fact.size, archive.files.read("/holes")) == (5 << 20, None)
            assert archive.files.read("/next") == b"next"


NAMES = st.sampled_from(["a", "b", "c"])
LEAF = st.one_of(
    st.binary(max_size=3).map(lambda data: ("file", data.hex())),
    st.sampled_from(["a", "/b", "../c", "."]).map(lambda target: ("symlink", target)),
    st.just(("whiteout", "")),
)
LAYER = st.recursive(
    LEAF,
    lambda child: st.tuples(
        st.just("folder"),
        st.dictionaries(NAMES, child, max_size=3),
        st.booleans(),
        st.sampled_from([None, 0o700, 0o755]),
    ),
    max_leaves=8,
)
TOP = st.dictionaries(NAMES, LAYER, max_size=3)


def _members(tree: dict[str, Any], path: str = "") -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    for name, node in tree.items():
        where = f"{path}{name}"
        if node[0] == "file":
            yield file(where, node[1].encode())
        elif node[0] == "symlink":
            yield symlink(where, node[1])
        elif node[0] == "whiteout":
            yield file(f"{path}.wh.{name}")
        else:
            if node[3] is not None:
                yield folder(where, node[3])
            if node[2]:
                yield file(f"{where}/.wh..wh..opq")
            yield from _members(node[1], f"{where}/")


def _apply(model: dict[str, tuple[str, Any]], tree: dict[str, Any], path: str = "") -> None:
    """One layer over a flat model: path to (kind, content or mode)."""

    def drop(where: str, itself: bool = True) -> None:
        for known in [known for known in model if known.startswith(f"{where}/") or (itself and known == where)]:
            del model[known]

    for name, node in tree.items():
        where = f"{path}/{name}"
        if node[0] == "whiteout":
            drop(where)
        elif node[0] in ("file", "symlink"):
            drop(where)
            model[where] = (node[0], node[1] if node[0] == "file" else None)
        elif any(_members({name: node})):  # else nothing in the tar speaks of it
            if node[2]:
                drop(where, itself=False)
            if model.get(where, ("",))[0] != "directory":
                drop(where)
                model[where] = ("directory", 0o755)
            if node[3] is not None:
                model[where] = ("directory", node[3])
            _apply(model, node[1], where)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(layers=st.lists(TOP, min_size=1, max_size=4), data=st.data())
def test_merging_equals_a_plain_model(layers: list[dict[str, Any]], data: st.DataObject, tmp_path: Path) -> None:
    model: dict[str, tuple[str, Any]] = {}
    packed_layers: list[Members] = []
    for layer in layers:
        _apply(model, layer)
        packed_layers.append(data.draw(st.permutations(list(_members(layer)))))
    archive = opened(docker_archive(tmp_path / "a.tar", *packed_layers))
    assert archive.files is not None
    found = {}
    for fact in archive.files.walk("/", 10_000):
        content: Any = None
        if fact.kind == "file":
            content = (archive.files.read(fact.path) or b"").decode()
        elif fact.kind == "directory":
            content = fact.mode
        found[fact.path] = (fact.kind, content)
    archive.close()
    assert found == model


class TestTree:
    def test_a_small_budget(self) -> None:
        tree = Tree(budget=1000)
        with pytest.raises(Unsupported, match="more files than are looked at"):
            tree.add(Member("a/b/c/d/e", "file", 0, 0, 0, 0, "", 0))

    def test_a_hard_link_to_a_folder(self) -> None:
        tree = Tree()
        tree.add(Member("a", "directory", 0, 0, 0, 0, "", 0))
        with pytest.raises(Damaged, match="hard link to a directory"):
            tree.add(Member("b", "hardlink", 0, 0, 0, 0, "a", 0))
