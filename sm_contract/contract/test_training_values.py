"""Training: hyperparameters at the limits of what a job may hold."""

from __future__ import annotations

from sm_contract import changes
from sm_contract.contract import roots
from sm_contract.contract.causes import STARTS
from sm_contract.contract.provided import on_good_ground
from sm_contract.contract.reading import found, telling
from sm_contract.record import Life
from sm_contract.requirements import requirement
from sm_contract.verdict import NotTestable, Violation
from sm_contract.views import Training

ODD = "train.odd"
RUNS = ("train.bare", "train.full", ODD)
_CLEANLY = "exit code 0, or a refusal that says why"


@requirement("SM-TRAIN-CFG-05", runs=RUNS, rests_on=STARTS, hidden_by=roots.TRAINING)
def test_takes_any_text_as_a_value(training: Training) -> None:
    """Any string of up to 2,500 characters is survivable as a hyperparameter value."""
    expected = f"{_CLEANLY}, with values of up to 2,500 characters: quotes, spaces, JSON, any script, shell commands"
    life = _decisive(training, changes.FEW_KEYS)
    for one in (training.life(ODD), life):
        for text in one.result.ran if one.result else ():
            raise Violation(
                expected=expected,
                observed=f"a shell ran the hyperparameter value {text!r} ({one.name})",
                fix='hand values over as arguments of their own (subprocess.run([…]), exec "$@"), never as part of a '
                "command line: no shell=True, no eval",
                because="the command makes an empty file below /opt/ml/output/data, and it is there",
                evidence=[one],
            )
    if life.unclean:
        alone = _alone(training)
        values = f"the value {alone.conditions[0][:60]} alone" if alone else "such values"
        raise Violation(
            expected=expected,
            observed=f"with {values} {_end(alone or life)}",
            fix="take each value for a text of any length and content; where it is of no use, say so in "
            "/opt/ml/output/failure and exit with 1",
            because=telling(alone or life),
            evidence=[alone or life],
        )


@requirement("SM-TRAIN-CFG-06", runs=RUNS, rests_on=STARTS, hidden_by=roots.TRAINING)
def test_takes_a_hundred_hyperparameters(training: Training) -> None:
    """Up to 100 hyperparameters with keys of up to 256 characters are survivable."""
    life = _decisive(training, changes.PLAIN_VALUES)
    if life.unclean:
        raise Violation(
            expected=f"{_CLEANLY}, with 100 hyperparameters whose names have up to 256 characters",
            observed=f"with so many {_end(life)}",
            fix="assume nothing of the number and the length of names: no fixed buffer, no variable and no option of "
            "a command line for each",
            because=telling(life),
            evidence=[life],
        )


def _decisive(training: Training, change: str) -> Life:
    """The odd run, or the one in which only one of its two oddities was left. Raises what stands in the way."""
    on_good_ground(training)
    odd = training.life(ODD)
    alone = [
        training.lives[name]
        for what in (changes.FEW_KEYS, changes.PLAIN_VALUES)
        if (name := f"{ODD}+{what}") in training.lives
    ]
    if odd.unclean and len(alone) == 2 and not any(life.unclean for life in alone):
        raise NotTestable(f"{found(odd)}: neither its values nor its names do that by themselves", evidence=[odd])
    return training.life(f"{ODD}+{change}") if odd.unclean and f"{ODD}+{change}" in training.lives else odd


def _alone(training: Training) -> Life | None:
    """The run in which one odd value alone did the harm."""
    for life in training.lives.values():
        if life.change.startswith(changes.SOME_VALUES) and len(life.conditions) == 1 and life.unclean:
            return life
    return None


def _end(life: Life) -> str:
    """How an unclean training ended."""
    told = life.ended != "itself" or life.crashed
    return found(life) if told else f"{found(life)} without a word"
