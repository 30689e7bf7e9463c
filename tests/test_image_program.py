"""What a word starts, followed through the image."""

from __future__ import annotations

import sys
import tarfile
import uuid
from pathlib import Path
from typing import Any

import pytest
from image_support import (
    Members,
    docker_archive,
    elf,
    file,
    folder,
    symlink,
)

from sm_contract.image import examine
from sm_contract.record import Program

SH = file("bin/sh", elf(loader="/lib/ld.so"), mode=0o755)
LD = file("lib/ld.so", elf(), mode=0o755)
BASE = [SH, LD, file("usr/bin/env", elf(), mode=0o755), file("usr/bin/python3", elf(), mode=0o755)]


def started(tmp_path: Path, *members: tuple[tarfile.TarInfo, bytes], word: str = "train", **inner: Any) -> Program:
    reference = docker_archive(tmp_path / f"{uuid.uuid4().hex}.tar", [*BASE, *members], **inner)
    return examine(reference, None, "amd64").facts.programs[word]


def script(name: str, first: str = "#!/bin/sh", rest: str = "", mode: int = 0o755) -> tuple[tarfile.TarInfo, bytes]:
    return file(name, f"{first}\n{rest}\n".encode(), mode=mode)


class TestProgram:
    def test_the_word_on_path(self, tmp_path: Path) -> None:
        found = started(tmp_path, script("usr/bin/train"))
        assert found.argv == ("train",)
        assert found.file is not None
        assert found.file.path == "/usr/bin/train"
        assert found.looked_in == ("/usr/local/sbin/train", "/usr/local/bin/train", "/usr/sbin/train", "/usr/bin/train")
        assert (found.form, found.interpreter, found.machine) == ("script", "/bin/sh", "amd64")
        assert (found.loader, found.loader_found, found.knows_word) == ("/lib/ld.so", True, True)

    def test_path_of_the_image(self, tmp_path: Path) -> None:
        found = started(tmp_path, script("opt/program/train"), Env=["PATH=/opt/program:/usr/bin"])
        assert found.file is not None
        assert found.file.path == "/opt/program/train"

    def test_a_relative_element_of_path_starts_at_workdir(self, tmp_path: Path) -> None:
        found = started(tmp_path, script("w/b/train"), Env=["PATH=b"], WorkingDir="/w")
        assert found.file is not None
        assert found.file.real_path == "/w/b/train"

    def test_off_the_path(self, tmp_path: Path) -> None:
        found = started(tmp_path, script("opt/program/train"), script("home/me/deep/train", mode=0o644))
        assert (found.file, found.form) == (None, "missing")
        assert found.elsewhere == ("/opt/program/train",)
        assert started(tmp_path, script("home/me/deep/train", mode=0o644)).elsewhere == ("/home/me/deep/train",)
        assert started(tmp_path, file("opt/data/train", b"1,2\n"), folder("srv/train")).elsewhere == ()
        assert started(tmp_path, word="serve").elsewhere == ()

    def test_an_executable_later_on_path_wins(self, tmp_path: Path) -> None:
        found = started(tmp_path, script("usr/local/bin/train", mode=0o644), script("bin/train"))
        assert found.file is not None
        assert found.file.path == "/bin/train"

    def test_without_execute_bit_it_is_still_found(self, tmp_path: Path) -> None:
        found = started(tmp_path, script("usr/bin/train", mode=0o644))
        assert found.file is not None
        assert (found.file.path, found.file.mode, found.form) == ("/usr/bin/train", 0o644, "script")
        assert found.looked_in[-1] == "/bin/train"

    def test_a_folder_of_that_name_is_passed_over(self, tmp_path: Path) -> None:
        found = started(tmp_path, folder("usr/local/bin/train"), script("usr/bin/train"))
        assert found.file is not None
        assert found.file.path == "/usr/bin/train"
        assert started(tmp_path, folder("usr/local/bin/train")).file is None

    def test_through_links(self, tmp_path: Path) -> None:
        found = started(tmp_path, script("app/main.sh"), symlink("usr/bin/train", "/app/main.sh"))
        assert found.file is not None
        assert (found.file.path, found.file.real_path) == ("/usr/bin/train", "/app/main.sh")

    def test_a_dangling_link(self, tmp_path: Path) -> None:
        found = started(tmp_path, symlink("usr/bin/train", "/app/main.sh"))
        assert found.file is not None
        assert (found.file.kind, found.form) == ("symlink", "missing")

    @pytest.mark.parametrize("entry", ["./run.sh", "bin/../run.sh"])
    def test_a_relative_entry_starts_at_workdir(self, entry: str, tmp_path: Path) -> None:
        members = (folder("app/bin"), script("app/run.sh"))
        found = started(tmp_path, *members, Entrypoint=[entry], WorkingDir="/app")
        assert found.argv == (entry, "train")
        assert found.file is not None
        assert found.file.real_path == "/app/run.sh"
        found = started(tmp_path, *members, Entrypoint=[entry])
        assert (found.file, found.elsewhere) == (None, ("/app/run.sh",))

    @pytest.mark.parametrize(
        ("first", "interpreter", "there", "shown_line"),
        [
            ("#!/bin/sh\r", "/bin/sh\r", False, "#!/bin/sh\\r"),
            ("#!/bin/sh -e\r", "/bin/sh", True, "#!/bin/sh -e\\r"),
            ("#! \t/bin/sh -e", "/bin/sh", True, "#! \\t/bin/sh -e"),
            ("#!/bin/bash", "/bin/bash", False, "#!/bin/bash"),
            ("#!/usr/bin/env python3", "/usr/bin/env python3", True, "#!/usr/bin/env python3"),
            ("#!/usr/bin/env python3\r", "/usr/bin/env python3\r", False, "#!/usr/bin/env python3\\r"),
            ("#!/usr/bin/env python3 -u", "/usr/bin/env python3 -u", False, "#!/usr/bin/env python3 -u"),
            ("#!/usr/bin/env -S python3 -u", "/usr/bin/env python3", True, "#!/usr/bin/env -S python3 -u"),
            ("#!/usr/bin/env -S A=1 python3", "/usr/bin/env python3", True, "#!/usr/bin/env -S A=1 python3"),
            ("#!/bin/env python3", "/bin/env", False, "#!/bin/env python3"),
            ("#!", "", False, "#!"),
        ],
    )
    def test_first_lines(self, first: str, interpreter: str, there: bool, shown_line: str, tmp_path: Path) -> None:
        found = started(tmp_path, script("usr/bin/train", first))
        assert (found.form, found.interpreter, found.first_line) == ("script", interpreter, shown_line)
        assert (found.interpreter_file is not None) is there
        assert found.machine == ("amd64" if there else "")

    def test_env_asks_the_path_of_the_image(self, tmp_path: Path) -> None:
        members = (script("t/train", "#!/usr/bin/env conda"), file("c/conda", elf(183), mode=0o755))
        assert started(tmp_path, *members, Env=["PATH=/t"]).interpreter_file is None
        found = started(tmp_path, *members, Env=["PATH=/t:/c"])
        assert found.interpreter_file is not None
        assert found.machine == "arm64"

    def test_a_script_that_interprets_a_script(self, tmp_path: Path) -> None:
        found = started(tmp_path, script("usr/bin/train", "#!/x"), script("x", "#!/bin/sh"))
        assert (found.interpreter, found.machine) == ("/x", "amd64")
        assert started(tmp_path, script("usr/bin/train", "#!/usr/bin/train")).machine == ""

    @pytest.mark.parametrize(
        ("machine", "wide", "name"),
        [
            (62, True, "amd64"),
            (183, True, "arm64"),
            (3, False, "386"),
            (62, False, "x32"),
            (9999, True, "machine 9999"),
        ],
    )
    def test_machines(self, machine: int, wide: bool, name: str, tmp_path: Path) -> None:
        found = started(tmp_path, file("usr/bin/train", elf(machine, "/lib/ld.so", wide=wide), mode=0o755))
        assert (found.form, found.machine, found.loader, found.loader_found) == ("elf", name, "/lib/ld.so", True)

    def test_a_real_program_whose_machine_was_patched(self, tmp_path: Path) -> None:
        real = bytearray(Path(sys.executable).resolve().read_bytes())
        assert started(tmp_path, file("usr/bin/train", bytes(real), mode=0o755)).machine in ("amd64", "arm64")
        real[18:20] = b"\xf3\x00"
        found = started(tmp_path, file("usr/bin/train", bytes(real), mode=0o755))
        assert found.machine == "riscv64"
        assert "ld" in found.loader
        assert not found.loader_found

    def test_a_loader_name_far_behind(self, tmp_path: Path) -> None:
        found = started(tmp_path, file("usr/bin/train", elf(loader="/lib/no.so", loader_at=300_000), mode=0o755))
        assert (found.loader, found.loader_found) == ("/lib/no.so", False)

    @pytest.mark.parametrize("data", [b"", b"\x7fELF", b"\x7fELF\x02\x01" + b"\xff" * 200, b"echo hello\n", b"MZ\0\0"])
    def test_files_that_nothing_starts(self, data: bytes, tmp_path: Path) -> None:
        found = started(tmp_path, file("usr/bin/train", data, mode=0o755))
        assert found.form == ("elf" if data.startswith(b"\x7fELF") else "other")
        assert found.loader == ""

    def test_hostile_names_are_shown(self, tmp_path: Path) -> None:
        found = started(tmp_path, Entrypoint=["a\x1b[2J\n"], WorkingDir="/\x07")
        assert found.argv[0] == "a\\x1b[2J\\n"
        assert all(place.isprintable() for place in found.looked_in)

    @pytest.mark.parametrize(
        ("rest", "entry", "extra", "knows"),
        [
            ('case "$1" in train) exit 0;; esac', ["/run.sh"], [], True),
            ("echo training trainer train_model", ["/run.sh"], [], False),
            ("exec gunicorn app:app", ["/run.sh"], [], False),
            ('exec "$@"', ["/run.sh"], [], False),
            ('exec "$@"', ["/run.sh"], [script("usr/bin/train")], True),
            ('exec python3 -m app "$@"', ["/run.sh"], [], None),
            ("exec /opt/inner.sh", ["/run.sh"], [script("opt/inner.sh", rest="echo train")], True),
            ("import sys; main(sys.argv)", ["/usr/bin/python3", "/run.sh"], [], None),
            ("if mode == 'train': pass", ["python3", "-u", "/run.sh"], [], True),
            ("pass", ["python3", "/run.sh"], [], False),
            ("", ["/bin/sh"], [], None),
            ("", ["python3", "-m", "app"], [], None),
            ("", ["/bin/sh", "-c", "app train"], [], True),
            ("", ["/bin/sh", "-c", "app"], [], None),
            ("", ["/no/such"], [], None),
        ],
    )
    def test_who_knows_the_word(
        self, rest: str, entry: list[str], extra: Members, knows: bool | None, tmp_path: Path
    ) -> None:
        found = started(tmp_path, script("run.sh", rest=rest), *extra, Entrypoint=entry)
        assert found.knows_word is knows
