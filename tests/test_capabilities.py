"""What a machine has not to give is not asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from sm_contract.capabilities import NAMES
from sm_contract.engine.capabilities import withheld


@pytest.mark.parametrize(
    ("mask", "missing"),
    [
        ("000001ffffffffff", set()),
        ("000001fffeffffff", {"SYS_RESOURCE"}),
        ("00000000a80425fb", set(NAMES) - {"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID"}
         - {"SETPCAP", "NET_BIND_SERVICE", "NET_RAW", "SYS_CHROOT", "MKNOD", "AUDIT_WRITE", "SETFCAP"}),
    ],
)  # fmt: skip
def test_the_bounding_set_is_read(tmp_path: Path, mask: str, missing: set[str]) -> None:
    status = tmp_path / "status"
    status.write_text(f"Name:\tinit\nCapBnd:\t{mask}\nSeccomp:\t0\n")
    assert withheld(status) == missing


def test_what_cannot_be_read_withholds_nothing(tmp_path: Path) -> None:
    assert withheld(tmp_path / "none") == frozenset()
