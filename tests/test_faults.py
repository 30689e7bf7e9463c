"""Every candidate judged by the whole contract on a real engine: a fault breaks its ids, a good image none.

The runs go on two at a time in the background, in the order in which the tests ask for them.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fixtures.candidates import GOOD, build
from fixtures.faults import FAULTS
from fixtures.faults.fault import with_limits
from fixtures.layers import Docker
from fixtures.outside import outside
from sm_contract.catalogue import catalogue
from sm_contract.contract import load
from sm_contract.coverage import counts_unjudged
from sm_contract.requirements import registry

SIDE_BY_SIDE = 2
LONGEST = 600  # seconds for one candidate, its image built included
UNDER_LIMITS = "reference under the limits of the faults"
UNSEEN = {  # what no engine on a plain machine can show
    id for id, entry in catalogue().items() if {"registry", "gpu"} & set(entry.needs)
}
NOTHING_TO_BREAK = {  # requirements that no image can break, and why
    "SM-IMAGE-RESERVED-02": "it permits something, and binds only whoever emulates the platform",
    "SM-IMAGE-ROLES-01": "it permits something: an image for one role alone is as good",
    "SM-IMAGE-GPU-04": "it takes a GPU to see it",
}
TOGETHER: dict[frozenset[str], str] = {}  # ids that one observation decides both, with the sentence that forces it


@dataclass(frozen=True)
class Judged:
    """What a run of the command said of one candidate."""

    exit_code: int
    output: str
    verdicts: dict[str, dict[str, Any]]

    def ids(self, *verdicts: str) -> set[str]:
        return {id for id, row in self.verdicts.items() if row["verdict"] in verdicts}

    def show(self) -> str:
        return self.output[-6000:]


def judge(name: str, folder: Path, docker: Docker) -> Judged:
    """Build a candidate and give it to the command, in a folder of its own."""
    limits = with_limits() if name == UNDER_LIMITS else ()
    candidate = build("reference" if name == UNDER_LIMITS else name, folder / "candidate", docker)
    work = folder / "work"
    work.mkdir()
    report = folder / "report"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *candidate.arguments, *limits]
    ran = subprocess.run(
        [*command, f"--sm-report={report}"], cwd=work, capture_output=True, text=True, timeout=LONGEST, check=False
    )
    output = ran.stdout + ran.stderr
    result = report / "result.json"
    rows = json.loads(result.read_text())["images"][0]["verdicts"] if result.exists() else []
    return Judged(ran.returncode, output, {row["id"]: row for row in rows})


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
    assert run.exit_code == 0, run.show()
    assert set(run.verdicts) - run.ids("passed", "not applicable") == run.ids("not testable") & UNSEEN, run.show()


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_breaks_its_ids_and_no_other(name: str, judged: Callable[[str], Judged]) -> None:
    run, fault = judged(name), FAULTS[name]
    assert run.ids("failed", "warned", "noted") == set(fault.breaks), run.show()
    others = set(run.verdicts) - set(fault.breaks)
    unseen = run.ids("not testable")
    assert others == run.ids("passed", "blocked", "not applicable") | (unseen & UNSEEN), run.show()
    for id in run.ids("blocked"):
        assert any(broken in run.verdicts[id]["reason"] for broken in fault.breaks), run.verdicts[id]["reason"]
    open_musts = [id for id in run.ids("blocked") | unseen if counts_unjudged(catalogue()[id], None)]
    assert run.exit_code == (1 if run.ids("failed") else 7 if open_musts else 0), run.show()


def test_every_requirement_has_a_fault() -> None:
    load()
    contract = {id for id, known in registry().items() if not known.own}
    broken = {id for fault in FAULTS.values() for id in fault.breaks}
    assert broken.isdisjoint(NOTHING_TO_BREAK)
    assert contract == broken | set(NOTHING_TO_BREAK)


def test_two_ids_break_together_only_where_it_is_said_why() -> None:
    pairs = {frozenset(fault.breaks) for fault in FAULTS.values() if len(fault.breaks) > 1}
    assert pairs == set(TOGETHER)
