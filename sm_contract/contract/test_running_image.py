"""What a run shows of the image whatever its role: its log, its HEALTHCHECK, and whether it has both roles."""

from __future__ import annotations

from sm_contract import changes
from sm_contract.contract import roots
from sm_contract.contract.causes import STARTS, accused, claimed, flipped, good, why_not
from sm_contract.contract.programs import image_of, images
from sm_contract.contract.reading import found
from sm_contract.record import Life, Record
from sm_contract.requirements import requirement
from sm_contract.verdict import NotApplicable, NotTestable, Violation
from sm_contract.views import RoleView

FIRSTS = ("train.full", "train.bare", "serve.full", "serve.bare")
PROVOKED = ("train.bad_hyperparameter", "train.bad_data", "train.missing_channel", "serve.empty")


@requirement("SM-IMAGE-LOG-01", runs=(*FIRSTS, *PROVOKED), rests_on=STARTS, hidden_by=roots.SERVING)
def test_logs_go_to_the_standard_streams(record: Record) -> None:
    """Standard output or error is not empty after a good run, nor after one that was made to fail."""
    unseen: list[RoleView] = []
    for view in claimed(record):
        went_well = good(view)
        if not went_well:
            unseen.append(view)
            continue
        failed = [view.lives[name] for name in PROVOKED if name in view.lives and _failed(view.lives[name])]
        silent = next((life for life in (*went_well, *failed) if not life.log_text().strip()), None)
        if silent is not None:
            raise Violation(
                expected="a log on standard output or standard error, which is all that reaches CloudWatch",
                observed=f"{found(silent)}, and wrote nothing to either",
                fix="log to stderr instead of a file (logging.StreamHandler), or link the log file to /dev/stderr",
                evidence=[silent],
            )
    for view in unseen:
        why_not(view)


@requirement("SM-IMAGE-HEALTHCHECK-01", runs=FIRSTS, rests_on=STARTS, hidden_by=roots.SERVING)
def test_healthcheck_ends_nothing(record: Record) -> None:
    """HEALTHCHECK, if there is one, does not end the container."""
    checked = [image for image in images(record) if image.healthcheck is not None]
    if not checked:
        raise NotApplicable("it has no HEALTHCHECK")
    view = accused(record, "SM-IMAGE-HEALTHCHECK-01")
    flip = flipped(view, changes.NO_HEALTHCHECK) if view else None
    if view and flip:
        raise Violation(
            expected="a container that goes on whatever its HEALTHCHECK says: health is asked by GET /ping alone",
            observed=f"{found(flip.bad)}, and without its HEALTHCHECK it works",
            fix="take HEALTHCHECK out, or let its command do nothing but exit 1",
            evidence=[f"image config: HEALTHCHECK {list(checked[0].healthcheck.command)}", flip.bad, flip.good],  # type: ignore[union-attr]
        )
    for role in [role for role in claimed(record) if image_of(record, role.role).healthcheck][-1:]:
        check = image_of(record, role.role).healthcheck  # of the server where there is one: a training ends by itself
        assert check is not None
        lives = good(role)
        if not lives:
            why_not(role)
        longest = max(life.seconds for life in lives)
        if longest <= (needed := check.start_period + check.interval * check.retries):
            raise NotTestable(
                f"needs a run longer than {needed:g} s, until {check.retries} checks {check.interval:g} s apart have "
                f"failed (the longest took {longest:.1f} s): give HEALTHCHECK a shorter --interval"
            )


@requirement("SM-IMAGE-ROLES-01", runs=FIRSTS, rests_on=STARTS, hidden_by=roots.SERVING)
def test_one_image_may_have_both_roles(record: Record) -> None:
    """One image both trains and serves."""
    roles = claimed(record)
    if len(roles) < 2 or record.training_image is not None:
        raise NotApplicable("each role may have an image of its own")
    for role in roles:
        if not good(role):
            why_not(role)


def _failed(life: Life) -> bool:
    return life.ended == "itself" and life.exit_code not in (None, 0)
