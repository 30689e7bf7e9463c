"""Whether there are entry programs to look at, and what is in the way where there are none."""

from __future__ import annotations

from sm_contract.contract.causes import cause, claimed
from sm_contract.contract.programs import images, programs
from sm_contract.record import Record
from sm_contract.verdict import Blocked, NotTestable


def needs_programs(record: Record) -> None:
    """Raise unless the entry program of some claimed role was found."""
    for image in images(record):
        if image.unreadable:
            raise NotTestable(f"its files could not be read: {image.unreadable}")
    if not list(programs(record)):
        for view in claimed(record):
            if id := cause(view):
                raise Blocked(id)
        raise NotTestable("no entry program was found in the image to look at")
