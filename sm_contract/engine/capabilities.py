"""Which capabilities this machine has not to give, read off the kernel."""

from __future__ import annotations

import re
from pathlib import Path

from sm_contract.capabilities import NAMES


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
