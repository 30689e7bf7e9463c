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
from functools import partial

from sm_contract import changes
from sm_contract.alone import is_alone, speaking
from sm_contract.candidate import Given
from sm_contract.engine.protocol import Container, EngineError, Volume
from sm_contract.platform.content import Content
from sm_contract.platform.tree import Member
from sm_contract.record import INFERENCE, TRAINING, ImageFacts, Life, ModelFacts, RoleFact
from sm_contract.requirements import registry
from sm_contract.scenarios import stopping
from sm_contract.scenarios.diagnosis import narrower, serving_follow_ups, training_follow_ups, unsure
from sm_contract.scenarios.further import Further
from sm_contract.scenarios.life import Stage
from sm_contract.scenarios.machine import Closed
from sm_contract.scenarios.model import ModelSource, files_alone, noise
from sm_contract.scenarios.roles import decide
from sm_contract.scenarios.serve import serve
from sm_contract.scenarios.setup import (
    STRICT,
    Setup,
    alone,
    other_user,
    serve_bare,
    serve_full,
    strict,
    train_bare,
    train_full,
    vary,
)
from sm_contract.scenarios.shrinking import shrink
from sm_contract.scenarios.train import train

FIRST_TRAININGS = ("train.full", "train.bare")
FIRST_SERVERS = ("serve.full", "serve.bare")
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
    unfinished: set[str] = field(default_factory=lambda: {TRAINING, INFERENCE})  # roles with runs still to come
    _trained: Volume | None = None
    _stopped: Volume | None = None  # what a training saved that was stopped in mid-run
    _model_known: threading.Event = field(default_factory=threading.Event)
    _training_over: threading.Event = field(default_factory=threading.Event)
    _volumes: ExitStack = field(default_factory=ExitStack)
    _servers_begun: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def carry_out(self) -> None:
        """Run everything; raises what a strand raised, after both have ended."""
        with self._volumes:
            self._side_by_side([self._training_strand, self._serving_strand])

    # --- training

    def _training_strand(self) -> None:
        try:
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
        finally:
            self._training_over.set()

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
                if change == changes.WRITABLE and one(vary(varied, changes.OWNED, self.given)).good:
                    break
                continue
            if not self._goes_wrong_again(one, *((bare, bare_life) if follow_up.good else (varied, follow_up))):
                if follow_up.good:
                    break
                continue  # this one failed by chance, the cause is still to be found
            if change == changes.HYPERPARAMETERS and not follow_up.good:
                one(vary(varied, changes.TYPED_HYPERPARAMETERS, self.given))
            self._narrow(stage, change, bare_life, lambda less: one(vary(bare, less, self.given)).good)
            break
        good = self._good("train.full", "train.bare")
        if good is not None:
            self._trained = kept[self._life(good).name]
            result = self._life(good).result
            if self.model.source == "none" and "model" not in self.given.declared:
                self.model = ModelFacts(source="trained", members=result.model if result else ())

    def _further_trainings(self, stage: Stage) -> None:
        def one(setup: Setup) -> Life:
            keep = self._stopped if setup.name == "train.stopped" else None
            return self._add(train(stage, self.given, setup, keep_model=keep))

        if "serve.stopped" in self.runs and GRACEFUL in self.given.features:
            self._stopped = self._volume(stage)
        further = Further(
            given=self.given,
            image=self.training_image,
            firsts={name: self._life(name) for name in FIRST_TRAININGS},
            one=one,
            sure=lambda setup, base: self._sure(one, setup, base),
        )
        self._side_by_side(further.wanted(self.runs, inside=stage.engine.inside is not None))

    def _narrow(self, stage: Stage, change: str, life: Life, mends: Callable[[str], bool]) -> None:
        """Which of what a grant holds it was that mended a life: one after the other, until one does."""
        withheld = stage.engine.facts.withheld
        any(mends(less) for less in narrower(change, life) if less.removeprefix(changes.ONE_CAPABILITY) not in withheld)

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
            waits = self._learnt(setup)
            return self._add(serve(on, self.given, setup, volume, patience=patience, begun=begun, **waits))

        begun = self._servers_begun.release
        self._side_by_side([lambda: one(full, begun=begun), lambda: one(bare, used, begun=begun)])
        self._confirm(one, bare, full)
        full_life, bare_life = self._life("serve.full"), self._life("serve.bare")
        follow_ups = serving_follow_ups(full_life, bare_life, self.given, self.serving_image, self.model)
        firsts = (full_life, bare_life)
        for change in follow_ups:
            if change == changes.TRAINED_CONTAINER:
                follow_up = self._served_where_trained(stage, one, bare)
            else:
                lasting = change in (changes.NO_HEALTHCHECK, changes.BIG_SHM)  # it has to outlive what ended the other
                follow_up = self._sure(one, replace(vary(bare, change, self.given), thorough=lasting), bare_life)
            if follow_up is not None and (well := follow_up.fine(firsts)) != bare_life.fine(firsts):
                bad = (bare, bare_life) if well else (vary(bare, change, self.given), follow_up)
                if not self._goes_wrong_again(one, *bad):
                    if well:
                        break
                    continue
                if change == changes.ISOLATED:
                    one(replace(vary(bare, changes.NO_NETWORK, self.given), thorough=False))
                self._narrow(
                    stage,
                    change,
                    bare_life,
                    lambda less: one(replace(vary(bare, less, self.given), thorough=False)).fine(firsts),
                )
                break
        if self._good("serve.full", "serve.bare") is not None or bare_life.ready_at is not None:
            self._further_servings(stage, one, used, source)

    def _further_servings(self, stage: Stage, one: Callable[..., Life], used: Volume, source: ModelSource) -> None:
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

        def handover() -> None:
            self._model_known.wait()
            if self._trained is not None:
                volume = self._volume(stage)
                stage.contents.copy(self._trained, volume)
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
                stage.contents.copy(self._trained, volume, files_alone)
                one(serve_bare(self.given, "serve.uncompressed"), volume)

        wanted: list[Callable[[], None]] = []
        if "serve.stopped" in self.runs and GRACEFUL in self.given.features:
            wanted.append(stopped)
        if "serve.uncompressed" in self.runs and UNCOMPRESSED in self.given.features:
            wanted.append(uncompressed)
        if "serve.strict" in self.runs and self._life("serve.bare").good:
            wanted.append(partial(self._strict_servings, one))
        if "serve.other_user" in self.runs and self._life("serve.bare").good:
            wanted.append(partial(self._served_by_another, one))
        if "serve.probed" in self.runs and self._answers():
            wanted.append(partial(self._probed, one))
        if "serve.again" in self.runs and stage.engine.inside is not None:
            wanted.append(again)
        if "serve.empty" in self.runs and self.model.source != "none":
            wanted.append(partial(self._without_model, stage, one, source))
        if "serve.handover" in self.runs and self.model.source.startswith("declared"):
            wanted.append(handover)
        self._side_by_side(wanted)

    def _without_model(self, stage: Stage, one: Callable[..., Life], source: ModelSource) -> None:
        """With an empty folder; and with noise in the model's files where it answers as it did with the model.

        A label may be the same by chance, or that of a model which it only falls back on.
        """
        # a server that does without its model is as fast as with it; one that never comes up says enough
        one = partial(one, patience=10 + 3 * max(self._life(name).ready_at or 0.0 for name in FIRST_SERVERS))
        setup = serve_bare(self.given, "serve.empty")
        answer = one(setup, self._volume(stage)).answer
        if answer and any(answer == self._life(name).answer for name in FIRST_SERVERS):
            whole, damaged = self._volume(stage), self._volume(stage)
            source.fill(whole)
            stage.contents.copy(whole, damaged, noise)
            one(vary(setup, changes.DAMAGED_MODEL, self.given), damaged)

    def _probed(self, one: Callable[..., Life]) -> None:
        setup = serve_bare(self.given, "serve.probed")
        if one(setup).ready_at is None:  # it was healthy before: the machine may be busy
            one(alone(setup))
        shrink(self._life(setup.name), setup, self.given.requests, one)

    def _served_by_another(self, one: Callable[..., Life]) -> None:
        hard = partial(one, patience=self._long_enough())
        self._sure(hard, other_user(serve_bare(self.given, "serve.other_user")), self._life("serve.bare"))

    def _strict_servings(self, one: Callable[..., Life]) -> None:
        """All hardships at once; if that goes wrong, each by itself."""
        bare = serve_bare(self.given, "serve.strict")
        first = self._life("serve.bare")
        hard = partial(one, patience=self._long_enough())
        if not self._sure(hard, strict(bare), first).fine([first]):
            for hardship in STRICT:
                self._sure(hard, vary(bare, hardship, self.given), first)

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
        again = train(unseen, self.given, replace(setup, name=f"{setup.name}+{changes.ONCE_MORE}"), at_end=keep)
        if not again.good or not images:
            return None
        varied = replace(vary(bare, changes.TRAINED_CONTAINER, self.given), thorough=False)
        return one(varied, None, replace(stage, image=images[0], written=lambda _: None))  # nobody has that image

    def _learnt(self, setup: Setup) -> dict[str, float]:
        """How long to wait for the end of a server and for its first answer, by what the first ones needed."""
        firsts = [self.lives[name] for name in FIRST_SERVERS if name in self.lives]
        stop = stopping.patience([life.stop for life in firsts])
        return {
            "stop_patience": math.inf if is_alone(setup.name) else stop,  # one alone is to prove it
            "loading": 5 + 2 * max((life.put_off for life in firsts), default=0.0),
        }

    def _long_enough(self) -> float:
        """Seconds to become healthy under a hardship, for a server that has shown how long it needs."""
        return 5 + 2 * max(self._life(name).ready_at or 0.0 for name in FIRST_SERVERS)

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

    def _goes_wrong_again(self, one: Callable[[Setup], Life], setup: Setup, bad: Life) -> bool:
        """Whether it is the set-up that a life failed of: one that ended of itself is lived once more.

        What failed by chance would else be laid at the door of whatever was changed in the life beside it.
        """
        if bad.ended != "itself" or setup.change == changes.TRAINED_CONTAINER:
            return True
        return not one(vary(setup, changes.ONCE_MORE, self.given)).fine([bad])

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
        self.roles[role] = decide(role, self.given.roles, image, lives, table=self.given.table_of(role))

    def _good(self, *names: str) -> str | None:
        return next((name for name in names if name in self.lives and self._life(name).good), None)

    def _answers(self) -> bool:
        return any(self._life(name).good and self._life(name).answered for name in FIRST_SERVERS)

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
