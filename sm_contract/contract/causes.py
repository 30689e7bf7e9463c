"""Which requirement explains a run that went wrong.

A fault of an image shows in many observations. ``cause`` reads one id off the record: from the follow-up that
decided between good and bad, else from the image's files, else from how the simplest run ended. The requirement
of that id raises the violation; every other one that cannot be seen for it is blocked by that id (``why_not``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple, NoReturn

from sm_contract import changes
from sm_contract.contract.ends import start_failed, wants_credentials, wrong_code
from sm_contract.contract.programs import (
    below,
    capability_fault,
    image_of,
    line_fault,
    machine_fault,
    script_fault,
    user_fault,
    workdir_fault,
)
from sm_contract.contract.reaching import reached_for, unreached
from sm_contract.contract.readiness import NO_ROUTE, plain, refusal, stuck, works
from sm_contract.contract.reading import (
    SM_VARIABLE,
    USAGE,
    WANTS_A_HYPERPARAMETER,
    WANTS_A_VARIABLE,
    error_line,
    first_line,
    found,
    limit,
    never_healthy,
    outcome,
    says,
    trained_well,
)
from sm_contract.contract.rights import lacked, missed
from sm_contract.contract.timing import doubtful, too_busy
from sm_contract.record import INFERENCE, TRAINING, WORD, Invocation, Life, Record
from sm_contract.verdict import Blocked, NotRecorded, NotTestable
from sm_contract.views import RoleView, Serving, Training, raise_limits

STARTS = ("SM-IMAGE-OS-01", "SM-IMAGE-ARCH-01", "SM-IMAGE-LAYERS-01")  # nothing can be started while these are broken

_MENDED = {  # what the platform never grants, and what mends a run when it is granted; rights: see ``rights``
    changes.CREDENTIALS: "SM-OFFLINE-CREDENTIALS-01",
    changes.REGION: "SM-OFFLINE-REGION-01",
    changes.PROXY: "SM-OFFLINE-PROXY-01",
    changes.UNMOUNTED: "SM-IMAGE-RESERVED-01",
    changes.OWN_COMMAND: "SM-IMAGE-CMD-01",
    changes.NO_HEALTHCHECK: "SM-IMAGE-HEALTHCHECK-01",
}
_TRAINING_MENDED = _MENDED | {
    changes.HYPERPARAMETERS: "SM-TRAIN-CFG-03",
    changes.CONTENT_TYPE: "SM-TRAIN-CFG-07",
    changes.ENVIRONMENT: "SM-TRAIN-ENV-02",
    changes.OPTIONAL_CHANNELS: "SM-TRAIN-DATA-04",
    changes.CHECKPOINT_DIRECTORY: "SM-TRAIN-CKPT-03",
    changes.A_CHECKPOINT: "SM-TRAIN-CKPT-03",
    changes.SM_VARIABLES: "SM-TRAIN-ENV-01",
    changes.WRONG_CASE: "SM-TRAIN-CFG-01",
    changes.TYPED_HYPERPARAMETERS: "SM-TRAIN-CFG-02",
    changes.NO_RESOURCE_CONFIG: "SM-TRAIN-CFG-12",
    changes.HOST_ALGO_1: "SM-TRAIN-RUN-01",
    changes.WRITABLE: "SM-TRAIN-USER-01",
    changes.OWNED: "SM-PRIV-READ-01",
    changes.OTHER_CHANNEL: "SM-TRAIN-DATA-10",
    changes.UNDOCUMENTED_KEYS: "SM-TRAIN-CFG-09",
    changes.FEATURE_FILES: "SM-TRAIN-CFG-10",
    changes.PLATFORM_FILES: "SM-TRAIN-CFG-11",
    changes.WARM_CACHE: "SM-TRAIN-ENV-01",
}
_TRAINING_BROKE = {
    changes.HYPERPARAMETERS: "SM-TRAIN-CFG-02",
    changes.CHECKPOINT_DIRECTORY: "SM-TRAIN-CKPT-03",
    changes.CONTENT_TYPE: "SM-TRAIN-RUN-01",
    changes.ENVIRONMENT: "SM-TRAIN-RUN-01",
    changes.OPTIONAL_CHANNELS: "SM-TRAIN-RUN-01",
    changes.READ_ONLY_INPUT: "SM-TRAIN-FS-03",
    changes.MANY_VARIABLES: "SM-TRAIN-ENV-03",
    changes.UNDOCUMENTED_KEYS: "SM-TRAIN-CFG-08",
    changes.FEATURE_FILES: "SM-TRAIN-CFG-11",
    changes.PLATFORM_FILES: "SM-TRAIN-CFG-11",
    changes.WARM_CACHE: "SM-TRAIN-WARM-01",
}
_SERVING_MENDED = _MENDED | {
    changes.BESIDE_THE_MODEL: "SM-INFER-MODEL-07",
    changes.A_MODEL_FILE: "SM-INFER-MODEL-03",
    changes.TRAINED_CONTAINER: "SM-TRAIN-FS-04",
    changes.HOST_ALGO_1: "SM-INFER-ENV-01",
    changes.HOST_NAME: "SM-INFER-ENV-01",
    changes.ENVIRONMENT: "SM-INFER-ENV-01",
}
_SERVING_BROKE = {
    changes.READ_ONLY_MODEL: "SM-INFER-MODEL-02",
    changes.HOST_NAME: "SM-INFER-ENV-01",
    changes.ENVIRONMENT: "SM-INFER-ENV-01",
}
_FIRST = re.compile(r"\.(full|bare)\b")
_ENDS = ("itself", "stopped", "killed", "limit", "idle", "never started", "serving", "no child", "no container")
_MAY_WANT_A_VARIABLE = ("SM-TRAIN-RUN-01", "SM-INFER-RUN-01", "SM-INFER-RUN-03")
_WITHOUT_MODEL = ("SM-INFER-RUN-01", "SM-INFER-RUN-03", "SM-INFER-PING-02", "SM-INFER-PING-03")


class Flip(NamedTuple):
    """Two lives that differ by one change and ended differently."""

    change: str
    bad: Life
    good: Life

    @property
    def broke(self) -> bool:
        """Whether adding the change broke a run that went well, rather than mended one that did not."""
        return bool(self.bad.base) and self.bad.base == self.good.name


# --- views and lives --------------------------------------------------------------------------------


def claimed(record: Record) -> list[RoleView]:
    """The views of the roles that the image claims."""
    roles = [role for role in (TRAINING, INFERENCE) if role not in record.roles or record.roles[role].claimed]
    return [Training(record) if role == TRAINING else Serving(record) for role in roles]


def firsts(view: RoleView) -> list[Life]:
    """The bare and the full run."""
    lives = view.lives
    return [lives[name] for name in (f"{view.prefix}.bare", f"{view.prefix}.full") if name in lives]


def good(view: RoleView) -> list[Life]:
    """Those of the first runs that went well; a server may have refused some of its requests."""
    return [life for life in firsts(view) if life.good or works(life)]


def unwell(view: RoleView) -> list[Life]:
    """Those of the first runs that went wrong; or in which a server refused what it answered in the other."""
    lives = firsts(view)
    return [life for life in lives if not life.fine(lives)]


def ready(serving: Serving) -> list[Life]:
    """Those of the first runs in which the server became healthy, whatever it answered later."""
    return [life for life in firsts(serving) if life.ready_at is not None]


def flips(view: RoleView) -> Iterator[Flip]:
    """Every follow-up of a first run that ended differently by its one change.

    Left out is what a limit of ours ended, or perhaps a busy machine.
    """
    lives = view.lives
    for after in lives.values():
        before = lives.get(after.base)
        if before is None or not _FIRST.search(before.name) or after.change in (changes.HIDDEN, changes.ONCE_MORE):
            continue
        if any(life.hit_limits or life.ended not in _ENDS or doubtful(life) for life in (before, after)):
            continue
        well = after.fine(firsts(view))
        if well != before.fine(firsts(view)):
            flip = Flip(after.change, before, after) if well else Flip(after.change, after, before)
            if flip.bad not in [bad for bad, _ in unsteady(view)]:
                yield flip


def unsteady(view: RoleView) -> list[tuple[Life, Life]]:
    """Lives that went wrong, each with one that was the same in all and went well: nothing explains the first."""
    lives = view.lives
    again = [life for life in lives.values() if life.change == changes.ONCE_MORE and life.base in lives]
    return [(lives[life.base], life) for life in again if life.fine([lives[life.base]])]


def _by_chance(view: RoleView, bad: Sequence[Life]) -> bool:
    return any(life in bad for life, _ in unsteady(view))


def flipped(view: RoleView, *names: str) -> Flip | None:
    """The first flip by one of these changes."""
    return next((flip for flip in flips(view) if flip.change in names), None)


# --- the one cause ----------------------------------------------------------------------------------


def cause(view: RoleView) -> str:
    """The id of the requirement that explains why a first run did not go well; "" if all did or nothing shows it."""
    lives = firsts(view)
    bad = [life for life in unwell(view) if not life.hit_limits]
    if not bad:
        return ""
    if isinstance(view, Serving):
        return _serving_cause(view, bad)
    for flip in flips(view):
        if id := _training_flip(view, flip):
            return id
    if len(bad) < len(lives) or _by_chance(view, bad):
        return ""
    if wants_credentials(bad):
        return "SM-OFFLINE-CREDENTIALS-01"
    return _image_cause(view, bad[0]) or missed(bad[0]) or unreached(bad[0]) or _training_end(view, bad[0])


def accused(record: Record, id: str) -> RoleView | None:
    """The claimed role in which this requirement explains what went wrong, if any."""
    return next((view for view in claimed(record) if cause(view) == id), None)


def _training_flip(view: RoleView, flip: Flip) -> str:
    if flip.broke and flip.change == changes.ISOLATED:
        if not flip.good.saved:
            return "SM-TRAIN-NET-04"  # with a way out its model is gone, without one it fails
        return "SM-OFFLINE-DROP-01" if flip.bad.ended == "limit" else reached_for(flip.bad) or "SM-TRAIN-NET-01"
    baked = image_of(view.record, TRAINING).baked
    if flip.change == changes.CHECKPOINT_DIRECTORY and any(below(f.path, ("/opt/ml/checkpoints",)) for f in baked):
        return "SM-IMAGE-RESERVED-01"
    if flip.broke:
        return _TRAINING_BROKE.get(flip.change, "")
    return lacked(flip.change, flip.bad) or _TRAINING_MENDED.get(flip.change, "")


def _training_end(view: RoleView, life: Life) -> str:
    """What the end of the simplest training says, where nothing else explains it."""
    if life.ended == "idle":
        return "SM-TRAIN-RUN-06"
    line = error_line(life)
    if line is not None and SM_VARIABLE.search(line.text):
        return "SM-TRAIN-ENV-01"
    if refused_word(view, life):
        return "SM-IMAGE-ARGUMENT-01"
    if all(wrong_code(life) for life in firsts(view)):
        return "SM-TRAIN-FAIL-01"
    return "SM-TRAIN-RUN-01" if life.start_error or life.ended == "itself" else ""


def _serving_cause(view: Serving, bad: list[Life]) -> str:  # noqa: PLR0911, PLR0912  # a decision list reads best as one
    healthy = ready(view)
    archive = view.model.source == "declared archive"
    if archive and not healthy and (view.model.problem or view.model.magic != "gzip"):
        return "SM-INFER-MODEL-04"
    if view.model.source == "trained" and not healthy and not any(one.kind == "file" for one in view.model.members):
        return "SM-TRAIN-OUT-01"
    for flip in flips(view):
        if flip.broke and flip.change in (changes.ISOLATED, changes.NO_NETWORK):
            return network_cause(view, flip)
        if view.model.source != {changes.TRAINED_CONTAINER: "trained", changes.A_MODEL_FILE: "none"}.get(
            flip.change, view.model.source
        ):
            continue  # says nothing of a model from elsewhere
        if flip.broke:
            id = _SERVING_BROKE.get(flip.change, "")
        else:
            id = lacked(flip.change, flip.bad) or _SERVING_MENDED.get(flip.change, "")
        if id:
            return id
    if _by_chance(view, bad):
        return ""
    if len(bad) == len(firsts(view)) and wants_credentials(bad):
        return "SM-OFFLINE-CREDENTIALS-01"
    if healthy:
        return "SM-INFER-RUN-03" if all(life.ended == "itself" for life in healthy) else ""
    life = bad[0]
    if id := _image_cause(view, life) or missed(life) or unreached(life):
        return id
    program = view.record.image.programs.get("serve")
    if not view.record.image.entrypoint and program is not None and program.file is None:
        return "SM-INFER-RUN-02"
    return "SM-IMAGE-ARGUMENT-01" if refused_word(view, life) else stuck(life)


def network_cause(view: Serving, flip: Flip) -> str:
    """Which of the offline requirements a failure without a way out breaks."""
    unplugged = [life for life in view.lives.values() if life.network == "none" and not life.hit_limits]
    if flip.bad.ready_at is None:
        slow = flip.change == changes.ISOLATED and any(life.ready_at is not None for life in unplugged)
        if slow:
            return "SM-OFFLINE-DROP-01"
        if flip.change == changes.NO_NETWORK and any(life.network == "internal" for life in good(view)):
            return "SM-OFFLINE-LOOPBACK-01"
        return reached_for(flip.bad) or "SM-INFER-ISO-01"
    slow = flip.change == changes.ISOLATED and any(life.fine(firsts(view)) for life in unplugged)
    return "SM-OFFLINE-DROP-01" if slow else "SM-OFFLINE-INVOKE-01"


def _image_cause(view: RoleView, life: Life) -> str:  # noqa: PLR0911  # a decision list reads best as one
    """What the image's own files say of a start that failed."""
    image = image_of(view.record, view.role)
    program = image.programs.get(WORD[view.role])
    if user_fault(image):
        return "SM-IMAGE-USER-02"
    if program is not None and line_fault(program):
        return "SM-INFER-RUN-10"
    if not start_failed(life):
        return ""
    if workdir_fault(image):
        return "SM-IMAGE-WORKDIR-01"
    if program is not None and script_fault(program):
        return "SM-IMAGE-SCRIPT-01"
    if program is not None and capability_fault(program):
        return "SM-PRIV-FILECAP-01"
    if program is not None and machine_fault(program, view.candidate.architecture):
        return "SM-IMAGE-ARCH-02"
    return ""


# --- what the end of one life says --------------------------------------------------------------------


def refused_word(view: RoleView, life: Life) -> bool:
    """Whether the program was started and ended at once with a usage text, though no role of the image works."""
    other = Serving(view.record) if view.role == TRAINING else Training(view.record)
    return (
        life.ended == "itself"
        and life.exit_code not in (None, 0)
        and not start_failed(life)
        and life.seconds < 5
        and not trained_well(life)
        and not any(ping.status is not None for ping in life.pings)
        and first_line(life, USAGE) is not None
        and not good(other)
    )


# --- what to say where something cannot be seen ---------------------------------------------------------


def guilty(view: RoleView, id: str) -> Life | None:
    """The simplest life that went wrong because ``id`` is broken; None if it is not the cause.

    Raises NotTestable where only sample data of ours was refused.
    """
    if cause(view) != id:
        return None
    life = next(life for life in unwell(view) if not life.hit_limits)
    if excuse := _excuse(view, id, life):
        raise excuse
    return life


def why_not(view: RoleView, run: str = "") -> NoReturn:
    """Raise what stands in the way of seeing something: the cause, a limit of ours, or what was not run."""
    if view.record.unstartable:
        raise NotTestable(view.record.unstartable)
    bad = unwell(view)
    if id := cause(view):
        life = next(life for life in bad if not life.hit_limits)
        raise _excuse(view, id, life) or Blocked(id)
    for life in bad:
        if life.hit_limits:
            raise NotTestable(raise_limits(life), evidence=[life])
        if life.ended not in _ENDS:
            raise NotTestable(life.ended)
        if life.ended == "limit":
            now = limit(life, "train", 0)
            raise NotTestable(f"raise --sm-train-limit (now {now:g} s): {found(life)}", evidence=[life])
    healthy = ready(view) if isinstance(view, Serving) else []
    if healthy and len(healthy) == len(bad) and refusal(bad[0]):
        raise refused(view, bad[0])
    if bad:
        for life in view.lives.values():
            if doubtful(life):
                raise too_busy(life)
        for life, again in unsteady(view):
            raise NotTestable(
                f"{found(life)}, and once more, with nothing changed, it went well ({again.name}): what it does by "
                "chance has to be mended first; its log may say what it was",
                evidence=[life, again],
            )
        raise NotTestable(
            f"{bad[0].name} did not go well: no single difference between the runs explains it", evidence=bad
        )
    raise NotRecorded(run or f"the {view.role} run that would show it")


def refused(view: RoleView, life: Life) -> Blocked | NotTestable:
    """What to say where a healthy server answered no invocation with 2xx."""
    one = plain(life)
    if one is None:
        return NotTestable(f"nothing was invoked in {life.name}")
    id = "SM-INFER-RUN-03" if life.ended == "itself" else refusal(life)
    if id == "SM-INFER-INVOKE-04" or one.status in NO_ROUTE:
        return Blocked(id)
    body = f" ({one.body_head[:120].strip()})" if one.body_head.strip() else ""
    if "requests" not in view.candidate.declared:
        also = "[inference] model and " if not _has_model(view) else ""
        text = f"declare {also}[[inference.requests]] with a body of yours: our sample of"
        return NotTestable(f"{text} {one.content_type} was answered with {outcome(one)}{body}", evidence=[one])
    said = f"request {one.request} ({one.content_type}) was answered with {outcome(one)}{body}"
    return _without_model(view, said, one) or Blocked(id)


def _excuse(view: RoleView, id: str, life: Life) -> NotTestable | Blocked | None:
    """The way out where a failure may only say that the image refuses sample data of ours, or has no model."""
    if start_failed(life):
        return None
    declared = view.candidate.declared
    given = view.candidate.environment if view.role == TRAINING else view.candidate.serving_environment
    if id in _MAY_WANT_A_VARIABLE and not given and (line := first_line(life, WANTS_A_VARIABLE)):
        table = "[training]" if view.role == TRAINING else "[inference]"
        text = f"declare {table} environment = {{ … }} if the job or the model sets a variable:"
        return NotTestable(f"{text} {found(life)}; {says(line)}", evidence=[life, line])
    if id in ("SM-TRAIN-RUN-01", "SM-TRAIN-FAIL-01") and "channels" not in declared:
        return _wants_data(view, life)
    if id not in _WITHOUT_MODEL:
        return None
    line, seen = error_line(life), never_healthy(life)
    return _without_model(view, f"{seen}; {says(line)}" if line else seen, life)


def _has_model(view: RoleView) -> bool:
    """Whether a server was given a model, or its owner said of what it is given that it is all."""
    return view.record.model.source != "none" or "model" in view.candidate.declared


def _without_model(view: RoleView, said: str, seen: Life | Invocation) -> NotTestable | Blocked | None:
    """The way out where a server was given no model at all, because nobody named one or the training failed."""
    if _has_model(view):
        return None
    training = next((one for one in claimed(view.record) if one.role == TRAINING), None)
    if training is not None and (root := cause(training)) and not good(training):
        failed = next(one for one in firsts(training) if not one.hit_limits)
        return _excuse(training, root, failed) or Blocked(root)
    model = "[inference] model (an empty folder, if the image holds its own)"
    return NotTestable(f"declare {model}: without one, {said}", evidence=[seen])


def _wants_data(view: RoleView, life: Life) -> NotTestable:
    """What to declare so that a training that refused our sample shows itself, what its log hints at first."""
    line = error_line(life) or first_line(life, WANTS_A_HYPERPARAMETER)
    text = "declare [training.channels.NAME] with data of yours: with a sample of ours,"
    if not view.candidate.hyperparameters:
        text = (
            "declare [training.channels.NAME] with data of yours, and [training] hyperparameters where it wants some: "
        )
        text += "with a sample of ours and no hyperparameter,"
    if line and not view.candidate.hyperparameters and WANTS_A_HYPERPARAMETER.search(line.text):
        of_a_table = line.text.startswith("KeyError") and "pandas" in life.log_text()
        if not of_a_table:
            text = "declare [training] hyperparameters = { … }, and [training.channels.NAME] with data of yours: "
            text += "with no hyperparameter and a sample of ours,"
    return NotTestable(f"{text} {found(life)}{f'; {says(line)}' if line else ''}", evidence=[life])
