"""Which right of the platform's a run lacked: by the grant that mended it, or by its last words."""

from __future__ import annotations

import re

from sm_contract import changes
from sm_contract.record import Life
from sm_contract.wants import ENGINE, NAMESPACE, SYSCTL, mentioned, wanted

DEVICE = "SM-PRIV-DEVICE-01"
MOUNT = "SM-PRIV-MOUNT-01"
TERMINAL = "SM-PRIV-TERMINAL-01"
PRIVILEGED = "SM-PRIV-PRIVILEGED-01"
GRANTED = {
    changes.TERMINAL: TERMINAL,
    changes.BIG_SHM: "SM-PRIV-SHM-01",
    changes.NO_SECCOMP: "SM-PRIV-SECCOMP-01",
    changes.CAPABILITIES: "SM-PRIV-CAPABILITY-01",
    changes.SYS_ADMIN: PRIVILEGED,
    changes.FUSE: MOUNT,
    changes.PRIVILEGED: PRIVILEGED,
    **dict.fromkeys((changes.FUSE_DEVICE, changes.KVM_DEVICE, changes.TUN_DEVICE), DEVICE),
}
WANTED = {ENGINE: "SM-PRIV-DOCKER-01", SYSCTL: "SM-PRIV-SYSCTL-01", NAMESPACE: "SM-PRIV-NAMESPACE-01"}
RIGHTS = frozenset({*GRANTED.values(), *WANTED.values()})
_NAMESPACES = re.compile(
    r"\bunshare\b|\bbwrap\b|CLONE_NEW|(user|new) namespaces?\b|usable sandbox|newuidmap", re.IGNORECASE
)
DEVICE_PATH = re.compile(
    r"(?<![\w.])/dev/(?!(null|zero|full|u?random|tty|console|ptmx|stdin|stdout|stderr)\b|(pts|shm|fd|mqueue)\b|nvidia)"
    r"[\w/-]*\w"
)


def lacked(change: str, bad: Life) -> str:
    """The id of the right that a grant has shown to be lacking; "" where the change is no grant of a right.

    What only privileged mode mends may be one thing of all that it holds: the log says which.
    """
    if change == changes.NO_SECCOMP and _NAMESPACES.search(bad.log_text()):
        return MOUNT
    if change == changes.PRIVILEGED:
        if what := mentioned(bad):
            return WANTED[what]
        return DEVICE if DEVICE_PATH.search(bad.log_text()) else PRIVILEGED
    return GRANTED.get(changes.CAPABILITIES if change.startswith(changes.ONE_CAPABILITY) else change, "")


def missed(life: Life) -> str:
    """The id of what a life lacked of the host by its last words; "" if they say nothing of it."""
    return WANTED.get(wanted(life), "")
