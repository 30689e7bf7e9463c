"""Which capabilities this machine has not to give, read off the kernel."""

from __future__ import annotations

import re
from pathlib import Path

_BY_NUMBER = (  # see linux/capability.h
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
    "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN "
    "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP "
    "MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
)
NAMES = tuple(_BY_NUMBER.split())


def withheld(status: Path = Path("/proc/1/status")) -> frozenset[str]:
    """The capabilities outside the bounding set of this machine's first process; none where it cannot be read."""
    try:
        found = re.search(r"^CapBnd:\s*([0-9a-f]+)", status.read_text(), re.MULTILINE)
    except OSError:
        found = None
    if found is None:
        return frozenset()
    given = int(found[1], 16)
    return frozenset(name for number, name in enumerate(NAMES) if not given >> number & 1)
