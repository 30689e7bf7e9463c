"""The few things of an ELF file that decide whether it starts: the machine it is for and its loader."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

MAGIC = b"\x7fELF"
_MOST = 256 << 20  # read of a program whose headers were moved to its end, as patchelf does
_INTERP = 3
_MACHINES = {
    (3, 32): "386",
    (8, 32): "mips",
    (8, 64): "mips64",
    (20, 32): "ppc",
    (21, 64): "ppc64",
    (22, 64): "s390x",
    (40, 32): "arm",
    (62, 32): "x32",
    (62, 64): "amd64",
    (183, 64): "arm64",
    (243, 64): "riscv64",
    (258, 64): "loong64",
}


@dataclass(frozen=True)
class Elf:
    machine: str  # in the engine's names: "amd64", "arm64", …
    loader: str  # PT_INTERP; empty for a static program, or where it cannot be read


def read_elf(read: Callable[[int], bytes | None]) -> Elf | None:
    """What an ELF file is; ``read`` gives its first so many bytes. None if it is no whole ELF header."""
    head = read(4096) or b""
    if len(head) < 52 or not head.startswith(MAGIC) or head[4] not in (1, 2) or head[5] not in (1, 2):
        return None
    wide = head[4] == 2
    order = "<" if head[5] == 1 else ">"
    machine = struct.unpack_from(f"{order}H", head, 18)[0]
    name = _MACHINES.get((machine, 64 if wide else 32), f"machine {machine}")
    if machine in (8, 21) and order == "<":
        name += "le"
    if wide and len(head) < 64:
        return None
    table, size, count = (
        (struct.unpack_from(f"{order}Q", head, 32)[0], *struct.unpack_from(f"{order}HH", head, 54))
        if wide
        else (struct.unpack_from(f"{order}I", head, 28)[0], *struct.unpack_from(f"{order}HH", head, 42))
    )
    if size < (56 if wide else 32):
        return Elf(name, "")
    head = _up_to(read, head, table + size * count)
    for at in range(table, table + size * count, size):
        if at + size > len(head):
            break
        if struct.unpack_from(f"{order}I", head, at)[0] != _INTERP:
            continue
        offset, length = (
            (struct.unpack_from(f"{order}Q", head, at + 8)[0], struct.unpack_from(f"{order}Q", head, at + 32)[0])
            if wide
            else (struct.unpack_from(f"{order}I", head, at + 4)[0], struct.unpack_from(f"{order}I", head, at + 16)[0])
        )
        length = min(length, 4096)
        head = _up_to(read, head, offset + length)
        return Elf(name, head[offset : offset + length].split(b"\0", 1)[0].decode("utf-8", "surrogateescape"))
    return Elf(name, "")


def _up_to(read: Callable[[int], bytes | None], head: bytes, end: int) -> bytes:
    if len(head) >= end or end > _MOST:
        return head
    return read(end) or head
