"""What a person sees on the terminal: the head, a line per requirement, each failure, the summary."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sm_contract.record import ImageFacts, RoleFact
from sm_contract.report.summary import ending, summary
from sm_contract.report.text import Line, Page, Sink, emit, plural, size
from sm_contract.result import ImageResult, platform
from sm_contract.verdict import Judgement, Verdict

MARKS: dict[Verdict, tuple[str, str]] = {
    Verdict.PASSED: ("✔", "green"),
    Verdict.FAILED: ("✘", "red bold"),
    Verdict.WARNED: ("!", "yellow"),
    Verdict.NOTED: ("i", "cyan"),
    Verdict.WAIVED: ("w", "purple"),
    Verdict.BLOCKED: ("⊘", "light"),
    Verdict.NOT_TESTABLE: ("?", "yellow"),
    Verdict.NOT_APPLICABLE: ("–", "light"),  # noqa: RUF001  # a dash, and meant
    Verdict.NOT_JUDGED: ("#", "red bold"),
}
# told by their number unless -v: nothing is to be done about them, or the end groups them by what is to be done
_FOLDED = (Verdict.PASSED, Verdict.BLOCKED, Verdict.NOT_TESTABLE, Verdict.NOT_APPLICABLE)
_TOLD_ONCE = (Verdict.PASSED, Verdict.NOT_APPLICABLE)  # not in a section of its own at the end
_ID = 25  # columns of the longest id
_LEAST_TITLE = 10
_BELOW = 6  # the column of a title below its id
_CHAPTERS = {"base-image": "image", "base-training": "training", "base-hosting": "inference", "own": "your own"}


@dataclass(frozen=True, kw_only=True)
class Head:
    """What is known before anything was judged."""

    suite_version: str
    contract: str
    image: ImageFacts
    training_image: ImageFacts | None = None  # of a pair
    engine: Mapping[str, str] = field(default_factory=dict)
    profile: str | None = None
    strict: bool = False
    roles: Mapping[str, RoleFact] = field(default_factory=dict)  # empty: not known yet, see Terminal.roles
    waivers: Sequence[str] = ()  # "SM-INFER-PING-05 to 2027-01-31 (ml-platform)"
    plan: str = ""


class Terminal:
    """Writes one run to a sink as it goes; one instance an image."""

    def __init__(self, sink: Sink, page: Page, *, verbosity: int = 0) -> None:
        self._sink = sink
        self._page = page
        self._verbosity = verbosity
        self._chapter = ""
        self._headed = False
        self._folded: Counter[Verdict] = Counter()

    def head(self, head: Head) -> None:
        """The head of a run. Roles that are not known yet follow by ``roles``."""
        emit(self._sink, head_lines(head, self._page))

    def roles(self, roles: Mapping[str, RoleFact]) -> None:
        """The roles, once the image has shown them."""
        emit(self._sink, role_lines(roles, self._page))

    def judged(self, judgement: Judgement) -> None:
        """One verdict as it is reached."""
        if judgement.scope != self._chapter:
            self.fold()
            self._chapter, self._headed = judgement.scope, False
        if judgement.verdict in _FOLDED and self._verbosity <= 0:
            self._folded[judgement.verdict] += 1
            return
        if not self._headed:
            emit(self._sink, [((self._title(), "bold"),)])
            self._headed = True
        emit(self._sink, judged_lines(judgement, self._page))

    def finish(
        self,
        result: ImageResult,
        *,
        reports: Sequence[str] = (),
        options: Sequence[str] = (),
        status: int | None = None,
    ) -> None:
        """The failures and the summary. ``options`` are this run's own, for the commands that repeat a part of it."""
        self.fold()
        emit(self._sink, summary(result, self._page, reports=reports, options=options))
        emit(self._sink, ending(result, self._page, status))

    def fold(self) -> None:
        """Close a chapter: tell how many were folded, beside its title if that is all. Safe to call twice."""
        if self._folded and self._verbosity >= 0:
            told = [(f"{count} {verdict.value}", MARKS[verdict][1]) for verdict, count in self._folded.items()]
            counts = [span for each in told for span in ((f" {self._page.mark('·')} ", "light"), each)][1:]
            first = (f"  {self._page.mark('…')} ", "light") if self._headed else (f"{self._title():<12} ", "bold")
            emit(self._sink, [(first, *counts)])
        self._folded.clear()

    def _title(self) -> str:
        return self._page.safe(_CHAPTERS.get(self._chapter, self._chapter))


def head_lines(head: Head, page: Page) -> list[Line]:
    """Suite, contract, image, roles, plan."""
    first = [f"sm_contract {head.suite_version}", f"contract {head.contract}"]
    first += [f"profile {head.profile}"] if head.profile else []
    first += ["strict"] if head.strict else []
    lines = page.items("", [*first, engine_text(head.engine)], style="bold", column=0, between=" · ")
    images = {"image": head.image}
    if head.training_image is not None:
        images = {"training": head.training_image, "inference": head.image}
    for label, image in images.items():
        lines += page.items(label, _image_facts(image), between="  ")
    lines += role_lines(head.roles, page)
    for position, waiver in enumerate(head.waivers):
        lines += page.row("" if position else "waived", waiver, style="purple")
    return [*lines, *(page.row("plan", head.plan) if head.plan else []), (("", ""),)]


def role_lines(roles: Mapping[str, RoleFact], page: Page) -> list[Line]:
    """Each role, whether it is claimed, how that is known, and why."""
    lines: list[Line] = []
    for position, (role, fact) in enumerate(roles.items()):
        claim = {True: role, False: f"no {role}", None: f"{role}?"}[fact.claimed]
        lines += page.row("" if position else "roles", f"{claim}, {fact.how}: {fact.why}")
    return lines


def engine_text(engine: Mapping[str, str]) -> str:
    """``docker 28.2 (linux/amd64)``."""
    if not engine:
        return "no engine"
    name = " ".join(part for part in (engine.get("name", "engine"), engine.get("version", "")) if part)
    return f"{name} ({engine['platform']})" if engine.get("platform") else name


def plan_text(*, requirements: int, from_image: int, starts: int) -> str:
    """``43 requirements · 12 from the image · 31 from 5 containers``."""
    lives = f"{requirements - from_image} from {plural(starts, 'container')}"
    return " · ".join([plural(requirements, "requirement"), f"{from_image} from the image", lives])


def judged_lines(judgement: Judgement, page: Page) -> list[Line]:
    """One verdict on one line, or on more where nothing below tells its text again or nothing may be cut."""
    mark, style = MARKS[judgement.verdict]
    told, told_style = judgement.title, ""
    if judgement.verdict is Verdict.WAIVED:
        told = f"waived to {judgement.waiver.get('expires', '?')}: {judgement.title}"
    elif judgement.verdict is Verdict.BLOCKED:
        told, told_style = f"blocked by {judgement.blocked_by}", "light"
    elif judgement.verdict not in (Verdict.PASSED, Verdict.FAILED, Verdict.WARNED, Verdict.NOTED):
        told, told_style = f"{judgement.verdict.value}: {judgement.reason}", "light"
    id = page.safe(judgement.id)
    column = 4 + max(len(id), _ID) + 8
    head: Line = (
        ("  ", ""),
        (page.mark(mark), style),
        (" ", ""),
        (f"{id:<{_ID}}", style if judgement.verdict in (Verdict.FAILED, Verdict.NOT_JUDGED) else ""),
        (f" {judgement.level:<6} ", "light"),
    )
    below = page.width - column < _LEAST_TITLE  # a narrow page, or a long id of the owner's
    if judgement.verdict not in _TOLD_ONCE and not page.whole:
        return [(*head, ("" if below else page.clipped(told, page.width - column), told_style))]
    if below:
        return [head, *page.row("", told, style=told_style, column=_BELOW)]
    first, *more = page.row("", told, style=told_style, column=column)
    return [(*head, first[1]), *more]


def _image_facts(image: ImageFacts) -> list[str]:
    facts = [image.reference, short_id(image.id), platform(image), size(image.size)]
    if image.entrypoint:
        facts.append(f"ENTRYPOINT {json.dumps(list(image.entrypoint), ensure_ascii=False)}")
    elif image.cmd:
        facts.append(f"no ENTRYPOINT, CMD {json.dumps(list(image.cmd), ensure_ascii=False)}")
    else:
        facts.append("no ENTRYPOINT")
    return [fact for fact in facts if fact]


def short_id(id: str) -> str:
    """``sha256:3f1c09d2a7be``, as engines shorten it."""
    return id[:19] if id.startswith("sha256:") else id[:12]
