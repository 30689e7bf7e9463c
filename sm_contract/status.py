"""The exit status of a run: one table, and which of several holds."""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum


class Exit(IntEnum):
    CONFORMANT = 0
    BROKEN = 1
    INTERRUPTED = 2
    FAULT = 3
    USAGE = 4
    NOTHING_JUDGED = 5
    ENGINE = 6
    PARTIAL = 7


MEANING = {
    Exit.CONFORMANT: "conformant, or conformant with waivers, in every role the image claims",
    Exit.BROKEN: "a MUST is broken, a waiver is bad, or a test of your own failed",
    Exit.INTERRUPTED: "interrupted (Ctrl-C, SIGTERM)",
    Exit.FAULT: "a fault of sm_contract itself",
    Exit.USAGE: "usage: an option, the declaration, or an image nobody knows",
    Exit.NOTHING_JUDGED: "nothing was judged",
    Exit.ENGINE: "the container engine is missing or was lost",
    Exit.PARTIAL: "nothing is broken, but a MUST that applies could not be judged; 0 with --sm-partial ok",
}

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
