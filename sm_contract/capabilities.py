"""The kernel's capabilities by name, and what a file that carries some of them demands."""

from __future__ import annotations

import struct

_BY_NUMBER = (  # see linux/capability.h
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
    "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN "
    "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP "
    "MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
)
NAMES = tuple(_BY_NUMBER.split())

PAX_KEY = "SCHILY.xattr.security.capability"  # what the attribute is called in a tar
_EFFECTIVE = 1
_REVISION = 0xFF000000
_WORDS = {0x01000000: 1, 0x02000000: 2, 0x03000000: 2}  # pairs of permitted and inheritable, by revision


def demanded(attribute: bytes) -> tuple[str, ...]:
    """The capabilities that a file with this ``security.capability`` is started with, or not at all.

    None where its effective bit is not set: the kernel then grants what the container may have. None
    either where they are bound to another user namespace (revision 3 with a root of its own).
    """
    if len(attribute) < 4:
        return ()
    magic = struct.unpack_from("<I", attribute)[0]
    words = _WORDS.get(magic & _REVISION, 0)
    if not words or not magic & _EFFECTIVE or len(attribute) < 4 + 8 * words:
        return ()
    if magic & _REVISION == 0x03000000 and any(attribute[4 + 8 * words :]):
        return ()
    permitted = 0
    for word in range(words):
        permitted |= int(struct.unpack_from("<I", attribute, 4 + 8 * word)[0]) << (32 * word)
    return tuple(name for number, name in enumerate(NAMES) if permitted >> number & 1)
