"""What a person sees of a run, and the reports: the report rooms, tied to pytest."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from sm_contract import __version__, options
from sm_contract.asking import built
from sm_contract.catalogue import CURRENT
from sm_contract.collection import PACKAGE, RequirementBroken, told
from sm_contract.engine.protocol import Left
from sm_contract.gate import Gate, judged
from sm_contract.journal import JournalError
from sm_contract.keywords import meant
from sm_contract.report import errors
from sm_contract.report.files import JOURNAL, ReportError, write_reports, write_whole
from sm_contract.report.junit import name_in_pytest
from sm_contract.report.progress import Progress
from sm_contract.report.screen import warning
from sm_contract.report.terminal import Head, Terminal, plan_text
from sm_contract.report.text import Page, emit
from sm_contract.requirements import registry
from sm_contract.result import ImageResult, starts
from sm_contract.status import Exit
from sm_contract.verdict import Judgement, Verdict

_STATUS = {
    Verdict.PASSED: ("passed", ".", "PASSED"),
    Verdict.FAILED: ("failed", "F", "FAILED"),
    Verdict.WARNED: ("warned", "W", "WARNED"),
    Verdict.NOTED: ("noted", "n", "NOTED"),
    Verdict.WAIVED: ("waived", "w", "WAIVED"),
    Verdict.BLOCKED: ("blocked", "b", "BLOCKED"),
    Verdict.NOT_TESTABLE: ("not testable", "?", "NOT TESTABLE"),
    Verdict.NOT_APPLICABLE: ("not applicable", "-", "NOT APPLICABLE"),
    Verdict.NOT_JUDGED: ("not judged", "E", "NOT JUDGED"),
}


class Show:
    """Writes one run to pytest's terminal as it goes, and its reports at the end."""

    def __init__(self, config: pytest.Config, gate: Gate, *, distributed: bool) -> None:
        self._config = config
        self._gate = gate
        self._verbosity = config.option.verbose
        self._distributed = distributed
        self._progress: Progress | None = None  # while the images are run
        self._terminals: dict[str, Terminal] = {}
        self._reports: list[str] = []
        self._errors: list[str] = []
        self._unjudged: dict[str, list[str]] = {}  # node ids, by what kept them from being judged
        if gate.alone and not config.option.collectonly:
            # the report has lines of its own: pytest's progress and its failures section stay empty
            config.option.verbose = min(self._verbosity, 0)
            config.option.tbstyle = "no"
            if config.option.reportchars == "fE":
                config.option.reportchars = ""

    @property
    def _shown(self) -> bool:
        """Whether there is a terminal to write to; it is not there yet when this is made."""
        return bool(self._config.pluginmanager.hasplugin("terminalreporter"))

    # --- while it goes on

    @contextmanager
    def progress(self, *, silent: bool) -> Iterator[None]:
        """Tell what is waited for while the images are run."""
        if not silent and self._shown:
            self._progress = Progress(sys.stdout, sys.stdout.isatty(), width=self._page().width)
        try:
            yield
        finally:
            if self._progress is not None:
                self._progress.close()

    def waiting(self, name: str, what: str, since: float, until: float) -> None:
        """A life waits for something, since and until a time of the monotonic clock."""
        if self._progress is not None:
            self._progress.waiting(name, what, since, until)

    def done(self, name: str) -> None:
        """A life has ended."""
        if self._progress is not None:
            self._progress.done(name)

    def noted(self, text: str) -> None:
        """Something is worth knowing before a wait is over."""
        if self._progress is not None:
            self._progress.noted(text)

    def recorded(self) -> None:
        """Everything is on record: tell what is judged."""
        if not self._gate.alone or not self._shown:
            return
        writer = self._config.get_terminal_writer()
        if self._distributed:
            writer.line("sm_contract: -n is not needed here, one process records and judges")
        reporter: Any = self._config.pluginmanager.getplugin("terminalreporter")
        reporter.showfspath = False

    def judged(self, label: str, judgement: Judgement, report: pytest.TestReport) -> None:
        """One verdict, as it is reached."""
        self._junit(label, judgement, report)
        as_text = report.failed and isinstance(report.longrepr, str)  # it came from a worker
        if as_text and judgement.verdict.broken:
            vars(report)["longrepr"] = told(RequirementBroken(judgement)) or report.longrepr
        if self._gate.alone and self._shown:
            self._terminal(label).judged(judgement)

    def unjudged(self, report: pytest.TestReport) -> None:
        """A test that ended without a judgement: where pytest shows no failures, we do."""
        if self._gate.alone and report.failed:
            self._unjudged.setdefault(report.longreprtext, []).append(report.nodeid)

    def status(self, report: Any) -> tuple[str, str, str] | None:
        """The category, letter and word of a report that brought a judgement."""
        brought = judged(report) if getattr(report, "when", "") == "call" else None
        if brought is None:
            return None
        category, letter, word = _STATUS[brought[1].verdict]
        if report.failed and brought[1].verdict is Verdict.WARNED:
            category, letter, word = _STATUS[Verdict.FAILED]
        if brought[1].verdict is Verdict.NOT_JUDGED and not self._gate.alone:
            category = "failed"  # for pytest to show why
        return (category, "", "") if self._gate.alone and self._shown else (category, letter, word)

    def _terminal(self, label: str) -> Terminal:
        if label not in self._terminals:
            sink: Any = self._config.get_terminal_writer()
            self._terminals[label] = Terminal(sink, self._page(), verbosity=self._verbosity)
            if self._gate.run is not None and label in self._gate.run.records:
                self._terminals[label].head(self._head(label))
        return self._terminals[label]

    def _head(self, label: str) -> Head:
        gate = self._gate
        assert gate.run is not None
        record = gate.run.records[label]
        waivers = gate.declaration.waivers if gate.declaration else ()
        return Head(
            suite_version=__version__,
            contract=CURRENT,
            image=record.image,
            training_image=record.training_image,
            engine=record.engine,
            profile=gate.options.profile,
            strict=gate.options.strict,
            roles=record.roles,
            waivers=[f"{waiver.id} to {waiver.expires} ({waiver.owner})" for waiver in waivers],
            plan=self._plan(label),
        )

    def _plan(self, label: str) -> str:
        """How many verdicts come from how many lives."""
        gate = self._gate
        assert gate.run is not None
        wanted = [registry()[id] for id in gate.wanted if id in registry()]
        return plan_text(
            requirements=len(wanted),
            from_image=sum(not requirement.runs for requirement in wanted),
            starts=starts(gate.run.records[label]),
        )

    def _page(self) -> Page:
        width = self._config.get_terminal_writer().fullwidth
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        return Page(width=max(40, min(width, 100)), encoding=encoding, whole=not sys.stdout.isatty())

    def _junit(self, label: str, judgement: Judgement, report: pytest.TestReport) -> None:
        """Give the case of ``--junitxml`` our names, through the writer pytest registered."""
        several = len(self._gate.judgements) > 1
        for plugin in self._config.pluginmanager.get_plugins():
            if hasattr(plugin, "node_reporter"):
                name_in_pytest(plugin.node_reporter(report), judgement, label if several else "")

    # --- the end

    def write(self, results: Sequence[ImageResult], status: Exit) -> bool:
        """Write the reports; False if they could not be."""
        folder, run = self._gate.options.report, self._gate.run
        if folder is None or run is None:
            return True
        try:
            if self._gate.unwritten is not None:
                raise self._gate.unwritten
            paths = write_reports(folder, results, status=int(status))
            journal = run.journal()
            paths.append(folder / JOURNAL)
            if not (paths[-1].exists() and paths[-1].samefile(journal)):
                write_whole(paths[-1], journal.read_text(encoding="utf-8"))
        except (ReportError, JournalError, OSError) as error:
            self._errors.append("; ".join(filter(None, (str(error), run.keep_journal()))))
            return False
        self._reports += map(str, paths)
        return True

    def fault(self, traceback: str) -> None:
        """A fault of ours at the very end, told with its traceback."""
        self._errors.append(f"a fault of sm_contract\n{traceback}")

    def fold(self) -> None:
        """Close the last chapter before pytest writes on."""
        for terminal in self._terminals.values():
            terminal.fold()

    def hush(self) -> None:
        """Keep pytest's own last line from coming between ours."""
        if self._gate.alone and self._shown and not self._config.option.collectonly:
            self._config.option.verbose = -2

    def finish(self, results: Sequence[ImageResult], status: Exit) -> None:
        """The failures, the summary and the conclusion of each image."""
        gate = self._gate
        for error in (*([gate.problem] if gate.problem else []), *self._errors, *_grouped(self._unjudged)):
            errors.write(error)
        if self._shown and gate.alone and not gate.selected and status is Exit.NOTHING_JUDGED:
            told = f"{self._nothing()} (exit status {int(status)})"
            sink: Any = self._config.get_terminal_writer()
            emit(sink, self._page().row("", told, style="yellow bold", column=0))
        if not self._shown or not results:
            return
        sink = self._config.get_terminal_writer()
        if gate.run is not None and gate.run.left is not None:
            emit(sink, [*self._page().row("kept", _kept(gate.run.left), column=13)])
        if not gate.has_contract:
            for result in results:
                for judgement in result.judgements:
                    if judgement.verdict is Verdict.WARNED and not gate.options.strict:  # a failure is pytest's to show
                        emit(sink, warning(judgement, result, self._page()))
            if gate.run is not None and gate.run.records:
                line = f"tests of your own only: the contract itself was not judged (add --pyargs {PACKAGE})"
                sink.line(line)
            return
        for label, result in zip(gate.run.records if gate.run else (), results, strict=True):
            self._terminal(label).finish(
                result, reports=self._reports, options=options.repeat(self._config.option), status=int(status)
            )

    def _nothing(self) -> str:
        """Why no requirement was selected."""
        given = self._config.option
        contract = built()
        names = {"-k": given.keyword, "-m": given.markexpr}
        filters = [f"{option} {shlex.quote(value)}" for option, value in names.items() if value]
        filters += options.filters(given)
        if not filters:
            return f"nothing was judged: none of the {len(contract)} requirements was selected"
        hint = meant(given.keyword, contract.values()) if len(filters) == 1 else ""
        match = "matches" if len(filters) == 1 else "match"
        return (
            f"nothing was judged: {', '.join(filters)} {match} none of the {len(contract)} requirements"
            f"{hint or '; see --sm-list'}"
        )


def _kept(left: Left) -> str:
    """Which containers were kept, what for, and how they are removed."""
    names = ", ".join(left.names)
    return f"{names}: stopped, with their volumes, for docker logs and docker cp. This removes them: {left.remove}"


def _grouped(unjudged: dict[str, list[str]]) -> Iterator[str]:
    """What kept items from being judged, each said once."""
    for text, (first, *others) in unjudged.items():
        more = f" and {len(others)} more" if others else ""
        yield f"{first}{more} {'were' if others else 'was'} not judged\n{text}"


def judged_as(report: pytest.TestReport, call: pytest.CallInfo[None], judgement: Judgement) -> None:
    """Show a broken requirement as what it is, also where it is a test function of the owner's."""
    if call.excinfo is not None and report.failed:
        shown = told(call.excinfo.value)
        if shown is not None:
            vars(report)["longrepr"] = shown  # anything with toterminal() will do
