"""The exit status of a run: one table, and which of several holds."""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum


class Exit(IntEnum):
    """What the number says; the README has the same table."""

    CONFORMANT = 0  # or with waivers, in every role the image claims
    BROKEN = 1  # a MUST, a waiver, or a test of the owner's
    INTERRUPTED = 2
    FAULT = 3  # of ours
    USAGE = 4  # or the declaration, or an image nobody knows
    NOTHING_JUDGED = 5
    ENGINE = 6  # missing, or lost
    PARTIAL = 7  # nothing broken, but a MUST that applies was not judged


# where several hold; a usage error ends a run before anything else can
PRECEDENCE = (
    Exit.USAGE,
    Exit.INTERRUPTED,
    Exit.ENGINE,
    Exit.FAULT,
    Exit.BROKEN,
    Exit.PARTIAL,
    Exit.NOTHING_JUDGED,
    Exit.CONFORMANT,
)


def decide(holds: Collection[Exit]) -> Exit:
    """The exit status when all of these hold."""
    return next((status for status in PRECEDENCE if status in holds), Exit.CONFORMANT)
