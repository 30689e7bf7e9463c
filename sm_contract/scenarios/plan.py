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
from sm_contract.alone import speaking
from sm_contract.candidate import Given
from sm_contract.engine.protocol import Container, EngineError, Volume
from sm_contract.platform.content import Content
from sm_contract.platform.tree import Member
from sm_contract.record import INFERENCE, TRAINING, ImageFacts, Life, ModelFacts, RoleFact
from sm_contract.requirements import registry
from sm_contract.scenarios.diagnosis import serving_follow_ups, training_follow_ups, unsure
from sm_contract.scenarios.life import LEAVES, Stage
from sm_contract.scenarios.machine import Closed
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
FIRST_SERVERS = ("serve.full", "serve.bare")
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
    unfinished: set[str] = field(default_factory=lambda: {TRAINING, INFERENCE})  # roles with runs still to come
    _trained: Volume | None = None
    _model_known: threading.Event = field(default_factory=threading.Event)
    _volumes: ExitStack = field(default_factory=ExitStack)
    _servers_begun: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def carry_out(self) -> None:
        """Run everything; raises what a strand raised, after both have ended."""
        with self._volumes:
            self._side_by_side([self._training_strand, self._serving_strand])

    # --- training

    def _training_strand(self) -> None:
        try:
            stage = self._wanted(self.training, TRAINING, "train.")
            if stage is not None:
                self._first_trainings(stage)
        finally:
            self._decide(TRAINING, self.training_image)
            self._model_known.set()
        if stage is not None and self._good(*FIRST_TRAININGS) is not None:
            for _ in FIRST_SERVERS:  # their lives are the longest: what is short goes beside them
                self._servers_begun.acquire()
            self._further_trainings(stage)
        self.unfinished.discard(TRAINING)

    def _first_trainings(self, stage: Stage) -> None:
        kept: dict[str, Volume] = {}
        probe = self.given.roles is None
        full, bare = train_full(self.given), train_bare(self.given)

        def one(setup: Setup) -> Life:
            return self._add(train(stage, self.given, setup, keep_model=kept.get(setup.name), probe_port=probe))

        def first(setup: Setup) -> Life:
            kept[setup.name] = self._volume(stage)
            return one(setup)

        self._side_by_side([lambda: first(full), lambda: first(bare)])
        self._confirm(first, bare, full)
        full_life, bare_life = self._life("train.full"), self._life("train.bare")
        for change in training_follow_ups(full_life, bare_life, self.given, self.training_image):
            varied = vary(bare, change, self.given)
            follow_up = self._sure(one, varied, bare_life)
            if follow_up.good == bare_life.good:
                continue
            if change == changes.HYPERPARAMETERS and not follow_up.good:
                one(vary(varied, changes.TYPED_HYPERPARAMETERS, self.given))
            break
        good = self._good("train.full", "train.bare")
        if good is not None:
            self._trained = kept[self._life(good).name]
            result = self._life(good).result
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
            if self._sure(one, setup).kill is None:  # it would not wait for pipes to be filled
                midway = max(self._life(name).seconds for name in FIRST_TRAININGS if name in self.lives) / 2
                self._sure(one, replace(vary(setup, changes.GOOD_DATA, self.given), kill_after=midway))

        def hidden() -> None:
            good = self._good("train.bare", "train.full")
            setup = train_bare(self.given) if good == "train.bare" else train_full(self.given)
            hiding = vary(setup, changes.HIDDEN, self.given, _hidden_folders(self.training_image))
            self._sure(one, hiding, self._life(setup.name))

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
            if stage is not None:
                if self.model.source == "none":
                    self._model_known.wait()
                self._servings(stage)
            self.unfinished.discard(INFERENCE)
        finally:
            self._servers_begun.release(len(FIRST_SERVERS))
            self._decide(INFERENCE, self.serving_image)

    def _servings(self, stage: Stage) -> None:
        trained = self._trained if self.model.source == "trained" else None
        source = ModelSource(stage.contents, self.model, trained)
        used = self._volume(stage)
        source.fill(used)
        full, bare = serve_full(self.given), serve_bare(self.given)

        def one(
            setup: Setup,
            volume: Volume | None = None,
            on: Stage = stage,
            patience: float = math.inf,
            begun: Callable[[], None] = lambda: None,
        ) -> Life:
            if volume is None:
                volume = self._volume(stage)
                if setup.model == "file":  # where there is no other
                    stage.contents.fill(volume, Content(members=lambda: [Member(path="model", data=b"\n")]))
                else:
                    source.fill(volume)
            return self._add(serve(on, self.given, setup, volume, patience=patience, begun=begun))

        begun = self._servers_begun.release
        self._side_by_side([lambda: one(full, begun=begun), lambda: one(bare, used, begun=begun)])
        self._confirm(one, bare, full)
        full_life, bare_life = self._life("serve.full"), self._life("serve.bare")
        follow_ups = serving_follow_ups(full_life, bare_life, self.given, self.serving_image, self.model)
        for change in follow_ups:
            if change == changes.TRAINED_CONTAINER:
                follow_up = self._served_where_trained(stage, one, bare)
            else:
                follow_up = self._sure(one, replace(vary(bare, change, self.given), thorough=False), bare_life)
            firsts = (full_life, bare_life)
            if follow_up is not None and follow_up.fine(firsts) != bare_life.fine(firsts):
                if change == changes.ISOLATED:
                    one(replace(vary(bare, changes.NO_NETWORK, self.given), thorough=False))
                break
        if self._good("serve.full", "serve.bare") is not None or bare_life.ready_at is not None:
            self._further_servings(stage, one, used)

    def _further_servings(self, stage: Stage, one: Callable[..., Life], used: Volume) -> None:
        def with_used(setup: Setup) -> Life:
            stage.contents.keep(used)
            return one(setup, used)

        def again() -> None:
            setup = replace(serve_bare(self.given, "serve.again"), network="none", model="used")
            bare_life = self._life("serve.bare")
            if not self._sure(with_used, setup).fine([bare_life]) and bare_life.good:
                for change, how in ((changes.USED_MODEL, with_used), (changes.NO_NETWORK, one)):
                    varied = replace(vary(serve_bare(self.given), change, self.given), thorough=False)
                    if varied.name not in self.lives:
                        self._sure(how, varied, bare_life)

        def empty() -> None:
            # a server that does without its model is as fast as with it; one that never comes up says enough
            ready = max(self._life(name).ready_at or 0.0 for name in ("serve.full", "serve.bare"))
            one(serve_bare(self.given, "serve.empty"), self._volume(stage), patience=10 + 3 * ready)

        def handover() -> None:
            self._model_known.wait()
            if self._trained is not None:
                volume = self._volume(stage)
                stage.contents.copy(self._trained, volume)
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
        unseen = replace(stage, recorded=lambda _: None, written=lambda _: None)
        again = train(unseen, self.given, setup, at_end=keep)
        if not again.good or not images:
            return None
        varied = replace(vary(bare, changes.TRAINED_CONTAINER, self.given), thorough=False)
        return one(varied, None, replace(stage, image=images[0], written=lambda _: None))  # nobody has that image

    # --- common

    def _confirm(self, one: Callable[[Setup], Life], *firsts: Setup) -> None:
        """Measure those first runs again alone that broke a time limit.

        One that never comes to its work alone, either, says enough: the waits for that are the longest.
        """
        for setup in firsts:
            if unsure(self.lives[setup.name]):
                again = one(alone(setup))
                if again.ready_at is None and not again.good:
                    return

    def _sure(self, one: Callable[[Setup], Life], setup: Setup, base: Life | None = None) -> Life:
        """The life that speaks for a run, measured again alone where only its lateness might make it go wrong."""
        if unsure(one(setup), base):
            one(alone(setup))
        return self._life(setup.name)

    def _life(self, run: str) -> Life:
        return speaking(self.lives, run)

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
        return next((name for name in names if name in self.lives and self._life(name).good), None)

    def _add(self, life: Life) -> Life:
        self.lives[life.name] = life
        return life

    def _volume(self, stage: Stage) -> Volume:
        volume = stage.engine.volume("model")
        self._volumes.callback(stage.engine.remove_volume, volume)
        return volume

    def _side_by_side(self, runs: Sequence[Callable[[], object]]) -> None:
        """Do these at once; raise what one of them raised, after all have ended."""
        if not runs:
            return
        with ThreadPoolExecutor(len(runs)) as pool:
            errors = [future.exception() for future in [pool.submit(self._whole, run) for run in runs]]
        for error in sorted(filter(None, errors), key=lambda error: isinstance(error, Closed)):  # the cause first
            raise error

    def _whole(self, run: Callable[[], object]) -> None:
        """Without its engine no life goes on: what runs beside one that lost it would only wait, and mislead."""
        try:
            run()
        except EngineError:
            for stage in (self.training, self.serving):
                if stage is not None:
                    stage.machine.close()
            raise


def _hidden_folders(image: ImageFacts) -> tuple[str, ...]:
    """The folders directly below /opt/ml that hold files and are neither mounted anyway nor the toolkits' own."""
    tops = {"/".join(file.path.split("/")[:4]) for file in image.baked if file.path.count("/") > 3}
    return tuple(sorted(top for top in tops if top not in (*LEAVES, CODE)))
