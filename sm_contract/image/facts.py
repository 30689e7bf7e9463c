"""What an image says of itself, from the engine or from an archive, and how it is got into the engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sm_contract.engine.protocol import (
    Engine,
    EngineError,
    EngineFull,
    EngineLost,
    EngineMissing,
    FileSystem,
    StartError,
)
from sm_contract.image.archive import Archive
from sm_contract.image.choose import architecture_name
from sm_contract.image.entry import program, workdir
from sm_contract.image.gpu import look
from sm_contract.image.loose import mapping, number, strings
from sm_contract.image.manifest import described
from sm_contract.image.reference import BadImage, locate, shown
from sm_contract.image.streams import Damaged
from sm_contract.record import WORD, FileFact, Healthcheck, ImageFacts

_LOST = (EngineMissing, EngineLost, EngineFull)  # of the machine, never of the image
MOST_LAYERS = 125
_BAKED = 1000
_BELOW_OPT_ML = 5000  # entries looked at, to find so many regular files
_ACCOUNTS = 1 << 20  # bytes of /etc/passwd


@dataclass
class Examined:
    """An image that was looked at, and the way to its id in the engine."""

    facts: ImageFacts
    unfit: str  # why it may not be started; "" if it may
    _archive: Archive | None = None
    _id: str = ""

    def image(self, engine: Engine) -> str:
        """The id to start containers of. An archive is brought in once, under a tag of ours."""
        if self.unfit:
            raise BadImage(f"{self.facts.reference}: {self.unfit}")
        if not self._id and self._archive is not None:
            self._id = self._load(engine, self._archive)
        return self._id

    def _load(self, engine: Engine, archive: Archive) -> str:
        try:
            return engine.load(archive.as_docker_archive(engine.tag()))
        except Damaged as error:
            raise BadImage(f"{self.facts.reference}: was changed while it was read: {error}; save it again") from None
        except _LOST:
            raise
        except EngineError:
            if not archive.unreadable:
                raise
            raise BadImage(
                f"{self.facts.reference}: {archive.unreadable}, and the engine does not unpack it either; "
                "give it gzip layers: skopeo copy --dest-compress-format gzip"
            ) from None

    def close(self) -> None:
        """Let go of the archive."""
        if self._archive is not None:
            self._archive.close()


def examine(
    reference: str,
    engine: Engine | None,
    architecture: str,
    *,
    gpu: bool = False,
    missing: EngineError | None = None,
) -> Examined:
    """Look at the image that REF names, without starting it.

    An archive or layout is read without the engine; anything else is the engine's to find. ``missing``
    is why there is no engine, raised where one is needed; ``gpu`` says that the owner declares that
    feature. Raises BadImage, ImageUnknown, EngineError.
    """
    path = locate(reference)
    if path is not None:
        return _examine_archive(path, reference, architecture, gpu=gpu)
    if engine is None:
        raise missing or EngineMissing(f"{reference}: no engine answers, and no file of that name is there")
    image = engine.resolve(reference)
    facts = image_facts(reference, "engine", engine.inspect(image), engine.files(image), gpu=gpu)
    return Examined(replace(facts, id=facts.id or image), _unfit(facts, architecture), None, image)


def _examine_archive(path: Path, reference: str, architecture: str, *, gpu: bool) -> Examined:
    archive = Archive(path, reference, architecture)
    try:
        facts = image_facts(
            reference, archive.source, archive.config, archive.files, unreadable=archive.unreadable, gpu=gpu
        )
    except Damaged as error:  # only if it is changed while it is read
        archive.close()
        raise BadImage(f"{reference}: is damaged: {error}; save it again") from None
    except BaseException:
        archive.close()
        raise
    facts = replace(
        facts,
        id=archive.id,
        digest=archive.digest,
        tags=archive.tags,
        size=archive.size,
        biggest_layer=archive.biggest_layer,
        manifest=archive.manifest,
    )
    return Examined(facts, _unfit(facts, architecture), archive)


def image_facts(
    reference: str,
    source: str,
    description: Mapping[str, Any],
    fs: FileSystem | None,
    *,
    unreadable: str = "",
    gpu: bool = False,
) -> ImageFacts:
    """The facts of an image from its description: docker's inspect JSON, or the config of an archive.

    ``fs`` is its merged file system; where it cannot be read, what rests on it stays empty and
    ``unreadable`` says why.
    """
    config = mapping(description.get("Config") or description.get("config"))
    layers = mapping(description.get("RootFS")).get("Layers") or mapping(description.get("rootfs")).get("diff_ids")
    size = description.get("Size")
    facts = ImageFacts(
        reference=reference,
        source=source,
        id=_text(description, "Id"),
        digest=_digest(description),
        tags=strings(description.get("RepoTags")),
        os=_text(description, "Os", "os"),
        architecture=_text(description, "Architecture", "architecture"),
        variant=_text(description, "Variant", "variant"),
        size=size if isinstance(size, int) else 0,
        user=_text(config, "User"),
        user_id=_user_id(_text(config, "User"), {}),
        entrypoint=strings(config.get("Entrypoint")),
        cmd=strings(config.get("Cmd")),
        env=strings(config.get("Env")),
        workdir=_text(config, "WorkingDir"),
        volumes=tuple(sorted(mapping(config.get("Volumes")))),
        labels={key: str(value) for key, value in mapping(config.get("Labels")).items()},
        stop_signal=_text(config, "StopSignal"),
        exposed=tuple(sorted(mapping(config.get("ExposedPorts")))),
        healthcheck=_healthcheck(mapping(config.get("Healthcheck"))),
        layers=len(strings(layers)),
        manifest=described(description),
        unreadable=shown(unreadable),
    )
    if fs is None:
        return facts
    try:
        users, groups = _accounts(fs, "/etc/passwd"), _accounts(fs, "/etc/group")
        programs = {word: program(fs, config, word) for word in WORD.values()}
        return replace(
            facts,
            workdir_file=fs.stat(workdir(config)),
            user_id=_user_id(facts.user, users or {}),
            passwd=_names_and_numbers(users),
            groups=_names_and_numbers(groups),
            programs=programs,
            baked=_baked(fs),
            gpu=look(fs, config, programs.values(), declared=gpu),
        )
    except _LOST:
        raise
    except (EngineError, StartError) as error:  # an engine that cannot lay the image out, though it has it
        return replace(facts, unreadable=shown(str(error)))


def _unfit(facts: ImageFacts, architecture: str) -> str:
    if facts.os.lower() != "linux" or architecture_name(facts.architecture) != architecture_name(architecture):
        return f"is not started: it is built for {facts.os}/{facts.architecture}"
    if facts.layers > MOST_LAYERS:
        return f"is not started: it has {facts.layers} layers, and an engine takes {MOST_LAYERS} at most"
    return ""


def _digest(description: Mapping[str, Any]) -> str:
    described = mapping(description.get("Descriptor")).get("digest")
    if isinstance(described, str):
        return described
    return next((name.partition("@")[2] for name in strings(description.get("RepoDigests")) if "@" in name), "")


def _text(description: Mapping[str, Any], *keys: str) -> str:
    return next((value for key in keys if isinstance(value := description.get(key), str)), "")


def _healthcheck(config: Mapping[str, Any]) -> Healthcheck | None:
    command = strings(config.get("Test"))
    if not command or command[0] == "NONE":
        return None

    def seconds(key: str, default: float) -> float:
        return number(config.get(key)) / 1e9 or default

    return Healthcheck(
        command=command,
        interval=seconds("Interval", 30.0),
        retries=number(config.get("Retries")) or 3,
        start_period=seconds("StartPeriod", 0.0),
    )


def _accounts(fs: FileSystem, path: str) -> dict[str, str] | None:
    """The number of each name that /etc/passwd or /etc/group knows; None without the file."""
    data = fs.read(path, _ACCOUNTS)
    if data is None:
        return None
    known: dict[str, str] = {}
    for line in data.decode("utf-8", "replace").splitlines():
        fields = line.split(":")
        if len(fields) >= 3 and not line.startswith("#"):
            known.setdefault(shown(fields[0]), shown(fields[2]))
    return known


def _names_and_numbers(accounts: Mapping[str, str] | None) -> tuple[str, ...] | None:
    if accounts is None:
        return None
    return tuple(dict.fromkeys(text for account in accounts.items() for text in account if text))


def _user_id(user: str, users: Mapping[str, str]) -> int | None:
    """The number that USER stands for; None where nothing says it."""
    name = user.partition(":")[0]
    text = name if name.isdigit() else users.get(name, "0" if name in ("", "root") else "")
    return int(text) if text.isdigit() else None


def _baked(fs: FileSystem) -> tuple[FileFact, ...]:
    """The regular files below /opt/ml, named as they are found there even where a link leads elsewhere."""
    return tuple(fact for fact in fs.walk("/opt/ml", _BELOW_OPT_ML) if fact.kind == "file")[:_BAKED]
