"""The headers of a tar stream, one at a time.

``tarfile`` is not used for what comes from an image: it keeps every header, and reads a long-name or
pax record into memory whole, however big it says it is. Here both are bounded, and the reading of odd
headers follows the engine's own (Go's archive/tar).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sm_contract.capabilities import PAX_KEY
from sm_contract.image.streams import Damaged, Feed

BLOCK = 512
_RECORD = 1 << 20  # what a long name or a pax record may take, as in the engine
_SPARSE_KEYS = (b"GNU.sparse.name", b"GNU.sparse.realsize", b"GNU.sparse.size", b"GNU.sparse.major")
_PAX_KEYS = frozenset((b"path", b"linkpath", b"size", b"uid", b"gid", PAX_KEY.encode(), *_SPARSE_KEYS))
_HEADER_ONLY = b"123456"
_KINDS = {b"1": "hardlink", b"2": "symlink", b"3": "other", b"4": "other", b"5": "directory", b"6": "other"}


class Member(NamedTuple):
    """One member of a tar; its data is in the stream at ``offset``."""

    name: str
    kind: str  # "file", "directory", "symlink", "hardlink", "other"
    mode: int
    uid: int
    gid: int
    size: int
    link: str
    offset: int  # -1: the data cannot be read as it lies there (a sparse file)
    capability: bytes = b""  # its attribute security.capability


def members(feed: Feed) -> Iterator[Member]:
    """The members in order; their data is passed over. Raises Damaged."""
    extra: dict[str, str] = {}
    at = feed.at
    while True:
        at = feed.at
        header = feed.take(BLOCK)
        if not header or header == bytes(BLOCK):
            return
        if len(header) < BLOCK:
            raise Damaged(f"it is truncated at byte {at}")
        if not _sum_is_right(header):
            raise Damaged("it is no tar" if at == 0 else f"there is no tar header at byte {at}")
        kind = header[156:157]
        if kind in (b"L", b"K", b"x", b"g"):
            size = _number(header[124:136], at)
            if size > _RECORD:
                raise Damaged(f"the header at byte {at} claims a name of {size:,} bytes")
            record = feed.take(size)
            if len(record) < size or not feed.skip(-size % BLOCK):
                raise Damaged(f"it is truncated at byte {feed.at}")
            if kind == b"x":
                extra.update(_pax(record, at))
            elif kind != b"g":  # global records say nothing of a file; the engine ignores them too
                extra["path" if kind == b"L" else "linkpath"] = _text(record)
            continue
        yield from _member(feed, header, at, extra)
        extra = {}


def _member(feed: Feed, header: bytes, at: int, extra: dict[str, str]) -> Iterator[Member]:
    """The member of a header, and its data passed over; nothing for a kind that is no file."""
    kind = header[156:157]
    name = extra.get("path") or _name(header)
    size = _decimal(extra, "size", _number(header[124:136], at), at)
    stored = 0 if kind in _HEADER_ONLY else size
    sparse = False
    if kind == b"S":
        sparse = True
        more = header[482]
        size = _number(header[483:495], at)
        while more:
            block = feed.take(BLOCK)
            if len(block) < BLOCK:
                raise Damaged(f"it is truncated at byte {feed.at}")
            more = block[504]
    elif any(key.startswith("GNU.sparse.") for key in extra):
        sparse = True
        name = extra.get("GNU.sparse.name") or name
        size = _decimal(extra, "GNU.sparse.realsize", _decimal(extra, "GNU.sparse.size", size, at), at)
    offset = feed.at
    what = _KINDS.get(kind) or ("file" if kind in b"0\x007S" else "")
    if what == "file" and name.endswith("/"):
        what = "directory"
    if what:
        yield Member(
            name=name,
            kind=what,
            mode=_number(header[100:108], at) & 0o7777,
            uid=_decimal(extra, "uid", _number(header[108:116], at), at),
            gid=_decimal(extra, "gid", _number(header[116:124], at), at),
            size=size if what == "file" else 0,
            link=(extra.get("linkpath") or _text(header[157:257])) if what.endswith("link") else "",
            offset=-1 if sparse else offset,
            capability=extra.get(PAX_KEY, "").encode("utf-8", "surrogateescape"),
        )
    if not feed.skip(offset + stored + (-stored % BLOCK) - feed.at):
        raise Damaged(f"it is truncated in {name}")


def _name(header: bytes) -> str:
    name = _text(header[:100])
    prefix = _text(header[345:500]) if header[257:263] == b"ustar\0" else ""
    return f"{prefix}/{name}" if prefix else name


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def _number(field: bytes, at: int) -> int:
    if field[0] & 0x80:  # base 256, of big or negative values
        if field[0] & 0x40:
            raise Damaged(f"the header at byte {at} holds a negative number")
        return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    digits = field.strip(b" \0").split(b"\0", 1)[0].strip()
    try:
        number = int(digits, 8) if digits else 0
    except ValueError:
        number = -1
    if number < 0:
        raise Damaged(f"the header at byte {at} holds no number where one belongs")
    return number


def _decimal(extra: dict[str, str], key: str, default: int, at: int) -> int:
    text = extra.get(key)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise Damaged(f"the header at byte {at} holds no number for {key}")
    return int(text)


def _pax(record: bytes, at: int) -> dict[str, str]:
    """The records we use of a pax header; keeping all would let many headers in a row fill the memory."""
    found: dict[str, str] = {}
    start = 0
    while start < len(record):
        space = record.find(b" ", start, start + 9)
        digits = record[start:space] if space > 0 else b""
        end = start + int(digits) if digits.isdigit() else 0
        key, equals, value = record[space + 1 : end].partition(b"=")
        if not (space + 1 < end <= len(record)) or not equals or not value.endswith(b"\n"):
            raise Damaged(f"the pax record at byte {at} cannot be read")
        if key in _PAX_KEYS:
            found[key.decode()] = value[:-1].decode("utf-8", "surrogateescape")
        start = end
    return found


def _sum_is_right(header: bytes) -> bool:
    digits = header[148:156].strip(b" \0").split(b"\0", 1)[0].strip()
    try:
        claimed = int(digits, 8)
    except ValueError:
        return False
    blank = header[:148] + b" " * 8 + header[156:]
    return claimed == sum(blank) or claimed == sum(b - 256 if b > 127 else b for b in blank)
