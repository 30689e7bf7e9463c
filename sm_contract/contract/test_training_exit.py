"""Training: what the exit code says."""

from __future__ import annotations

from sm_contract import changes
from sm_contract.contract import roots
from sm_contract.contract.causes import STARTS, good, guilty, why_not
from sm_contract.contract.ends import failed_with_zero
from sm_contract.contract.provided import accepted
from sm_contract.contract.reading import found, shape, telling
from sm_contract.contract.timing import doubtful, too_busy
from sm_contract.record import Kill, Life
from sm_contract.requirements import requirement
from sm_contract.verdict import Blocked, NotApplicable, NotTestable, Violation
from sm_contract.views import Training

SIMPLE = ("train.bare", "train.full")


@requirement("SM-TRAIN-FAIL-01", runs=SIMPLE, rests_on=STARTS, hidden_by=roots.TRAINING)
def test_success_is_exit_code_0(training: Training) -> None:
    """Success is signalled by exit code 0."""
    life = guilty(training, "SM-TRAIN-FAIL-01")
    if life is not None:
        files = life.result.model if life.result else ()
        raise Violation(
            expected="exit code 0 after a training that did its work",
            observed=f"{found(life)}, with its model saved ({files[0].path if files else 'model'}), no failure file "
            "and no error in the log",
            fix="end the program with sys.exit(0), or return nothing from main(): the job counts as failed otherwise",
            because=telling(life),
            evidence=[life, *files[:3]],
        )
    if not good(training):
        why_not(training, "train.bare")


@requirement("SM-TRAIN-FAIL-02", runs=(*SIMPLE, "train.bad_hyperparameter"), rests_on=STARTS, hidden_by=roots.TRAINING)
def test_a_bad_hyperparameter_fails_the_job(training: Training) -> None:
    """A bad hyperparameter is signalled by a non-zero exit code."""
    values = training.candidate.bad_hyperparameters
    if not values and good(training):
        raise NotTestable("declare [training] bad_hyperparameters: a value that the algorithm has to refuse")
    life = accepted(training, "train.bad_hyperparameter")
    wrong = training.lives.get(f"train.bad_hyperparameter+{changes.WRONG_CASE}")
    if life is not None and wrong is not None and wrong.exit_code != 0:
        raise Blocked("SM-TRAIN-CFG-01")  # the value was not seen: the file is looked for under another name
    if life is not None:
        raise Violation(
            expected="a non-zero exit code for an illegal hyperparameter",
            observed=f"with {', '.join(f'{key}={value!r}' for key, value in values.items())} {found(life)}",
            fix="let the error end the program with a code other than 0: no bare except around main, and "
            "`set -o pipefail` where a script pipes the trainer into tee",
            because=telling(life),
            evidence=[life],
        )


@requirement(
    "SM-TRAIN-FAIL-03",
    runs=(*SIMPLE, "train.bad_data"),
    rests_on=[*STARTS, "SM-TRAIN-FAIL-02"],
    excused_without=("channels",),
    hidden_by=roots.TRAINING,
)
def test_unusable_data_fails_the_job(training: Training) -> None:
    """Unusable data is signalled by a non-zero exit code."""
    for one in training.lives.values():
        if admitted := failed_with_zero(one):
            raise Violation(
                expected="a non-zero exit code beside a failure description",
                observed=f"{found(one)}, with no model and /opt/ml/output/failure saying {admitted[:120]!r}",
                fix="after writing /opt/ml/output/failure end the program with sys.exit(1): the job counts as "
                "Completed otherwise, and nobody reads the file",
                evidence=[one],
                certain=True,
            )
    life = accepted(training, "train.bad_data")
    if life is not None:
        raise Violation(
            expected="a non-zero exit code when every channel file holds random bytes",
            observed=f"with random bytes in the channel files {found(life)}",
            fix="count what could be read: if nothing is left, write /opt/ml/output/failure and exit with 1",
            because=telling(life),
            evidence=[life],
        )


@requirement(
    "SM-TRAIN-FAIL-08",
    runs=(*SIMPLE, "train.killed_child"),
    rests_on=[*STARTS, "SM-TRAIN-FAIL-02", "SM-TRAIN-FAIL-03"],
    hidden_by=roots.TRAINING,
)
def test_the_exit_code_passes_every_wrapper(training: Training) -> None:
    """The exit code of the training program reaches the container's first process through launchers and wrappers."""
    if not good(training):
        why_not(training, "train.bare")
    if "train.killed_child" not in training.lives and training.record.engine.get("inside") != "yes":
        raise NotTestable("needs root on a local Linux engine, to kill a process of the container from outside")
    life = training.life("train.killed_child")
    replaced = life.kill is not None and life.kill.replaced
    if life.kill is None or replaced:  # pipes do not show it: they are not waited for, or hold what took its place
        life = training.lives.get(f"train.killed_child+{changes.GOOD_DATA}", life)
    if life.kill is None or life.kill.replaced:
        why = (
            "; with named pipes for its data, the launcher started the killed trainer again, and so had no end to show"
        )
        raise NotTestable(
            'accept_not_testable = ["SM-TRAIN-FAIL-08"], or long_hyperparameters that make the training last a '
            f"minute: it ended before a child of it could be killed{why if replaced else ''}: {found(life)}",
            evidence=[life],
        )
    if life.kill.depth == 0:
        raise NotApplicable("the training program is the container's first process: there is no wrapper to pass")
    if life.ended == "itself" and life.exit_code != 0:
        return
    if doubtful(life):
        raise too_busy(life)
    victim = life.kill.victim[:100]
    if life.change == changes.GOOD_DATA and (how := _went_on(life, life.kill)):
        reads = ", or let the trainer read its channel files without looking at their kind, so that named pipes hold it"
        raise NotTestable(
            f'accept_not_testable = ["SM-TRAIN-FAIL-08"]{"" if replaced else reads}: {victim} was killed midway, and '
            f"{how} all the same, so it was a helper of the training or was started again",
            evidence=[life],
        )
    raise Violation(
        expected=f"a container that ends with a non-zero exit code after its trainer ({victim}) was killed",
        observed=f"killed at {life.kill.at:.1f} s by SIGKILL, and {found(life)}",
        fix="start the trainer with exec, or hand its exit code on (exit $?); no supervisor that restarts it",
        because=telling(life),
        evidence=[f"SIGKILL at {life.kill.at:.1f} s to {victim}", life],
    )


def _went_on(life: Life, kill: Kill) -> str:
    """What shows that a training at work did not need the child that was killed, or has it again; "" if nothing."""
    if life.trained and life.saved:
        return "the model was saved"
    lasted = life.seconds - kill.at
    known = {shape(line.text) for line in life.log if line.at < kill.at and line.text.strip()}
    late = any(line.at > kill.at + lasted / 2 and shape(line.text) in known for line in life.log)
    return "the log went on" if life.ended == "limit" and late else ""
