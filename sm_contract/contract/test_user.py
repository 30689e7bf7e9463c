"""The image's user: what it may write and read of what root owns."""

from __future__ import annotations

from sm_contract import changes
from sm_contract.contract import roots
from sm_contract.contract.causes import STARTS, claimed, flipped, good, why_not
from sm_contract.contract.programs import image_of
from sm_contract.contract.provided import mended
from sm_contract.contract.reading import found, telling
from sm_contract.record import TRAINING, Record
from sm_contract.requirements import requirement
from sm_contract.verdict import Violation
from sm_contract.views import Training


@requirement(
    "SM-TRAIN-USER-01",
    runs=("train.bare", "train.full"),
    rests_on=STARTS,
    hidden_by=(*roots.TRAINING, "SM-PRIV-READ-01"),
)
def test_its_user_can_write_the_output(training: Training) -> None:
    """The effective user can write the root-owned output directories of a training job."""
    if flip := mended(training, changes.WRITABLE):
        user = image_of(training.record, TRAINING).user
        raise Violation(
            expected="exit code 0 with /opt/ml/model and /opt/ml/output owned by root, mode 0755",
            observed=f"as USER {user} {found(flip.bad)}; with folders that everybody may write to it trains",
            fix="leave USER out of the Dockerfile; or start as root, chown /opt/ml/model and /opt/ml/output, and drop "
            "the rights after that",
            because=telling(flip.bad),
            evidence=flip[1:],
        )
    if not good(training):
        why_not(training, "train.bare")


@requirement(
    "SM-PRIV-READ-01",
    runs=("train.bare", "train.full", "serve.bare", "serve.full"),
    rests_on=STARTS,
    hidden_by=roots.SERVING,
)
def test_its_user_can_read_the_input(record: Record) -> None:
    """The effective user can read root-owned input, configuration and model files."""
    for view in claimed(record):
        flip = flipped(view, changes.OWNED)
        if flip is not None and not flip.broke:
            raise Violation(
                expected="a program that reads files of root's (mode 0644, in folders of mode 0755), as any user may",
                observed=f"as USER {image_of(record, view.role).user} {found(flip.bad)}; with files of its own it "
                "works",
                fix="look whether a file can be read (os.access), not whose it is: the platform's agent is root",
                because=telling(flip.bad),
                evidence=flip[1:],
            )
        read = flipped(view, changes.WRITABLE)  # its input was root's all the same
        if not good(view) and read is None:
            why_not(view)
