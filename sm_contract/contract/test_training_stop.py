"""Training: the stop signal in mid-run, and whether its log comes out before the end."""

from __future__ import annotations

from sm_contract import changes
from sm_contract.contract import roots
from sm_contract.contract.causes import STARTS, good
from sm_contract.contract.provided import on_good_ground
from sm_contract.contract.reading import found, shape, within
from sm_contract.record import Life, Stop
from sm_contract.requirements import requirement
from sm_contract.verdict import NotApplicable, NotTestable, Violation
from sm_contract.views import Serving, Training, raise_limits

STOPPED = "train.stopped"
RUNS = ("train.bare", "train.full", STOPPED)
LONG = "declare [training] long_hyperparameters with which a training does not end by itself"
THROUGH = "it ended by itself before it showed what it makes of SIGTERM"
OTHERWISE = "a line came after SIGTERM, and named pipes in the place of its data held the training, however it was told"
_APART = 1.0  # seconds


@requirement("SM-TRAIN-STOP-01", runs=RUNS, rests_on=STARTS, hidden_by=roots.TRAINING)
def test_sigterm_reaches_the_training(training: Training) -> None:
    """SIGTERM reaches the training process."""
    told = otherwise = False
    blind = None
    for life, stop in _stops(training):
        if not stop.killed:
            told = told or not _ended_anyway(training, life, stop)
            continue
        if stop.survivors is None:
            blind = life
            continue
        trainer = stop.survivors[0] if stop.survivors else None
        if trainer is None or trainer.depth == 0:
            told = True  # the first process is who gets the signal, whatever it makes of it
            continue
        untold = not (trainer.catches or trainer.ignores or trainer.caught_at_first)
        if untold and not stop.deaf and _on_pipes(training, life) and _answered(life, stop):
            otherwise = True  # by an event, a file, a signal of its own: what pipes hold cannot show that it obeys
            continue
        if stop.deaf or untold:
            first = "has no handler, and the kernel drops the signal then" if stop.deaf else "never passed it on"
            raise Violation(
                expected="SIGTERM to the container's first process reaches the process that trains",
                observed=f"{trainer.command[:80]} was still there {stop.seconds:.0f} s after SIGTERM: the first "
                f"process {first} ({life.name})",
                fix="start the trainer with exec, so that it is the first process (exec python train.py), or pass it "
                "on and wait: trap 'kill -TERM $pid' TERM; where a launcher that you cannot change starts it, to all: "
                "trap 'trap \"\" TERM; kill -TERM -1' TERM",
                evidence=[stop, *stop.survivors[:3]],
            )
        told = True
    if blind is not None and not told:
        raise NotTestable(
            f"needs root on a local Linux engine: the container had to be killed ({blind.name}), and what its "
            "processes did with the signal is not known",
            evidence=[blind.stop],
        )
    if not told:
        raise NotTestable(f"{LONG}: {OTHERWISE if otherwise else THROUGH}")


@requirement(
    "SM-TRAIN-STOP-02", runs=RUNS, rests_on=[*STARTS, "SM-TRAIN-STOP-01"], hidden_by=roots.TRAINING, timed=True
)
def test_ends_soon_after_sigterm(training: Training) -> None:
    """After SIGTERM the container exits within 120 s."""
    decided = False
    for life, stop in _stops(training):
        if not stop.killed:
            decided = decided or not (stop.dropped and life.exit_code == 0)
        elif stop.deaf or not _on_pipes(training, life):
            first = stop.survivors[0].command[:60] if stop.survivors else "the first process"
            how = f"still running {within(life, 'train_stop', 120)} after SIGTERM"
            if stop.deaf:
                how = f"{first} has no handler for SIGTERM, and the kernel drops it for a first process without one"
            raise Violation(
                expected=f"the container ends within {within(life, 'train_stop', 120)} of SIGTERM",
                observed=f"{how}; it had to be killed ({life.name})",
                fix="install a handler before the data is read (signal.signal(signal.SIGTERM, …)), and let it end the "
                "program at the next step, with what there is of the model saved",
                evidence=[stop, *(stop.survivors or ())[:3]],
            )
    if not decided:
        held = any(stop.killed for _, stop in _stops(training))
        why = "named pipes in the place of its data held it, whatever it made of SIGTERM" if held else THROUGH
        raise NotTestable(f"{LONG}: {why}")


@requirement(
    "SM-TRAIN-STOP-03",
    runs=(*RUNS, "serve.stopped"),
    rests_on=[*STARTS, "SM-TRAIN-STOP-01", "SM-TRAIN-STOP-02"],
    hidden_by=roots.TRAINING,
)
def test_saves_what_there_is(training: Training) -> None:
    """On SIGTERM the intermediate model is saved to /opt/ml/model before exit."""
    if "graceful-stop" not in training.candidate.features:
        raise NotApplicable('a graceful stop is not claimed: features = ["graceful-stop"]')
    if not training.candidate.long_hyperparameters:
        raise NotTestable(LONG)
    ((life, stop), *_) = _stops(training)
    if stop.dropped and life.exit_code == 0:
        raise NotTestable(f"{LONG}: {THROUGH}")
    if not life.saved:
        raise Violation(
            expected="a model below /opt/ml/model when a training is stopped midway",
            observed=f"it ended {stop.seconds:.1f} s after SIGTERM, and /opt/ml/model holds no file ({life.name})",
            fix="save the model in the handler of SIGTERM, or leave the loop on it and save as after the last epoch; "
            "and let the first process wait for the trainer: what ends first takes it along",
            evidence=[stop, life],
        )
    served = Serving(training.record).lives.get("serve.stopped")
    if served is not None and served.hit_limits:
        raise NotTestable(raise_limits(served))
    if served is not None and served.ready_at is None:
        raise Violation(
            expected="a model that can be served, though the training was stopped midway",
            observed=f"with what was left in /opt/ml/model {found(served)}",
            fix="write the model under another name and rename it once it is complete, in the handler of SIGTERM, too",
            evidence=[stop, served],
        )


@requirement("SM-TRAIN-LOG-02", runs=RUNS, rests_on=STARTS, hidden_by=roots.TRAINING)
def test_logs_as_it_goes(training: Training) -> None:
    """Log lines come out while training runs, not in one block at the end."""
    on_good_ground(training)
    lives = good(training)
    if any(life.log and life.log[-1].at - life.log[0].at > _APART for life in lives):
        return
    silent = training.life(STOPPED)
    if silent.stop is not None and _before(silent, silent.stop):
        return
    terminal = training.lives.get(f"{STOPPED}+{changes.TERMINAL}")
    if silent.stop is None or terminal is None or terminal.stop is None:
        raise NotTestable(f"{LONG}: no training lasted long enough to show when its lines come out")
    known = {shape(line.text) for life in (*lives, silent) for line in life.log}
    held = [text for text in _before(terminal, terminal.stop) if shape(text) in known]
    if held:
        raise Violation(
            expected="log lines while the training runs: metrics and progress are read from them as they come",
            observed=f"not a line until SIGTERM at {silent.stop.at:.1f} s ({silent.name}); with a terminal, where "
            f"lines are not held back, {held[0][:80]!r} came before that",
            fix="ENV PYTHONUNBUFFERED=1 (or python -u, print(…, flush=True)); stdbuf -oL for other programs",
            evidence=[silent, terminal],
        )


def _stops(training: Training) -> list[tuple[Life, Stop]]:
    """The lives that were stopped in mid-run. Raises what stands in the way if there are none."""
    on_good_ground(training)
    first = training.life(STOPPED)
    lives = [first, training.lives.get(f"{STOPPED}+{changes.GOOD_DATA}")]
    stops = [(life, life.stop) for life in lives if life is not None and life.stop is not None and not life.hit_limits]
    if not stops:
        raise NotTestable(f"{LONG}: it ended before it could be stopped: {found(first)}", evidence=[first])
    return stops


def _on_pipes(training: Training, life: Life) -> bool:
    """Whether a life had named pipes in the place of its data, which nobody filled."""
    return not life.change and not training.candidate.long_hyperparameters


def _ended_anyway(training: Training, life: Life, stop: Stop) -> bool:
    """Whether a training that ended with 0 may just have been through, or was surely never told to end."""
    through = not _on_pipes(training, life) and not training.candidate.long_hyperparameters
    return life.exit_code == 0 and (stop.dropped or through)


def _answered(life: Life, stop: Stop) -> bool:
    """Whether a line of a new kind came after the signal: who was told may have told the training in its own way."""
    known = {shape(text) for text in _before(life, stop)}
    return any(line.at > stop.at and line.text.strip() and shape(line.text) not in known for line in life.log)


def _before(life: Life, stop: Stop) -> list[str]:
    """What was logged before the signal."""
    return [line.text for line in life.log if line.at < stop.at and line.text.strip()]
