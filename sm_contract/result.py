"""The result model: what a run concludes of one image. Pure; every report is made from it and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from sm_contract.catalogue import CURRENT, Entry, catalogue
from sm_contract.coverage import IMAGE, UNCLAIMED, applies, counts_unjudged, role_of, unclaimed
from sm_contract.record import ROLES, ImageFacts, Life, Record, RoleFact
from sm_contract.status import Exit, decide
from sm_contract.verdict import Judgement, Verdict

COUNTED = (
    Verdict.PASSED,
    Verdict.FAILED,
    Verdict.WARNED,
    Verdict.NOTED,
    Verdict.WAIVED,
    Verdict.BLOCKED,
    Verdict.NOT_TESTABLE,
    Verdict.NOT_APPLICABLE,
)  # the eight that every summary counts, in its order

DECLARE_ROLES = "declare roles"
FILTERED = "filtered out"
NOT_REACHED = "not reached"
NOT_BUILT = "not built"
NOT_BY_US = "not judged by this version"
NOT_HERE = "not judged in this run"
NOT_SELECTED = "not selected"


class Conclusion(str, Enum):
    """What a run concludes of one claimed role."""

    CONFORMANT = "conformant"
    WITH_WAIVERS = "conformant with waivers"
    NOT_CONFORMANT = "not conformant"
    PARTIAL = "partial"


@dataclass(frozen=True, kw_only=True)
class Gap:
    """An applicable MUST that was not judged, or a role nobody could make out: what makes a role partial."""

    id: str  # empty for the role itself
    kind: str  # "not testable", "blocked", "not judged", FILTERED, NOT_REACHED, NOT_BUILT, DECLARE_ROLES
    reason: str = ""
    blocked_by: str = ""  # the broken requirement that hides it, of a kind that is "blocked"
    accepted: bool = False  # named in the declaration's accept_not_testable


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How much of the contract a conclusion rests on."""

    judged: int
    can_fail: int  # MUSTs of the whole contract that AWS documents or that follow from it, under the profile
    contract: str
    others: tuple[tuple[str, int], ...] = ()  # of a role: what those are that were not judged, and how many

    @property
    def rest(self) -> str:
        """What the others are, in a few words."""
        return f"the others: {', '.join(f'{count} {what}' for what, count in self.others)}" if self.others else ""

    def __str__(self) -> str:
        return f"in {self.judged} of the {self.can_fail} MUSTs of contract {self.contract} that can fail a run"


@dataclass(frozen=True, kw_only=True)
class RoleResult:
    """One role the image claims, or may claim."""

    role: str
    how: str  # "declared" or "found out"
    why: str
    conclusion: Conclusion
    coverage: Coverage
    broken: tuple[str, ...] = ()
    waived: tuple[str, ...] = ()
    gaps: tuple[Gap, ...] = ()
    selected: bool = True  # False: nothing that speaks of this role alone was to be judged

    @property
    def text(self) -> str:
        """The conclusion with what makes it partial, in a few words."""
        if self.left_out:
            return NOT_SELECTED
        if self.conclusion is Conclusion.PARTIAL and any(gap.kind == DECLARE_ROLES for gap in self.gaps):
            return f"{self.conclusion.value}: {DECLARE_ROLES}"
        return self.conclusion.value

    @property
    def left_out(self) -> bool:
        """Whether the run was about the other role: there is nothing to conclude of this one."""
        return not self.selected and self.conclusion is Conclusion.PARTIAL

    @property
    def open_gaps(self) -> tuple[Gap, ...]:
        """The gaps nobody accepted."""
        return tuple(gap for gap in self.gaps if not gap.accepted)


@dataclass(frozen=True, kw_only=True)
class Shortened:
    """A wait that an option made shorter than the contract's."""

    wait: str
    used: float
    contract: float
    lives: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ImageResult:
    """All that a run says of one image (or of one pair)."""

    reference: str
    id: str
    digest: str
    platform: str
    size: int
    contract: str
    suite_version: str
    engine: dict[str, str]
    profile: str | None
    strict: bool
    record: Record
    judgements: tuple[Judgement, ...]
    roles: tuple[RoleResult, ...]  # those claimed and those that could not be made out
    not_claimed: dict[str, RoleFact] = field(default_factory=dict)
    coverage: Coverage
    counts: dict[Verdict, int]
    not_judged: int  # faults of the suite, or cut off by an interruption
    not_built: tuple[str, ...]
    filtered: tuple[str, ...]
    waiver_problems: tuple[str, ...]
    partial_ok: bool
    shortened: tuple[Shortened, ...]
    seconds: float
    container_starts: int
    report: str = ""  # the folder that its reports are written to
    incomplete: str = ""  # why the run did not come to its end; empty if it did

    def of(self, *verdicts: Verdict) -> tuple[Judgement, ...]:
        """The judgements with one of these verdicts, in the order in which they were reached."""
        return tuple(judgement for judgement in self.judgements if judgement.verdict in verdicts)

    @property
    def failures(self) -> tuple[Judgement, ...]:
        """What ends the run with failure."""
        return tuple(j for j in self.judgements if _fails(j, self.strict))

    @property
    def judged(self) -> int:
        return sum(judgement.verdict.judged for judgement in self.judgements)


def conclude(
    record: Record,
    judgements: Sequence[Judgement],
    *,
    suite_version: str,
    contract: str = CURRENT,
    profile: str | None = None,
    strict: bool = False,
    partial_ok: bool = False,
    accept_not_testable: Collection[str] = (),
    filtered: Collection[str] = (),
    waiver_problems: Sequence[str] = (),
    built: Collection[str] | None = None,
    seconds: float = 0.0,
    container_starts: int | None = None,
    report: str = "",
    incomplete: str = "",
) -> ImageResult:
    """Conclude what the judgements say of each role.

    ``filtered`` are the ids that ``-k``, ``--sm-only`` and their like kept from being judged,
    ``built`` all ids this suite can judge (left out: those judged or filtered). ``incomplete`` says
    why the run was cut short, if it was.
    """
    entries = catalogue(contract)
    judged_ids = {judgement.id for judgement in judgements}
    left_out = tuple(id for id in sorted(filtered) if id not in judged_ids)
    known = set(built) if built is not None else judged_ids | set(left_out)
    facts = {role: record.roles[role] for role in ROLES if role in record.roles} or _unknown(record)
    features = record.candidate.features
    asked = _asked(judgements, entries) if left_out and not incomplete else set(ROLES)

    def concerning(roles: Collection[str], ids: Iterable[str]) -> list[Entry]:
        wanted = (entries[id] for id in ids if id in entries)
        return [e for e in wanted if applies(e, roles=roles, features=features, profile=profile)]

    def role_result(role: str, fact: RoleFact) -> RoleResult:
        own = [j for j in judgements if _concerns(j, role, fact, entries)]
        forgiven = {j.id for j in own if j.verdict is Verdict.WAIVED}
        gaps = [gap for j in own if (gap := _gap(j, entries, profile, accept_not_testable, forgiven))]
        missing = [(NOT_REACHED if incomplete else FILTERED, e) for e in concerning([role], left_out)]
        if profile:
            missing += [(NOT_BUILT, e) for e in concerning([role], entries) if e.id not in known]
        gaps += [
            Gap(id=entry.id, kind=kind, accepted=entry.id in accept_not_testable)
            for kind, entry in missing
            if counts_unjudged(entry, profile)
        ]
        if fact.claimed is None and role in asked:  # else a filter left out what would have shown it
            gaps.insert(0, Gap(id="", kind=DECLARE_ROLES, reason=fact.why))
        broken = tuple(j.id for j in own if _fails(j, strict))
        waived = tuple(j.id for j in own if j.verdict is Verdict.WAIVED)
        return RoleResult(
            role=role,
            how=fact.how,
            why=fact.why,
            conclusion=_conclusion(broken, gaps or bool(incomplete), waived),
            coverage=replace(_coverage(own, entries, profile, contract), others=others(role, own)),
            broken=broken,
            waived=waived,
            gaps=tuple(gaps),
            selected=role in asked or not asked,
        )

    def others(role: str, own: Sequence[Judgement]) -> tuple[tuple[str, int], ...]:
        seen = {j.id: j.verdict for j in own}
        kinds: Counter[str] = Counter()
        for entry in entries.values():
            if not entry.fails(profile) or (entry.id in seen and seen[entry.id].judged):
                continue
            what = unclaimed(entry, role=role, features=features, profile=profile)
            if seen.get(entry.id) is Verdict.NOT_APPLICABLE:
                what = UNCLAIMED
            kinds[f"of {what}" if what else NOT_HERE if entry.id in known else NOT_BY_US] += 1
        order = sorted(kinds, key=lambda kind: (kind == NOT_HERE, kind == NOT_BY_US, -kinds[kind]))
        return tuple((kind, kinds[kind]) for kind in order)

    image = record.image
    possible = [role for role, fact in facts.items() if fact.claimed is not False]
    return ImageResult(
        reference=image.reference,
        id=image.id,
        digest=image.digest,
        platform=platform(image),
        size=image.size,
        contract=contract,
        suite_version=suite_version,
        engine=dict(record.engine),
        profile=profile,
        strict=strict,
        record=record,
        judgements=tuple(judgements),
        roles=tuple(role_result(role, facts[role]) for role in possible),
        not_claimed={role: fact for role, fact in facts.items() if fact.claimed is False},
        coverage=_coverage(judgements, entries, profile, contract),
        counts={verdict: sum(j.verdict is verdict for j in judgements) for verdict in COUNTED},
        not_judged=sum(j.verdict is Verdict.NOT_JUDGED for j in judgements),
        not_built=tuple(e.id for e in concerning(possible, entries) if e.id not in known),
        filtered=left_out,
        waiver_problems=tuple(waiver_problems),
        partial_ok=partial_ok,
        shortened=_shortened(record.lives.values()),
        seconds=seconds,
        container_starts=starts(record) if container_starts is None else container_starts,
        report=report,
        incomplete=incomplete,
    )


def exit_status(
    results: Sequence[ImageResult],
    *,
    interrupted: bool = False,
    engine_lost: bool = False,
    fault: bool = False,
) -> Exit:
    """The exit status that these results ask for."""
    holds = {
        Exit.INTERRUPTED: interrupted,
        Exit.ENGINE: engine_lost,
        Exit.FAULT: fault or any(result.not_judged and not result.incomplete for result in results),
        Exit.BROKEN: any(result.failures or result.waiver_problems for result in results),
        Exit.PARTIAL: any(_open(result) for result in results),
        Exit.NOTHING_JUDGED: not any(result.judged for result in results),
    }
    return decide([status for status, true in holds.items() if true])


def platform(image: ImageFacts) -> str:
    """``linux/amd64``, ``linux/arm64/v8``."""
    return "/".join(part for part in (image.os, image.architecture, image.variant) if part)


def starts(record: Record) -> int:
    """How many containers the recorded lives started, the control servers among them."""
    lives = record.lives.values()
    own = sum(not life.start_error and life.ended not in ("never started", "no container") for life in lives)
    return own + sum(life.control is not None for life in lives)


def _unknown(record: Record) -> dict[str, RoleFact]:
    """The roles of a record in which nobody looked for them: none of them is absent for lack of proof."""
    why = record.unstartable or "nothing was started to find out"
    return {role: RoleFact(claimed=None, how="found out", why=why) for role in ROLES}


def _asked(judgements: Iterable[Judgement], entries: dict[str, Entry]) -> set[str]:
    """The roles that something was judged of, beside what concerns any image."""
    roles = [{role_of(entries[j.id])} if j.id in entries else set(j.roles) for j in judgements]
    return {role for one in roles if len(one) == 1 for role in one & set(ROLES)}


def _concerns(judgement: Judgement, role: str, fact: RoleFact, entries: dict[str, Entry]) -> bool:
    """Whether a judgement counts for a role.

    A judgement names claimed roles only, so for a role nobody could make out the contract decides.
    """
    if role in judgement.roles:
        return True
    entry = entries.get(judgement.id)
    if entry is None:
        return not judgement.roles
    allowed = (role, IMAGE) if fact.claimed is None else (role,)
    return role_of(entry) in allowed or (not judgement.roles and role_of(entry) == IMAGE)


def _fails(judgement: Judgement, strict: bool) -> bool:
    return judgement.verdict is Verdict.FAILED or (strict and judgement.verdict is Verdict.WARNED)


def _open(result: ImageResult) -> bool:
    """Whether a gap is left that nobody accepts.

    ``--sm-partial ok`` accepts what could not be looked at. It does not accept what a broken requirement hides,
    though that one only warns (a program that cannot even be started), nor a run that did not come to its end.
    """
    gaps = [gap for role in result.roles for gap in role.open_gaps]
    return bool(result.incomplete) or any(not result.partial_ok or gap.blocked_by for gap in gaps)


def _gap(
    judgement: Judgement,
    entries: dict[str, Entry],
    profile: str | None,
    accepted: Collection[str],
    waived: Collection[str],
) -> Gap | None:
    """What was not judged and should have been; what only a waived requirement hides is waived with it."""
    if judgement.verdict.judged or judgement.verdict is Verdict.NOT_APPLICABLE or judgement.level != "MUST":
        return None
    if judgement.blocked_by in waived:
        return None
    entry = entries.get(judgement.id)
    if entry is not None and not counts_unjudged(entry, profile):
        return None
    return Gap(
        id=judgement.id,
        kind=judgement.verdict.value,
        reason=judgement.reason,
        blocked_by=judgement.blocked_by,
        accepted=judgement.verdict is Verdict.NOT_TESTABLE and judgement.id in accepted,
    )


def _conclusion(broken: object, gaps: object, waived: object) -> Conclusion:
    if broken:
        return Conclusion.NOT_CONFORMANT
    if gaps:
        return Conclusion.PARTIAL
    return Conclusion.WITH_WAIVERS if waived else Conclusion.CONFORMANT


def _coverage(
    judgements: Iterable[Judgement], entries: dict[str, Entry], profile: str | None, contract: str
) -> Coverage:
    can_fail = {id for id, entry in entries.items() if entry.fails(profile)}
    judged = {judgement.id for judgement in judgements if judgement.verdict.judged}
    return Coverage(judged=len(judged & can_fail), can_fail=len(can_fail), contract=contract)


def _shortened(lives: Iterable[Life]) -> tuple[Shortened, ...]:
    found: dict[tuple[str, float, float], list[str]] = {}
    for life in lives:
        for wait, contract in life.shortened.items():
            found.setdefault((wait, life.limits.get(wait, 0.0), contract), []).append(life.name)
    return tuple(
        Shortened(wait=wait, used=used, contract=contract, lives=tuple(names))
        for (wait, used, contract), names in sorted(found.items())
    )
