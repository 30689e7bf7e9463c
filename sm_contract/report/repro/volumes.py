"""What the volumes of a life held, as files beside a script and the lines that bring them in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from shlex import quote

from sm_contract.platform.content import Content
from sm_contract.platform.tree import Member

Files = dict[str, bytes | Path]  # by their place beside the script: the content, or what to copy


@dataclass
class Room:
    """How many bytes of the owner's data may still be copied."""

    left: int

    def take(self, size: int) -> bool:
        if size > self.left:
            return False
        self.left -= size
        return True


@dataclass
class Laid:
    """The files of one volume, and the lines that fill it."""

    files: Files = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)


def lay(name: str, content: Content, room: Room) -> Laid:
    """Lay out a volume; what is too big to be copied is named by its own path."""
    laid = Laid(lines=[f"volume {name}"])
    archive = content.archive
    if archive is not None and room.take(archive.stat().st_size):
        laid.lines.append(f"fill {name} - /sm-by-hand <{beside(name, archive, laid.files)}")
    elif content.made:  # and is gone with the run
        wanted = quote(f"MODEL has to name a folder with {content.made}")
        laid.lines.append(f'[ -n "${{MODEL:-}}" ] || {{ say {wanted}; exit 1; }}')
        laid.lines.append(f'fill {name} "$MODEL/." /sm-by-hand')
    elif archive is not None:
        laid.lines.append(f"fill {name} - /sm-by-hand <{quote(str(archive.resolve()))}")
    else:
        _lay_members(name, content, room, laid)
    return laid


def beside(name: str, archive: Path, files: Files) -> str:
    """Put an archive beside the script: how it is called there."""
    ending = ".tar.gz" if archive.name.endswith(".tar.gz") else ".tar"
    files[f"{name}{ending}"] = archive
    return f"./{name}{ending}"


def _lay_members(name: str, content: Content, room: Room, laid: Laid) -> None:
    members = [member for member in content.members() if _inside(member.path)]
    elsewhere = _too_big(members, content.owned, room)
    here = [member for member in members if not any(_below(member.path, top) for top in elsewhere)]
    copied = {_path(member): member for member in here if member.kind == "file"}
    laid.files.update(
        {f"{name}/{path}": member.data if member.source is None else member.source for path, member in copied.items()}
    )
    if copied:
        laid.lines.append(f'cp -R {name}/. "$stage"')
        laid.lines.append('chmod -R u=rwX,go=rX "$stage"')
    for member in here:
        laid.lines += _made(member, copied)
    for top in elsewhere:  # its folder has to be there
        laid.lines.append(f'mkdir -p "$stage"{_shell(top)}')
    if members and content.owner:  # which only root can give away
        laid.lines += [
            f'chown -R {content.owner}:0 "$stage"',
            "owned=--archive",
            f"fill {name}",
            "owned=",
        ]
    elif members:
        laid.lines.append(f"fill {name}")
    for top, path in elsewhere.items():
        source = f"{path.resolve()}/." if path.is_dir() else str(path.resolve())
        laid.lines.append(f"fill {name} {quote(source)} {quote('/'.join(['/sm-by-hand', *filter(None, [top])]))}")


def _made(member: Member, copied: Mapping[str, Member]) -> Iterator[str]:
    """The lines for what a copied folder does not bring: empty folders, pipes, odd modes."""
    path = _path(member)
    if member.kind == "directory" and path and not any(_below(file, path) for file in copied):
        yield f'mkdir -p "$stage"{_shell(path)}'
    if member.kind == "fifo":
        yield f'mkdir -p "$stage"{_shell(str(PurePosixPath(path).parent))}'
        yield f'mkfifo "$stage"{_shell(path)}'
    if member.mode != (0o755 if member.kind == "directory" else 0o644):
        yield f'chmod {member.mode:o} "$stage"{_shell(path)}'


def _too_big(members: list[Member], owned: Mapping[str, Path], room: Room) -> dict[str, Path]:
    """The parts of a tree that are the owner's, and more than there is room for."""
    sizes = {
        top: sum(m.source.stat().st_size for m in members if m.source is not None and _below(m.path, top))
        for top in owned
    }
    return {top: path for top, path in owned.items() if not room.take(sizes[top])}


def _path(member: Member) -> str:
    """Where a member lies below the top of its tree; empty for the top itself."""
    return "/".join(part for part in PurePosixPath(member.path).parts if part not in ("/", "."))


def _inside(path: str) -> bool:
    return ".." not in PurePosixPath(path).parts


def _below(path: str, top: str) -> bool:
    """Whether a path is a folder or lies below it."""
    parts = [part for part in PurePosixPath(path).parts if part != "/"]
    return parts[: len(PurePosixPath(top).parts)] == list(PurePosixPath(top).parts)


def _shell(path: str) -> str:
    """A path below a quoted variable."""
    return quote(f"/{path}") if path and path != "." else ""
