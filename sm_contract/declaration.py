"""What the owner of an image declares, in ``sm-contract.toml`` or ``[tool.sm-contract]`` of ``pyproject.toml``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from sm_contract import toml
from sm_contract.catalogue import CURRENT, catalogue
from sm_contract.schema import near, near_ids, plain, schema_problems

FILE = "sm-contract.toml"
SECTION = ("tool", "sm-contract")
SCHEMA = "sm-contract.schema.json"
WHERE = "below /opt/ml/output/data"


class DeclarationError(Exception):
    """The declaration cannot be used; ``args`` are lines with file, line or key, what was found, the way out."""


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One input channel of the training job."""

    path: Path
    content_type: str | None = None
    required: bool = True


@dataclass(frozen=True, kw_only=True)
class Training:
    hyperparameters: Mapping[str, str] = field(default_factory=dict)
    bad_hyperparameters: Mapping[str, str] = field(default_factory=dict)
    long_hyperparameters: Mapping[str, str] = field(default_factory=dict)
    required_hyperparameters: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()  # patterns below /opt/ml/output/data
    failure_pattern: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    channels: Mapping[str, Channel] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Request:
    """One sample invocation."""

    body: Path
    content_type: str
    accept: str | None = None
    expect_content_type: str | None = None


@dataclass(frozen=True, kw_only=True)
class Inference:
    model: Path | None = None  # a folder or a tar.gz; None: what training produced
    environment: Mapping[str, str] = field(default_factory=dict)
    echoes_custom_attributes: bool = False
    additional_models: Mapping[str, Path] = field(default_factory=dict)  # folders, by channel
    requests: tuple[Request, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Waiver:
    """A broken requirement that its owner lives with knowingly, until a day."""

    id: str
    owner: str
    reason: str
    expires: date


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """Everything declared; a part nobody wrote is None or empty. Paths are absolute."""

    source: Path  # the file it was read from; relative paths in it were taken from its folder
    roles: tuple[str, ...] | None = None
    features: tuple[str, ...] = ()
    architecture: str = "amd64"
    concurrency: int | None = None
    max_image_size: int | None = None  # bytes
    training: Training | None = None
    inference: Inference | None = None
    waivers: tuple[Waiver, ...] = ()
    accept_not_testable: tuple[str, ...] = ()

    @property
    def base(self) -> Path:
        return self.source.parent


def find_declaration(config: Path | None, folders: Iterable[Path]) -> Declaration | None:
    """Read the file that was named, or the first that lies in one of ``folders``; None if there is none.

    Raises DeclarationError.
    """
    if config is not None:
        return read_declaration(config)
    for folder in dict.fromkeys(folders):
        own, shared = folder / FILE, folder / "pyproject.toml"
        in_shared = _section(_parse(shared, _text(shared))) if shared.is_file() else None
        if own.is_file() and in_shared is not None:
            raise DeclarationError(
                f"{_shown(own)} and [tool.sm-contract] in {_shown(shared)} both declare the image; keep one of them"
            )
        if own.is_file() or in_shared is not None:
            return read_declaration(own if own.is_file() else shared)
    return None


def read_declaration(file: Path) -> Declaration:
    """Read and check one file. Raises DeclarationError."""
    text = _text(file)
    table = _parse(file, text)
    prefix: tuple[str, ...] = ()
    section = _section(table)
    if file.name == "pyproject.toml" or section is not None:
        if section is None:
            raise DeclarationError(f"{_shown(file)}: has no table [tool.sm-contract]; write one, or name another file")
        table, prefix = section, SECTION
    return _Reader(file, text, prefix).declaration(table)


class _Reader:
    """One file on its way to a declaration; gathers what is wrong with it."""

    def __init__(self, file: Path, text: str, prefix: Sequence[str]) -> None:
        self._file = file.absolute()
        self._text = text
        self._prefix = prefix
        self._problems: list[tuple[int, str]] = []

    def declaration(self, table: dict[str, Any]) -> Declaration:
        table = plain(table)
        for path, problem in schema_problems(SCHEMA, table):
            self._wrong(path, problem)
        self._raise()
        training, inference = table.get("training"), table.get("inference")
        declaration = Declaration(
            source=self._file,
            roles=tuple(table["roles"]) if "roles" in table else None,
            features=tuple(table.get("features", ())),
            architecture=table.get("architecture", "amd64"),
            concurrency=table.get("concurrency"),
            max_image_size=_size(table["max_image_size"]) if "max_image_size" in table else None,
            training=self._training(training) if training is not None else None,
            inference=self._inference(inference) if inference is not None else None,
            waivers=tuple(self._waivers(table.get("waivers", []))),
            accept_not_testable=tuple(self._ids(table.get("accept_not_testable", []))),
        )
        self._raise()
        return declaration

    def _training(self, table: dict[str, Any]) -> Training:
        given = table.get("hyperparameters", {})
        for position, name in enumerate(table.get("required_hyperparameters", ())):
            if name not in given:
                path = ("training", "required_hyperparameters", position)
                self._wrong(path, f"{name!r} has no value in training.hyperparameters{near(name, given)}")
        for position, output in enumerate(table.get("outputs", ())):
            if output.startswith("/"):
                self._wrong(("training", "outputs", position), f"{output!r} is absolute; name it as it lies {WHERE}")
        pattern = table.get("failure_pattern", "")
        try:
            re.compile(pattern)
        except re.error as error:
            self._wrong(("training", "failure_pattern"), f"{pattern!r} is no regular expression: {error}")
        return Training(
            hyperparameters=given,
            bad_hyperparameters=table.get("bad_hyperparameters", {}),
            long_hyperparameters=table.get("long_hyperparameters", {}),
            required_hyperparameters=tuple(table.get("required_hyperparameters", ())),
            outputs=tuple(table.get("outputs", ())),
            failure_pattern=pattern,
            environment=table.get("environment", {}),
            channels={
                name: Channel(
                    path=self._path(channel["path"], ("training", "channels", name, "path"), "the channel's data"),
                    content_type=channel.get("content_type"),
                    required=channel.get("required", True),
                )
                for name, channel in table.get("channels", {}).items()
            },
        )

    def _inference(self, table: dict[str, Any]) -> Inference:
        model = table.get("model")
        return Inference(
            model=self._path(model, ("inference", "model"), "the model", empty=True) if model is not None else None,
            environment=table.get("environment", {}),
            echoes_custom_attributes=table.get("echoes_custom_attributes", False),
            additional_models={
                name: self._path(path, ("inference", "additional_models", name), "the additional model")
                for name, path in table.get("additional_models", {}).items()
            },
            requests=tuple(
                Request(
                    body=self._path(
                        request["body"], ("inference", "requests", position, "body"), "the request's body", folder=False
                    ),
                    content_type=request["content_type"],
                    accept=request.get("accept"),
                    expect_content_type=request.get("expect_content_type"),
                )
                for position, request in enumerate(table.get("requests", ()))
            ),
        )

    def _waivers(self, rows: list[dict[str, Any]]) -> Iterator[Waiver]:
        seen: set[str] = set()
        for position, row in enumerate(rows):
            if row["id"] in seen:
                self._wrong(("waivers", position, "id"), f"{row['id']} is waived twice; keep one of them")
            seen.add(row["id"])
            try:
                yield Waiver(**{**row, "expires": date.fromisoformat(row["expires"])})
            except ValueError:
                self._wrong(("waivers", position, "expires"), f"{row['expires']!r} is no day of the calendar")

    def _ids(self, ids: list[str]) -> Iterator[str]:
        for position, id in enumerate(ids):
            ours = id.upper().startswith("SM-") or f"SM-{id.upper()}" in catalogue()
            if ours and id not in catalogue():  # any other may be an id of the owner's own
                near = near_ids(id, catalogue())
                self._wrong(("accept_not_testable", position), f"{id} is not in contract {CURRENT}{near}")
            yield id

    def _path(
        self, written: str, path: tuple[str | int, ...], what: str, *, folder: bool = True, empty: bool = False
    ) -> Path:
        place = self._file.parent / written
        problem = _unreadable(place, folder=folder, empty=empty)
        if problem:
            self._wrong(path, f"{what}, {written!r}, {problem} (looked for {_shown(place)})")
        return place

    def _wrong(self, path: Sequence[str | int], problem: str) -> None:
        full = [*self._prefix, *path]
        line = toml.line_of(self._text, full)
        where = f"{_shown(self._file)}:{line}" if line else _shown(self._file)
        key = _key(full)
        self._problems.append((line or 0, f"{where}: {key}: {problem}" if key else f"{where}: {problem}"))

    def _raise(self) -> None:
        if self._problems:
            raise DeclarationError(*(text for _, text in sorted(self._problems)))


def _size(text: str) -> int:
    """The bytes of a size that fits the schema: ``500 MB``, ``2 GiB``."""
    number, prefix = re.fullmatch(r"([0-9.]+) ?([kKMGT]?i?)B", text).groups()  # type: ignore[union-attr]  # it fits
    return int(float(number) * (1024 if prefix.endswith("i") else 1000) ** " KMGT".index(prefix[:1].upper() or " "))


def _key(path: Sequence[str | int]) -> str:
    """``training.channels.training.path``, ``inference.requests[0].body``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f"{'.' if text else ''}{part}"
    return text


def _unreadable(place: Path, *, folder: bool, empty: bool) -> str:
    """Why a file or folder, perhaps an ``empty`` one, cannot be used; "" if it can."""
    try:
        if place.is_dir():
            if not folder:
                return "is a folder; name a file"
            files = [each for each in place.rglob("*") if not each.is_dir()]
            if not files and not empty:
                return "is an empty folder; put a file into it"
            refused = [each for each in files if not os.access(each, os.R_OK)]
            return f"holds {refused[0].name}, which cannot be read; mend its mode or its link" if refused else ""
        with place.open("rb"):
            return ""
    except FileNotFoundError:
        return "is not there; mend the path"
    except OSError as error:
        return f"cannot be read ({error.strerror}); mend its mode"


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DeclarationError(f"{_shown(file)}: there is no such file; mend --sm-config, or leave it out") from None
    except UnicodeDecodeError as error:
        raise DeclarationError(f"{_shown(file)}: is not UTF-8 at byte {error.start}; TOML has to be") from None
    except OSError as error:
        raise DeclarationError(f"{_shown(file)}: cannot be read ({error.strerror})") from None


def _parse(file: Path, text: str) -> dict[str, Any]:
    try:
        return toml.loads(text)
    except toml.TOMLError as error:
        raise DeclarationError(f"{_shown(file)}: is not valid TOML: {error}") from None


def _section(table: dict[str, Any]) -> dict[str, Any] | None:
    tool = table.get("tool")
    section = tool.get("sm-contract") if isinstance(tool, dict) else None
    return section if isinstance(section, dict) else None


def _shown(path: Path) -> str:
    """Relative to here where it lies below here."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)
