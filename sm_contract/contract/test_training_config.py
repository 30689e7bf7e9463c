"""Training: the configuration files and the checkpoint directory, each with what it may and may not hold."""

from __future__ import annotations

from sm_contract import changes
from sm_contract.contract import roots
from sm_contract.contract.causes import STARTS, Flip, cause, flipped, good, why_not
from sm_contract.contract.reading import found, telling
from sm_contract.requirements import requirement
from sm_contract.verdict import Blocked, NotApplicable, NotTestable, Violation
from sm_contract.views import Training

NAMES = "hyperparameters.json, inputdataconfig.json and resourceconfig.json"


@requirement(
    "SM-TRAIN-CFG-01",
    runs=("train.bare", "train.full", "train.bad_hyperparameter"),
    rests_on=STARTS,
    hidden_by=roots.TRAINING,
)
def test_reads_the_config_files_by_their_names(training: Training) -> None:
    """Configuration is read from the exact lower-case file names under /opt/ml/input/config."""
    flip = flipped(training, changes.WRONG_CASE)
    bad = training.lives.get("train.bad_hyperparameter")
    wrong = training.lives.get(f"train.bad_hyperparameter+{changes.WRONG_CASE}")
    if flip is not None and not flip.broke:
        raise Violation(
            expected=f"a training that opens {NAMES}",
            observed=f"{found(flip.bad)}; with copies under wrong names (resourceConfig.json and the like) it trains",
            fix="spell the names below /opt/ml/input/config in lower case throughout",
            because=telling(flip.bad),
            evidence=flip[1:],
        )
    if bad is not None and wrong is not None and bad.exit_code == 0 and wrong.exit_code != 0:
        values = ", ".join(f"{key}={value!r}" for key, value in training.candidate.bad_hyperparameters.items())
        raise Violation(
            expected=f"a training that opens {NAMES}",
            observed=f"the illegal {values} was not noticed in hyperparameters.json, but in a copy under a wrong name "
            f"(hyperParameters.json): exit code {wrong.exit_code}",
            fix="open /opt/ml/input/config/hyperparameters.json, in lower case",
            because=telling(wrong),
            evidence=[bad, wrong],
        )
    if not good(training):
        why_not(training, "train.bare")
    if not training.candidate.bad_hyperparameters:
        raise NotTestable(
            "declare [training] bad_hyperparameters: an illegal value that has an effect proves the reading"
        )
    if training.life("train.bad_hyperparameter").exit_code == 0:
        raise Blocked("SM-TRAIN-FAIL-02")


@requirement("SM-TRAIN-CFG-02", runs=("train.full", "train.bare"), rests_on=STARTS, hidden_by=roots.TRAINING)
def test_takes_hyperparameters_as_strings(training: Training) -> None:
    """Every hyperparameter value arrives as a JSON string; the algorithm converts it itself."""
    flip = flipped(training, changes.TYPED_HYPERPARAMETERS, changes.HYPERPARAMETERS)
    if cause(training) == "SM-TRAIN-CFG-02" and flip is not None:
        typed = flipped(training, changes.TYPED_HYPERPARAMETERS)
        values = ", ".join(f'"{key}": "{value}"' for key, value in training.candidate.hyperparameters.items())
        raise Violation(
            expected=f"exit code 0 with the declared hyperparameters as strings: {values}",
            observed=found(flip.bad) + ("; with numbers instead of strings it trains" if typed else ""),
            fix='convert each value in the program, such as int(hp["epochs"]) or float(hp["rate"])',
            because=telling(flip.bad),
            evidence=[flip.bad, (typed or flip).good],
        )
    if not training.candidate.hyperparameters:
        if "channels" in training.candidate.declared:
            raise NotApplicable("no hyperparameter is declared")
        raise NotTestable("declare [training] hyperparameters")
    _shown(training, "train.full", changes.HYPERPARAMETERS)


@requirement("SM-TRAIN-CFG-03", runs=("train.bare",), rests_on=STARTS, hidden_by=roots.TRAINING)
def test_takes_an_empty_hyperparameter_map(training: Training) -> None:
    """An empty hyperparameter map works when no hyperparameter is required."""
    required = ", ".join(training.candidate.required_hyperparameters)
    if flip := _mended(training, changes.HYPERPARAMETERS):
        raise Violation(
            expected=f"exit code 0 with {f'{required} alone' if required else '{}'} in hyperparameters.json, since no "
            "other is declared required",
            observed=f"with {required or '{}'} {found(flip.bad)}; with all declared hyperparameters it trains",
            fix='give each hyperparameter a default, such as hp.get("epochs", "3"), or declare '
            'required_hyperparameters = ["…"] in sm-contract.toml and in the algorithm resource',
            because=telling(flip.bad),
            evidence=flip[1:],
        )
    if required:
        raise NotApplicable(f"hyperparameters are declared required: {required}")
    _shown(training, "train.bare")


@requirement("SM-TRAIN-CFG-07", runs=("train.bare",), rests_on=STARTS, hidden_by=roots.TRAINING)
def test_takes_a_channel_without_content_type(training: Training) -> None:
    """A channel entry without ContentType is handled."""
    if flip := _mended(training, changes.CONTENT_TYPE):
        raise Violation(
            expected="exit code 0 though no channel of inputdataconfig.json has the key ContentType",
            observed=f"without ContentType {found(flip.bad)}; with it, it trains",
            fix='read it with a default: channel.get("ContentType", "text/csv"); a job need not name it',
            because=telling(flip.bad),
            evidence=flip[1:],
        )
    _shown(training, "train.bare")


@requirement("SM-TRAIN-CFG-12", runs=("train.bare", "train.full"), rests_on=STARTS, hidden_by=roots.TRAINING)
def test_a_single_host_is_normal(training: Training) -> None:
    """A resourceconfig.json with a single host does not mean distributed training."""
    if flip := _mended(training, changes.NO_RESOURCE_CONFIG):
        raise Violation(
            expected='exit code 0 with "hosts": ["algo-1"] in resourceconfig.json: one host, no peers',
            observed=f"{found(flip.bad)}; without resourceconfig.json it trains",
            fix='start peer discovery only if len(config["hosts"]) > 1: the file is there in every job',
            because=telling(flip.bad),
            evidence=flip[1:],
        )
    if not good(training):
        why_not(training, "train.bare")


@requirement("SM-TRAIN-CKPT-03", runs=("train.full", "train.bare"), rests_on=STARTS, hidden_by=roots.TRAINING)
def test_takes_an_empty_checkpoint_directory_or_none(training: Training) -> None:
    """An empty checkpoint directory, or none at all, is normal."""
    flip = flipped(training, changes.CHECKPOINT_DIRECTORY, changes.A_CHECKPOINT)
    if cause(training) == "SM-TRAIN-CKPT-03" and flip is not None:
        how = "with /opt/ml/checkpoints empty" if flip.broke else "without /opt/ml/checkpoints"
        other = {changes.A_CHECKPOINT: "with a file in it"}.get(flip.change, "without it" if flip.broke else "with it")
        raise Violation(
            expected="exit code 0 without /opt/ml/checkpoints, and with it empty",
            observed=f"{how} {found(flip.bad)}; {other} it trains",
            fix="resume only if the directory exists and holds a checkpoint; a first job has neither",
            because=telling(flip.bad),
            evidence=flip[1:],
        )
    _shown(training, "train.bare")
    _shown(training, "train.full", changes.CHECKPOINT_DIRECTORY)


def _mended(training: Training, change: str) -> Flip | None:
    """The flip by a change that mended a bad training."""
    flip = flipped(training, change)
    return None if flip is None or flip.broke else flip


def _shown(training: Training, run: str, change: str = "") -> None:
    """Return if a run went well, or one that varies the bare run by the change; raise what stands in the way."""
    if not any(
        life.good and (name == run or (change and life.change == change)) for name, life in training.lives.items()
    ):
        why_not(training, run)
