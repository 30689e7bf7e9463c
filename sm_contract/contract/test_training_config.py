"""Training: the configuration files and the checkpoint directory, each with what it may and may not hold."""

from __future__ import annotations

from sm_contract import changes
from sm_contract.contract import roots
from sm_contract.contract.causes import STARTS, cause, flipped, good, why_not
from sm_contract.contract.provided import bare_went_well, broke, full_went_well, mended
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
        raise NotTestable("declare [training] bad_hyperparameters: a value that the algorithm has to refuse")
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
    full_went_well(training, changes.HYPERPARAMETERS)


@requirement("SM-TRAIN-CFG-03", runs=("train.bare",), rests_on=STARTS, hidden_by=roots.TRAINING)
def test_takes_an_empty_hyperparameter_map(training: Training) -> None:
    """An empty hyperparameter map works when no hyperparameter is required."""
    required = ", ".join(training.candidate.required_hyperparameters)
    if flip := mended(training, changes.HYPERPARAMETERS):
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
    bare_went_well(training, changes.HYPERPARAMETERS, changes.TYPED_HYPERPARAMETERS)


@requirement("SM-TRAIN-CFG-07", runs=("train.bare",), rests_on=STARTS, hidden_by=roots.TRAINING)
def test_takes_a_channel_without_content_type(training: Training) -> None:
    """A channel entry without ContentType is handled."""
    if flip := mended(training, changes.CONTENT_TYPE):
        raise Violation(
            expected="exit code 0 though no channel of inputdataconfig.json has the key ContentType",
            observed=f"without ContentType {found(flip.bad)}; with it, it trains",
            fix='read it with a default: channel.get("ContentType", "text/csv"); a job need not name it',
            because=telling(flip.bad),
            evidence=flip[1:],
        )
    bare_went_well(training, changes.CONTENT_TYPE)


@requirement("SM-TRAIN-CFG-08", runs=("train.full", "train.bare"), rests_on=STARTS, hidden_by=roots.TRAINING)
def test_ignores_keys_it_does_not_know(training: Training) -> None:
    """Unknown keys in the entries of inputdataconfig.json and in resourceconfig.json are ignored."""
    if flip := broke(training, changes.UNDOCUMENTED_KEYS):
        raise Violation(
            expected="exit code 0 with further keys in inputdataconfig.json and resourceconfig.json: those that real "
            "jobs have (current_instance_type, current_group_name, instance_groups) and one that is made up",
            observed=f"with further keys in the two files {found(flip.bad)}; with the documented ones alone it trains",
            fix="read the keys you know and ignore all others: no additionalProperties: false, no Channel(**entry)",
            because=telling(flip.bad),
            evidence=flip[1:],
        )
    full_went_well(training, changes.UNDOCUMENTED_KEYS)


@requirement("SM-TRAIN-CFG-09", runs=("train.bare", "train.full"), rests_on=STARTS, hidden_by=roots.TRAINING)
def test_needs_no_undocumented_key(training: Training) -> None:
    """Only the three documented keys of resourceconfig.json are relied on."""
    if flip := mended(training, changes.UNDOCUMENTED_KEYS):
        raise Violation(
            expected="exit code 0 with current_host, hosts and network_interface_name alone in resourceconfig.json",
            observed=f"with the three documented keys of resourceconfig.json {found(flip.bad)}; with those of real "
            "jobs it trains",
            fix='read any other key with a default: config.get("instance_groups", [])',
            because=telling(flip.bad),
            evidence=flip[1:],
        )
    bare_went_well(training, changes.UNDOCUMENTED_KEYS)


@requirement("SM-TRAIN-CFG-10", runs=("train.bare", "train.full"), rests_on=STARTS, hidden_by=roots.TRAINING)
def test_files_of_features_may_be_absent(training: Training) -> None:
    """The configuration files of features that are off may be absent."""
    if flip := mended(training, changes.FEATURE_FILES):
        raise Violation(
            expected="exit code 0 without checkpointconfig.json, debughookconfig.json, profilerconfig.json and "
            "tensorboardoutputconfig.json: they are there only while their features are on",
            observed=f"without the config files of features {found(flip.bad)}; with them it trains",
            fix="look whether the file exists before it is opened, and take the feature for off if it does not",
            because=telling(flip.bad),
            evidence=flip[1:],
        )
    bare_went_well(training, changes.FEATURE_FILES)


@requirement("SM-TRAIN-CFG-11", runs=("train.full", "train.bare"), rests_on=STARTS, hidden_by=roots.TRAINING)
def test_leaves_other_files_alone(training: Training) -> None:
    """Undocumented files beside the configuration are neither needed nor harmful."""
    flip = flipped(training, changes.PLATFORM_FILES) or broke(training, changes.FEATURE_FILES)
    if flip is not None:
        files = (
            "init-config.json, metric-definition-regex.json, trainingjobconfig.json and upstreamoutputdataconfig.json"
        )
        if flip.change == changes.FEATURE_FILES:
            files = "profilerconfig.json, debughookconfig.json, tensorboardoutputconfig.json and checkpointconfig.json"
        here, there = ("with", "without") if flip.broke else ("without", "with")
        raise Violation(
            expected=f"the same result with {files} in /opt/ml/input/config as without them",
            observed=f"{here} such files in /opt/ml/input/config {found(flip.bad)}; {there} them it trains",
            fix=f"open {NAMES} by name, and nothing else in /opt/ml/input/config: no glob over *.json",
            because=telling(flip.bad),
            evidence=flip[1:],
        )
    full_went_well(training, changes.PLATFORM_FILES)
    bare_went_well(training, changes.PLATFORM_FILES)


@requirement("SM-TRAIN-CFG-12", runs=("train.bare", "train.full"), rests_on=STARTS, hidden_by=roots.TRAINING)
def test_a_single_host_is_normal(training: Training) -> None:
    """A resourceconfig.json with a single host does not mean distributed training."""
    if flip := mended(training, changes.NO_RESOURCE_CONFIG):
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
    bare_went_well(training, changes.CHECKPOINT_DIRECTORY, changes.A_CHECKPOINT)
    full_went_well(training, changes.CHECKPOINT_DIRECTORY)
