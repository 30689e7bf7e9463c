"""One run of the suite: images examined, scenarios carried out, records judged. What the plugin drives."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

import sm_contract.contract
from sm_contract.candidate import Given, given
from sm_contract.declaration import Declaration
from sm_contract.engine.connect import open_engine
from sm_contract.engine.protocol import Engine, EngineError, EngineMissing
from sm_contract.image.facts import Examined, examine
from sm_contract.journal import JournalWriter, read_journal
from sm_contract.judge import Judge
from sm_contract.options import Options, Subject
from sm_contract.record import ROLES, Life, ModelFacts, Record
from sm_contract.requirements import registry
from sm_contract.scenarios.life import Stage
from sm_contract.scenarios.machine import Closed, Machine
from sm_contract.scenarios.model import examine_model
from sm_contract.scenarios.plan import Plan, runs_for
from sm_contract.verdict import Judgement, Verdict

LOG_BYTES = 64 * 1024 * 1024  # kept of one container's log


class Run:
    """Everything between the options and the verdicts. Thread-safe for ``close``."""

    def __init__(
        self,
        options: Options,
        declaration: Declaration | None = None,
        *,
        waiting: Callable[[str, str, float, float], None] = lambda *_: None,
        done: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``waiting(name, what, since, until)`` and ``done(name)`` are called, from any thread, as lives go on."""
        sm_contract.contract.load()
        self.subjects = {subject.label: subject for subject in options.subjects}
        self.declaration = declaration
        self.options = options
        self._waiting, self._done = waiting, done
        self.records: dict[str, Record] = {}
        self.faults: list[str] = []  # tracebacks of scenarios that broke by a fault of ours
        self.engine: Engine | None = None
        self.starts = 0
        self.swept = ""  # what an earlier run had left and this one removed
        self.complete = True
        self.durations: dict[str, float] = {}
        self._judges: dict[str, Judge] = {}
        self._plans: dict[str, Plan] = {}
        self._kept: set[str] = set()
        self._machine: Machine | None = None
        self._began = time.monotonic()
        self._folder = Path(tempfile.mkdtemp(prefix="sm-contract-"))
        self._writer: JournalWriter | None = None
        self._closed = threading.Lock()
        self._writing = threading.Lock()

    @property
    def journal(self) -> Path:
        """The journal as far as it is written; it goes with ``close``."""
        return self.options.judge or self._folder / "journal.jsonl"

    def prepare(self, ids: Iterable[str]) -> None:
        """Look at every image and carry out what these requirements need. Call it once, before any verdict.

        Raises BadImage, ImageUnknown, EngineMissing, EngineLost, EngineFull, JournalError.
        """
        wanted = [id for id in ids if id in registry()]
        if self.options.judge is not None:
            self._read_back(self.options.judge)
            return
        self._writer = JournalWriter(self.journal.open("w", encoding="utf-8"))
        data = given(self.declaration)
        data = replace(data, roles=self.options.roles or data.roles)
        for subject in self.subjects.values():
            began = time.monotonic()
            self._carry_out(subject, data, runs_for(wanted))
            self.durations[subject.label] = time.monotonic() - began

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

    def close(self, *, interrupted: bool = False) -> None:
        """End every life, remove all that is ours, finish the journal. Safe to call twice."""
        with self._closed:
            self.complete = self.complete and not interrupted
            if self._machine is not None:
                self._machine.close()
            if self.engine is not None:
                self.starts = self.engine.starts
                self.engine.close()
                self.engine = None
            for label, plan in self._plans.items():
                self._keep(label, plan)
            with self._writing:
                if self._writer is not None:
                    self._writer.close(complete=self.complete, faults=self.faults)
                    self._writer = None

    def forget(self) -> None:
        """Remove the journal's temporary folder; after the reports are written."""
        shutil.rmtree(self._folder, ignore_errors=True)

    # --- one subject

    def _carry_out(self, subject: Subject, data: Given, runs: frozenset[str]) -> None:
        missing = self._open_engine(data)
        training, inference = self._examine(subject, data, missing)
        model = examine_model(data.model, data.model_name) if data.model else ModelFacts(source="none")
        record = Record(
            image=inference.facts,
            training_image=training.facts if subject.training_image else None,
            candidate=data.facts(),
            model=model,
            engine=self._engine_facts(),
            emulated=self._emulated(inference),
            unstartable=self._unstartable(training, inference, missing),
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
        self._plans[subject.label] = plan
        try:
            self._in_background(plan.carry_out)
        except Closed:
            self.complete = False
        except EngineError:
            raise
        except Exception:  # a scenario that breaks is a fault of ours, never a verdict
            self.faults.append(traceback.format_exc())
        finally:
            self._keep(subject.label, plan)

    def _keep(self, label: str, plan: Plan) -> None:
        """Take over what a plan recorded, once, as far as it came."""
        with self._writing:
            if label in self._kept:
                return
            self._kept.add(label)
            record = replace(
                self.records[label],
                roles={role: plan.roles[role] for role in ROLES if role in plan.roles},
                model=plan.model,
                lives=dict(plan.lives),
            )
            self.records[label] = record
            if self._writer is not None:
                self._writer.record(label, record)

    def _in_background(self, work: Callable[[], None]) -> None:
        """Carry on in a thread, so that Ctrl-C reaches the main one at once and ends every life."""
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(work)
            try:
                while not future.done():
                    wait([future], timeout=0.2)
            except BaseException:
                self.close(interrupted=True)
                raise
            future.result()

    def _open_engine(self, data: Given) -> EngineMissing | None:
        if self.engine is not None:
            return None
        limits = self.options.limits
        upper = len(self.subjects) * (20 * (limits.train + limits.start + limits.stop) + 600)
        try:
            self.engine = open_engine(self.options.engine, deadline_seconds=upper, keep=self.options.keep != "never")
        except EngineMissing as error:
            return error
        return None

    def _examine(self, subject: Subject, data: Given, missing: EngineMissing | None) -> tuple[Examined, Examined]:
        def look(reference: str) -> Examined:
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
        return Stage(
            engine=self.engine,
            machine=self._machine,
            image=examined.image(self.engine),
            limits=self.options.limits,
            baked=examined.facts.baked,
            memory=memory,
            processes=self.options.processes or 2048 * facts.cpus,
            log_bytes=self.options.log_size or LOG_BYTES,
            waiting=self._waiting,
            done=self._done,
            recorded=lambda life: self._recorded(subject, life),
        )

    def _recorded(self, subject: Subject, life: Life) -> None:
        with self._writing:
            if self._writer is not None:
                self._writer.life(subject.label, life)

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

    def _unstartable(self, training: Examined, inference: Examined, missing: EngineMissing | None) -> str:
        if self.engine is None:
            return f"needs a container engine: {missing}"
        for examined in (training, inference):
            facts = examined.facts
            if examined.unfit:
                return examined.unfit
            if facts.os != self.engine.facts.os:
                return f"needs an engine for {facts.os} containers"
            foreign = facts.architecture != self.engine.facts.architecture
            if foreign and facts.architecture not in self.engine.facts.emulates:
                return f"needs an {facts.architecture} engine"
        return ""

    def _read_back(self, path: Path) -> None:
        journal = read_journal(path)
        self.complete = journal.complete
        self.faults = list(journal.faults)
        self.records = journal.records
        self.subjects = {name: Subject(label=name, image=name) for name in journal.records}
