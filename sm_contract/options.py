"""The options: their definitions, and what was given as one typed value. Light: every pytest run imports it."""

from __future__ import annotations

import re
import shlex
from argparse import SUPPRESS, Namespace
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sm_contract.platform.limits import Limits

ROLES = ("training", "inference")
PROFILES = ("isolation", "marketplace")


class OptionError(Exception):
    """An option's value cannot be used; the text names option, value and the way out."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is judged as one: an image, or a pair of which one trains and the other serves."""

    label: str  # as in node ids and in the journal
    image: str  # the reference; of a pair, that of the inference image
    training_image: str | None = None


@dataclass(frozen=True, kw_only=True)
class Options:
    """Everything that was asked for on the command line."""

    subjects: tuple[Subject, ...] = ()  # empty with ``judge``: then the journal says
    config: Path | None = None
    profile: str | None = None
    roles: tuple[str, ...] | None = None
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    strict: bool = False
    partial_ok: bool = False
    report: Path | None = None
    judge: Path | None = None
    engine: str | None = None
    keep: str = "never"  # or "on-failure"
    memory: int | None = None  # bytes; None: by the machine's size
    processes: int | None = None
    log_size: int | None = None  # bytes
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class _Option:
    name: str
    help: str
    metavar: str | None = None  # None: a switch
    many: bool = False
    read: Callable[[str, str], Any] | None = None  # (option, text) to value, raises OptionError

    @property
    def dest(self) -> str:
        return "sm_" + self.name.lstrip("-").removeprefix("sm-").replace("-", "_")


def _seconds(option: str, text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?|\.\d+)(ms|s|m|h)?", text.strip())
    value = float(match[1]) * {"ms": 0.001, "m": 60.0, "h": 3600.0}.get(match[2], 1.0) if match else 0.0
    if value <= 0:
        raise OptionError(f"{option}: found {text!r}; give a positive number of seconds, such as 30, 0.5 or 2m")
    return value


def _size(option: str, text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", text.strip().lower())
    value = int(float(match[1]) * 1024 ** " kmgt".index(match[2] or " ")) if match else 0
    if value <= 0:
        raise OptionError(f"{option}: found {text!r}; give a size such as 512m or 2g")
    return value


def _memory(option: str, text: str) -> int:
    value = _size(option, text)
    if value < 6 * 1024**2:
        raise OptionError(f"{option}: found {text!r}; an engine accepts no less than 6m")
    return value


def _count(option: str, text: str) -> int:
    if not re.fullmatch(r"\d+", text.strip()) or int(text) <= 0:
        raise OptionError(f"{option}: found {text!r}; give a positive whole number")
    return int(text)


def _one_of(*valid: str) -> Callable[[str, str], str]:
    def read(option: str, text: str) -> str:
        if text not in valid:
            raise OptionError(f"{option}: found {text!r}{_near(text, valid)}")
        return text

    return read


def _roles(option: str, text: str) -> tuple[str, ...]:
    roles = [part.strip() for part in text.split(",")]
    return tuple(dict.fromkeys(_one_of(*ROLES)(option, role) for role in roles))


def _path(option: str, text: str) -> Path:
    if not text.strip():
        raise OptionError(f"{option}: is empty; give a path")
    return Path(text).expanduser()


def _text(option: str, text: str) -> str:
    if not text.strip():
        raise OptionError(f"{option}: is empty")
    return text.strip()


LIMITS = {
    "--sm-start-limit": ("start", "until a server answers pings"),
    "--sm-ping-limit": ("ping", "for each ping"),
    "--sm-invoke-limit": ("invoke", "for each invocation"),
    "--sm-stop-limit": ("stop", "from SIGTERM to the end of a server"),
    "--sm-train-stop-limit": ("train_stop", "from SIGTERM to the end of a training"),
    "--sm-train-limit": ("train", "until a training has to be over; the suite's own"),
    "--sm-idle": ("idle", "without any work before a training counts as hanging; the suite's own"),
}

DEFINITIONS: tuple[_Option, ...] = (
    _Option("--image", "judge this image: tag, digest, id, docker-save tar or OCI layout", "REF", True, _text),
    _Option("--training-image", "of two images judged as a pair, the one that trains", "REF", read=_text),
    _Option("--inference-image", "of two images judged as a pair, the one that serves", "REF", read=_text),
    _Option("--sm-config", "what the owner declares (default: sm-contract.toml here)", "FILE", read=_path),
    _Option("--sm-profile", "judge by a stricter profile: isolation or marketplace", "NAME", read=_one_of(*PROFILES)),
    _Option("--sm-roles", "the roles the image claims: training, inference or both", "ROLES", read=_roles),
    _Option("--sm-only", "judge only these requirements (repeatable)", "ID-GLOB", True, _text),
    _Option("--sm-skip", "leave these requirements out (repeatable)", "ID-GLOB", True, _text),
    _Option("--sm-strict", "a broken SHOULD fails the run as well"),
    _Option("--sm-partial", "'ok': not everything judged does not fail the run", "ok", read=_one_of("ok")),
    _Option("--sm-report", "write result.json, junit.xml and journal.jsonl here", "DIR", read=_path),
    _Option("--sm-judge", "judge the journal of an earlier run; needs no engine", "JOURNAL", read=_path),
    _Option(
        "--sm-explain", "say what one requirement means, how it is judged, and what it leaves open", "ID", read=_text
    ),
    _Option("--sm-engine", "the engine to use (default: as the docker command would)", "URL", read=_text),
    _Option(
        "--sm-keep",
        "keep containers and volumes: never (default) or on-failure",
        "WHEN",
        read=_one_of("never", "on-failure"),
    ),
    _Option("--sm-memory", "memory limit of a container (default: by the machine)", "SIZE", read=_memory),
    _Option("--sm-processes", "process limit of a container (default: by the machine)", "N", read=_count),
    _Option("--sm-log-size", "how much log of a container is kept", "SIZE", read=_size),
    *(
        _Option(name, f"seconds {what} (default {getattr(Limits(), key):g})", "SECONDS", read=_seconds)
        for name, (key, what) in LIMITS.items()
    ),
)
LIST = "--sm-list"
DOCUMENT = "--sm-document"
NAMES = (*(option.name for option in DEFINITIONS), LIST, DOCUMENT)


def define(add: Callable[..., None]) -> None:
    """Define every option through ``add``, pytest's ``addoption``."""
    for option in DEFINITIONS:
        if option.metavar is None:
            add(option.name, dest=option.dest, action="store_true", default=False, help=option.help)
        else:
            action = "append" if option.many else "store"
            add(option.name, dest=option.dest, action=action, metavar=option.metavar, default=None, help=option.help)
    add(
        LIST,
        dest="sm_list",
        nargs="?",
        const="text",
        default=None,
        metavar="json",
        help="list what is judged (--sm-list=json: for programs); needs no engine",
    )
    # for a later version: known, and not offered
    add(DOCUMENT, dest="sm_document", nargs="?", const="", default=None, metavar="FILE", help=SUPPRESS)


def active(given: Namespace) -> bool:
    """Whether the run judges at all: without one of these options the plugin does nothing."""
    return any(
        getattr(given, dest, None) is not None
        for dest in ("sm_image", "sm_training_image", "sm_inference_image", "sm_judge")
    )


def asks(given: Namespace) -> bool:
    """Whether only a question is to be answered, without a run."""
    return any(getattr(given, dest, None) is not None for dest in ("sm_list", "sm_explain", "sm_document"))


def read(given: Namespace) -> Options:
    """The options as given. Raises OptionError."""
    values = {option.dest: _value(option, getattr(given, option.dest, None)) for option in DEFINITIONS}
    subjects = _subjects(values["sm_image"] or (), values["sm_training_image"], values["sm_inference_image"])
    if values["sm_judge"] and subjects:
        raise OptionError("--sm-judge: judges the images its journal holds; leave --image out, or --sm-judge")
    if values["sm_judge"] and values["sm_roles"]:
        raise OptionError("--sm-roles: a journal has the roles of its own run; leave it out, or give --image again")
    limits = {
        key: values[dest]
        for name, (key, _) in LIMITS.items()
        if values[dest := "sm_" + name.removeprefix("--sm-").replace("-", "_")] is not None
    }
    return Options(
        subjects=subjects,
        config=values["sm_config"],
        profile=values["sm_profile"],
        roles=values["sm_roles"],
        only=values["sm_only"] or (),
        skip=values["sm_skip"] or (),
        strict=bool(values["sm_strict"]),
        partial_ok=values["sm_partial"] == "ok",
        report=values["sm_report"],
        judge=values["sm_judge"],
        engine=values["sm_engine"],
        keep=values["sm_keep"] or "never",
        memory=values["sm_memory"],
        processes=values["sm_processes"],
        log_size=values["sm_log_size"],
        limits=Limits(**limits),
    )


def unknown(arguments: Sequence[str]) -> str:
    """A message for the first ``--sm-…`` that is no option of ours; empty if all are known."""
    for argument in arguments:
        name = argument.partition("=")[0]
        if name == "--":
            return ""
        if name.startswith("--sm-") and name not in NAMES:
            return f"{name} is no option{_near(name, NAMES)}"
    return ""


def _value(option: _Option, given: Any) -> Any:
    if given is None or option.read is None:
        return given
    if option.many:
        return tuple(dict.fromkeys(option.read(option.name, text) for text in given))
    return option.read(option.name, given)


def _subjects(images: Sequence[str], training: str | None, inference: str | None) -> tuple[Subject, ...]:
    if bool(training) != bool(inference):
        given, missing = ("training", "inference") if training else ("inference", "training")
        raise OptionError(f"--{given}-image: makes a pair together with --{missing}-image; give both, or use --image")
    if training and inference:
        if images:
            raise OptionError("--training-image: a pair is judged by itself; leave --image out, or the pair")
        return (Subject(label=f"{training}+{inference}", image=inference, training_image=training),)
    return tuple(Subject(label=image, image=image) for image in images)


def _near(text: str, valid: Sequence[str]) -> str:
    import difflib  # noqa: PLC0415  # only for a message

    near = difflib.get_close_matches(text, valid, n=1, cutoff=0.7)
    return f"; did you mean {near[0]}?" if near else f"; valid are {', '.join(valid)}" if len(valid) < 8 else ""


def repeat(given: Namespace) -> list[str]:
    """The options of this run that a run of a single requirement needs as well, as a shell takes them."""
    left_out = {"sm_image", "sm_training_image", "sm_inference_image", "sm_only", "sm_skip", "sm_report"}
    return [word for option in DEFINITIONS if option.dest not in left_out for word in _written(option, given)]


def filters(given: Namespace) -> list[str]:
    """The options of ours by which requirements were left out, as a shell takes them."""
    return [word for option in DEFINITIONS if option.dest in ("sm_only", "sm_skip") for word in _written(option, given)]


def _written(option: _Option, given: Namespace) -> list[str]:
    value = getattr(given, option.dest, None)
    if not value:
        return []
    if option.metavar is None:
        return [option.name]
    return [f"{option.name}={shlex.quote(each)}" for each in (value if option.many else [value])]
