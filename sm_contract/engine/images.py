"""Images in the engine: found, described, brought in, made from a container. Nothing is ever pulled."""

from __future__ import annotations

import contextlib
import difflib
import io
import re
import tarfile
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from docker.errors import APIError, ImageNotFound, NotFound

from sm_contract.engine.link import Client, Link, Source, says
from sm_contract.engine.ownership import KEPT
from sm_contract.engine.protocol import Container, EngineError, ImageUnknown

if TYPE_CHECKING:
    from sm_contract.engine.docker import DockerEngine

NEAR = 3


def _tags(api: Client) -> list[str]:
    names: list[str] = []
    for image in api.images():
        names += [name for name in image.get("RepoTags") or [] if name != "<none>:<none>"]
    return names


def nearest(reference: str, tags: Iterable[str]) -> list[str]:
    """Tags that may have been meant: the same repository first, then what is spelled alike."""
    tags = sorted(set(tags))
    repository = reference.partition("@")[0]
    if ":" in repository.rpartition("/")[2]:
        repository = repository.rpartition(":")[0]
    same = [tag for tag in tags if tag.rpartition(":")[0] == repository]
    alike = difflib.get_close_matches(reference, tags, n=NEAR, cutoff=0.6)
    alike += [t for t in tags if t.rpartition(":")[0] in difflib.get_close_matches(repository, [t.rpartition(":")[0]])]
    return list(dict.fromkeys([*same, *alike]))[:NEAR]


class Images:
    """Implements the part of ``protocol.Engine`` that is about images."""

    def __init__(self, engine: DockerEngine) -> None:
        self._engine = engine
        self._link: Link = engine.link

    def resolve(self, reference: str) -> str:
        """Tag, digest or id to the image id. Never pulls. Raises ImageUnknown."""
        if not reference.strip():
            raise ImageUnknown("no image was named: the reference is empty. Give a tag, a digest or an id")
        try:
            with self._link.calls(f"looking for the image {reference}") as api:
                return str(api.inspect_image(reference)["Id"])
        except APIError as error:
            # 400 is a reference that breaks the grammar ("Image:Tag"), 500 the same in older engines.
            words = says(error)
            if not isinstance(error, NotFound) and "invalid reference" not in words:
                raise EngineError(f"the engine could not look for {reference!r}: {words}") from error
            raise ImageUnknown(self._unknown(reference, words)) from error

    def _unknown(self, reference: str, words: str) -> str:
        with self._link.ask("to list its images") as api:
            tags = _tags(api)
        near = nearest(reference, tags)
        text = f"no image {reference!r} in the engine at {self._link.address.url}"
        if "invalid reference" in words:
            text += f" ({words})"
        if near:
            return f"{text}. Did you mean {' or '.join(near)}? Nothing is pulled: `docker pull` or build it first"
        has = f"it holds {len(tags)} other tags" if tags else "it holds no tagged image at all"
        return f"{text}; {has}. Nothing is pulled: `docker pull {reference}` or build it first"

    def inspect(self, image: str) -> dict[str, object]:
        try:
            with self._link.calls(f"reading the image {image}") as api:
                return dict(api.inspect_image(image))
        except ImageNotFound as error:
            raise ImageUnknown(f"the image {image} is not in the engine any more") from error

    def load(self, tar: Iterable[bytes]) -> str:
        """Stream a docker archive in, whose only tag is ours; returns the image id."""
        source = Source(tar)
        errors: list[str] = []
        loaded: list[str] = []
        try:
            with self._link.calls("loading an image", source) as api:
                before = {str(image["Id"]) for image in api.images(all=True)}
                with self._engine.making("image", self._engine.session.repository):
                    for line in api.load_image(source, quiet=True):
                        errors += [str(line["error"])] if "error" in line else []
                        loaded += re.findall(r"Loaded image(?: ID)?: (\S+)", str(line.get("stream", "")))
        except APIError as error:
            if source.error is not None:
                raise source.error from None
            raise EngineError(f"the engine could not load the image archive: {says(error)}") from error
        if source.error is not None:
            raise source.error
        ours = [name for name in loaded if self._engine.session.repository in name]
        if errors or not ours:
            self._link.check_full("; ".join(errors))
            raise EngineError(
                f"the engine could not load the image archive: {'; '.join(errors) or 'it named no image'}"
            )
        return self._claim(ours[0], before)

    def _claim(self, tag: str, before: set[str]) -> str:
        """The id behind a tag of ours; if the image was there before, its tag says so to whoever removes it."""
        with self._link.ask("to name the loaded image") as api:
            ident = str(api.inspect_image(tag)["Id"])
            if ident in before:
                repository, _, version = tag.rpartition(":")
                api.tag(ident, repository, version + KEPT)
                api.remove_image(tag, noprune=True)
        return ident

    def of_program(self, program: bytes) -> str:
        """An image of ours that holds one program, which needs nothing else, and runs it; returns its id."""
        session = self._engine.session
        tag = session.tag()
        repository, _, version = tag.rpartition(":")
        labels = [f'LABEL {key}="{value}"' for key, value in session.labels("control").items()]
        changes = ['ENTRYPOINT ["/program"]', *labels]
        try:
            with self._engine.making("image", tag), self._link.calls("importing a program of ours") as api:
                api.import_image_from_data(_packed(program), repository=repository, tag=version, changes=changes)
                return str(api.inspect_image(tag)["Id"])
        except APIError as error:
            raise EngineError(f"the engine could not import a program of ours: {says(error)}") from error

    def commit(self, container: Container) -> str:
        """The stopped container's file system as an image of ours; returns its id."""
        tag = self._engine.session.tag()
        repository, _, version = tag.rpartition(":")
        try:
            with self._engine.making("commit", tag), self._link.calls(f"committing {container.name}") as api:
                base: dict[str, Any] = api.inspect_image(api.inspect_container(container.id)["Image"])["Config"] or {}
                # What is not given is taken from the container: the command of that one life, not the image's.
                conf = {key: base.get(key) for key in ("Cmd", "Entrypoint") if base.get(key)}
                made = api.commit(container.id, repository=repository, tag=version, conf=conf)
                return str(api.inspect_image(str(made["Id"]))["Id"])
        except APIError as error:
            raise EngineError(f"the engine could not commit {container.name}: {says(error)}") from error

    def remove(self, image: str) -> None:
        """Take our tags off an image (and remove it, if it came with us) before the end of the session."""
        with contextlib.suppress(APIError), self._link.calls(f"removing {image}") as api:
            self._engine.remove_tags(api, image)


def _packed(program: bytes) -> bytes:
    """A file system that holds one program."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo("program")
        entry.mode, entry.size = 0o755, len(program)
        tar.addfile(entry, io.BytesIO(program))
    return buffer.getvalue()
