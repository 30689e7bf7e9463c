"""Every candidate judged by the whole contract on a real engine: a fault breaks its ids, a good image none.

Which faults: those of the core, those of the chapters touched since the matrix was made, and a fixed sample of the
rest (`make matrix` proves them all). The runs go on two at a time in the background, in the order in which the tests
ask for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from judging import SIDE_BY_SIDE, UNDER_LIMITS, Judged, judge
from matrix import contract, read, to_prove

from fixtures.candidates import GOOD
from fixtures.faults import FAULTS, UNBREAKABLE
from fixtures.layers import Docker
from fixtures.outside import outside

MOST_STARTS = 16  # containers for the whole base contract, where nothing goes wrong
TOGETHER: dict[frozenset[str], str] = {  # ids that one observation decides both, with the sentence that forces it
    frozenset({"SM-TRAIN-NET-04", "SM-TRAIN-OUT-01"}): "a model that only its own upload hands over is not in "
    "/opt/ml/model: the same empty folder after exit code 0 breaks both",
    frozenset({"SM-TRAIN-USER-01", "SM-IMAGE-USER-01"}): "who may not write what is root's is another user than root: "
    "the image's USER breaks both",
    frozenset({"SM-PRIV-READ-01", "SM-IMAGE-USER-01"}): "who may not read what is root's is another user than root: "
    "the image's USER breaks both",
}


@pytest.fixture(scope="module")
def judged(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Judged]]:
    """The verdict on a candidate by name; all that this session selected are begun at once."""
    wanted = [
        item.callspec.params["name"]
        for item in request.session.items
        if item.path == request.path and hasattr(item, "callspec")
    ]
    docker = Docker()
    with outside(), ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        runs: dict[str, Future[Judged]] = {
            name: pool.submit(judge, name, tmp_path_factory.mktemp("judged"), docker) for name in wanted
        }
        yield lambda name: runs[name].result()
        pool.shutdown(wait=False, cancel_futures=True)


@pytest.mark.parametrize("name", [*GOOD, UNDER_LIMITS])
def test_a_good_image_is_conformant(name: str, judged: Callable[[str], Judged]) -> None:
    run = judged(name)
    assert run.problems() == [], run.show()
    assert name != "reference" or run.starts <= MOST_STARTS


@pytest.mark.parametrize("name", to_prove(read()))
def test_a_fault_breaks_its_ids_and_no_other(name: str, judged: Callable[[str], Judged]) -> None:
    run = judged(name)
    assert run.problems() == [], run.show()


def test_every_requirement_has_a_fault() -> None:
    assert set(contract()) == {id for fault in FAULTS.values() for id in fault.breaks} | set(UNBREAKABLE)


def test_two_ids_break_together_only_where_it_is_said_why() -> None:
    pairs = {frozenset(fault.breaks) for fault in FAULTS.values() if len(fault.breaks) > 1}
    assert pairs == set(TOGETHER)
