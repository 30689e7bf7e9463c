"""What an ended container left in its own file system: outside its volumes, and outside what every image may fill."""

from __future__ import annotations

import heapq
import posixpath
import re
import tarfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from docker.errors import APIError

from sm_contract.engine.files import ChunkStream
from sm_contract.engine.link import TRANSPORT, Link
from sm_contract.engine.protocol import EngineError, FileSystem
from sm_contract.engine.volumes import archive, path_stat
from sm_contract.record import TreeFile, Written

FREE = ("/opt/ml", "/tmp", "/dev", "/proc", "/sys")
COUNTED = 256 * 1024 * 1024  # bytes: then it is more than enough
LOOKED_AT = 500  # new folders and files
NAMED = 5
CHANGED, ADDED = 0, 1  # the engine's numbers
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)")


def written(link: Link, ident: str, image: FileSystem, at_least: int) -> Written:
    """New files and the growth of others, compiled Python left out; nothing if all of it is less than ``at_least``."""
    try:
        with link.calls("measuring what a container wrote") as api:
            if _size(api, ident) < at_least:
                return Written()
            changed = {str(one["Path"]): int(one["Kind"]) for one in api.diff(ident) or ()}
            return _summed(_grown(api, ident, image, changed))
    except APIError as error:
        raise EngineError(f"the engine could not say what a container wrote: {error}") from error


def before_end(link: Link, ident: str, path: str) -> float | None:
    """Seconds from the last write of a file to the end of its container, both by the engine's clock."""
    try:
        with link.calls(f"looking at {path}") as api:
            _, found = path_stat(api, ident, path)
            ended = api.inspect_container(ident)["State"].get("FinishedAt", "")
    except APIError as error:
        raise EngineError(f"the engine could not look at {path}: {error}") from error
    wrote, end = _seconds(str(found.get("mtime", ""))), _seconds(str(ended))
    return None if wrote is None or end is None else end - wrote


def _size(api: Any, ident: str) -> int:
    """The bytes of a container's own layer; docker-py has no argument for it."""
    url = f"{api.base_url}/v{api.api_version}/containers/{ident}/json"
    with api.get(url, params={"size": 1}, timeout=api.timeout) as response:
        return int(response.json().get("SizeRw") or 0) if response.ok else 0


def _grown(api: Any, ident: str, image: FileSystem, changed: dict[str, int]) -> Iterator[tuple[str, int]]:
    """Each file that is new, with its size, and each that grew, with its growth."""
    folders = {posixpath.dirname(path) for path in changed}
    whole = {path for path, kind in changed.items() if kind == ADDED and not _free(path, above=True)}
    tops = [path for path in sorted(whole) if posixpath.dirname(path) not in whole]  # the rest lies below these
    old = [path for path, kind in sorted(changed.items()) if kind == CHANGED and path not in folders]
    for path in [one for one in [*tops, *old] if not _free(path=one) and not _compiled(one)][:LOOKED_AT]:
        before = None if path in whole else image.stat(path)
        for name, size in _files(api, ident, path):
            yield name, size - (before.size if before is not None else 0)


def _files(api: Any, ident: str, path: str) -> Iterator[tuple[str, int]]:
    """The regular files at a path and below it, with their sizes."""
    try:
        response, chunks = archive(api, ident, path)
    except APIError as error:
        if error.status_code == 404:
            return
        raise
    try:
        with tarfile.open(fileobj=ChunkStream(chunks), mode="r|") as tar:
            for info in tar:
                if info.isreg() and not _compiled(info.name):
                    yield posixpath.normpath(posixpath.join(posixpath.dirname(path), info.name)), info.size
    except (tarfile.TarError, *TRANSPORT):
        return
    finally:
        response.close()


def _summed(grown: Iterable[tuple[str, int]]) -> Written:
    total = 0
    biggest: list[tuple[int, str]] = []
    for path, size in grown:
        if size <= 0:
            continue
        total += size
        biggest = heapq.nlargest(NAMED, [*biggest, (size, path)])
        if total >= COUNTED:
            break
    return Written(bytes=total, biggest=tuple(TreeFile(path=path, kind="file", size=size) for size, path in biggest))


def _free(path: str, *, above: bool = False) -> bool:
    """Whether a path may be filled at will; with ``above``, whether one that may lies below it, too."""
    return any(f"{path}/".startswith(f"{free}/") or (above and free.startswith(f"{path}/")) for free in FREE)


def _compiled(path: str) -> bool:
    return "__pycache__" in path.split("/") or path.endswith(".pyc")


def _seconds(text: str) -> float | None:
    """A time of the engine's, which writes nanoseconds, since the epoch."""
    match = _TIME.fullmatch(text)
    if match is None or match[1].startswith("0001"):
        return None
    whole = datetime.fromisoformat(match[1] + match[3].replace("Z", "+00:00")).timestamp()
    return whole + float(match[2] or 0)
