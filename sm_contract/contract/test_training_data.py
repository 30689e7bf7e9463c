"""Training: the channels that come in, and the model that has to be there at the end."""

from __future__ import annotations

from sm_contract import changes
from sm_contract.contract import roots
from sm_contract.contract.causes import STARTS, good, why_not
from sm_contract.contract.provided import accepted, bare_went_well, mended
from sm_contract.contract.reading import found, telling, trained_well
from sm_contract.requirements import requirement
from sm_contract.verdict import NotApplicable, NotTestable, Violation
from sm_contract.views import Training


@requirement(
    "SM-TRAIN-DATA-03",
    runs=("train.bare", "train.full", "train.missing_channel"),
    rests_on=[*STARTS, "SM-TRAIN-FAIL-02", "SM-TRAIN-FAIL-03"],
    excused_without=("channels",),
    hidden_by=roots.TRAINING,
)
def test_a_missing_channel_fails_the_job(training: Training) -> None:
    """A required channel that is missing makes the job fail with a non-zero exit."""
    required = training.candidate.required_channels
    if not required:
        raise NotApplicable("no channel is declared required")
    life = accepted(training, "train.missing_channel")
    if life is not None:
        raise Violation(
            expected="a non-zero exit code when a required channel is missing",
            observed=f"without the channel {required[0]!r} {found(life)}",
            fix=f"check at start that /opt/ml/input/data/{required[0]} is there and holds files: write "
            "/opt/ml/output/failure and exit with 1 if not; or declare the channel required = false",
            because=telling(life),
            evidence=[life],
        )


@requirement("SM-TRAIN-DATA-04", runs=("train.bare",), rests_on=STARTS, hidden_by=roots.TRAINING)
def test_an_optional_channel_may_be_missing(training: Training) -> None:
    """A channel declared optional may be missing."""
    optional = training.candidate.optional_channels
    if not optional:
        raise NotApplicable("no channel is declared optional")
    if flip := mended(training, changes.OPTIONAL_CHANNELS):
        raise Violation(
            expected=f"exit code 0 without the optional channels ({', '.join(optional)})",
            observed=f"without them {found(flip.bad)}; with them it trains",
            fix=f"look whether /opt/ml/input/data/{optional[0]} exists before it is opened, "
            "or declare the channel required = true",
            because=telling(flip.bad),
            evidence=flip[1:],
        )
    bare_went_well(training, changes.OPTIONAL_CHANNELS)


@requirement("SM-TRAIN-DATA-10", runs=("train.bare",), rests_on=STARTS, hidden_by=roots.TRAINING)
def test_trains_without_any_channel(training: Training) -> None:
    """A job without any input channel is possible for images that need no data."""
    candidate = training.candidate
    if "channels" not in candidate.declared:
        raise NotTestable("declare [training.channels.NAME], with required = false if it can train without data")
    if candidate.required_channels:
        raise NotApplicable(f"channels are declared required: {', '.join(candidate.required_channels)}")
    if flip := mended(training, changes.OTHER_CHANNEL):
        raise Violation(
            expected="exit code 0 without any channel: inputdataconfig.json holds {}, /opt/ml/input/data is empty",
            observed=f"without any channel {found(flip.bad)}; with one that it cannot know it trains",
            fix="take an empty map of channels for what it is: none is required",
            because=telling(flip.bad),
            evidence=flip[1:],
        )
    bare_went_well(training, changes.OTHER_CHANNEL, changes.OPTIONAL_CHANNELS)


@requirement("SM-TRAIN-OUT-01", runs=("train.bare", "train.full"), rests_on=STARTS, hidden_by=roots.TRAINING)
def test_leaves_a_model(training: Training) -> None:
    """After success /opt/ml/model holds the model: at least one regular file."""
    lives = good(training)
    if not lives:
        why_not(training, "train.bare")
    life = next((life for life in lives if not trained_well(life)), None)
    if life is None:
        return
    model = life.result.model if life.result else ()
    output = [file for file in (life.result.output if life.result else ()) if file.kind == "file"]
    where = f"; /opt/ml/output holds {', '.join(file.path for file in output[:3])}" if output else ""
    raise Violation(
        expected="at least one regular file below /opt/ml/model after exit code 0",
        observed=f"{found(life)}, and /opt/ml/model holds no file"
        + (f" ({len(model)} entries, such as {model[0].path}: {model[0].kind})" if model else "")
        + where,
        fix="save the model below /opt/ml/model: nothing else becomes model.tar.gz",
        because=telling(life),
        evidence=[life, *model[:3], *output[:3]],
    )
