"""The end of a run: what is broken, what could not be seen, the eight counts, and the conclusion per role."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sm_contract.catalogue import catalogue
from sm_contract.coverage import chapter_of
from sm_contract.measured import biggest, spreads
from sm_contract.record import Record
from sm_contract.report.screen import bad_life, because, course, entitled, failure, warning
from sm_contract.report.text import Line, Page, duration, milliseconds, plural
from sm_contract.result import DECLARE_ROLES, NOT_BUILT, NOT_BY_US, Conclusion, ImageResult, RoleResult
from sm_contract.verdict import Judgement, Verdict

_STYLES = {
    Verdict.PASSED: "green",
    Verdict.FAILED: "red bold",
    Verdict.WARNED: "yellow",
    Verdict.NOTED: "cyan",
    Verdict.WAIVED: "purple",
    Verdict.NOT_TESTABLE: "yellow",
}
_CONCLUSIONS = {
    Conclusion.CONFORMANT: ("✔", "green bold"),
    Conclusion.WITH_WAIVERS: ("w", "purple bold"),
    Conclusion.NOT_CONFORMANT: ("✘", "red bold"),
    Conclusion.PARTIAL: ("?", "yellow bold"),
}
_BLANK: Line = (("", ""),)
_FAULT_LINES = 15
_MOST_OF_REASON = 8  # lines
_TO_CLAIM_ONE = (
    "It becomes a trainer by a program named `train` on its PATH, a server by one named `serve` (such as "
    "/usr/local/bin/train, executable), or by an ENTRYPOINT that takes this word as its argument."
)
_FEW = 6
_ABOUT = {  # what a scope is about, where its name says too little
    "hygiene": "secrets, caches, licences",
    "training-file": "File and FastFile channels",
}
_NAMED_ABOVE = ("not testable", "blocked")


def summary(result: ImageResult, page: Page, *, reports: Sequence[str] = (), options: Sequence[str] = ()) -> list[Line]:
    """Everything below the line per requirement."""
    return [
        *_failures(result, page, options),
        *_faults(result, page),
        *_warnings(result, page),
        *_waived(result, page),
        *_blocked(result, page),
        *_not_testable(result, page),
        _BLANK,
        page.rule("summary"),
        *_counts(result, page),
        _BLANK,
        *(line for role in result.roles for line in _role(role, page)),
        *_not_claimed(result, page),
        *_remarks(result, page),
        *(line for path in reports for line in page.row("report" if path == reports[0] else "", path)),
    ]


def ending(result: ImageResult, page: Page, status: int | None = None) -> list[Line]:
    """The last line: the image (or both of a pair) and what it is, waivers named."""
    told = []
    for role in result.roles:
        if role.left_out:
            continue
        waived = f" ({', '.join(role.waived)})" if role.conclusion is Conclusion.WITH_WAIVERS else ""
        told.append(f"{role.role} {role.text}{waived}")
    if not told:
        told = ["claims no role"]
    if result.incomplete:
        told.append(f"incomplete: {result.incomplete}")
    style = _CONCLUSIONS[worst(result.roles)][1] if result.roles else "yellow bold"
    if result.waiver_problems:
        told.append(plural(len(result.waiver_problems), "bad waiver"))
        style = "red bold"
    exit = f" (exit status {status})" if status is not None else ""
    pair = result.record.training_image
    named = f"{pair.reference} + {result.reference}" if pair is not None else result.reference
    return [_BLANK, *page.row("", f"{named}: {' · '.join(told)}{exit}", style=style, column=0)]


def worst(roles: Sequence[RoleResult]) -> Conclusion:
    """The conclusion that decides for the image."""
    order = (Conclusion.NOT_CONFORMANT, Conclusion.PARTIAL, Conclusion.WITH_WAIVERS, Conclusion.CONFORMANT)
    return min((role.conclusion for role in roles), key=order.index)


def grouped(judgements: Iterable[Judgement]) -> dict[str, list[Judgement]]:
    """Judgements that share a reason, together."""
    groups: dict[str, list[Judgement]] = {}
    for judgement in judgements:
        key = judgement.blocked_by or judgement.reason
        groups.setdefault(key, []).append(judgement)
    return groups


def _failures(result: ImageResult, page: Page, options: Sequence[str]) -> list[Line]:
    # what blocks most comes first: it is the likeliest cause of everything else
    blocked = grouped(result.of(Verdict.BLOCKED))
    failures = sorted(result.failures, key=lambda j: -len(blocked.get(j.id, ())))
    lines: list[Line] = []
    for number, judgement in enumerate(failures, 1):
        lines += [
            _BLANK,
            *failure(judgement, result, page, number=number, of=len(failures), options=options),
        ]
    return lines


def _faults(result: ImageResult, page: Page) -> list[Line]:
    """What broke in this suite, once, whatever number of requirements it kept from being judged."""
    groups: dict[str, list[Judgement]] = {}
    for judgement in result.of(Verdict.NOT_JUDGED):
        if judgement.traceback:
            groups.setdefault(judgement.traceback, []).append(judgement)
    lines: list[Line] = []
    for traceback, judgements in groups.items():
        title = f"a fault of sm_contract: {plural(len(judgements), 'requirement')} not judged"
        lines += [_BLANK, page.rule(title, "red bold")]
        lines += page.items("", (j.id for j in judgements), column=3)
        tail = traceback.rstrip().splitlines()
        for text in tail if page.whole else tail[-_FAULT_LINES:]:
            lines += page.row("", text, column=1)
    return lines


def _warnings(result: ImageResult, page: Page) -> list[Line]:
    lines: list[Line] = []
    for verdict, title in ((Verdict.WARNED, "warned"), (Verdict.NOTED, "noted")):
        told = [j for j in result.of(verdict) if j not in result.failures]
        if told:
            lines += [_BLANK, page.rule(title, _STYLES[verdict])]
        for judgement in told:
            lines += warning(judgement, result, page)
    return lines


def _waived(result: ImageResult, page: Page) -> list[Line]:
    waived = result.of(Verdict.WAIVED)
    lines: list[Line] = [_BLANK, page.rule("waived", "purple")] if waived else []
    for judgement in waived:
        waiver = judgement.waiver
        until = f"to {waiver.get('expires', '?')} by {waiver.get('owner', '?')}: {waiver.get('reason', '')}"
        lines += entitled(judgement, page, "purple bold")
        lines += page.row("waived", until, most=3)
        lines += page.row("observed", judgement.observed, most=3)
        lines += because(judgement, page)
    return lines


def _blocked(result: ImageResult, page: Page) -> list[Line]:
    groups = grouped(result.of(Verdict.BLOCKED))
    lines: list[Line] = [_BLANK, page.rule("blocked", "light")] if groups else []
    for id, judgements in groups.items():
        lines.append(((" ", ""), (page.safe(id), "bold"), (f" blocks {len(judgements)}:", "")))
        lines += page.items("", (j.id for j in judgements), column=3)
    return lines


def _not_testable(result: ImageResult, page: Page) -> list[Line]:
    groups = grouped(result.of(Verdict.NOT_TESTABLE))
    lines: list[Line] = [_BLANK, page.rule("not testable here", "yellow")] if groups else []
    told: set[str] = set()
    costly = {gap.id for role in result.roles for gap in role.open_gaps}
    for reason, judgements in groups.items():
        lines += page.row("", reason, column=1, most=_MOST_OF_REASON)
        lines += page.items("", (j.id for j in judgements), column=3, style="light")
        if costly.isdisjoint(j.id for j in judgements):
            lines += page.row("", "no effect on the exit status", column=3, style="light")
        life = bad_life(judgements[0], result)
        if life is not None and life.name not in told:  # what our sample met is what its owner wants to see
            told.add(life.name)
            lines += course(life, page)
    return lines


def _counts(result: ImageResult, page: Page) -> list[Line]:
    spans = [
        (f"{count} {verdict.value}", _STYLES.get(verdict, "") if count else "light")
        for verdict, count in result.counts.items()
    ]
    if result.not_judged:
        spans.append((f"{result.not_judged} not judged", "red bold"))
    lines: list[Line] = []
    used = page.width
    for text, style in spans:
        if used + 3 + len(text) > page.width - 1:
            lines.append((("", ""), (" ", ""), (text, style)))
            used = 1 + len(text)
            continue
        lines[-1] = (*lines[-1], (f" {page.mark('·')} ", "light"), (text, style))
        used += 3 + len(text)
    return lines


def _role(role: RoleResult, page: Page) -> list[Line]:
    if role.left_out:
        return [((f" {page.mark('–')} {role.role}: {role.text}", "light"),)]  # noqa: RUF001
    mark, style = _CONCLUSIONS[role.conclusion]
    whole = role.conclusion in (Conclusion.CONFORMANT, Conclusion.WITH_WAIVERS)
    lines: list[Line] = [((f" {page.mark(mark)} {role.role}: {role.text}", style),)]
    lines += page.row("", str(role.coverage) if whole else f"judged {role.coverage}", column=3)
    lines += page.row("", role.coverage.rest, style="light", column=3) if role.coverage.rest else []
    for label, ids in (("broken", role.broken), ("waived", role.waived)):
        lines += page.items(f"  {label}", ids, column=15) if ids else []
    return lines + _gaps(role, page)


def _not_claimed(result: ImageResult, page: Page) -> list[Line]:
    lines: list[Line] = []
    for role, fact in result.not_claimed.items():
        lines += page.row(page.mark("–"), f"{role}: not claimed, {fact.how}: {fact.why}", column=3)  # noqa: RUF001
    return lines + (page.row("", _TO_CLAIM_ONE, column=3) if lines and not result.roles else [])


def _gaps(role: RoleResult, page: Page) -> list[Line]:
    """What was not judged: how many of a kind, and which, where they make the run partial or are few."""
    unknown = any(gap.kind == DECLARE_ROLES for gap in role.gaps)  # what that costs is said in its own words
    kinds: dict[str, list[str]] = {}
    for gap in role.gaps:
        kind = NOT_BY_US if gap.kind == NOT_BUILT else gap.kind
        kinds.setdefault(f"{kind}, accepted" if gap.accepted else kind, []).append(gap.id)
    why = role.gaps[0].reason if kinds.pop(DECLARE_ROLES, None) else ""
    told = []
    for kind, ids in kinds.items():
        costs = role.conclusion is Conclusion.PARTIAL and not unknown
        named = costs if kind in _NAMED_ABOVE else len(ids) <= _FEW
        told.append(f"{plural(len(ids), 'MUST')} {kind}" + (f" ({', '.join(ids)})" if named else ""))
    return [
        *(page.row("  because", why, column=15) if why else []),
        *(page.items("  not judged", told, column=15, between="; ") if told else []),
    ]


def _remarks(result: ImageResult, page: Page) -> list[Line]:
    lines: list[Line] = [_BLANK]
    for problem in result.waiver_problems:
        lines += page.row("bad waiver", problem, style="red")
    for position, short in enumerate(result.shortened):
        text = f"{short.wait}: {short.used:g} s for {short.contract:g} s ({', '.join(short.lives)})"
        lines += page.row("" if position else "shortened", text, most=3)
    if result.record.unstartable:
        lines += page.row("not started", result.record.unstartable, style="yellow")
    if result.record.emulated:
        lines += page.row("emulated", "the image ran under emulation: no time in this run fails", style="yellow")
    lines += _measured(result.record, page)
    told = [plural(result.container_starts, "container start"), duration(result.seconds)]
    told += [f"{len(result.filtered)} filtered out"] if result.filtered and not result.incomplete else []
    lines += page.items("run", told, between=" · ")
    if result.not_built:
        lines += _beyond(result.not_built, page)
    return lines


def _beyond(ids: Sequence[str], page: Page) -> list[Line]:
    """What applies and is not judged by this version: how many, of which chapters, on what."""
    chapters: dict[str, list[str]] = {}
    for id in ids:
        chapters.setdefault(chapter_of(id), []).append(catalogue()[id].scope)
    told = []
    for chapter, scopes in chapters.items():
        about = ", ".join(dict.fromkeys(_ABOUT.get(scope, scope.replace("-", " ")) for scope in scopes))
        told.append(f"{len(scopes)} SM-{chapter}-* ({about})")
    verb = "applies" if len(ids) == 1 else "apply"
    text = f"{plural(len(ids), 'requirement')} {verb} that this version does not judge:"
    return [*page.row("not judged", text), *page.items("", told, between="; ")]


def _measured(record: Record, page: Page) -> list[Line]:
    """How long a healthy server took to answer, and what became of the biggest body."""
    told = [
        f"{one.what:<20}{milliseconds(one.median):>8}{milliseconds(one.p95):>9}{milliseconds(one.longest):>9}"
        for one in spreads(record)
    ]
    if told:
        told.insert(0, f"{'answers within':<20}{'half':>8}{'95 %':>9}{'all':>9}")
    if one := biggest(record):
        told.append(f"{one.body_of}: {one.error or one.status}, for information (6 MB are judged)")
    return page.beside("measured", told) if told else []
