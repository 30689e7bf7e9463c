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
from sm_contract.scenarios.life import LEAVES, Stage
from sm_contract.scenarios.model import ModelSource
from sm_contract.scenarios.roles import decide
from sm_contract.scenarios.serve import serve
from sm_contract.scenarios.setup import (
    Setup,
    alone,
    serve_bare,
    serve_full,
    train_bare,
    train_full,
    train_provided,
    vary,
)
from sm_contract.scenarios.train import train

FIRST_TRAININGS = ("train.full", "train.bare")
CODE = "/opt/ml/code"  # a convention of the toolkits that survives in practice


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
    _model_known: threading.Event = field(default_factory=threading.Event)
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
            stage = self._wanted(self.training, TRAINING, "train.")
            if stage is None:
                return
            self._first_trainings(stage)
        finally:
            self._decide(TRAINING, self.training_image)
            self._model_known.set()
        if self._good("train.full", "train.bare") is not None:
            self._further_trainings(stage)

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
        """The runs that are meant to fail, and the one that hides what is baked below /opt/ml."""

        def one(setup: Setup) -> Life:
            return self._add(train(stage, self.given, setup))

        def bad_hyperparameter() -> None:
            setup = train_provided(self.given, "train.bad_hyperparameter")
            values = {**self.given.hyperparameters, **self.given.bad_hyperparameters}
            setup = replace(setup, hyperparameters=dict(values))
            if one(setup).exit_code == 0:
                one(vary(setup, changes.WRONG_CASE, self.given))

        def bad_data() -> None:
            one(replace(train_provided(self.given, "train.bad_data"), data="random"))

        def missing_channel() -> None:
            setup = train_provided(self.given, "train.missing_channel")
            first = next(name for name, channel in self.given.channels.items() if channel.required)
            one(replace(setup, channels=tuple(name for name in setup.channels if name != first)))

        def killed_child() -> None:
            setup = replace(train_provided(self.given, "train.killed_child"), data="pipes", kill_child=True)
            if one(setup).kill is None:  # it would not wait for pipes to be filled
                midway = max(self.lives[name].seconds for name in FIRST_TRAININGS if name in self.lives) / 2
                one(replace(vary(setup, changes.GOOD_DATA, self.given), kill_after=midway))

        def hidden() -> None:
            good = self._good("train.bare", "train.full")
            setup = train_bare(self.given) if good == "train.bare" else train_full(self.given)
            one(vary(setup, changes.HIDDEN, self.given, _hidden_folders(self.training_image)))

        wanted: list[Callable[[], None]] = []
        if "train.bad_hyperparameter" in self.runs and self.given.bad_hyperparameters:
            wanted.append(bad_hyperparameter)
        if "train.bad_data" in self.runs:
            wanted.append(bad_data)
        if "train.missing_channel" in self.runs and any(one.required for one in self.given.channels.values()):
            wanted.append(missing_channel)
        if "train.killed_child" in self.runs and stage.engine.inside is not None:
            wanted.append(killed_child)
        if _hidden_folders(self.training_image):
            wanted.append(hidden)
        self._side_by_side(wanted)

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
                lasting = change == changes.NO_HEALTHCHECK  # it has to outlive what ended the other
                follow_up = one(replace(vary(bare, change, self.given), thorough=lasting))
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

        wanted: list[Callable[[], None]] = []
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


def _hidden_folders(image: ImageFacts) -> tuple[str, ...]:
    """The folders directly below /opt/ml that hold files and are neither mounted anyway nor the toolkits' own."""
    tops = {"/".join(file.path.split("/")[:4]) for file in image.baked if file.path.count("/") > 3}
    return tuple(sorted(top for top in tops if top not in (*LEAVES, CODE)))
