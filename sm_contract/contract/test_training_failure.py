"""Training: the failure file."""

from __future__ import annotations

import re

from sm_contract.contract import roots
from sm_contract.contract.causes import STARTS, good, why_not
from sm_contract.contract.provided import on_good_ground
from sm_contract.contract.reading import error_text, found
from sm_contract.record import Life, TrainingResult
from sm_contract.requirements import requirement
from sm_contract.verdict import Blocked, NotTestable, Violation
from sm_contract.views import Training

FILE = "/opt/ml/output/failure"
SPOILT = {  # runs that are meant to fail, and the requirement that is broken if one does not
    "train.bad_hyperparameter": "SM-TRAIN-FAIL-02",
    "train.bad_data": "SM-TRAIN-FAIL-03",
    "train.missing_channel": "SM-TRAIN-DATA-03",
}
RUNS = ("train.bare", "train.full", *SPOILT)
HIDDEN_BY = (*roots.TRAINING, "SM-TRAIN-FAIL-03", "SM-TRAIN-DATA-03")
_LATE = 1.0  # seconds
_ON_ITS_WAY = 1.0  # seconds that a line may take to the log of a busy machine


@requirement("SM-TRAIN-FAIL-04", runs=RUNS, rests_on=STARTS, hidden_by=HIDDEN_BY)
def test_a_failure_is_described(training: Training) -> None:
    """On failure a description is written to the regular file /opt/ml/output/failure."""
    for life, result in _failed(training):
        if wrong := _undescribed(result):
            raise Violation(
                expected=f"a text in the regular file {FILE} after a failure",
                observed=f"{found(life)}, and {wrong}",
                fix=f"catch what ends the program in one place, write str(error) to {FILE} as UTF-8, exit with 1",
                because=f"the job would say: {result.failure_reason[:120]}",
                evidence=[life, *result.output[:3]],
            )


@requirement("SM-TRAIN-FAIL-05", runs=RUNS, rests_on=[*STARTS, "SM-TRAIN-FAIL-04"], hidden_by=HIDDEN_BY)
def test_a_failure_is_described_at_once(training: Training) -> None:
    """The useful part of the failure description is in its first 1,024 characters."""
    pattern = training.candidate.failure_pattern
    unclear = None
    for life, result in _failed(training):
        head = result.failure or ""
        if not result.failure_rest or (pattern and re.search(pattern, head)) or error_text(head):
            continue
        later = error_text(result.failure_rest)
        if not later:
            unclear = life
            continue
        raise Violation(
            expected=f"what went wrong within the first 1,024 characters of {FILE}: no more of it is shown",
            observed=f"its first 1,024 characters name no error and begin with {head[:60]!r}; {later[:120]!r} comes "
            f"after them ({life.name})",
            fix="write the error first (type and message), and the traceback and all else behind it",
            because=f"the job would say: {result.failure_reason[:80]}…",
            evidence=[life],
        )
    if unclear is not None:
        raise NotTestable(
            "declare [training] failure_pattern, a regular expression that the useful part of a failure file matches: "
            f"{FILE} is longer than 1,024 characters, and no line of it reads like an error ({unclear.name})",
            evidence=[unclear],
        )


@requirement("SM-TRAIN-FAIL-06", runs=RUNS, rests_on=[*STARTS, "SM-TRAIN-FAIL-04"], hidden_by=HIDDEN_BY)
def test_a_failure_is_described_last(training: Training) -> None:
    """The failure file is written last, after all other output and logging."""
    for life, result in _failed(training):
        if result.failure_at is not None:
            since = result.failure_at + _LATE + _ON_ITS_WAY
            lines = [line for line in life.log if line.at > since]
            if lines:
                after = lines[-1].at - result.failure_at
                raise _too_early(
                    life, f"{after:.1f} s before the last line of the log, {lines[-1].text[:80]!r}", *lines
                )
        wrote = next((file.mtime for file in result.output if file.path == "failure"), None)
        for tree in ("model", "output"):
            for file in getattr(result, tree):
                if wrote is not None and file.kind == "file" and file.mtime > wrote + _LATE:
                    after = file.mtime - wrote
                    raise _too_early(life, f"{after:.0f} s before /opt/ml/{tree}/{file.path} was", file)


@requirement(
    "SM-TRAIN-FAIL-07",
    runs=("train.bare", "train.full"),
    rests_on=[*STARTS, "SM-TRAIN-FAIL-03"],
    hidden_by=roots.TRAINING,
)
def test_success_leaves_no_failure_file(training: Training) -> None:
    """No failure file is left on success; it would be ignored."""
    for life in good(training):
        file = next((one for one in (life.result.output if life.result else ()) if one.path == "failure"), None)
        if file is not None:
            raise Violation(
                expected=f"no {FILE} after exit code 0",
                observed=f"{found(life)} and left {FILE} ({file.size} bytes)",
                fix="make the file when there is a failure to describe, and not at the start",
                evidence=[file, life],
            )
    if not good(training):
        why_not(training, "train.bare")


def _failed(training: Training) -> list[tuple[Life, TrainingResult]]:
    """The runs that were meant to fail and did. Raises what stands in the way if there are none."""
    on_good_ground(training)
    there = [training.life(name) for name in SPOILT if name in training.lives]
    found = [(one, one.result) for one in there if one.ended == "itself" and not one.trained and one.result is not None]
    if not found:
        for life in there:
            if life.trained:
                raise Blocked(SPOILT[life.name])
        why_not(training, "a training that is meant to fail")
    return found


def _undescribed(result: TrainingResult) -> str:
    """What is wrong with the failure file; "" if it describes something."""
    entry = next((file for file in result.output if file.path == "failure"), None)
    if entry is None:
        names = ", ".join(file.path for file in result.output if file.kind != "directory")
        return f"there is no {FILE}" + (f"; /opt/ml/output holds {names[:80]}" if names else "")
    if entry.kind != "file":
        return f"{FILE} is no file but a {entry.kind}"
    if not (result.failure or "").strip():
        return f"{FILE} is empty"
    return "" if result.failure_utf8 else f"{FILE} is not UTF-8"


def _too_early(life: Life, than: str, *evidence: object) -> Violation:
    return Violation(
        expected=f"{FILE} written after all other output and logging",
        observed=f"{FILE} was written {than} ({life.name})",
        fix="write the file as the last thing before the program ends: the platform may read it as soon as it is there",
        evidence=[life, *evidence[:3]],
    )
