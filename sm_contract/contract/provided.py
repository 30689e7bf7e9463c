"""The runs that are meant to fail: everything the owner declares is there, and one thing is spoilt."""

from __future__ import annotations

from sm_contract import changes
from sm_contract.contract.causes import firsts, flips, good, why_not
from sm_contract.contract.reading import found, limit
from sm_contract.record import Life
from sm_contract.verdict import NotTestable
from sm_contract.views import Training

_NOT_THERE = (changes.ISOLATED, changes.NO_NETWORK, changes.READ_ONLY_INPUT, changes.CHECKPOINT_DIRECTORY)


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
    full = next((life for life in firsts(training) if life.name.startswith("train.full")), None)
    harmless = any(flip.broke and flip.change in _NOT_THERE for flip in flips(training))
    if full is None or not (full.good or harmless):
        why_not(training, "train.full")
    if life.ended == "limit":
        now = limit(life, "train", 0)
        raise NotTestable(f"raise --sm-train-limit (now {now:g} s): {found(life)}", evidence=[life])
    return None
