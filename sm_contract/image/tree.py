"""The merged file system of some layers: an index of every file, without the contents.

A layer is first laid out by itself, as the engine unpacks it, then put over what is below. So the
order of members in a layer does not matter: a whiteout hides what lower layers hold, never what its
own layer brings.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

from sm_contract.capabilities import demanded
from sm_contract.image.reference import shown
from sm_contract.image.streams import Damaged, Unsupported
from sm_contract.image.tarstream import Member
from sm_contract.record import FileFact

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
_LINKS = 40  # followed in one look-up, as in the kernel
_PATH = 4096
_NODE_COST = 400  # bytes of memory an entry takes here, names apart (measured)
BUDGET = 512 << 20  # bytes of memory for the index of one image

Meta = tuple[int, int, int, bytes]  # mode, uid, gid, security.capability
_PLAIN: Meta = (0o755, 0, 0, b"")


class Entry:
    """Anything but a directory. Hard links share one."""

    __slots__ = ("kind", "layer", "meta", "offset", "size", "target")

    def __init__(self, member: Member, meta: Meta, layer: int) -> None:
        self.kind = member.kind
        self.meta = meta
        self.size = member.size
        self.layer = layer
        self.offset = member.offset
        self.target = member.link

    def with_meta(self, meta: Meta) -> Entry:
        other = copy.copy(self)
        other.meta = meta
        return other


class Directory:
    """A directory; of a layer not merged yet also what it hides."""

    __slots__ = ("children", "gone", "implicit", "meta", "opaque")

    def __init__(self, meta: Meta = _PLAIN, *, implicit: bool = False) -> None:
        self.meta = meta
        self.children: dict[str, Directory | Entry] = {}
        self.implicit = implicit  # no member of its own: made for what is in it
        self.opaque = False
        self.gone: set[str] | None = None


Node = Directory | Entry


class Tree:
    """The merged index. ``add`` the members of a layer, then ``merge``; and so on."""

    def __init__(self, budget: int = BUDGET) -> None:
        self.root = Directory(implicit=True)
        self.size = 0  # bytes of all files and links of all layers, as the engine counts an image
        self._layer = Directory(implicit=True)
        self._number = 0
        self._from_below: list[tuple[Directory, str, str, Meta]] = []  # hard links to a file of a lower layer
        self._metas: dict[Meta, Meta] = {}
        self._left = budget

    def add(self, member: Member) -> None:
        """Lay out one member. Raises Damaged for what no engine unpacks, Unsupported beyond our budget."""
        parts = parts_of(member.name)
        if len(member.link) > _PATH:
            raise Damaged(f"the link {member.name} leads to a name longer than a path can be")
        if not parts:
            if member.kind == "directory":
                self._layer.meta, self._layer.implicit = self._meta(member), False
            return
        name = parts[-1]
        parent = self._parent(parts[:-1], member.name)
        if name.startswith(WHITEOUT):
            self._hide(parent, name)
            return
        old = parent.children.get(name)
        if member.kind == "directory":
            if isinstance(old, Directory):
                old.meta, old.implicit = self._meta(member), False
            else:
                self._spend(name)
                parent.children[name] = Directory(self._meta(member))
            return
        if member.kind == "hardlink":
            self._link(parent, name, member)
            return
        self._spend(name, member.link)
        self.size += len(member.link) if member.kind == "symlink" else member.size
        parent.children[name] = Entry(member, self._meta(member), self._number)

    def merge(self) -> None:
        """Put the layer over what is below, and begin the next one."""
        for parent, name, target, meta in self._from_below:
            found = walk_to(self.root, parts_of(target), follow_last=False)[1]
            if not isinstance(found, Entry):
                raise Damaged(f"a hard link leads to {target}, which is not there")
            parent.children.setdefault(name, found.with_meta(meta))  # unless a later member has the name
        todo = [(self.root, self._layer)]
        while todo:
            below, above = todo.pop()
            if not above.implicit:
                below.meta = above.meta
            if above.opaque:
                below.children.clear()
            for name in above.gone or ():
                below.children.pop(name, None)
            for name, child in above.children.items():
                old = below.children.get(name)
                if isinstance(child, Directory) and isinstance(old, Directory):
                    todo.append((old, child))
                else:
                    below.children[name] = child
        self._from_below = []
        self._layer = Directory(implicit=True)
        self._number += 1

    def _parent(self, parts: list[str], member: str) -> Directory:
        """The directory of this layer that a member goes into; made where it is not there yet."""
        here, links = self._layer, 0
        above: list[Directory] = []
        todo = parts[::-1]
        while todo:
            name = todo.pop()
            if name == "..":
                here = above.pop() if above else here
                continue
            child = here.children.get(name)
            if child is None:
                self._spend(name)
                child = here.children[name] = Directory(implicit=True)
            if isinstance(child, Entry):
                links += 1
                if child.kind != "symlink" or links > _LINKS:
                    raise Damaged(f"{member} lies in something that is no directory")
                if child.target.startswith("/"):
                    here, above = self._layer, []
                todo += _steps(child.target)[::-1]
                continue
            above.append(here)
            here = child
        return here

    def _hide(self, parent: Directory, name: str) -> None:
        if name == OPAQUE:
            parent.opaque = True
        elif not name.startswith(WHITEOUT * 2) and name[len(WHITEOUT) :] not in ("", ".", ".."):
            hidden = name[len(WHITEOUT) :]
            self._spend(hidden)
            if parent.gone is None:
                parent.gone = set()
            parent.gone.add(hidden)

    def _link(self, parent: Directory, name: str, member: Member) -> None:
        target = parts_of(member.link)
        self._spend(name)
        found = walk_to(self._layer, target, follow_last=False)[1]
        if isinstance(found, Entry):
            found.meta = self._meta(member)  # as the engine does: mode and owner are set through the link
            parent.children[name] = found
        elif isinstance(found, Directory):
            raise Damaged(f"{member.name} is a hard link to a directory")
        else:
            self._spend(member.link)
            parent.children.pop(name, None)
            self._from_below.append((parent, name, member.link, self._meta(member)))

    def _meta(self, member: Member) -> Meta:
        meta = (member.mode, member.uid, member.gid, member.capability)
        return self._metas.setdefault(meta, meta)

    def _spend(self, *names: str) -> None:
        self._left -= _NODE_COST + 2 * sum(map(len, names))
        if self._left < 0:
            raise Unsupported("holds more files than are looked at (about a million)")

    # --- looking things up ---------------------------------------------------------------------------

    def stat(self, path: str) -> FileFact | None:
        """What is at an absolute path, symbolic links followed; None if nothing is."""
        steps = _steps(path)
        real, node = walk_to(self.root, steps)
        if node is not None:
            return _fact(path, real, node)
        real, node = walk_to(self.root, steps, follow_last=False)
        return _fact(path, real, node) if node is not None else None

    def file(self, path: str) -> Entry | None:
        """The regular file at an absolute path, symbolic links followed."""
        node = walk_to(self.root, _steps(path))[1]
        return node if isinstance(node, Entry) and node.kind == "file" else None

    def walk(self, path: str, limit: int = 1000) -> list[FileFact]:
        """What lies below a directory, recursively, links not followed; at most ``limit`` entries."""
        real, node = walk_to(self.root, _steps(path))
        found: list[FileFact] = []
        if isinstance(node, Directory):
            asked = path.rstrip("/")
            for below, child in _below(node):
                if len(found) >= limit:
                    break
                found.append(_fact(asked + below, real.rstrip("/") + below, child))
        return found

    def every(self) -> Iterator[FileFact]:
        """All there is, links not followed."""
        return (_fact(path, path, node) for path, node in _below(self.root))


def parts_of(name: str) -> list[str]:
    """The components of a member's name, cleaned as the engine does: what leads out of the image stays at its root."""
    if len(name) > _PATH:
        raise Damaged("it holds a member whose name is longer than a path can be")
    parts: list[str] = []
    for step in _steps(name):
        if step != "..":
            parts.append(step)
        elif parts:
            parts.pop()
    return parts


def walk_to(root: Directory, steps: list[str], *, follow_last: bool = True) -> tuple[str, Node | None]:
    """The real path and the node that ``steps`` lead to from the root; None if nothing is there."""
    trail: list[tuple[str, Node]] = []
    todo = steps[::-1]
    links = 0
    while todo:
        step = todo.pop()
        here = trail[-1][1] if trail else root
        if not isinstance(here, Directory):
            return "", None
        if step == "..":
            if trail:
                trail.pop()
            continue
        child = here.children.get(step)
        if child is None:
            return "", None
        if isinstance(child, Entry) and child.kind == "symlink" and (todo or follow_last):
            links += 1
            if links > _LINKS or not child.target:
                return "", None
            if child.target.startswith("/"):
                trail = []
            todo += _steps(child.target)[::-1]
            continue
        trail.append((step, child))
    return "/" + "/".join(name for name, _ in trail), trail[-1][1] if trail else root


def _steps(path: str) -> list[str]:
    return [step for step in path.split("/") if step not in ("", ".")]


def _below(directory: Directory) -> Iterator[tuple[str, Node]]:
    todo: list[tuple[str, Node]] = [("", directory)]
    while todo:
        where, node = todo.pop()
        if where:
            yield where, node
        if isinstance(node, Directory):
            todo += [(f"{where}/{name}", node.children[name]) for name in sorted(node.children, reverse=True)]


def _fact(path: str, real: str, node: Node) -> FileFact:
    kind, size = ("directory", 0) if isinstance(node, Directory) else (node.kind, node.size)
    mode, uid, gid, capability = node.meta
    return FileFact(
        path=shown(path),
        real_path=shown(real),
        kind=kind,
        mode=mode,
        uid=uid,
        gid=gid,
        size=size,
        capabilities=demanded(capability),
    )
