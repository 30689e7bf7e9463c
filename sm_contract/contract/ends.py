"""What the end of one life says by itself."""

from __future__ import annotations

from sm_contract.contract.reading import NO_CREDENTIALS, crash_line, first_line, trained_well
from sm_contract.record import TRAINING, Life


def start_failed(life: Life) -> bool:
    """Whether the program was never executed, or what it should have executed in its place: 126 or 127."""
    return life.never_executed or life.exit_code in (126, 127)


def wrong_code(life: Life) -> bool:
    """Whether a training did its work, said nothing of a failure, and yet ended with a code that is not 0."""
    code = life.exit_code
    return (
        life.ended == "itself"
        and code is not None
        and 0 < code < 126
        and trained_well(life)
        and (life.result is None or life.result.failure is None)
        and crash_line(life) is None
    )


def failed_with_zero(life: Life) -> str:
    """What a training wrote as its failure before it ended with 0 and left no model; "" if it did no such thing."""
    if life.role != TRAINING or not life.trained or life.saved or life.result is None:
        return ""
    return " ".join((life.result.failure or "").split())


def wants_credentials(bad: list[Life]) -> bool:
    """Whether one of these lives says that it found no AWS credentials."""
    return any(first_line(life, NO_CREDENTIALS) for life in bad)
