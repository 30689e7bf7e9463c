"""From a record to verdicts: pure, repeatable, and the only place where a finding becomes a verdict."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import Protocol

import sm_contract.contract
from sm_contract.alone import SUFFIX
from sm_contract.catalogue import catalogue
from sm_contract.evidence import describe
from sm_contract.record import INFERENCE, ROLES, TRAINING, Life, Record
from sm_contract.requirements import RUNS, Requirement, registry
from sm_contract.schema import near_ids
from sm_contract.verdict import Blocked, Finding, Judgement, NotApplicable, NotRecorded, NotTestable, Verdict, Violation
from sm_contract.views import Serving, Training

WHERE_DECLARED = {
    "channels": "[training.channels.NAME] with data of yours",
    "model": "[inference] model",
    "requests": "[[inference.requests]] with a body of yours",
}


class WaiverLike(Protocol):
    """What the owner lives with knowingly."""

    @property
    def id(self) -> str: ...
    @property
    def owner(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def expires(self) -> date: ...


class Judge:
    """Judges one record. Verdicts are reached once, on demand, and what they rest on with them."""

    def __init__(
        self,
        record: Record,
        *,
        profile: str | None = None,
        waivers: Iterable[WaiverLike] = (),
        today: date | None = None,
    ) -> None:
        sm_contract.contract.load()
        self.record = record
        self._profile = profile
        self._waivers = {waiver.id: waiver for waiver in waivers}
        self._today = today or date.today()
        self._known: dict[str, Judgement] = {}
        self._open: set[str] = set()  # begun, so that two that hide each other do not go round
        self._views = {
            "image": record.image,
            "training": Training(record),
            "serving": Serving(record),
            "candidate": record.candidate,
            "record": record,
        }

    def judgement(self, id: str) -> Judgement:
        """The verdict on one registered requirement."""
        if id not in self._known:
            self._open.add(id)
            self._known[id] = self.judge(registry()[id])
        return self._known[id]

    def waiver_problems(self, ids: Iterable[str]) -> list[str]:
        """What is wrong with the waivers, given the ids that this run judged."""
        problems = []
        judged = set(ids)
        for waiver in self._waivers.values():
            if waiver.id in catalogue() and waiver.id not in registry():
                continue  # known, and not judged by this version: it neither helps nor harms
            if waiver.id not in registry():
                near = near_ids(waiver.id, registry())
                problems.append(f"the waiver for {waiver.id} names no requirement that is judged{near}")
            elif waiver.expires < self._today:
                problems.append(f"the waiver for {waiver.id} (owner {waiver.owner}) expired on {waiver.expires}")
            elif waiver.id in judged and self.judgement(waiver.id).verdict is Verdict.PASSED:
                problems.append(
                    f"the waiver for {waiver.id} (owner {waiver.owner}) is not needed: it passed; delete it"
                )
        return problems

    def judge(self, requirement: Requirement) -> Judgement:
        """The verdict on a requirement, whether it is registered or not; ``judgement`` keeps what it found."""
        try:
            self._apply(requirement)
            if root := self._missing_ground(requirement):
                return self._blocked(requirement, root)
            requirement.check(**{name: self._views[name] for name in requirement.arguments})
        except Finding as finding:
            return self._found(requirement, finding)
        except Exception:  # anything else is a fault of the suite and must not look like a verdict
            return self._fault(requirement, traceback.format_exc())
        return self._said(requirement, Verdict.PASSED, "")

    def _found(self, requirement: Requirement, finding: Finding) -> Judgement:
        if isinstance(finding, Violation):
            return self._broken(requirement, finding)
        if isinstance(finding, NotRecorded):
            return self._said(requirement, Verdict.NOT_TESTABLE, self._not_recorded(requirement) or finding.missing)
        if isinstance(finding, NotTestable):
            return self._said(requirement, Verdict.NOT_TESTABLE, finding.missing, finding.evidence)
        if isinstance(finding, Blocked):
            return self._hidden(requirement, finding.by)
        return self._said(requirement, Verdict.NOT_APPLICABLE, str(finding))

    def _not_recorded(self, requirement: Requirement) -> str:
        """The way out where a filter kept from the record what a requirement rests on; "" if none did."""
        asked = self.record.runs
        left_out = RUNS.difference(asked, self.record.lives) if asked is not None else frozenset[str]()
        if left_out.isdisjoint(requirement.runs):
            return ""
        return (
            "record the image again without the --sm-only, --sm-skip or -k that left these requirements out: "
            f"on this record there is no run {', '.join(sorted(left_out))}"
        )

    def _fault(self, requirement: Requirement, what: str) -> Judgement:
        return replace(self._said(requirement, Verdict.NOT_JUDGED, "a fault of sm_contract"), traceback=what)

    def _apply(self, requirement: Requirement) -> None:
        """Refuse what speaks of a role that the image does not claim."""
        roles = roles_of(requirement)
        facts = {role: self.record.roles[role] for role in roles if role in self.record.roles}
        if any(fact.claimed for fact in facts.values()) or not facts:
            return
        unclear = any(fact.claimed is None for fact in facts.values())
        if unclear and requirement.runs:
            if missing := self._not_recorded(requirement):
                raise NotTestable(missing)
            # the same words for every requirement, whichever of the roles it speaks of: they are told once
            whys = dict.fromkeys(fact.why for fact in self.record.roles.values() if fact.claimed is None)
            raise NotTestable(f"declare roles ({'; '.join(whys)})")
        if not unclear:
            raise NotApplicable("; ".join(fact.why for fact in facts.values()))

    def _missing_ground(self, requirement: Requirement) -> str:
        """The broken requirement at the root of what this one rests on; "" if all of that holds.

        It is not hidden by itself: what it rests on may not be seen just because it is broken.
        """
        for id in requirement.rests_on:
            below = self.judgement(id)
            root = below.blocked_by or id
            if ((below.verdict.broken and not below.near) or below.blocked_by) and root != requirement.id:
                return root
        return ""

    def _hidden(self, requirement: Requirement, by: str) -> Judgement:
        """Blocked by what the check itself found in its way: only what it is said to be hidden by."""
        if by not in (*requirement.rests_on, *requirement.hidden_by):
            return self._fault(requirement, f"{requirement.id}: hidden by {by}, which is not in its hidden_by")
        cause = self._known.get(by) or (self.judgement(by) if by not in self._open else None)
        if cause is not None and cause.verdict is Verdict.NOT_TESTABLE:
            return self._said(requirement, Verdict.NOT_TESTABLE, cause.reason)
        return self._blocked(requirement, by)

    def _blocked(self, requirement: Requirement, by: str) -> Judgement:
        said = self._said(requirement, Verdict.BLOCKED, f"rests on {by}, which is broken")
        return replace(said, blocked_by=by)

    def _broken(self, requirement: Requirement, violation: Violation) -> Judgement:
        if requirement.timed and self.record.emulated:
            text = f"needs an {self.record.image.architecture} engine: times under emulation prove nothing"
            return self._said(requirement, Verdict.NOT_TESTABLE, f"{text} ({violation.observed})", violation.evidence)
        if requirement.runs and set(roles_of(requirement)) & set(self.record.unfinished):
            text = f"the run was cut short, perhaps before the one that names the cause: {violation.observed}"
            return self._said(requirement, Verdict.NOT_TESTABLE, text, violation.evidence)
        missing = [kind for kind in requirement.excused_without if not self._given(kind)]
        if missing and not violation.certain:
            wanted = " and ".join(WHERE_DECLARED[kind] for kind in missing)
            text = f"declare {wanted}: with sample data of ours, {violation.observed}"
            return self._said(requirement, Verdict.NOT_TESTABLE, text, violation.evidence)
        level = requirement.entry.level_in(self._profile)
        verdict = Verdict.NOTED if level == "MAY" else Verdict.WARNED
        if violation.near:
            verdict = Verdict.WARNED
        elif requirement.entry.fails(self._profile):
            verdict = Verdict.FAILED
        judgement = replace(
            self._said(requirement, verdict, "", violation.evidence),
            expected=violation.expected,
            observed=violation.observed,
            because=violation.because,
            fix=violation.fix,
            near=violation.near,
        )
        waiver = self._waivers.get(requirement.id)
        if waiver is None or waiver.expires < self._today:
            return judgement
        return replace(
            judgement,
            verdict=Verdict.WAIVED,
            reason=f"{waiver.reason} ({waiver.owner}, until {waiver.expires})",
            waiver={"owner": waiver.owner, "reason": waiver.reason, "expires": str(waiver.expires)},
        )

    def _given(self, kind: str) -> bool:
        """Whether the data of a kind is the owner's, or the image's own work."""
        if kind == "model" and self.record.model.source == "trained":
            return True
        return kind in self.record.candidate.declared

    def _said(
        self, requirement: Requirement, verdict: Verdict, reason: str, evidence: Sequence[object] = ()
    ) -> Judgement:
        claimed = [r for r in roles_of(requirement) if r not in self.record.roles or self.record.roles[r].claimed]
        shown_in = dict.fromkeys(life.name for thing in evidence if (life := self._life_of(thing)) is not None)
        runs = [name for run in requirement.runs for name in (run + SUFFIX, run)]
        return Judgement(
            id=requirement.id,
            verdict=verdict,
            level=requirement.entry.level_in(self._profile),
            title=requirement.entry.title,
            scope=requirement.entry.scope,
            roles=tuple(claimed),
            evidence_class=requirement.entry.evidence,
            sources=requirement.entry.sources,
            reason=reason,
            evidence=tuple(describe(thing) for thing in evidence),
            lives=tuple(dict.fromkeys([*shown_in, *(name for name in runs if name in self.record.lives)])),
            shown_in=tuple(shown_in),
        )

    def _life_of(self, thing: object) -> Life | None:
        """The life that an observation is, or is from."""
        if isinstance(thing, Life):
            return thing
        return next((life for life in self.record.lives.values() if any(thing is one for one in life.observed())), None)


def roles_of(requirement: Requirement) -> tuple[str, ...]:
    """The roles a requirement speaks of: by its scope, else by the runs that prove it, else both."""
    by_scope = {"base-training": (TRAINING,), "base-hosting": (INFERENCE,)}.get(requirement.entry.scope)
    if by_scope:
        return by_scope
    prefixes = {run.split(".")[0] for run in requirement.runs}
    if prefixes == {"train"}:
        return (TRAINING,)
    if prefixes == {"serve"}:
        return (INFERENCE,)
    return ROLES


def judge(
    record: Record,
    *,
    profile: str | None = None,
    ids: Iterable[str] | None = None,
    waivers: Iterable[WaiverLike] = (),
    today: date | None = None,
) -> list[Judgement]:
    """Judge a record by the given requirements, or by all of the contract that are built."""
    the_judge = Judge(record, profile=profile, waivers=waivers, today=today)
    wanted = list(ids) if ids is not None else [id for id, r in registry().items() if not r.own]
    return [the_judge.judgement(id) for id in wanted]
