"""A run that judges: from the selected items, over the record, to results and the exit status."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cattrs
import pytest

from sm_contract import __version__, temporary
from sm_contract.catalogue import CURRENT, catalogue
from sm_contract.collection import NODE, RequirementBroken, RequirementItem, SuiteFault, own_requirement
from sm_contract.declaration import Declaration
from sm_contract.engine.protocol import EngineError, ImageUnknown
from sm_contract.image.reference import BadImage
from sm_contract.journal import JournalError
from sm_contract.options import Options
from sm_contract.record import Record
from sm_contract.report.cloud import cloud_words
from sm_contract.report.errors import usage
from sm_contract.report.files import ReportError, cannot_write
from sm_contract.report.junit import case
from sm_contract.report.repro.folder import Scripts
from sm_contract.requirements import VIEWS, Requirement, registry
from sm_contract.result import ImageResult, conclude, exit_status
from sm_contract.run import Run
from sm_contract.sharing import Shared, record_once
from sm_contract.status import Exit, decide
from sm_contract.verdict import Judgement, Verdict

_UNUSABLE = (BadImage, ImageUnknown, JournalError)
_SKIPPED = (Verdict.BLOCKED, Verdict.NOT_TESTABLE, Verdict.NOT_APPLICABLE)
_PREFIX = {"training": "train.", "serving": "serve.", "record": ""}  # the runs a view shows


class Gate:
    """What one run has asked, seen and concluded."""

    def __init__(
        self,
        options: Options,
        declaration: Declaration | None,
        *,
        alone: bool,
        shared: Shared | None = None,
        controls: bool = False,
    ) -> None:
        self.options = options
        self.declaration = declaration
        self.alone = alone  # the contract alone, without tests of anybody's
        self.shared = shared  # in a worker of pytest-xdist, and in its controller
        self.controls = controls  # in the controller
        self.run: Run | None = None
        self.judgements: dict[str, list[Judgement]] = {subject.label: [] for subject in options.subjects}
        self.problem = ""  # why there is no engine (any more)
        self.cut_short = ""  # why it could not carry the run to its end
        self.faulty = False  # an item of the contract ended without a judgement
        self.failed = 0  # ordinary tests
        self.passed = 0
        self.selected = 0
        self.has_contract = False
        self.wanted: set[str] = set()
        self.unwritten: ReportError | None = None  # why a part of the report is not there
        self._scripts: Scripts | None = None  # none where lives were not recorded by this very run

    # --- before the first test

    def look(self, run: Run) -> None:
        """Find the images before anything is collected. Raises pytest.UsageError for what the user can mend."""
        self.run = run
        try:
            run.look()
        except _UNUSABLE as error:
            raise usage(str(error)) from None
        except EngineError as error:
            self._engine_trouble(error)

    def prepare(self, items: Sequence[pytest.Item], run: Run) -> None:
        """Record what the selected items need. Raises pytest.UsageError for what the user can mend."""
        self.run = run
        self.wanted = set(_wanted(items))
        if self.options.report is not None and self.options.judge is None and self.shared is None:
            try:
                self._scripts = Scripts(self.options.report, [subject.label for subject in self.options.subjects])
            except OSError as error:
                raise pytest.UsageError(str(cannot_write(self.options.report, error))) from None
        try:
            if self.shared is None:
                self.run.prepare(self.wanted)
            else:
                record_once(self.shared, self._record, self._read_back)
                self._heed(self.shared)
        except _UNUSABLE as error:
            if self.shared is None:
                raise usage(str(error)) from None
            self.shared.report("usage", str(error))
            self.problem = str(error)
        except EngineError as error:
            self._engine_trouble(error)
            if self.shared is not None:
                self.shared.report("engine", str(error))
        else:
            if self.options.judge is None and self.shared is None and self.run.engine is None:
                self.problem = next((r.unstartable for r in self.run.records.values()), "")

    def _engine_trouble(self, error: EngineError) -> None:
        self.problem = str(error)
        self.cut_short = error.cut_short

    def _record(self) -> Any:
        assert self.run is not None
        self.run.prepare(self.wanted)
        self.run.close(leave=self._failed_lives(self.run))
        if self.shared is not None and self.run.left is not None:
            self.shared.leave(self.run.left)
        return self.run.journal()

    def _read_back(self, journal: Any) -> None:
        assert self.run is not None
        self.run.close()
        self.run.forget()
        self.run = Run(replace(self.options, judge=journal), self.declaration)
        self.run.prepare(self.wanted)

    def _heed(self, shared: Shared) -> None:
        found = shared.problem()
        if found is not None:
            self.problem = found[1]

    # --- the tests

    def record(self, label: str) -> Record:
        """One image's record. Skips the test if there is none."""
        if self.run is None or label not in self.run.records:
            pytest.skip(self.problem or "nothing was recorded")
        return self.run.records[label]

    def settle(self, item: RequirementItem) -> None:
        """Judge one requirement of the contract, as the outcome of its item."""
        self.record(item.subject.label)
        assert self.run is not None
        self._end(item, item.subject.label, self.run.judgement(item.subject.label, item.requirement.id))

    def settle_own(self, function: pytest.Function, requirement: Requirement) -> None:
        """Judge one requirement of the owner's; an exception that is no finding fails its test, and is no verdict."""
        callspec: Any = function
        label = callspec.callspec.params["sm_subject"]
        arguments = {name: function.funcargs[name] for name in requirement.arguments}
        raised: list[Exception] = []

        def check() -> None:
            from sm_contract.verdict import Finding  # noqa: PLC0415

            try:
                requirement.check(**arguments)
            except Finding:
                raise
            except Exception as error:
                raised.append(error)
                raise

        self.record(label)
        assert self.run is not None
        judgement = self.run.judge(label).judge(replace(requirement, check=check))
        if raised:
            function.stash[JUDGED] = (label, judgement)
            raise raised[0]
        self._end(function, label, judgement)

    def not_settled(self, item: pytest.Item, error: BaseException) -> None:
        """Note that a requirement of the owner's could not even be asked: a fixture of it raised."""
        id, callspec = own_requirement(item), getattr(item, "callspec", None)
        label = callspec.params.get("sm_subject", "") if callspec is not None else ""
        if id is None or self.run is None or label not in self.run.records:
            return

        def check() -> None:
            raise RuntimeError(f"a fixture raised {error!r}") from error

        item.stash[JUDGED] = (label, self.run.judge(label).judge(replace(registry()[id], check=check)))

    def _end(self, item: pytest.Item, label: str, judgement: Judgement) -> None:
        judgement = self._by_hand(label, judgement)
        if judgement.verdict.broken:
            judgement = replace(judgement, cloud=cloud_words(judgement, self.record(label)))
        item.stash[JUDGED] = (label, judgement)
        item.user_properties += case(judgement).properties
        if self._fails(judgement):
            script = str(Path(self.options.report or "", judgement.by_hand)) if judgement.by_hand else ""
            raise RequirementBroken(replace(judgement, by_hand=script))
        if judgement.verdict is Verdict.NOT_JUDGED:
            raise SuiteFault(judgement.traceback or judgement.reason)
        if judgement.verdict in _SKIPPED:
            pytest.skip(case(judgement).message)

    def _by_hand(self, label: str, judgement: Judgement) -> Judgement:
        """A broken requirement with the script that shows it again."""
        if self._scripts is None or self.run is None or not judgement.verdict.broken:
            return judgement
        run = self.run
        try:
            script = self._scripts.write(
                label, judgement, run.records[label], run.recipes.get(label, {}), engine=run.address
            )
        except OSError as error:
            self.unwritten = cannot_write(self._scripts.report, error)
            return judgement
        return replace(judgement, by_hand=script)

    def note(self, report: pytest.TestReport) -> tuple[str, Judgement] | None:
        """Keep what a test's report says; the judgement, if it brought one."""
        brought = judged(report)
        self.selected += report.when == "setup"  # a controller of pytest-xdist collects nothing itself
        if brought is not None:
            label, judgement = brought
            self.has_contract = self.has_contract or judgement.id in catalogue()
            self.judgements.setdefault(label, []).append(judgement)
            self.faulty = self.faulty or judgement.verdict is Verdict.NOT_JUDGED
        elif report.failed and report.nodeid.startswith(f"{NODE}/"):
            self.faulty = True  # somebody's plugin, or we: no verdict in any case
        elif report.failed:
            self.failed += 1
        elif report.when == "call" and report.passed:
            self.passed += 1
        return brought

    # --- the end

    def close(self, *, interrupted: bool) -> None:
        """End every container; after an interruption, judge what is on record already."""
        if self.shared is not None and self.run is None and self.shared.journal.exists():
            self.run = Run(replace(self.options, judge=self.shared.journal), self.declaration)
            self.run.prepare(())
            self.run.left = self.shared.left()
        if self.run is None:
            return
        self.run.close(interrupted=interrupted, leave=self._failed_lives(self.run))
        if interrupted:
            for label, record in self.run.records.items():
                self.judgements.setdefault(label, []).extend(self._on_record(self.run, label, record))

    def _failed_lives(self, run: Run) -> set[tuple[str, str]]:
        """The subjects and lives that show what fails the run, if their containers are to be kept."""
        if self.options.keep == "never" or run.engine is None:
            return set()
        ids = [id for id in self.wanted if id in registry() and not registry()[id].own]
        found = [(label, run.judgement(label, id)) for label in run.records for id in ids]
        found += [(label, one) for label, judged in self.judgements.items() if label in run.records for one in judged]
        return {(label, life) for label, one in found if self._fails(one) for life in one.shown_in or one.lives}

    def _fails(self, judgement: Judgement) -> bool:
        """Whether a verdict fails the run."""
        return judgement.verdict is Verdict.FAILED or (self.options.strict and judgement.verdict is Verdict.WARNED)

    def _on_record(self, run: Run, label: str, record: Record) -> Iterable[Judgement]:
        """Verdicts on what was selected and not reached, as far as their runs are on record."""
        reached = {judgement.id for judgement in self.judgements.get(label, ())}
        for id, requirement in registry().items():
            seen = all(run in record.lives for run in requirement.runs)
            if id in self.wanted - reached and seen and not requirement.own:
                judgement = self._by_hand(label, run.judgement(label, id))
                if judgement.verdict.judged:
                    yield judgement

    def results(self, *, incomplete: str = "") -> list[ImageResult]:
        """One result an image, as far as there is a record."""
        run = self.run
        if run is None:
            return []
        built = [id for id, requirement in registry().items() if not requirement.own]
        problems = self._waiver_problems(run)
        accepted = self.declaration.accept_not_testable if self.declaration else ()
        if not incomplete and not run.complete:
            incomplete = "the run on record did not come to its end" if self.options.judge else "cut short"
        return [
            conclude(
                record,
                self.judgements.get(label, ()),
                suite_version=__version__,
                contract=CURRENT,
                profile=self.options.profile,
                strict=self.options.strict,
                partial_ok=self.options.partial_ok,
                accept_not_testable=accepted,
                filtered=set(built) - {judgement.id for judgement in self.judgements.get(label, ())},
                waiver_problems=problems,
                built=built,
                seconds=run.durations.get(label, 0.0),
                report=str(self.options.report or ""),
                container_starts=run.starts.get(label),
                incomplete=incomplete,
            )
            for label, record in run.records.items()
        ]

    def _waiver_problems(self, run: Run) -> list[str]:
        """What is wrong with the waivers for every image: one that a single image needs is needed."""
        found = [
            run.judge(label).waiver_problems(judgement.id for judgement in self.judgements.get(label, ()))
            for label in run.records
        ]
        elsewhere = {each.id for judged in self.judgements.values() for each in judged} - set(registry())  # in a worker
        everywhere = [problem for problem in (found[0] if found else ()) if all(problem in each for each in found)]
        return [problem for problem in everywhere if not elsewhere & set(problem.split())]

    def status(self, results: Sequence[ImageResult], ended: Exit) -> Exit:
        """The exit status of the run, which ended for pytest with a status of its own."""
        if ended is Exit.USAGE or (self.shared and (self.shared.problem() or ("", ""))[0] == "usage"):
            return Exit.USAGE
        holds = set[Exit]()
        holds.update({ended} & {Exit.INTERRUPTED, Exit.FAULT, Exit.BROKEN})
        if self.problem:
            holds.add(Exit.ENGINE)
        if self.faulty or (self.run is not None and self.run.faults):
            holds.add(Exit.FAULT)
        if self.failed:
            holds.add(Exit.BROKEN)
        if not self.selected:
            holds.add(Exit.NOTHING_JUDGED)
        elif self.has_contract:
            holds.add(Exit(exit_status(results)))
        elif not self.passed and not any(self.judgements.values()):
            holds.add(Exit.NOTHING_JUDGED)
        return decide(holds)

    def forget(self) -> None:
        """Remove what was kept for the reports, and where workers met."""
        if self.shared is not None and self.controls:
            temporary.remove(self.shared.folder)
        if self.run is not None:
            with contextlib.suppress(OSError):
                self.run.forget()


GATE = pytest.StashKey[Gate]()
JUDGED = pytest.StashKey[tuple[str, Judgement]]()


def attach(report: pytest.TestReport, brought: tuple[str, Judgement]) -> None:
    """Put a judgement on a report, in a form that travels between processes."""
    label, judgement = brought
    vars(report)["sm_judgement"] = [label, {**cattrs.unstructure(judgement), "verdict": judgement.verdict.value}]


def judged(report: pytest.TestReport) -> tuple[str, Judgement] | None:
    """The judgement a report brought."""
    carried = vars(report).get("sm_judgement")
    return (carried[0], cattrs.structure(carried[1], Judgement)) if carried else None


def _wanted(items: Iterable[pytest.Item]) -> Iterable[str]:
    """The ids whose runs the items need; a test that looks at a view without naming runs needs all it can show."""
    known = registry()
    for item in items:
        if isinstance(item, RequirementItem):
            yield item.requirement.id
            continue
        id = own_requirement(item)
        if id is not None:
            yield id
            if known[id].runs:
                continue
        for view in VIEWS & set(getattr(item, "fixturenames", ())):
            if view in _PREFIX:
                yield from (
                    each.id for each in known.values() if any(run.startswith(_PREFIX[view]) for run in each.runs)
                )
