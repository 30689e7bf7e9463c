"""The trainings that follow two good ones: spoilt, odd, disturbed in mid-run, and without what is baked in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from sm_contract import changes
from sm_contract.candidate import Given
from sm_contract.record import INFERENCE, ImageFacts, Life
from sm_contract.scenarios.life import LEAVES
from sm_contract.scenarios.odd import odd_hyperparameters, short_keys
from sm_contract.scenarios.setup import STRICT, Setup, other_user, strict, train_bare, train_full, train_provided, vary

CODE = "/opt/ml/code"  # a convention of the toolkits that survives in practice
SOON = 60.0  # seconds of a training that is worth some ten more of its kind
ODD = 30.0  # seconds that odd hyperparameters may cost, beside five times what a training needs


@dataclass(frozen=True, kw_only=True)
class Further:
    """What these trainings are made from; ``firsts`` are the first two, of which one at least went well."""

    given: Given
    image: ImageFacts
    firsts: Mapping[str, Life]
    one: Callable[[Setup], Life]  # live it, and record it
    sure: Callable[[Setup, Life | None], Life]  # and again alone, where only its lateness tells it from its base

    def wanted(self, runs: frozenset[str], *, inside: bool) -> list[Callable[[], None]]:
        """Those that the runs ask for, each to be called once; some only make sense where processes can be seen."""
        able: list[tuple[str, bool, Callable[[], None]]] = [
            ("train.bad_hyperparameter", bool(self.given.bad_hyperparameters), self._bad_hyperparameter),
            ("train.bad_data", True, self._bad_data),
            ("train.missing_channel", bool(self._required()), self._missing_channel),
            ("train.killed_child", inside, self._killed_child),
            ("train.odd", True, self._odd),
            ("train.stopped", True, self._stopped),
            ("train.strict", True, self._strict),
            ("train.other_user", INFERENCE not in (self.given.roles or ()), self._other_user),
        ]
        found = [run for name, there, run in able if there and name in runs]
        return [*found, *([self._hidden] if hidden_folders(self.image) else [])]

    def _ground(self, name: str) -> Setup:
        """A set-up that is known to go well, as far as one is: what the owner declares, else everything there is."""
        if self.firsts["train.bare"].good:
            return train_provided(self.given, name)
        return replace(train_full(self.given), name=name, conditions=())

    def _sound(self, name: str) -> Setup:
        """One that goes well without the hardship that it is to show."""
        if all(life.good for life in self.firsts.values()):
            return train_provided(self.given, name)
        first = train_bare(self.given) if self.firsts["train.bare"].good else train_full(self.given)
        return replace(first, name=name, conditions=())

    def _bad_hyperparameter(self) -> None:
        setup = self._ground("train.bad_hyperparameter")
        values = {**self.given.hyperparameters, **self.given.bad_hyperparameters}
        setup = replace(setup, hyperparameters=dict(values))
        if self.one(setup).exit_code == 0:
            self.one(vary(setup, changes.WRONG_CASE, self.given))

    def _bad_data(self) -> None:
        self.one(replace(self._ground("train.bad_data"), data="random"))

    def _missing_channel(self) -> None:
        setup = self._ground("train.missing_channel")
        first = self._required()[0]
        self.one(replace(setup, channels=tuple(name for name in setup.channels if name != first)))

    def _killed_child(self) -> None:
        setup = replace(self._ground("train.killed_child"), data="pipes", midway="kill", usual=self._usual())
        kill = self.sure(setup, None).kill
        if kill is None or kill.replaced:  # it would not wait for pipes to be filled, or waits for them again
            at_work = replace(vary(setup, changes.GOOD_DATA, self.given), after=self._usual() / 2)
            self.sure(self._long(at_work) if self.given.long_hyperparameters else at_work, None)

    def _odd(self) -> None:
        """All oddities at once; if that does not end cleanly, the values and the names by themselves."""
        odd: dict[str, object] = dict(odd_hyperparameters(self.given.hyperparameters))
        setup = replace(self._ground("train.odd"), hyperparameters=odd, patience=ODD + 5 * self._usual())
        if self.one(setup).unclean:
            few = self.one(vary(setup, changes.FEW_KEYS, self.given))
            self.one(vary(setup, changes.PLAIN_VALUES, self.given))
            if few.unclean and self._usual() < SOON:
                self._culprit(setup, [name for name in short_keys(odd) if name not in self.given.hyperparameters])

    def _culprit(self, setup: Setup, names: list[str]) -> None:
        """Halve the odd values until the one is left alone that does the harm; where it takes two, none is."""
        while names:
            half = names[: (len(names) + 1) // 2]
            values = {name: setup.hyperparameters[name] for name in (*half, *self.given.hyperparameters)}
            change = f"{changes.SOME_VALUES}{half[0]} to {half[-1]}"
            only = replace(setup, name=f"{setup.name}+{change}", base=setup.name, change=change, hyperparameters=values)
            if len(half) == 1:
                only = replace(only, conditions=(ascii(values[half[0]]),))
            if not self.one(only).unclean:
                names = names[len(half) :]
            elif len(half) == 1:
                return
            else:
                names = half

    def _stopped(self) -> None:
        """Stopped while it waits for pipes to be filled, or at work for longer than usual where the owner says how.

        Once more at work where pipes did not show how it stops, and with a terminal where it was silent.
        """
        setup = replace(self._ground("train.stopped"), midway="stop", usual=self._usual())
        setup = self._long(setup) if self.given.long_hyperparameters else replace(setup, data="pipes")
        life = self.one(setup)
        stop = life.stop
        if setup.data == "pipes" and (stop is None or (stop.killed and not stop.deaf)):
            self.one(replace(vary(setup, changes.GOOD_DATA, self.given), after=self._usual() / 2))
        if stop is not None and not any(line.at < stop.at for line in life.log):
            self.one(vary(setup, changes.TERMINAL, self.given))

    def _strict(self) -> None:
        ground = self._sound("train.strict")
        if not self.sure(strict(ground), self._first()).good:
            for hardship in STRICT:
                self.sure(vary(ground, hardship, self.given), self._first())

    def _other_user(self) -> None:
        """Where it may not serve, which would show it."""
        self.sure(other_user(self._sound("train.other_user")), self._first())

    def _first(self) -> Life:
        bare = self.firsts["train.bare"]
        return bare if bare.good else self.firsts["train.full"]

    def _hidden(self) -> None:
        setup = train_bare(self.given) if self.firsts["train.bare"].good else train_full(self.given)
        hiding = vary(setup, changes.HIDDEN, self.given, hidden_folders(self.image))
        self.sure(hiding, self._first())

    def _long(self, setup: Setup) -> Setup:
        """One that lasts, as the owner says how: its middle is past the end of a usual one."""
        values = {**self.given.hyperparameters, **self.given.long_hyperparameters}
        return replace(setup, hyperparameters=dict(values), after=self._usual() + 1)

    def _required(self) -> list[str]:
        return [name for name, channel in self.given.channels.items() if channel.required]

    def _usual(self) -> float:
        """How long a training takes."""
        return max(life.seconds for life in self.firsts.values() if life.good)


def hidden_folders(image: ImageFacts) -> tuple[str, ...]:
    """The folders directly below /opt/ml that hold files and are neither mounted anyway nor the toolkits' own."""
    tops = {"/".join(file.path.split("/")[:4]) for file in image.baked if file.path.count("/") > 3}
    return tuple(sorted(top for top in tops if top not in (*LEAVES, CODE)))
