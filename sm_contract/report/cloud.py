"""What SageMaker itself would say of what was observed, so that a user recognises it.

The texts are the service's own, as documented or as seen in real accounts.
"""

from __future__ import annotations

from sm_contract.record import INFERENCE, Life, Record
from sm_contract.verdict import Judgement, Verdict

VARIANT = "AllTraffic"
PING_FAILED = (
    f"The primary container for production variant {VARIANT} did not pass the ping health check. "
    "Please check CloudWatch logs for this endpoint."
)
CANNOT_START = (
    f"CannotStartContainerError. Please ensure the model container for variant {VARIANT} starts correctly "
    "when invoked with 'docker run <image> serve'"
)

_SPEAKING = (Verdict.FAILED, Verdict.WARNED, Verdict.WAIVED)


def cloud_words(judgement: Judgement, record: Record) -> str:
    """The cloud's own words for a broken requirement, from the lives it rests on; empty if it would say nothing.

    A stop that ends in SIGKILL, an image that is only ill-built and a job that wrongly completes
    are silent in the cloud too, which is why this suite exists.
    """
    if judgement.cloud or judgement.verdict not in _SPEAKING:
        return judgement.cloud
    for name in judgement.lives:
        life = record.lives.get(name)
        words = _of_life(life, judgement.id) if life is not None else ""
        if words:
            return words
    return ""


def _of_life(life: Life, id: str) -> str:
    if life.ended == "no container" or life.hit_limits:
        return ""
    return _of_server(life, id) if life.role == INFERENCE else _of_training(life)


def _of_server(life: Life, id: str) -> str:
    if life.start_error:
        return CANNOT_START
    if life.ready_at is None:
        return PING_FAILED if "ping" in life.limits or life.pings else ""
    if "-PING-" in id and any(not ping.ok(2.0) for ping in life.pings if ping.at > life.ready_at):
        return PING_FAILED
    if not {"INVOKE", "ISO", "OFFLINE", "CONTENT", "PRIV", "MODEL"} & set(id.split("-")):
        return ""
    return next((i.client_sees for i in life.invocations if not i.ok and i.client_sees), "")


def _of_training(life: Life) -> str:
    if life.start_error:
        return f"ClientError: Artifact upload failed:API error (400): {life.start_error}"
    if life.result is not None and life.result.failure_reason:
        return life.result.failure_reason
    return f"AlgorithmError: , exit code: {life.exit_code}" if life.exit_code else ""
