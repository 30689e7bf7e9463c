"""What would be started for a word: followed as runc and the kernel do, from ENTRYPOINT to the loader."""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sm_contract.engine.protocol import FileSystem
from sm_contract.image.elf import MAGIC, read_elf
from sm_contract.image.knows import knows
from sm_contract.image.loose import strings
from sm_contract.image.reference import shown
from sm_contract.record import FileFact, Program

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # the engine's, where ENV sets none
_FIRST_LINE = 255  # of which the kernel reads the interpreter
_SCRIPTS = 5  # the kernel follows scripts that interpret scripts so far
_USUAL = ("/opt", "/opt/program", "/opt/ml/code", "/opt/ml", "/app", "/srv", "/home", "/root", "/workspace", "/code")
_WALKED = ("/opt", "/app", "/srv", "/home", "/root", "/workspace", "/code", "/src", "/usr/src", "/usr/local")
_WALK = 2000
_ELSEWHERE = 10


@dataclass
class _Chain:
    """What was found on the way from the first file to the ELF file at the end."""

    form: str = "missing"
    interpreter: str = ""
    interpreter_file: FileFact | None = None
    first_line: str = ""
    machine: str = ""
    loader: str = ""
    loader_found: bool = True


@dataclass
class _Place:
    """Where a program starts from: the file system, WORKDIR and PATH."""

    fs: FileSystem
    workdir: str
    path: list[str]
    looked_in: list[str] = field(default_factory=list)

    def find(self, name: str) -> FileFact | None:
        """The file that starting ``name`` leads to.

        The first executable one, as for runc; where there is none, the first file of that name, so that
        a missing execute bit can be told from a missing file.
        """
        self.looked_in = []
        without_bit: FileFact | None = None
        for path in self._candidates(name):
            self.looked_in.append(shown(path))
            fact = self.fs.stat(path)
            if fact is not None and fact.kind != "directory":
                if fact.kind == "file" and fact.mode & 0o111:
                    return fact
                without_bit = without_bit or fact
        return without_bit

    def _candidates(self, name: str) -> Iterator[str]:
        if "/" in name:
            yield posixpath.join(self.workdir, name)
        elif name:
            for folder in self.path:
                yield posixpath.join(self.workdir, folder, name)


def program(fs: FileSystem, config: Mapping[str, Any], word: str) -> Program:
    """What the image starts when the platform gives it ``word``; ``config`` is the config's inner part."""
    entrypoint = strings(config.get("Entrypoint"))
    argv = (*entrypoint, word)
    place = _Place(fs, workdir(config), search_path(strings(config.get("Env"))))
    fact = place.find(argv[0])
    looked_in = tuple(place.looked_in)
    found = fact if fact is not None and fact.kind == "file" else None
    chain = _follow(place, found)
    return Program(
        word=word,
        argv=tuple(shown(argument) for argument in argv),
        file=fact,
        looked_in=looked_in,
        elsewhere=() if found is not None else _elsewhere(place, argv[0], looked_in),
        form=chain.form,
        interpreter=chain.interpreter,
        interpreter_file=chain.interpreter_file,
        first_line=chain.first_line,
        machine=chain.machine,
        loader=chain.loader,
        loader_found=chain.loader_found,
        knows_word=knows(
            fs,
            argv,
            found if chain.form in ("script", "other") else None,
            found,
            workdir=place.workdir,
            on_path=lambda: place.find(word) is not None,
        ),
    )


def workdir(config: Mapping[str, Any]) -> str:
    """WORKDIR as the container gets it."""
    given = config.get("WorkingDir")
    return posixpath.normpath(posixpath.join("/", given if isinstance(given, str) else ""))


def search_path(env: tuple[str, ...]) -> list[str]:
    """The folders of PATH, as the image's environment sets it; an empty element is the working directory."""
    value = DEFAULT_PATH
    for setting in env:
        name, given, text = setting.partition("=")
        if name == "PATH":
            value = text if given else DEFAULT_PATH
    return value.split(":") if value else []


def _follow(place: _Place, fact: FileFact | None) -> _Chain:
    """From a file through its interpreters to the ELF file that runs in the end."""
    chain = _Chain()
    for step in range(_SCRIPTS):
        if fact is None:
            return chain
        path = fact.path
        head = place.fs.read(path, 4096) or b""
        form = "script" if head.startswith(b"#!") else "elf" if head.startswith(MAGIC) else "other"
        if step == 0:
            chain.form = form
            if form == "script" or (form == "other" and b"\0" not in head[:_FIRST_LINE]):
                chain.first_line = _first_line(head)
        if form == "elf":
            elf = read_elf(partial(place.fs.read, path))
            if elf is not None:
                chain.machine = elf.machine
                chain.loader = shown(elf.loader)
                loader = place.fs.stat(posixpath.join(place.workdir, elf.loader)) if elf.loader else None
                chain.loader_found = not elf.loader or (loader is not None and loader.kind == "file")
        if form != "script":
            return chain
        written, fact = _interpreter(place, head)
        if step == 0:
            chain.interpreter, chain.interpreter_file = written, fact
    return chain


def _interpreter(place: _Place, head: bytes) -> tuple[str, FileFact | None]:
    """The interpreter of a first line as the kernel reads it, and its file; through env, what env starts."""
    line = head[2 : _FIRST_LINE + 1].split(b"\n", 1)[0].decode("utf-8", "replace").strip(" \t")
    name, _, rest = re.sub(r"[ \t\0]+", "\0", line, count=1).partition("\0")
    if not name:
        return "", None
    fact = _file(place.fs.stat(posixpath.join(place.workdir, name)))
    if fact is None or posixpath.basename(name) != "env":
        return name, fact
    started = _started_by_env(rest)
    return f"{name} {started}", _file(place.find(started))


def _started_by_env(rest: str) -> str:
    """The program that env starts, given the one argument that a first line can have."""
    split = re.match(r"-[iv0]*S|--split-string(=|\s)", rest)
    if split is None:
        return rest
    try:
        words = shlex.split(rest[split.end() :])
    except ValueError:
        words = rest[split.end() :].split(" ")
    return next((word for word in words if not word.startswith("-") and "=" not in word), "")


def _file(fact: FileFact | None) -> FileFact | None:
    return fact if fact is not None and fact.kind == "file" else None


def _first_line(head: bytes) -> str:
    line = head.split(b"\n", 1)[0][:_FIRST_LINE]
    return shown(line.decode("utf-8", "surrogateescape"))


def _is_program(place: _Place, fact: FileFact) -> bool:
    """A file that is or could be executed; data sets and library files are called "train", too."""
    if fact.kind != "file":
        return False
    return bool(fact.mode & 0o111) or (place.fs.read(fact.path, 4096) or b"").startswith((b"#!", MAGIC))


def _elsewhere(place: _Place, name: str, looked_in: tuple[str, ...]) -> tuple[str, ...]:
    """Programs of that name where images usually have theirs, those with the execute bit first."""
    name = posixpath.basename(name)
    if not name:
        return ()
    known = {*looked_in}
    found: dict[str, bool] = {}  # path: whether it can be executed
    for folder in dict.fromkeys((place.workdir, "/", *DEFAULT_PATH.split(":"), *place.path, *_USUAL)):
        fact = place.fs.stat(posixpath.join("/", folder, name))
        if fact is not None and _is_program(place, fact):
            found.setdefault(fact.real_path, bool(fact.mode & 0o111))
    for folder in _WALKED:
        if found:
            break
        for fact in place.fs.walk(folder, _WALK):
            if posixpath.basename(fact.path) == name and _is_program(place, fact):
                found.setdefault(fact.path, bool(fact.mode & 0o111))
    paths = sorted((path for path in found if path not in known), key=lambda path: (not found[path], path))
    return tuple(paths[:_ELSEWHERE])
