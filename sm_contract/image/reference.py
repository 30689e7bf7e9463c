"""What the user gave as REF: a file or folder that is there, or a name for the engine to look up."""

from __future__ import annotations

import stat
from pathlib import Path

_ARCHIVE_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.zst", ".tar.xz", ".oci")
_LAYOUT_FILES = ("oci-layout", "index.json", "manifest.json")
_MAGIC_AT = 257  # of "ustar" in a tar header
_COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ", b"BZh")


class BadImage(Exception):
    """The image given cannot be used: one line that names it, what is wrong, and the way out."""

    def __init__(self, text: str) -> None:
        super().__init__(" ".join(shown(text).split()))


def shown(text: str) -> str:
    """The text with control and undecodable characters written out: fit for a terminal and for JSON."""
    clean = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in clean)


def locate(reference: str) -> Path | None:
    """The archive or layout that a REF names; None if it is a tag, digest or id for the engine.

    No engine is asked. What exists as a file or as a layout folder is one. A bare name is not taken
    from the engine by something else of that name in the working directory: a project folder
    ``my-image`` or a script ``train`` is no image.

    Raises BadImage for an empty REF, and for one that can only be a path and is none that can be read.
    """
    if not reference.strip():
        raise BadImage("--image is empty: give a tag, digest or id, a `docker save` tar or an OCI layout")
    if "\0" in reference:
        raise BadImage(f"{reference}: no name of an image or a file; give a tag, a digest or a path")
    path = Path(reference).expanduser()
    only_a_path = reference.startswith(("/", "./", "../", "~")) or reference.endswith("/")
    only_a_path = only_a_path or reference in (".", "..")
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        if only_a_path:
            raise BadImage(f"{reference}: no such file or folder; check the path") from None
        if reference.lower().endswith(_ARCHIVE_ENDINGS):
            raise BadImage(
                f"{reference}: no such file; check the path, or write {reference}:latest for a tag of that name"
            ) from None
        return None
    except OSError as error:
        if not only_a_path and not isinstance(error, PermissionError):
            return None  # too long for a file name, say: let the engine say that it knows none
        raise BadImage(f"{reference}: cannot be read ({error.strerror}); make it readable for this user") from None
    if stat.S_ISDIR(mode):
        if only_a_path or any((path / name).exists() for name in _LAYOUT_FILES[:2]):
            return path
        return None
    if not stat.S_ISREG(mode):
        raise BadImage(f"{reference}: not a regular file; give a `docker save` tar or an OCI layout")
    plain_word = "/" not in reference and "." not in reference
    if plain_word and not _looks_packed(path):
        return None
    return path


def _looks_packed(path: Path) -> bool:
    """Whether a file of a bare name is more likely an archive than something that only shares an image's name."""
    try:
        with path.open("rb") as file:
            head = file.read(_MAGIC_AT + 5)
    except OSError:
        return True  # so that the reader says why it cannot be read
    return head[_MAGIC_AT:] == b"ustar" or head.startswith(_COMPRESSED)
