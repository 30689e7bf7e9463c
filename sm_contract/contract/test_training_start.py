"""Training: it starts with the word `train`, ends by itself, and needs no more than the platform gives."""

from __future__ import annotations

from sm_contract import changes
from sm_contract.contract import roots
from sm_contract.contract.causes import (
    STARTS,
    cause,
    firsts,
    flipped,
    flips,
    good,
    guilty,
    why_not,
)
from sm_contract.contract.ends import start_failed
from sm_contract.contract.programs import image_of, listed, loose_files
from sm_contract.contract.provided import bare_went_well, broke, full_went_well, mended
from sm_contract.contract.reading import SM_VARIABLE, ending, error_line, found, says, telling, within
from sm_contract.contract.timing import doubtful, too_busy
from sm_contract.record import INFERENCE, TRAINING, Record
from sm_contract.requirements import requirement
from sm_contract.verdict import NotApplicable, NotTestable, Violation
from sm_contract.views import Serving, Training, raise_limits

SIMPLE = ("train.bare", "train.full")


@requirement("SM-TRAIN-RUN-01", runs=SIMPLE, rests_on=STARTS, hidden_by=roots.TRAINING)
def test_trains_when_told(training: Training) -> None:
    """The container starts and trains when launched as `docker run IMAGE train`."""
    life = guilty(training, "SM-TRAIN-RUN-01")
    if life is None:
        if not good(training):
            why_not(training, "train.bare")
        if len(good(training)) < len(firsts(training)) and not cause(training):
            why_not(training)
        return
    flip = next((flip for flip in flips(training) if flip.broke), None)
    because = telling(life)
    program = image_of(training.record, TRAINING).programs.get("train")
    if start_failed(life) and program is not None and program.file is None:
        because += f"; `train` was looked for in {', '.join(program.looked_in) or 'PATH'}"
        because += f", and lies in {', '.join(program.elsewhere)}" if program.elsewhere else ""
    elif start_failed(life) and program is not None and not program.loader_found:
        because += f"; its loader {program.loader} is not in the image"
    fix = "run docker run IMAGE train with the data in place and mend what the log shows"
    if start_failed(life):
        fix = "put an executable `train` on PATH, or name the program in ENTRYPOINT so that it takes `train`"
    elif flip:
        fix = f"let `train` work with what a job may have: {flip.change}"
    raise Violation(
        expected="a container that starts and trains with `train` as its only argument: exit code 0 on good data",
        observed=f"{found(life)}" + (f"; without {flip.change} it trains" if flip else ""),
        fix=fix,
        because=because,
        evidence=[life, *([flip.good] if flip else firsts(training)[1:])],
    )


@requirement("SM-TRAIN-RUN-06", runs=SIMPLE, rests_on=STARTS, hidden_by=roots.TRAINING)
def test_ends_by_itself(training: Training) -> None:
    """The main process ends by itself once training is done."""
    life = next((life for life in firsts(training) if life.ended == "idle"), None)
    if life is not None:
        if doubtful(life):
            raise too_busy(life)
        raise Violation(
            expected="a main process that ends when training is done",
            observed=f"`train` {ending(life)} for {within(life, 'idle', 60)} ({life.name})",
            fix="end the program after the model is saved: no sleep, no server in the foreground, "
            "and no child process that it waits for",
            because=telling(life),
            evidence=[life, *(life.result.model[:3] if life.result else ())],
        )
    if not good(training):
        why_not(training, "train.bare")


@requirement("SM-TRAIN-FS-01", runs=("train.bare",), rests_on=STARTS, hidden_by=roots.TRAINING)
def test_needs_nothing_baked_under_opt_ml(training: Training) -> None:
    """Nothing the algorithm needs is baked under /opt/ml, which the platform reserves."""
    image = image_of(training.record, TRAINING)
    if image.unreadable:
        raise NotTestable(f"its files could not be read: {image.unreadable}")
    files = loose_files(image)
    if not files:
        return
    hidden = next((life for life in training.lives.values() if life.change == changes.HIDDEN), None)
    if not good(training) or hidden is None:
        why_not(training, f"train.bare+{changes.HIDDEN}")
    if hidden.hit_limits:
        raise NotTestable(raise_limits(hidden))
    if doubtful(hidden):
        raise too_busy(hidden)
    if not hidden.good:
        raise Violation(
            expected="a training that needs none of the files the image holds below /opt/ml",
            observed=f"with empty volumes over them {found(hidden)}; the image holds {listed(files)}",
            fix="copy those files elsewhere, such as to /opt/program: /opt/ml is the platform's",
            because=telling(hidden),
            evidence=[*files[:5], hidden],
        )


@requirement("SM-TRAIN-FS-03", runs=("train.full", "train.bare"), rests_on=STARTS, hidden_by=roots.TRAINING)
def test_writes_nothing_to_its_input(training: Training) -> None:
    """Inputs are treated as read-only."""
    if flip := broke(training, changes.READ_ONLY_INPUT):
        raise Violation(
            expected="exit code 0 with /opt/ml/input mounted read-only",
            observed=f"with /opt/ml/input read-only {found(flip.bad)}; writable, it trains",
            fix="unpack, convert and index in /tmp, never in place below /opt/ml/input",
            because=telling(flip.bad),
            evidence=flip[1:],
        )
    full_went_well(training, changes.READ_ONLY_INPUT)


@requirement(
    "SM-TRAIN-FS-04",
    runs=("train.bare", "serve.bare", "serve.full", "serve.handover"),
    rests_on=[*STARTS, "SM-TRAIN-OUT-01"],
    hidden_by=roots.SERVING,
)
def test_leaves_nothing_needed_behind(record: Record) -> None:
    """Nothing outside the model, the output data and the checkpoints is needed after the job."""
    role = record.roles.get(INFERENCE)
    if role is not None and role.claimed is False:
        raise NotApplicable("no image here serves what was trained")
    training, serving = Training(record), Serving(record)
    flip = flipped(serving, changes.TRAINED_CONTAINER)
    if flip is not None and not flip.broke:
        raise Violation(
            expected="a model that is served from a fresh container, with only /opt/ml/model kept",
            observed=f"from a fresh container {found(flip.bad)}; from the container that trained it works",
            fix="save what serving needs (encoders, labels, settings) below /opt/ml/model, beside the model",
            because=telling(flip.bad),
            evidence=flip[1:],
        )
    if not good(training):
        why_not(training, "train.bare")
    if record.model.source == "trained":
        if not good(serving):
            why_not(serving, "serve.bare")
        return
    handover = serving.life("serve.handover")
    if not handover.good:
        raise NotTestable(f"the model that was trained could not be served: {found(handover)}", evidence=[handover])


@requirement("SM-TRAIN-ENV-01", runs=SIMPLE, rests_on=STARTS, hidden_by=roots.TRAINING)
def test_relies_on_documented_variables_only(training: Training) -> None:
    """The only variables relied on are TRAINING_JOB_NAME, TRAINING_JOB_ARN and the job's Environment."""
    if cause(training) != "SM-TRAIN-ENV-01":
        if not good(training):
            why_not(training, "train.bare")
        return
    life = next(life for life in firsts(training) if not life.good)
    line = error_line(life)
    name = SM_VARIABLE.search(line.text) if line else None
    cache = mended(training, changes.WARM_CACHE)
    if cache is not None:
        raise Violation(
            expected="a training that needs no SAGEMAKER_MANAGED_WARMPOOL_CACHE_DIRECTORY: only warm pools have one",
            observed=f"without it {found(cache.bad)}; with it and files of earlier jobs in it, it trains",
            fix='read it with a default: os.environ.get("SAGEMAKER_MANAGED_WARMPOOL_CACHE_DIRECTORY", "/tmp")',
            because=telling(cache.bad),
            evidence=cache[1:],
        )
    flip = flipped(training, changes.SM_VARIABLES)
    raise Violation(
        expected="a training that relies on no SM_… variable: the platform sets none",
        observed=f"{found(life)}" + (f", missing {name.group()}" if name else "; with SM_… variables it trains"),
        fix=f"read /opt/ml/input/config and the fixed paths instead of {name.group() if name else 'SM_…'}, give the "
        "variable a default in ENV, or install the training toolkit that sets it",
        because=says(line) if line else "",
        evidence=[life, *([line] if line else []), *([flip.good] if flip else [])],
    )


@requirement("SM-TRAIN-ENV-02", runs=("train.bare",), rests_on=STARTS, hidden_by=roots.TRAINING)
def test_trains_with_an_empty_environment(training: Training) -> None:
    """Training works with an empty Environment map."""
    if flip := mended(training, changes.ENVIRONMENT):
        names = ", ".join(training.candidate.environment) or "the user's variables"
        raise Violation(
            expected="exit code 0 without any variable of the user's",
            observed=f"without variables {found(flip.bad)}; with {names} it trains",
            fix="give each variable a default in the code or by ENV in the Dockerfile, or make it a hyperparameter",
            because=telling(flip.bad),
            evidence=flip[1:],
        )
    bare_went_well(training, changes.ENVIRONMENT)


@requirement("SM-TRAIN-ENV-03", runs=("train.full", "train.bare"), rests_on=STARTS, hidden_by=roots.TRAINING)
def test_bears_variables_at_their_limits(training: Training) -> None:
    """User variables at their limits are survivable: 100 entries, any values of up to 512 characters."""
    expected = "exit code 0 with 100 variables, one of them of 512 characters with line breaks and quotes in it"
    if flip := broke(training, changes.MANY_VARIABLES):
        raise Violation(
            expected=expected,
            observed=f"with 100 variables {found(flip.bad)}; without them it trains",
            fix="take single variables by name (os.environ), and never read the output of env or set as text: "
            "a value may hold line breaks, quotes and spaces",
            because=telling(flip.bad),
            evidence=flip[1:],
        )
    for life in good(training):
        for text in life.result.ran if life.result else ():
            raise Violation(
                expected=f"{expected}, and nothing of it run as a command",
                observed=f"a shell ran what stands in the variable JOB_NOTE, {text!r} ({life.name})",
                fix='write no eval "$(env)" and no unquoted $JOB_NOTE into a command line',
                because="the command makes an empty file below /opt/ml/output/data, and it is there",
                evidence=[life],
            )
    full_went_well(training, changes.MANY_VARIABLES)


@requirement("SM-TRAIN-WARM-01", runs=("train.full", "train.bare"), rests_on=STARTS, hidden_by=roots.TRAINING)
def test_bears_a_used_cache(training: Training) -> None:
    """A warm-pool cache directory that holds files of earlier jobs does no harm."""
    if flip := broke(training, changes.WARM_CACHE):
        raise Violation(
            expected="exit code 0 with files of earlier jobs in SAGEMAKER_MANAGED_WARMPOOL_CACHE_DIRECTORY",
            observed=f"with a used cache directory {found(flip.bad)}; without one it trains",
            fix="keep what is cached under names of your own, and make it anew where it is not what it should be: "
            "the directory is shared with all earlier jobs of the warm pool",
            because=telling(flip.bad),
            evidence=flip[1:],
        )
    full_went_well(training, changes.WARM_CACHE)
