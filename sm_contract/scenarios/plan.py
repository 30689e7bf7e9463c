"""The runs of one image: planned from what the selected requirements ask for, then carried out.

Training and serving are two strands that run side by side; the serving strand waits for the model only
where training makes it. Within a strand, first runs go side by side, follow-ups one after the other.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from sm_contract import changes
from sm_contract.candidate import Given
from sm_contract.engine.protocol import Container, Volume
from sm_contract.platform.tree import Member, tar_stream
from sm_contract.record import INFERENCE, TRAINING, ImageFacts, Life, ModelFacts, RoleFact
from sm_contract.requirements import registry
from sm_contract.scenarios.diagnosis import late, serving_follow_ups, training_follow_ups
from sm_contract.scenarios.further import Further
from sm_contract.scenarios.life import Stage
from sm_contract.scenarios.model import ModelSource, files_alone
from sm_contract.scenarios.roles import decide
from sm_contract.scenarios.serve import serve
from sm_contract.scenarios.setup import (
    Setup,
    alone,
    serve_bare,
    serve_full,
    train_bare,
    train_full,
    vary,
)
from sm_contract.scenarios.train import train

FIRST_TRAININGS = ("train.full", "train.bare")
GRACEFUL = "graceful-stop"
UNCOMPRESSED = "uncompressed"


def runs_for(ids: Iterable[str]) -> frozenset[str]:
    """The runs that requirements ask for, with those of all that they rest on."""
    known = registry()
    todo, seen, runs = list(ids), set[str](), set[str]()
    while todo:
        id = todo.pop()
        if id in seen or id not in known:
            continue
        seen.add(id)
        runs.update(known[id].runs)
        todo.extend(known[id].rests_on)
    return frozenset(runs)


@dataclass(kw_only=True)
class Plan:
    """One image's runs (or a pair's), and what they recorded."""

    given: Given
    runs: frozenset[str]
    training: Stage | None  # None: nothing to start for this role
    serving: Stage | None
    training_image: ImageFacts
    serving_image: ImageFacts
    model: ModelFacts
    lives: dict[str, Life] = field(default_factory=dict)
    roles: dict[str, RoleFact] = field(default_factory=dict)
    _trained: Volume | None = None
    _stopped: Volume | None = None  # what a training saved that was stopped in mid-run
    _model_known: threading.Event = field(default_factory=threading.Event)
    _training_over: threading.Event = field(default_factory=threading.Event)
    _volumes: ExitStack = field(default_factory=ExitStack)

    def carry_out(self) -> None:
        """Run everything; raises what a strand raised, after both have ended."""
        with self._volumes, ThreadPoolExecutor(2) as strands:
            started = [strands.submit(self._training_strand), strands.submit(self._serving_strand)]
            errors = [one.exception() for one in started]
        for error in errors:
            if error is not None:
                raise error

    # --- training

    def _training_strand(self) -> None:
        try:
            try:
                stage = self._wanted(self.training, TRAINING, "train.")
                if stage is None:
                    return
                self._first_trainings(stage)
            finally:
                self._decide(TRAINING, self.training_image)
                self._model_known.set()
            if self._good("train.full", "train.bare") is not None:
                self._further_trainings(stage)
        finally:
            self._training_over.set()

    def _first_trainings(self, stage: Stage) -> None:
        kept = {name: self._volume(stage) for name in ("train.full", "train.bare")}
        probe = self.given.roles is None
        bare = train_bare(self.given)

        def one(setup: Setup) -> Life:
            return self._add(train(stage, self.given, setup, keep_model=kept.get(setup.name), probe_port=probe))

        self._side_by_side([lambda: one(train_full(self.given)), lambda: one(bare)])
        full_life, bare_life = self.lives["train.full"], self.lives["train.bare"]
        for change in training_follow_ups(full_life, bare_life, self.given, self.training_image):
            varied = vary(bare, change, self.given)
            follow_up = one(varied)
            if follow_up.good == bare_life.good:
                if change == changes.WRITABLE and one(vary(varied, changes.OWNED, self.given)).good:
                    break
                continue
            if change == changes.HYPERPARAMETERS and not follow_up.good:
                one(vary(varied, changes.TYPED_HYPERPARAMETERS, self.given))
            break
        good = self._good("train.full", "train.bare")
        if good is not None:
            self._trained = kept[good]
            result = self.lives[good].result
            if self.model.source == "none":
                self.model = ModelFacts(source="trained", members=result.model if result else ())

    def _further_trainings(self, stage: Stage) -> None:
        def one(setup: Setup) -> Life:
            keep = self._stopped if setup.name == "train.stopped" else None
            return self._add(train(stage, self.given, setup, keep_model=keep))

        if "serve.stopped" in self.runs and GRACEFUL in self.given.features:
            self._stopped = self._volume(stage)
        firsts = {name: self.lives[name] for name in FIRST_TRAININGS}
        further = Further(given=self.given, image=self.training_image, firsts=firsts, one=one)
        self._side_by_side(further.wanted(self.runs, inside=stage.engine.inside is not None))

    # --- serving

    def _serving_strand(self) -> None:
        try:
            stage = self._wanted(self.serving, INFERENCE, "serve.")
            if stage is None:
                return
            if self.model.source == "none":
                self._model_known.wait()
            self._servings(stage)
        finally:
            self._decide(INFERENCE, self.serving_image)

    def _servings(self, stage: Stage) -> None:
        trained = self._trained if self.model.source == "trained" else None
        source = ModelSource(stage.engine, stage.image, self.model, trained)
        used = self._volume(stage)
        source.fill(used)
        bare = serve_bare(self.given)

        def one(setup: Setup, volume: Volume | None = None, on: Stage = stage, patience: float = math.inf) -> Life:
            if volume is None:
                volume = self._volume(stage)
                source.fill(volume)
                if setup.model == "file":
                    stage.engine.fill(volume, stage.image, tar_stream([Member(path="model", data=b"\n")], mtime=0))
            return self._add(serve(on, self.given, setup, volume, patience=patience))

        self._side_by_side([lambda: one(serve_full(self.given)), lambda: one(bare, used)])
        full_life, bare_life = self.lives["serve.full"], self.lives["serve.bare"]
        follow_ups = serving_follow_ups(full_life, bare_life, self.given, self.serving_image, self.model)
        for change in follow_ups:
            if change == changes.TRAINED_CONTAINER:
                follow_up = self._served_where_trained(stage, one, bare)
            else:
                follow_up = one(replace(vary(bare, change, self.given), thorough=False))
            if follow_up is not None and follow_up.good != bare_life.good:
                if change == changes.ISOLATED:
                    one(replace(vary(bare, changes.NO_NETWORK, self.given), thorough=False))
                break
        self._confirm(one, bare)
        if self._good("serve.full", "serve.bare") is not None or bare_life.ready_at is not None:
            self._further_servings(stage, one, used)

    def _further_servings(self, stage: Stage, one: Callable[..., Life], used: Volume) -> None:
        def again() -> None:
            setup = replace(serve_bare(self.given, "serve.again"), network="none", model="used")
            life = one(setup, used)
            if not life.good and self.lives["serve.bare"].good:
                for change in (changes.USED_MODEL, changes.NO_NETWORK):
                    varied = replace(vary(serve_bare(self.given), change, self.given), thorough=False)
                    if varied.name not in self.lives:
                        one(varied, used if change == changes.USED_MODEL else None)

        def empty() -> None:
            # a server that does without its model is as fast as with it; one that never comes up says enough
            ready = max(self.lives[name].ready_at or 0.0 for name in ("serve.full", "serve.bare"))
            one(serve_bare(self.given, "serve.empty"), self._volume(stage), patience=10 + 3 * ready)

        def handover() -> None:
            self._model_known.wait()
            if self._trained is not None:
                volume = self._volume(stage)
                stage.engine.fill(volume, stage.image, stage.engine.read(self._trained, stage.image))
                one(serve_bare(self.given, "serve.handover"), volume)

        def stopped() -> None:
            self._training_over.wait()
            if self._stopped is not None and self.lives["train.stopped"].saved:
                one(serve_bare(self.given, "serve.stopped"), self._stopped)

        def uncompressed() -> None:
            self._model_known.wait()
            result = self.lives[good].result if (good := self._good(*FIRST_TRAININGS)) else None
            if self._trained is not None and result is not None and result.empty_folders:
                volume = self._volume(stage)
                stage.engine.fill(volume, stage.image, files_alone(stage.engine.read(self._trained, stage.image)))
                one(serve_bare(self.given, "serve.uncompressed"), volume)

        wanted: list[Callable[[], None]] = []
        if "serve.stopped" in self.runs and GRACEFUL in self.given.features:
            wanted.append(stopped)
        if "serve.uncompressed" in self.runs and UNCOMPRESSED in self.given.features:
            wanted.append(uncompressed)
        if "serve.again" in self.runs and stage.engine.inside is not None:
            wanted.append(again)
        if "serve.empty" in self.runs and self.model.source != "none":
            wanted.append(empty)
        if "serve.handover" in self.runs and self.model.source.startswith("declared"):
            wanted.append(handover)
        self._side_by_side(wanted)

    def _served_where_trained(self, stage: Stage, one: Callable[..., Life], bare: Setup) -> Life | None:
        """Serve from the very container that trained: what works only there was left outside the model."""
        if self.training is None or self.training.image != stage.image:
            return None
        images: list[str] = []

        def keep(container: Container) -> None:
            images.append(stage.engine.commit(container))

        good = self._good("train.full", "train.bare")
        setup = train_full(self.given) if good == "train.full" else train_bare(self.given)
        again = train(replace(stage, recorded=lambda _: None), self.given, setup, at_end=keep)
        if not again.good or not images:
            return None
        varied = replace(vary(bare, changes.TRAINED_CONTAINER, self.given), thorough=False)
        return one(varied, None, replace(stage, image=images[0]))

    def _confirm(self, one: Callable[..., Life], bare: Setup) -> None:
        """What broke a time limit beside other lives of ours is measured again with the machine to itself."""
        for setup in (serve_full(self.given), bare):
            life = self.lives[setup.name]
            if late(life) and life.neighbours:
                one(alone(setup))

    # --- common

    def _wanted(self, stage: Stage | None, role: str, prefix: str) -> Stage | None:
        declared_away = self.given.roles is not None and role not in self.given.roles
        needed = any(run.startswith(prefix) for run in self.runs)
        if role == TRAINING and self.model.source == "none" and any(run.startswith("serve.") for run in self.runs):
            needed = True  # the server is given what training leaves
        return None if declared_away or not needed else stage

    def _decide(self, role: str, image: ImageFacts) -> None:
        lives = [life for life in self.lives.values() if life.role == role]
        self.roles[role] = decide(role, self.given.roles, image, lives)

    def _good(self, *names: str) -> str | None:
        return next((name for name in names if name in self.lives and self.lives[name].good), None)

    def _add(self, life: Life) -> Life:
        self.lives[life.name] = life
        return life

    def _volume(self, stage: Stage) -> Volume:
        volume = stage.engine.volume("model")
        self._volumes.callback(stage.engine.remove_volume, volume)
        return volume

    def _side_by_side(self, runs: Sequence[Callable[[], object]]) -> None:
        if not runs:
            return
        with ThreadPoolExecutor(len(runs)) as pool:
            errors = [future.exception() for future in [pool.submit(run) for run in runs]]
        for error in errors:
            if error is not None:
                raise error
