"""What is reached for outside of the container: what a run depends on, and what it tries without need."""

from __future__ import annotations

import re

from sm_contract import changes
from sm_contract.contract import roots
from sm_contract.contract.causes import (
    STARTS,
    accused,
    cause,
    claimed,
    firsts,
    flipped,
    flips,
    good,
    unwell,
    why_not,
)
from sm_contract.contract.invoking import answering
from sm_contract.contract.reaching import DNS, FETCH, INSTALL, METADATA, line_of
from sm_contract.contract.readiness import plain, steady
from sm_contract.contract.reading import found, outcome, says, telling
from sm_contract.record import Attempt, Invocation, Life, Record
from sm_contract.requirements import requirement
from sm_contract.verdict import NotTestable, Violation
from sm_contract.views import Serving

SIMPLE = ("train.bare", "train.full", "serve.bare", "serve.full")
FULL = ("train.full", "serve.full")
OFFLINE = ("internal", "none")
NEEDED = (  # what a run reaches for because it depends on it
    *("SM-TRAIN-NET-01", "SM-TRAIN-NET-04", "SM-INFER-ISO-01", "SM-OFFLINE-INVOKE-01", "SM-OFFLINE-DROP-01"),
    *(INSTALL, METADATA, FETCH, DNS, "SM-OFFLINE-CREDENTIALS-01", "SM-OFFLINE-ANSWER-01", "SM-OFFLINE-LOOPBACK-01"),
)
_TELEMETRY = re.compile(
    r"telemetry|analytics|\bstats?\.|\busage\.|sentry|posthog|segment\.|amplitude|mixpanel|scarf\.sh"
)
_FIXES = {
    INSTALL: "install the packages in the Dockerfile; nothing can be installed without a way out",
    METADATA: "take the Region from AWS_REGION or from a default, and call no metadata address",
    FETCH: "put weights, tokenizers, licences and keys into the image or the model archive, and load them by path "
    "(HF_HUB_OFFLINE=1)",
    DNS: "look no name up at start, or go on where the look-up fails",
}
_WHAT = {
    INSTALL: "packages that are installed at run time",
    METADATA: "the instance metadata address",
    FETCH: "something fetched at run time",
    DNS: "a name that is looked up",
}


@requirement(INSTALL, runs=SIMPLE, rests_on=STARTS, hidden_by=roots.SERVING)
def test_installs_nothing_at_run_time(record: Record) -> None:
    """No packages are installed at run time."""
    _depends_on(record, INSTALL)


@requirement(METADATA, runs=SIMPLE, rests_on=STARTS, hidden_by=roots.SERVING)
def test_needs_no_metadata_address(record: Record) -> None:
    """Nothing depends on the instance-metadata or container-credentials addresses."""
    _depends_on(record, METADATA)


@requirement(FETCH, runs=SIMPLE, rests_on=STARTS, hidden_by=roots.SERVING)
def test_fetches_nothing_at_run_time(record: Record) -> None:
    """No weights, tokenizers, licences or keys are fetched at run time: everything the code needs is in the image."""
    _depends_on(record, FETCH)


@requirement(DNS, runs=SIMPLE, rests_on=STARTS, hidden_by=roots.SERVING)
def test_needs_no_name_at_start(record: Record) -> None:
    """Nothing depends on DNS at start."""
    _depends_on(record, DNS)


@requirement("SM-OFFLINE-REGION-01", runs=SIMPLE, rests_on=STARTS, hidden_by=roots.SERVING)
def test_needs_no_region(record: Record) -> None:
    """AWS SDK clients created at start have a Region without network, or none are created."""
    view = accused(record, "SM-OFFLINE-REGION-01")
    flip = flipped(view, changes.REGION) if view else None
    if flip is not None:
        raise Violation(
            expected="a run without AWS_REGION and AWS_DEFAULT_REGION",
            observed=f"{found(flip.bad)}; with AWS_REGION it works",
            fix="name a Region where the client is made, boto3.client(…, region_name=…), or make it when it is used",
            because=telling(flip.bad),
            evidence=flip[1:],
        )
    _works(record)


@requirement("SM-OFFLINE-PROXY-01", runs=SIMPLE, rests_on=STARTS, hidden_by=roots.SERVING)
def test_needs_no_proxy(record: Record) -> None:
    """No proxy variables are needed."""
    view = accused(record, "SM-OFFLINE-PROXY-01")
    flip = flipped(view, changes.PROXY) if view else None
    if flip is not None:
        raise Violation(
            expected="a run without HTTP_PROXY, HTTPS_PROXY and NO_PROXY",
            observed=f"{found(flip.bad)}; with these variables it works",
            fix="read them with a default, and go without a proxy where they are not set",
            because=telling(flip.bad),
            evidence=flip[1:],
        )
    _works(record)


@requirement("SM-OFFLINE-LOOPBACK-01", runs=("serve.full", "serve.again"), rests_on=STARTS, hidden_by=roots.SERVING)
def test_talks_to_itself_over_loopback(serving: Serving) -> None:
    """Processes in the container talk to each other over loopback or sockets only."""
    flip = next((one for one in flips(serving) if one.broke and one.change == changes.NO_NETWORK), None)
    inside = next((life for life in good(serving) if life.network == "internal"), None)
    if flip is not None and inside is not None and cause(serving) in ("", "SM-OFFLINE-LOOPBACK-01"):
        one = plain(flip.bad)
        seen = f"{outcome(one)} for an invocation ({flip.bad.name})" if one is not None else found(flip.bad)
        raise Violation(
            expected="the same with no network besides loopback as on a network without a way out",
            observed=f"with loopback alone {seen}; on a network of its own, without a way out, it works",
            fix="let the processes meet on 127.0.0.1 or a Unix socket, not on the container's address or host name",
            because=telling(flip.bad),
            evidence=[flip.bad, inside],
        )
    if not any(life.network == "none" and life.ready_at is not None for life in serving.lives.values()):
        if not good(serving) or cause(serving):
            why_not(serving)
        raise NotTestable("no server was healthy without a network", evidence=[serving.life("serve.again")])


@requirement(
    "SM-OFFLINE-ANSWER-01",
    runs=("serve.full", "serve.bare", "serve.again"),
    rests_on=[*STARTS, "SM-OFFLINE-INVOKE-01"],
    hidden_by=roots.SERVING,
)
def test_answers_are_the_same_without_network(serving: Serving) -> None:
    """Answers do not differ between the connected and the isolated run."""
    answering(serving)
    connected = [life for life in firsts(serving) if life.network not in OFFLINE and life.answered]
    offline = [life for life in serving.lives.values() if life.network in OFFLINE and life.answered]
    for life in connected:
        for there in (one for one in life.invocations if one.name == "plain" and one.ok):
            answers = [one for other in offline if (one := plain(other, there.request)) is not None and one.ok]
            if len(answers) > 1 and _changed(life, there, answers):
                raise Violation(
                    expected="the same answer without a way out as on an open network",
                    observed=f"request {there.request} ({there.content_type}): {answers[0].body_head[:80]!r} without a "
                    f"way out, {there.body_head[:80]!r} on an open network",
                    fix="leave out the fallback, or what it stands in for: an isolated endpoint answers alike",
                    evidence=[answers[0], there],
                )
    if not connected or not offline:
        why_not(serving, "serve.full")


@requirement("SM-OFFLINE-TELEMETRY-01", runs=FULL, rests_on=[*STARTS, *NEEDED], hidden_by=roots.SERVING)
def test_does_not_phone_home(record: Record) -> None:
    """No telemetry, and no delay by phoning home."""
    for life, attempts in _attempts(record):
        told = [one for one in attempts if _TELEMETRY.search(one.what)]
        if told:
            raise Violation(
                expected="no usage statistics sent from the container",
                observed=f"{_list(told)} looked up {told[0].at:.1f} s after the start ({life.name})",
                fix="switch it off in the image: ENV DO_NOT_TRACK=1 HF_HUB_DISABLE_TELEMETRY=1, or the framework's own",
                evidence=[life, *told[:3]],
            )


@requirement(
    "SM-OFFLINE-ATTEMPT-01",
    runs=FULL,
    rests_on=[*STARTS, *NEEDED, "SM-OFFLINE-TELEMETRY-01"],
    hidden_by=roots.SERVING,
)
def test_tries_nothing_outside(record: Record) -> None:
    """No outbound attempt at all, even a harmless one."""
    for life, attempts in _attempts(record):
        if attempts:
            raise Violation(
                expected="no name looked up and no address tried outside of the container",
                observed=f"{_list(attempts)} tried {attempts[0].at:.1f} s after the start, and nothing came of it "
                f"({life.name})",
                fix="switch off update checks and the like; each costs time where packets are dropped",
                evidence=[life, *attempts[:3]],
            )


# --- what was seen ------------------------------------------------------------------------------------


def _depends_on(record: Record, id: str) -> None:
    """Raise the violation if this explains why a role goes wrong; return if every claimed role works."""
    view = accused(record, id)
    if view is not None:
        flip = flipped(view, changes.ISOLATED, changes.NO_NETWORK)
        life = flip.bad if flip else next(life for life in unwell(view) if not life.hit_limits)
        line = line_of(life, id)
        tried = list(life.attempts or ())
        else_ = "; on an open network it works" if flip else ", on an open network, too"
        because = says(line) if line else (f"it tried {_list(tried)}" if tried else telling(life))
        raise Violation(
            expected=f"a run without {_WHAT[id]}: an isolated container reaches nothing",
            observed=f"{found(life)}{else_}",
            fix=_FIXES[id],
            because=because,
            evidence=[life, *([line] if line else []), *tried[:3], *([flip.good] if flip else [])],
        )
    _works(record)


def _works(record: Record) -> None:
    for view in claimed(record):
        if not good(view):
            why_not(view)


def _attempts(record: Record) -> list[tuple[Life, tuple[Attempt, ...]]]:
    """What the full lives tried. Raises what stands in the way of knowing it."""
    seen = []
    for view in claimed(record):
        if not good(view):
            why_not(view)
        full = view.life(f"{view.prefix}.full")
        # where its bridge cannot be watched, one that is over in an instant is not seen: then another shows it
        life = next((one for one in (full, *view.lives.values()) if one.attempts is not None), full)
        if life.attempts is None:
            raise NotTestable(
                "needs root on a local Linux engine: the packets that leave the container have to be seen",
                evidence=[life],
            )
        seen.append((life, life.attempts))
    return seen


def _list(attempts: list[Attempt] | tuple[Attempt, ...]) -> str:
    names = [one.what for one in attempts]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _changed(life: Life, there: Invocation, answers: list[Invocation]) -> bool:
    """Whether every life without a network gave the same answer, and another one than each stable one with it."""
    bodies = {one.body_sha256 for one in answers}
    return len(bodies) == 1 and there.body_sha256 not in bodies and steady(life, there)
