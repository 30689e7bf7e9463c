"""Values drawn with hypothesis: a handful, the same each time for the same strategy."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, TypeVar

from sm_contract import temporary

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

SEED = 202611
Value = TypeVar("Value")


def drawn(strategy: SearchStrategy[Value], most: int) -> list[Value]:
    """At most so many different values, in the order in which they were drawn."""
    # heavy, and only wanted in a run
    from hypothesis import HealthCheck, Phase, configuration, given, seed, settings  # noqa: PLC0415
    from hypothesis.errors import HypothesisSideeffectWarning  # noqa: PLC0415

    warnings.filterwarnings("ignore", category=HypothesisSideeffectWarning)  # where another plugin loads it later

    found: dict[Value, None] = {}

    @seed(SEED)
    @settings(
        max_examples=most,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(value: Value) -> None:
        found[value] = None

    home = temporary.folder()  # else it leaves one in the current one
    configuration.set_hypothesis_home_dir(home)
    try:
        collect()
    finally:
        configuration.set_hypothesis_home_dir(None)
        temporary.remove(home)
    return list(found)
