"""Without a way out: training, serving and invoking with no network and no credentials."""

from __future__ import annotations

from sm_contract import changes
from sm_contract.contract import roots
from sm_contract.contract.causes import (
    STARTS,
    Flip,
    accused,
    cause,
    claimed,
    firsts,
    flipped,
    good,
    ready,
    unwell,
    why_not,
)
from sm_contract.contract.invoking import answering
from sm_contract.contract.readiness import plain
from sm_contract.contract.reading import NO_CREDENTIALS, first_line, found, outcome, says, telling, within
from sm_contract.record import TRAINING, Invocation, Life, Record
from sm_contract.requirements import requirement
from sm_contract.verdict import Blocked, NotTestable, Violation
from sm_contract.views import RoleView, Serving, Training

CREDENTIALS = "SM-OFFLINE-CREDENTIALS-01"
OFFLINE = ("internal", "none")


@requirement(
    "SM-OFFLINE-CREDENTIALS-01",
    runs=("train.bare", "train.full", "serve.bare", "serve.full"),
    rests_on=STARTS,
    hidden_by=roots.SERVING,
)
def test_needs_no_credentials(record: Record) -> None:
    """No AWS credentials are needed at run time."""
    view = accused(record, CREDENTIALS)
    if view is not None:
        life = unwell(view)[0]
        line = first_line(life, NO_CREDENTIALS)
        flip = flipped(view, changes.CREDENTIALS)
        raise Violation(
            expected="a run without credential variables, metadata address and credentials URI",
            observed=f"{_failed(life)} for want of AWS credentials",
            fix="make no AWS call at run time: take data from channels, the model from /opt/ml/model, and what "
            "else boto3 fetches (STS, S3, a secret) from the image or from variables",
            because=says(line) if line else f"with made-up credentials it works; {telling(life)}",
            evidence=[line or telling(life), life, *([flip.good] if flip else [])],
        )
    for role in claimed(record):
        if not good(role):
            why_not(role)


@requirement(
    "SM-OFFLINE-DROP-01",
    runs=("train.full", "serve.full", "serve.again"),
    rests_on=STARTS,
    hidden_by=roots.SERVING,
    timed=True,
)
def test_dropped_packets_cost_no_limit(record: Record) -> None:
    """Start, training and invocations stay within their limits where packets are dropped in silence."""
    view = accused(record, "SM-OFFLINE-DROP-01")
    flip = flipped(view, changes.ISOLATED) if view else None
    if flip is not None:
        other = "on an open network it ends in time"
        if flip.bad.role != TRAINING:
            other = "with no network at all, where connections fail at once, it works"
        raise Violation(
            expected="the same result in time on a network that drops packets as without any network",
            observed=f"{_slow(flip)}; {other}",
            fix="give every connection attempt a short time-out (1 s to 2 s) and few retries, or make none: the "
            "first failure is answer enough",
            because=telling(flip.bad),
            evidence=flip[1:],
        )
    for role in claimed(record):
        if not _went_offline(role):
            why_not(role, f"{role.prefix}.full")


@requirement("SM-TRAIN-NET-01", runs=("train.full", "train.bare"), rests_on=STARTS, hidden_by=roots.TRAINING)
def test_trains_without_network(training: Training) -> None:
    """Training completes without any network."""
    flip = flipped(training, changes.ISOLATED, changes.NO_NETWORK)
    if cause(training) == "SM-TRAIN-NET-01" and flip is not None:
        raise Violation(
            expected="exit code 0 on a network without a way out, as on an open one",
            observed=f"without a way out {found(flip.bad)}; on an open network it trains",
            fix="put into the image whatever `train` downloads (weights, data sets, packages, tokenizers)",
            because=telling(flip.bad),
            evidence=flip[1:],
        )
    if not _went_offline(training):
        why_not(training, "train.full")


@requirement(
    "SM-TRAIN-NET-04",
    runs=("train.full", "train.bare"),
    rests_on=STARTS,
    hidden_by=(*roots.TRAINING, "SM-TRAIN-OUT-01"),
)
def test_hands_over_by_its_folders(training: Training) -> None:
    """Artifacts are handed over through the contract directories, not by the container's own upload."""
    flip = flipped(training, changes.ISOLATED)
    if cause(training) == "SM-TRAIN-NET-04" and flip is not None:
        raise Violation(
            expected="the model below /opt/ml/model, with and without a way out",
            observed=f"with a way out {found(flip.good)} and /opt/ml/model is empty; without one {found(flip.bad)}",
            fix="leave the model in /opt/ml/model and upload nothing: the platform does, with rights of its own",
            because=telling(flip.bad),
            evidence=flip[1:],
        )
    isolated = [life for life in training.lives.values() if life.network in OFFLINE and life.good]
    if not isolated:
        why_not(training, "train.full")
    if not any(life.saved for life in isolated):
        raise Blocked("SM-TRAIN-OUT-01")


@requirement(
    "SM-INFER-ISO-01", runs=("serve.full", "serve.bare", "serve.again"), rests_on=STARTS, hidden_by=roots.SERVING
)
def test_serves_without_network(serving: Serving) -> None:
    """The server becomes healthy within the start window without any network."""
    flip = flipped(serving, changes.ISOLATED, changes.NO_NETWORK)
    if flip is not None and cause(serving) == "SM-INFER-ISO-01":
        bad = flip.bad
        how = f"not healthy within {within(bad, 'start', 480)}" if bad.ended in ("stopped", "killed") else found(bad)
        raise Violation(
            expected="healthy on ping without a way out, as on an open network",
            observed=f"without a way out: {how}; on an open network it is healthy",
            fix="put into the image or the model archive whatever is fetched at start (weights, tokenizer, licence)",
            because=telling(bad),
            evidence=flip[1:],
        )
    if not any(life.network in OFFLINE for life in ready(serving)) and not _went_offline(serving):
        why_not(serving, "serve.full")


@requirement(
    "SM-OFFLINE-INVOKE-01", runs=("serve.full", "serve.bare", "serve.again"), rests_on=STARTS, hidden_by=roots.SERVING
)
def test_answers_without_network(serving: Serving) -> None:
    """An invocation is answered without any network as it is with one."""
    if cause(serving) not in ("", "SM-OFFLINE-INVOKE-01"):
        why_not(serving)
    answering(serving)
    connected = [life for life in firsts(serving) if life.network not in OFFLINE and life.ready_at is not None]
    offline = [life for life in serving.lives.values() if life.network in OFFLINE and life.ready_at is not None]
    for life in connected:
        for there in (one for one in life.invocations if one.name == "plain" and one.ok):
            answers = [(other, one) for other in offline if (one := plain(other, there.request)) is not None]
            bad = [(other, one) for other, one in answers if not one.ok]
            if bad and len(bad) == len(answers) and (len(bad) > 1 or cause(serving)):
                other, one = bad[0]
                raise _differs(one, there, f"{outcome(one)} without a way out ({other.name})", telling(other))
    if not any(plain(life, 0) is not None for life in offline):
        why_not(serving, "serve.full")
    if not any(life.answered for life in offline):
        raise NotTestable("no run without a way out was answered with 2xx, nor shown to fail for want of a network")


def _differs(one: Invocation, there: Invocation, what: str, because: str) -> Violation:
    return Violation(
        expected="the same answer without a way out as on an open network",
        observed=f"request {one.request} ({one.content_type}): {what}; {outcome(there)} on an open network, "
        f"{there.body_head[:80]!r}",
        fix="answer from what is in the image and the model; call no feature store or other service in /invocations",
        because=because,
        evidence=[one, there],
    )


def _went_offline(view: RoleView) -> bool:
    return any(life.network in OFFLINE and life.good for life in view.lives.values())


def _failed(life: Life) -> str:
    one = plain(life)
    if life.ready_at is None or one is None or one.ok:
        return found(life)
    return f"an invocation was answered with {outcome(one)} ({life.name})"


def _slow(flip: Flip) -> str:
    bad = flip.bad
    if bad.role == TRAINING:
        return f"on a network that drops packets {found(bad)}"
    if bad.ready_at is None:
        return f"on a network that drops packets: not healthy within {within(bad, 'start', 480)} ({bad.name})"
    one = plain(bad, 0)
    return f"on a network that drops packets an invocation ended in {outcome(one) if one else 'nothing'} ({bad.name})"
