"""How long is waited for something again, after it was seen once."""

from __future__ import annotations

import math

import pytest

from sm_contract.record import Stop
from sm_contract.scenarios import stopping

ENDED = Stop(at=9.0, seconds=0.4, limit=30.0, killed=False)
KILLED = Stop(at=9.0, seconds=30.0, limit=30.0, killed=True)


@pytest.mark.parametrize(
    ("firsts", "seconds"),
    [
        ([KILLED, KILLED], stopping.NO_END),
        ([KILLED, ENDED], math.inf),  # it can end: the one that did not may have been slowed down
        ([ENDED, ENDED], math.inf),
        ([KILLED], math.inf),  # seen once is not enough
        ([KILLED, None], math.inf),  # the other had ended before it was told
        ([], math.inf),
    ],
)
def test_only_a_server_that_never_ended_is_not_waited_for_again(firsts: list[Stop | None], seconds: float) -> None:
    assert stopping.patience(firsts) == seconds
