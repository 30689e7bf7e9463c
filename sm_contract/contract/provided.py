"""The runs on what the owner declares: one thing is spoilt or odd, or they are disturbed in mid-run."""

from __future__ import annotations

from sm_contract import changes
from sm_contract.contract.causes import Flip, firsts, flipped, flips, good, why_not
from sm_contract.contract.reading import found, limit
from sm_contract.record import Life
from sm_contract.verdict import NotTestable
from sm_contract.views import Training

_NOT_THERE = (
    changes.ISOLATED,
    changes.NO_NETWORK,
    changes.READ_ONLY_INPUT,
    changes.CHECKPOINT_DIRECTORY,
    changes.MANY_VARIABLES,
    changes.UNDOCUMENTED_KEYS,
    changes.FEATURE_FILES,
    changes.PLATFORM_FILES,
    changes.WARM_CACHE,
)


def on_good_ground(training: Training) -> None:
    """Return if training goes well with what the owner declares; raise what stands in the way."""
    if not good(training):
        why_not(training, "train.bare")
    full = next((life for life in firsts(training) if life.name.startswith("train.full")), None)
    harmless = any(flip.broke and flip.change in _NOT_THERE for flip in flips(training))
    if full is None or not (full.good or harmless):
        why_not(training, "train.full")


def bare_went_well(training: Training, *own: str) -> None:
    """Return if the bare training went well, or did with one change that is none of ``own``; raise what hides it."""
    for life in training.lives.values():
        if life.good and (life.name == "train.bare" or (life.base == "train.bare" and life.change not in own)):
            return
    why_not(training, "train.bare")


def full_went_well(training: Training, change: str) -> None:
    """Return if the full training went well, or the bare one with the change; raise what stands in the way."""
    if not any(life.good and (life.name == "train.full" or life.change == change) for life in training.lives.values()):
        why_not(training, "train.full")


def broke(training: Training, *names: str) -> Flip | None:
    """The flip by a change that a good training did not bear."""
    flip = flipped(training, *names)
    return flip if flip is not None and flip.broke else None


def mended(training: Training, *names: str) -> Flip | None:
    """The flip by a change that a training could not do without."""
    flip = flipped(training, *names)
    return None if flip is None or flip.broke else flip


def accepted(training: Training, run: str) -> Life | None:
    """The life of a run that was meant to fail and ended with 0; None if it failed as it should.

    Raises what stands in the way: an exit code other than 0 proves something only where the same
    run goes well with good data.
    """
    if not good(training):
        why_not(training, "train.bare")
    life = training.life(run)
    if life.trained:
        return life
    on_good_ground(training)
    if life.ended == "limit":
        now = limit(life, "train", 0)
        raise NotTestable(f"raise --sm-train-limit (now {now:g} s): {found(life)}", evidence=[life])
    return None
