"""The hooks of a run that judges. Registered only when one of our options asks for it."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
import traceback
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sm_contract import fixtures, options, temporary
from sm_contract.asking import built, chosen
from sm_contract.collection import (
    CONTRACT,
    Contract,
    ContractFolder,
    RequirementItem,
    all_marks,
    as_module,
    folder,
    marks_of,
    own_requirement,
)
from sm_contract.declaration import DeclarationError, find_declaration
from sm_contract.gate import GATE, JUDGED, Gate, attach
from sm_contract.journal import JournalError, read_journal, unwritten
from sm_contract.keywords import chooser
from sm_contract.plugin import ALONE, WRITTEN, forget_filters
from sm_contract.report import errors
from sm_contract.report.errors import usage
from sm_contract.report.files import ReportError, check_folder, clear_reports, write_refusal
from sm_contract.requirements import registry
from sm_contract.result import ImageResult
from sm_contract.run import Run
from sm_contract.sharing import INPUT, Shared
from sm_contract.show import Show, judged_as
from sm_contract.status import Exit

PATIENCE = 5.0  # seconds for cleaning up and reporting, after which a further Ctrl-C ends it


def activate(config: pytest.Config, *, alone: bool) -> None:
    """Make this a run that judges. Raises pytest.UsageError."""
    try:
        asked = options.read(config.option)
        if asked.judge is not None:
            labels = read_journal(asked.judge).records
            asked = replace(asked, subjects=tuple(options.Subject(label=label, image=label) for label in labels))
        declaration = find_declaration(asked.config, (config.invocation_params.dir, config.rootpath))
        if alone:
            chosen(asked, list(built()))
        if asked.report is not None and not config.option.collectonly:
            check_folder(asked.report)
    except (options.OptionError, JournalError, ReportError, DeclarationError) as error:
        refuse(config, error.args)
        raise usage(*map(str, error.args)) from None
    distributed = getattr(config.option, "dist", "no") != "no" and bool(getattr(config.option, "tx", None))
    shared = _shared(config, distributed=distributed and not alone)
    controls = shared is not None and not hasattr(config, "workerinput")
    gate = Gate(asked, declaration, alone=alone, shared=shared, controls=controls)
    _arguments(config)
    config.stash[GATE] = gate
    config.stash[CONTRACT] = Contract(subjects=asked.subjects, profile=asked.profile, settle=gate.settle)
    show = Show(config, gate, distributed=distributed)
    if alone:
        _set_apart(config)
    for name, description in all_marks(built().values()).items():
        config.addinivalue_line("markers", f"{name}: {description}")
    config.pluginmanager.register(fixtures, "sm_contract_fixtures")
    config.pluginmanager.register(Active(config, gate, show), "sm_contract_active")


class Active:
    """The hooks, each a line or two on what the gate and the show do."""

    def __init__(self, config: pytest.Config, gate: Gate, show: Show) -> None:
        self._gate = gate
        self._show = show
        self._worker = hasattr(config, "workerinput")
        self._handlers: dict[int, Any] = {}
        self._interrupted = False  # while the images were looked at
        self._uncollected = False  # tests of the owner's: pytest ends then as if it were interrupted

    # --- collection

    @pytest.hookimpl(tryfirst=True)
    def pytest_collect_directory(self, path: Path, parent: pytest.Collector) -> ContractFolder | None:
        return folder(path, parent)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """An owner's test that looks at a record runs once for each image."""
        names = metafunc.fixturenames
        if getattr(metafunc.function, "__sm_requirement__", None) and fixtures.SUBJECT not in names:
            names.append(fixtures.SUBJECT)
        if fixtures.SUBJECT in names:
            labels = [subject.label for subject in self._gate.options.subjects]
            metafunc.parametrize(fixtures.SUBJECT, labels, indirect=True, ids=labels, scope="session")

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        id = own_requirement(item)
        if id is not None:
            item.extra_keyword_matches.add(id)
            for name in marks_of(registry()[id], self._gate.options.profile):
                item.add_marker(name)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> Generator[None, None, None]:
        """``--sm-only`` and ``--sm-skip``, ``-k`` as it is meant for the contract, and one image after the other."""
        ids = {id: item for item in items if (id := _id_of(item)) is not None}
        try:
            left = set(chosen(self._gate.options, list(ids)))
        except options.OptionError as error:
            raise usage(str(error)) from None
        self._keep(config, items, lambda item: (id := _id_of(item)) is None or id in left)
        expression = config.option.keyword
        if self._gate.alone:
            self._keep(config, items, _meant(expression))
            config.option.keyword = ""  # pytest would look into the names of images and modules as well
        try:
            yield
        finally:
            config.option.keyword = expression
        if self._gate.alone:
            items.sort(key=_place(self._gate.options.subjects, items))

    def _keep(self, config: pytest.Config, items: list[pytest.Item], kept: Callable[[pytest.Item], bool]) -> None:
        """Deselect all other items."""
        if out := [item for item in items if not kept(item)]:
            config.hook.pytest_deselected(items=out)
            items[:] = filter(kept, items)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._uncollected = self._uncollected or report.failed

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._gate.selected = len(session.items)
        self._gate.has_contract = any(isinstance(item, RequirementItem) for item in session.items)

    # --- the tests

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Record all that is needed before the first test."""
        chosen = session.config.option
        stopped = session.testsfailed and not chosen.continue_on_collection_errors
        gate, show = self._gate, self._show
        if chosen.collectonly or stopped or gate.controls or not (gate.problem or session.items):
            return None
        if not gate.problem:
            with show.progress(silent=self._worker):
                gate.prepare(session.items, gate.run or self._run())
        show.recorded()
        if gate.alone and gate.run is not None and not gate.run.records:
            return True  # there is nothing to judge: the engine's trouble is told at the end
        return None

    def _run(self) -> Run:
        gate, show = self._gate, self._show
        return Run(gate.options, gate.declaration, waiting=show.waiting, done=show.done, noted=show.noted)

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        id = own_requirement(pyfuncitem)
        if id is None:
            return None
        self._gate.settle_own(pyfuncitem, registry()[id])
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if call.when == "setup" and call.excinfo is not None and report.failed:
            self._gate.not_settled(item, call.excinfo.value)
        brought = item.stash.get(JUDGED, None)
        if brought is not None and (call.when == "call" or (call.when == "setup" and report.failed)):
            attach(report, brought)
            judged_as(report, call, brought[1])
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if self._worker:
            return
        brought = self._gate.note(report)
        if brought is not None:
            self._show.judged(*brought, report)
        else:
            self._show.unjudged(report)

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: Any) -> tuple[str, str, str] | None:
        return self._show.status(report)

    # --- the end

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Generator[None, Any, Any]:
        ended = Exit(exitstatus) if exitstatus in Exit.__members__.values() else Exit.BROKEN
        if ended is Exit.INTERRUPTED and self._uncollected and not session.testscollected:
            ended = Exit.FAULT
        results: list[ImageResult] = []
        self._show.fold()
        try:
            with _patient() as signals:
                self._gate.close(interrupted=ended is Exit.INTERRUPTED)
                silent = self._worker or session.config.option.collectonly
                status = ended
                if not silent:
                    results, status = self._conclude(session, ended)
                if signals and not silent and ended is not Exit.INTERRUPTED:  # it came in time to be told of
                    results, status = self._conclude(session, Exit.INTERRUPTED)
            if silent:
                return (yield)
        except KeyboardInterrupt:
            status = Exit.INTERRUPTED
        except Exception:  # pytest would end with 1, which is a verdict
            self._show.fault(traceback.format_exc())
            status = Exit.FAULT
        session.exitstatus = status
        self._show.hush()
        outcome = yield
        if session.exitstatus != status:  # another plugin found a reason of its own to fail
            session.exitstatus = status or (Exit.CONFORMANT if self._gate.alone else Exit.BROKEN)
        try:
            self._show.finish(results, Exit(session.exitstatus))
        except BrokenPipeError:
            pass  # `… | head` has seen enough
        except Exception:
            errors.write(f"a fault of sm_contract in its report\n{traceback.format_exc()}")
            session.exitstatus = Exit.FAULT
        return outcome

    def _conclude(self, session: pytest.Session, ended: Exit) -> tuple[list[ImageResult], Exit]:
        """What the run comes to, which the reports say."""
        results = self._gate.results(incomplete=_incomplete(session, ended, self._gate))
        status = self._gate.status(results, ended)
        return results, status if self._show.write(results, status) else Exit.USAGE

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Find the images, so that nothing but the error is seen where one is missing."""
        self._end_tidily()
        asked = self._gate.options
        if asked.report is not None and not (self._worker or session.config.option.collectonly):
            try:
                clear_reports(asked.report, asked.judge)
            except ReportError as error:
                raise usage(str(error)) from None
        if self._gate.shared is not None or session.config.option.collectonly:
            return
        try:
            self._gate.look(self._run())
        except pytest.UsageError as error:
            refuse(session.config, error.args)
            raise
        except KeyboardInterrupt:  # pytest ends with its last hooks, which report, only from the next one on
            self._interrupted = True
        if self._gate.problem:
            self._show.hush()

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> bool | None:
        """Collect nothing of the contract where nothing can be judged."""
        if self._interrupted:
            raise KeyboardInterrupt
        return True if self._gate.alone and self._gate.problem else None

    def _end_tidily(self) -> None:
        """End as tidily on SIGTERM and on a closed terminal as on Ctrl-C."""
        if threading.current_thread() is not threading.main_thread():
            return
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                self._handlers[number] = signal.signal(number, _interrupt)

    def pytest_unconfigure(self) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        with _patient():
            self._gate.close(interrupted=False)
        self._gate.forget()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """pytest-xdist: tell a worker where the workers meet."""
        if self._gate.shared is not None:
            node.workerinput[INPUT] = str(self._gate.shared.folder)


def _place(
    subjects: Sequence[options.Subject], items: Sequence[pytest.Item]
) -> Callable[[pytest.Item], tuple[int, int]]:
    """Where an item belongs: one image after the other, and each scope of the contract in one piece."""
    contract = [item for item in items if isinstance(item, RequirementItem)]
    labels = [subject.label for subject in subjects]
    scopes = list(dict.fromkeys(item.requirement.entry.scope for item in contract))

    def place(item: pytest.Item) -> tuple[int, int]:
        if not isinstance(item, RequirementItem):
            return (0, 0)
        return (labels.index(item.subject.label), scopes.index(item.requirement.entry.scope))

    return place


def refuse(config: pytest.Config, errors: Sequence[object]) -> None:
    """Let the report, where one is wanted, say that nothing was judged, and why; it is the error that counts."""
    report, judged = config.option.sm_report, config.option.sm_judge
    if not report or config.option.collectonly or hasattr(config, "workerinput"):
        return
    with contextlib.suppress(ReportError):
        text = " ".join(" ".join(str(error).split()) for error in errors)
        write_refusal(Path(report), text, status=int(Exit.USAGE), judged=Path(judged) if judged else None)


def _meant(expression: str) -> Callable[[pytest.Item], bool]:
    """Whether an item is meant by ``-k``."""
    if not expression.strip():
        return lambda _: True
    try:
        means = chooser(expression)
    except ValueError as error:
        raise usage(str(error)) from None
    return lambda item: not isinstance(item, RequirementItem) or means(item.requirement, item.subject.label)


def _id_of(item: pytest.Item) -> str | None:
    return item.requirement.id if isinstance(item, RequirementItem) else own_requirement(item)


def _set_apart(config: pytest.Config) -> None:
    """Nothing that was set for the folder's own tests concerns the contract."""
    forget_filters(config)
    config.option.keyword, config.option.markexpr = config.stash[WRITTEN]
    if hasattr(config.option, "dist"):
        config.option.dist = "no"  # one process records and judges
    idle = config.pluginmanager.get_plugin("hypothesispytest")
    if idle is not None:
        config.pluginmanager.unregister(idle)  # there is no test for it, and its last word would cost a second


def _arguments(config: pytest.Config) -> None:
    """Make names and node ids of the contract such that pytest finds them from anywhere."""
    cwd = config.invocation_params.dir
    found = {argument: as_module(argument, cwd) for argument in map(str, config.args)}
    if config.stash.get(ALONE, False):
        found = {argument: module for argument, module in found.items() if module}
    if any(found.values()):
        by_name = config.option.pyargs
        config.args = [module or (argument if by_name else str(cwd / argument)) for argument, module in found.items()]
        config.option.pyargs = True


def _shared(config: pytest.Config, *, distributed: bool) -> Shared | None:
    """Where the workers of a distributed run meet."""
    told = getattr(config, "workerinput", {}).get(INPUT)
    if told:
        return Shared(Path(told))
    if distributed and not config.option.collectonly:
        try:
            return Shared(temporary.folder())
        except OSError as error:
            raise pytest.UsageError(str(unwritten(None, error))) from None
    return None


def _incomplete(session: pytest.Session, ended: Exit, gate: Gate) -> str:
    """Why not all was reached that was selected; empty if it was."""
    if ended is Exit.INTERRUPTED:
        return "interrupted"
    return gate.cut_short or ("stopped at the first failure" if session.shouldfail else "")


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


@contextlib.contextmanager
def _patient() -> Generator[list[int]]:
    """Let no Ctrl-C cut short the cleaning up and the reports, unless that takes too long; the signals that came."""
    signals: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield signals
        return
    began = time.monotonic()

    def wait(number: int, frame: object) -> None:
        signals.append(number)
        if time.monotonic() - began > PATIENCE:
            _interrupt(number, frame)

    before = {number: signal.signal(number, wait) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
