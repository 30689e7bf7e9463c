"""The names that an image goes by, taken apart."""

from __future__ import annotations

from typing import NamedTuple

from sm_contract.record import ImageFacts

LONGEST = 255  # characters of a reference
NAMELESS = "it carries no name: it was given by its id, or as a file without a tag"


class Name(NamedTuple):
    """A reference and its parts; an empty one is not given."""

    text: str
    repository: str  # without the registry's host
    tag: str
    digest: str


def names(image: ImageFacts) -> tuple[str, ...]:
    """What an image would be pulled by; the path of an archive and an id are no names."""
    if image.source != "engine":
        return image.tags
    bare = image.reference.removeprefix("sha256:")
    return () if len(bare) >= 4 and image.id.removeprefix("sha256:").startswith(bare) else (image.reference,)


def too_long_or_spaced(name: str) -> bool:
    """Whether a name is none that the platform takes, whatever its parts are."""
    return len(name) > LONGEST or any(character.isspace() for character in name)


def parsed(image: ImageFacts) -> list[Name]:
    """The names of an image in parts. A layout may hold no more than the tag of one."""
    return [_parse(text, tag_alone=image.source == "oci layout") for text in names(image)]


def _parse(text: str, *, tag_alone: bool) -> Name:
    if tag_alone and not any(sign in text for sign in ":/@"):
        return Name(text, "", text, "")
    rest, _, digest = text.partition("@")
    before, colon, tag = rest.rpartition(":")
    if not colon or "/" in tag:  # the colon of a port
        before, tag = rest, ""
    host, slash, path = before.partition("/")
    is_host = slash and (host == "localhost" or "." in host or ":" in host)
    return Name(text, path if is_host else before, tag, digest)
