"""One run of the suite: images examined, scenarios carried out, records judged. What the plugin drives."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import sm_contract.contract
from sm_contract import temporary
from sm_contract.candidate import Given, given
from sm_contract.declaration import Declaration
from sm_contract.engine.connect import open_engine
from sm_contract.engine.protocol import Engine, EngineError, EngineFacts, EngineMissing, Left
from sm_contract.image.facts import Examined, examine
from sm_contract.journal import JournalError, JournalWriter, read_journal, unwritten
from sm_contract.judge import Judge
from sm_contract.options import Options, Subject
from sm_contract.recipe import Recipe
from sm_contract.record import ROLES, TRAINING, WORD, ImageFacts, ModelFacts, Record
from sm_contract.requirements import registry
from sm_contract.scenarios.contents import Contents
from sm_contract.scenarios.life import Stage
from sm_contract.scenarios.machine import Closed, Machine
from sm_contract.scenarios.model import examine_model
from sm_contract.scenarios.plan import Plan, runs_for
from sm_contract.verdict import Judgement, Verdict

LOG_BYTES = 64 * 1024 * 1024  # kept of one container's log


def foreign(image: ImageFacts, engine: EngineFacts) -> str:
    """What it would need to start an image that this engine cannot; "" if it can."""
    if image.os != engine.os:
        return f"needs an engine for {image.os} containers"
    if image.architecture not in (engine.architecture, *engine.emulates):
        return f"needs an {image.architecture} engine"
    return ""


class Run:
    """Everything between the options and the verdicts. Thread-safe for ``close``."""

    def __init__(
        self,
        options: Options,
        declaration: Declaration | None = None,
        *,
        waiting: Callable[[str, str, float, float], None] = lambda *_: None,
        done: Callable[[str], None] = lambda _: None,
        noted: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``waiting(name, what, since, until)``, ``done(name)`` and ``noted(text)``: see ``report.progress``.

        They are called, from any thread, as lives go on.
        """
        sm_contract.contract.load()
        self.subjects = {subject.label: subject for subject in options.subjects}
        self.declaration = declaration
        self.options = options
        self._waiting, self._done, self._noted = waiting, done, noted
        self.records: dict[str, Record] = {}
        self.recipes: dict[str, dict[str, Recipe]] = {}  # by subject and life; none of a record that was read back
        self.faults: list[str] = []  # tracebacks of scenarios that broke by a fault of ours
        self.engine: Engine | None = None
        self.address = ""  # of the engine, if it was named
        self.starts: dict[str, int] = {}  # containers started, by subject
        self.left: Left | None = None  # the containers that are still there
        self.complete = True
        self.durations: dict[str, float] = {}
        self._missing: EngineMissing | None = None
        self._examined: dict[str, tuple[Examined, Examined]] = {}  # by label: what trains, and what serves
        self._judges: dict[str, Judge] = {}
        self._machine: Machine | None = None
        self._began = time.monotonic()
        self._folder: Path | None = None  # the journal's
        self._journal = options.judge
        self._writer: JournalWriter | None = None
        self._unwritten: JournalError | None = None  # why there is no journal
        self._closed = threading.Lock()
        self._writing = threading.Lock()
        if options.judge is None:
            self._begin_journal()

    @cached_property
    def _given(self) -> Given:
        """What the images are run with; a journal is judged without."""
        data = given(self.declaration)
        return replace(data, roles=self.options.roles or data.roles)

    def look(self) -> None:
        """Find every image and look at it, starting nothing; with a journal there is nothing to look at.

        Raises BadImage, ImageUnknown, EngineMissing, EngineLost, EngineFull.
        """
        for subject in self.subjects.values() if self.options.judge is None else ():
            began = time.monotonic()
            self._examined[subject.label] = self._examine(subject, self._open_engine())
            self.durations[subject.label] = time.monotonic() - began

    def prepare(self, ids: Iterable[str]) -> None:
        """Carry out what these requirements need. Call it once, before any verdict; it looks if nobody did.

        Raises what ``look`` raises, and JournalError.
        """
        wanted = [id for id in ids if id in registry()]
        if self.options.judge is not None:
            self._read_back(self.options.judge)
            return
        if not self._examined:
            self.look()
        for subject in self.subjects.values():
            began = time.monotonic()
            try:
                self._carry_out(subject, runs_for(wanted))
            except BaseException:
                self.complete = False
                raise
            finally:
                self.durations[subject.label] += time.monotonic() - began

    def judgement(self, subject: str, id: str) -> Judgement:
        """The verdict on one requirement for one subject."""
        judgement = self.judge(subject).judgement(id)
        needs_runs = bool(registry()[id].runs)
        if self.faults and needs_runs and judgement.verdict is Verdict.NOT_TESTABLE:
            judgement = replace(
                judgement, verdict=Verdict.NOT_JUDGED, reason="a fault of sm_contract", traceback=self.faults[0]
            )
        return replace(judgement, seconds=time.monotonic() - self._began)

    def judge(self, subject: str) -> Judge:
        """The judge of one subject's record."""
        if subject not in self._judges:
            waivers = self.declaration.waivers if self.declaration else ()
            record = self.records[subject]
            self._judges[subject] = Judge(record, profile=self.options.profile, waivers=waivers)
        return self._judges[subject]

    def close(self, *, interrupted: bool = False, leave: Collection[tuple[str, str]] = ()) -> None:
        """End every life, remove all that is ours, finish the journal. Safe to call twice.

        ``leave``: subjects and lives of theirs whose containers are left, if they were to be kept.
        """
        with self._closed:
            if self.engine is not None and not interrupted:
                self.engine.leave([(self._image_of(label, life), life) for label, life in leave])
            self.complete = self.complete and not interrupted
            self._end()
            self._note(lambda writer: writer.close(complete=self.complete, faults=self.faults))
            self._writer = None

    def _image_of(self, label: str, life: str) -> str:
        assert self.engine is not None
        training, inference = self._examined[label]
        return (training if life.startswith(f"{WORD[TRAINING]}.") else inference).image(self.engine)

    def _end(self) -> None:
        """End every life, and remove all that is ours."""
        if self._machine is not None:
            self._machine.close()
        if self.engine is not None:
            self.engine.close()
            self.left = self.engine.left
            self.engine = None

    # --- the journal

    def journal(self) -> Path:
        """The finished journal; it goes with ``forget``. Raises JournalError if it could not be written."""
        if self._unwritten is not None or self._journal is None:
            raise self._unwritten or JournalError("there is no journal: nothing was recorded")
        return self._journal

    def keep_journal(self) -> str:
        """Let the journal outlive the run, as the only report there is; says how to use it."""
        if self._folder is None or self._unwritten is not None:
            return ""
        temporary.release(self._folder)
        self._folder = None
        return f"what was recorded is kept, and --sm-judge={self._journal} judges it again without another run"

    def forget(self) -> None:
        """Remove the journal; after the reports are written."""
        if self._folder is not None:
            temporary.remove(self._folder)

    def _begin_journal(self) -> None:
        try:
            temporary.sweep()
            self._folder = temporary.folder()
            self._journal = self._folder / "journal.jsonl"
            self._writer = JournalWriter(self._journal.open("w", encoding="utf-8"))
        except OSError as error:
            self._unwritten = unwritten(self._folder, error)

    def _note(self, note: Callable[[JournalWriter], None]) -> None:
        """Write to the journal. A disk that fills ends the journal and not the run."""
        with self._writing:
            try:
                if self._writer is not None:
                    note(self._writer)
            except OSError as error:
                self._writer = None
                self._unwritten = unwritten(self._folder, error)

    # --- one subject

    def _carry_out(self, subject: Subject, runs: frozenset[str]) -> None:
        data = self._given
        training, inference = self._examined[subject.label]
        model = examine_model(data.model, data.model_name) if data.model else ModelFacts(source="none")
        record = Record(
            image=inference.facts,
            training_image=training.facts if subject.training_image else None,
            candidate=data.facts(),
            model=model,
            runs=tuple(sorted(runs)),
            engine=self._engine_facts(),
            emulated=self._emulated(inference),
            unstartable=self._unstartable(training, inference),
        )
        self.records[subject.label] = record
        startable = self.engine is not None and not record.unstartable
        plan = Plan(
            given=data,
            runs=runs,
            training=self._stage(subject, training) if startable and runs else None,
            serving=self._stage(subject, inference) if startable and runs else None,
            training_image=training.facts,
            serving_image=inference.facts,
            model=model,
        )
        started = self.engine.starts if self.engine is not None else 0
        try:
            self._in_background(plan.carry_out)
        except Closed:
            self.complete = False
        except EngineError:
            raise
        except Exception:  # a scenario that breaks is a fault of ours, never a verdict
            self.faults.append(traceback.format_exc())
        finally:
            if self.engine is not None:
                self.starts[subject.label] = self.engine.starts - started
            self._keep(subject.label, plan)

    def _keep(self, label: str, plan: Plan) -> None:
        """Take over what a plan recorded, as far as it came."""
        record = replace(
            self.records[label],
            roles={role: plan.roles[role] for role in ROLES if role in plan.roles},
            model=plan.model,
            lives=dict(plan.lives),
            unfinished=tuple(role for role in ROLES if role in plan.unfinished),
        )
        self.records[label] = record
        self._note(lambda writer: writer.record(label, record))

    def _in_background(self, work: Callable[[], None]) -> None:
        """Carry on in a thread, so that Ctrl-C reaches the main one at once and ends every life."""
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(work)
            try:
                while not future.done():
                    wait([future], timeout=0.2)
            except BaseException:
                self._end()
                raise
            future.result()

    def _open_engine(self) -> EngineMissing | None:
        """Why there is no engine; an archive is looked at without one."""
        if self.engine is not None:
            return None
        limits = self.options.limits
        upper = len(self.subjects) * (20 * (limits.train + limits.start + limits.stop) + 600)
        try:
            self.engine = open_engine(self.options.engine, deadline_seconds=upper, keep=self.options.keep != "never")
        except EngineMissing as error:
            self._missing = error
        else:
            self.address = self.engine.facts.url if self.options.engine else ""
        return self._missing

    def _examine(self, subject: Subject, missing: EngineMissing | None) -> tuple[Examined, Examined]:
        """The image that trains and the one that serves; mostly one."""

        def look(reference: str) -> Examined:
            data = self._given
            return examine(reference, self.engine, data.architecture, gpu="gpu" in data.features, missing=missing)

        inference = look(subject.image)
        return (look(subject.training_image) if subject.training_image else inference), inference

    def _stage(self, subject: Subject, examined: Examined) -> Stage:
        assert self.engine is not None
        facts = self.engine.facts
        slots = facts.cpus + 1  # lives wait more than they work: a short one goes beside two that serve
        memory = self.options.memory
        if memory is None:
            memory = int(facts.memory * 0.8) // slots
        else:
            slots = max(1, min(slots, int(facts.memory * 0.9) // memory))
        self._machine = self._machine or Machine(slots)
        image = examined.image(self.engine)
        return Stage(
            engine=self.engine,
            machine=self._machine,
            image=image,
            limits=self.options.limits,
            baked=examined.facts.baked,
            memory=memory,
            processes=self.options.processes or 2048 * facts.cpus,
            log_bytes=self.options.log_size or LOG_BYTES,
            contents=Contents(self.engine, image, self._folder if self.options.report else None),
            waiting=self._waiting,
            done=self._done,
            noted=self._noted,
            recorded=lambda life: self._note(lambda writer: writer.life(subject.label, life)),
            written=lambda recipe: self.recipes.setdefault(subject.label, {}).update({recipe.life: recipe}),
        )

    def _engine_facts(self) -> dict[str, str]:
        if self.engine is None:
            return {}
        facts = self.engine.facts
        return {
            "name": facts.name,
            "version": facts.version,
            "platform": f"{facts.os}/{facts.architecture}",
            "cpus": str(facts.cpus),
            "inside": "yes" if self.engine.inside is not None else self.engine.inside_needs,
        }

    def _emulated(self, examined: Examined) -> bool:
        return self.engine is not None and examined.facts.architecture in self.engine.facts.emulates

    def _unstartable(self, training: Examined, inference: Examined) -> str:
        if self.engine is None:
            return f"needs a container engine: {self._missing}"
        facts = self.engine.facts
        return next(filter(None, (one.unfit or foreign(one.facts, facts) for one in (training, inference))), "")

    def _read_back(self, path: Path) -> None:
        journal = read_journal(path)
        self.complete = journal.complete
        self.faults = list(journal.faults)
        self.records = journal.records
        self.subjects = {name: Subject(label=name, image=name) for name in journal.records}
