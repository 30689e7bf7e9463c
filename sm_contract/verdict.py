"""The verdicts, and the typed ways in which a requirement says something other than "met"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum


class Verdict(str, Enum):
    """What a run says of one requirement for one image."""

    PASSED = "passed"
    FAILED = "failed"
    WARNED = "warned"
    NOTED = "noted"
    WAIVED = "waived"
    BLOCKED = "blocked"
    NOT_APPLICABLE = "not applicable"
    NOT_TESTABLE = "not testable"
    NOT_JUDGED = "not judged"  # a fault of the suite, or an interrupted run

    @property
    def judged(self) -> bool:
        """Whether the record decided: met, broken, or broken and waived."""
        return self in _JUDGED

    @property
    def broken(self) -> bool:
        """Whether the record shows the requirement broken, whatever follows from it."""
        return self in (Verdict.FAILED, Verdict.WARNED, Verdict.NOTED, Verdict.WAIVED)


_JUDGED = frozenset({Verdict.PASSED, Verdict.FAILED, Verdict.WARNED, Verdict.NOTED, Verdict.WAIVED})


class Finding(Exception):
    """Base of everything a requirement may raise; any other exception is a fault of the suite."""


class Violation(Finding):
    """The record shows the requirement broken.

    ``expected``, ``observed`` and ``fix`` are sentences for a tired engineer; ``because`` names the
    cause where the record shows it; ``evidence`` holds the observations (record objects or strings)
    the finding rests on. ``certain`` says that no data of the owner's could excuse it, whatever else the
    requirement's violations rest on. ``near`` says that a limit is close and not passed: it warns, whatever
    the level, and hides nothing.
    """

    def __init__(
        self,
        *,
        expected: str,
        observed: str,
        fix: str,
        because: str = "",
        evidence: Sequence[object] = (),
        certain: bool = False,
        near: bool = False,
    ) -> None:
        for name, text in (("expected", expected), ("observed", observed), ("fix", fix)):
            if not text.strip():
                raise ValueError(f"a violation needs its {name} text")
        super().__init__(f"{observed} (expected: {expected})")
        self.expected = expected
        self.observed = observed
        self.fix = fix
        self.certain = certain
        self.near = near
        self.because = because
        self.evidence = tuple(evidence)


class NotApplicable(Finding):
    """The image does not claim what the requirement is about; the argument says why."""


class NotTestable(Finding):
    """Cannot be shown here; the argument says what is missing ("declare …", "needs …", "raise …")."""

    def __init__(self, missing: str, *, evidence: Sequence[object] = ()) -> None:
        super().__init__(missing)
        self.missing = missing
        self.evidence = tuple(evidence)


class NotRecorded(NotTestable):
    """The run that would show it is not on record; the judge knows whether a filter left it out."""

    def __init__(self, run: str) -> None:
        super().__init__(f"{run} was not run")


class Blocked(Finding):
    """Cannot be seen while another requirement is broken; ``by`` is that requirement's id."""

    def __init__(self, by: str) -> None:
        super().__init__(f"blocked by {by}")
        self.by = by


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """One requirement's verdict for one image: the only thing the reports see of a check."""

    id: str
    verdict: Verdict
    level: str  # MUST, SHOULD or MAY, in the profile of the run
    title: str
    scope: str
    roles: tuple[str, ...]  # the claimed roles it speaks of; both for what concerns the image
    evidence_class: str  # DOC, DERIVED, AWS-CODE, OBSERVED, UNSOURCED
    sources: tuple[str, ...] = ()
    expected: str = ""
    observed: str = ""
    because: str = ""
    fix: str = ""
    near: bool = False  # a limit is close and not passed
    blocked_by: str = ""  # the id of the broken requirement that hides this one
    reason: str = ""  # why blocked, not applicable, not testable or waived
    cloud: str = ""  # what the cloud itself would say
    evidence: tuple[str, ...] = ()  # journal references and sample texts, readable
    lives: tuple[str, ...] = ()  # names of the lives behind the verdict
    shown_in: tuple[str, ...] = ()  # those of them that its evidence is from
    by_hand: str = ""  # the script that shows it again, below the folder of the report
    seconds: float = 0.0  # when the verdict was reached, from the start of the run
    traceback: str = ""  # only for NOT_JUDGED through a fault of the suite
    waiver: dict[str, str] = field(default_factory=dict)
