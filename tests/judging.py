"""A candidate judged by the whole contract on a real engine, and what is wrong with what was said of it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fixtures.candidates import build
from fixtures.faults import FAULTS
from fixtures.faults.fault import with_limits
from fixtures.layers import Docker
from fixtures.repro import Shown
from sm_contract.catalogue import catalogue
from sm_contract.coverage import counts_unjudged

SIDE_BY_SIDE = 2
LONGEST = 600  # seconds for one candidate, its image built included
UNDER_LIMITS = "reference under the limits of the faults"
_machine = threading.Semaphore(SIDE_BY_SIDE)
_alone = threading.Lock()
BROKEN = ("failed", "warned", "noted")
NOTED_OF_GOOD = {  # what a good image may do without, and does
    "classic": {"SM-PRIV-CAPABILITY-02": "nginx, started as root, sets the groups of its workers, whatever its user"},
}
UNSEEN_OF_GOOD = {  # what need not be told of a good image
    "clock": {
        "SM-INFER-INVOKE-13": "an answer with a time in it may be that to another request, sent at the same time"
    },
    "own-launcher": {
        "SM-TRAIN-FAIL-08": "what starts a killed trainer again, and then ends well, may give up after some more"
    },
}
NO_MODEL = "declare [inference] model (an empty folder, if the image holds its own): without one, "
UNTESTABLE_OF_GOOD = {  # why nearly everything cannot be told of a good image, the same for all of it
    "model-left-out": f"{NO_MODEL}request 0 (text/csv) was answered with status 500",
    "unready-without-model": f"{NO_MODEL}/ping answered 503 until the limit of ",
}


@dataclass(frozen=True)
class Judged:
    """What a run of the command said of one candidate."""

    name: str
    exit_code: int
    output: str
    verdicts: dict[str, dict[str, Any]]
    seconds: float
    starts: int
    report: Path = Path()
    scripts: tuple[Shown, ...] = ()  # that show by hand what is broken, once they were run

    def ids(self, *verdicts: str) -> set[str]:
        return {id for id, row in self.verdicts.items() if row["verdict"] in verdicts}

    @property
    def too_busy(self) -> bool:
        """Whether a time limit was broken only while the machine had other things to do: the run asks for another."""
        return any(row["reason"].startswith("machine too busy") for row in self.verdicts.values())

    def problems(self) -> list[str]:
        """What was said and should not have been, or the other way round; empty if all is as declared."""
        found = list(_of_a_fault(self) if self.name in FAULTS else _of_a_good_one(self))
        return found + [f"{self.name}: {each}" for each in self.scripts if not each.same]

    def show(self) -> str:
        return "\n".join([*self.problems(), self.output[-6000:]])


def judge(name: str, folder: Path, docker: Docker) -> Judged:
    """Build a candidate and give it to the command; once more with nothing beside it where the machine was too busy."""
    with _machine:
        found = _judge(name, folder / "first", docker)
    if not found.too_busy:
        return found
    with _alone:
        for _ in range(SIDE_BY_SIDE):
            _machine.acquire()
        try:
            return _judge(name, folder / "again", docker)
        finally:
            _machine.release(SIDE_BY_SIDE)


def _judge(name: str, folder: Path, docker: Docker) -> Judged:
    limits = with_limits() if name == UNDER_LIMITS else ()
    candidate = build("reference" if name == UNDER_LIMITS else name, folder / "candidate", docker)
    work = folder / "work"
    work.mkdir(parents=True)
    report = folder / "report"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *candidate.arguments, *limits]
    began = time.monotonic()
    ran = subprocess.run(
        [*command, f"--sm-report={report}"], cwd=work, capture_output=True, text=True, timeout=LONGEST, check=False
    )
    seconds = time.monotonic() - began
    output = ran.stdout + ran.stderr
    result = report / "result.json"
    (image,) = json.loads(result.read_text())["images"] if result.exists() else [{}]
    rows = {row["id"]: row for row in image.get("verdicts", [])}
    return Judged(name, ran.returncode, output, rows, seconds, image.get("container_starts", 0), report)


def _not_to_be_seen_here(run: Judged) -> set[str]:
    """What a registry or a GPU would show, and this machine has neither."""
    entries = catalogue()
    return {id for id in run.ids("not testable") if {"registry", "gpu"} & set(entries[id].needs)}


def _of_a_good_one(run: Judged) -> Iterator[str]:
    if run.exit_code != 0:
        yield f"{run.name}: exit status {run.exit_code}, not 0"
    fine = run.ids("passed", "not applicable") | (run.ids("noted") & NOTED_OF_GOOD.get(run.name, {}).keys())
    unseen = run.ids("not testable") & UNSEEN_OF_GOOD.get(run.name, {}).keys()
    if why := UNTESTABLE_OF_GOOD.get(run.name):
        unseen = {id for id in run.ids("not testable") if run.verdicts[id]["reason"].startswith(why)}
        if "SM-INFER-INVOKE-01" not in unseen:
            yield f"{run.name}: nothing is said of the model that is missing"
    for id in sorted(set(run.verdicts) - fine - unseen - _not_to_be_seen_here(run)):
        yield f"{run.name}: {id} is {run.verdicts[id]['verdict']}"


def _of_a_fault(run: Judged) -> Iterator[str]:
    breaks = set(FAULTS[run.name].breaks)
    broken = run.ids(*BROKEN)
    if missed := breaks - broken:
        yield f"{run.name}: does not break {', '.join(sorted(missed))}"
    for id in sorted(broken - breaks):
        yield f"{run.name}: breaks {id}, too: {run.verdicts[id]['observed']}"
    rest = set(run.verdicts) - breaks - broken - run.ids("passed", "blocked", "not applicable")
    for id in sorted(rest - _not_to_be_seen_here(run)):
        yield f"{run.name}: {id} is {run.verdicts[id]['verdict']}: {run.verdicts[id].get('reason', '')}"
    for id in sorted(run.ids("blocked")):
        if not any(cause in run.verdicts[id]["reason"] for cause in breaks):
            yield f"{run.name}: {id} is blocked by something else: {run.verdicts[id]['reason']}"
    entries = catalogue()
    gaps = [id for id in run.ids("blocked", "not testable") if counts_unjudged(entries[id], None)]
    expected = 1 if run.ids("failed") else 7 if gaps else 0
    if run.exit_code != expected:
        yield f"{run.name}: exit status {run.exit_code}, not {expected}"
