"""Serving: it starts with the word `serve`, keeps running, and can be started again anywhere."""

from __future__ import annotations

from sm_contract import changes
from sm_contract.contract import roots
from sm_contract.contract.causes import (
    STARTS,
    cause,
    firsts,
    flipped,
    guilty,
    ready,
    why_not,
)
from sm_contract.contract.ends import start_failed
from sm_contract.contract.invoking import answering
from sm_contract.contract.readiness import plain
from sm_contract.contract.reading import ending, found, outcome, telling, within
from sm_contract.contract.timing import doubtful, too_busy
from sm_contract.record import Life
from sm_contract.requirements import requirement
from sm_contract.verdict import Blocked, NotApplicable, NotTestable, Violation
from sm_contract.views import Serving

SIMPLE = ("serve.bare", "serve.full")


@requirement("SM-INFER-RUN-01", runs=SIMPLE, rests_on=[*STARTS, "SM-INFER-RUN-02"], hidden_by=roots.SERVING)
def test_serves_when_told(serving: Serving) -> None:
    """With the single argument `serve` and the image's own ENTRYPOINT, an inference server starts."""
    life = guilty(serving, "SM-INFER-RUN-01")
    if life is None:
        if not ready(serving):
            why_not(serving, "serve.bare")
        if len(ready(serving)) < len(firsts(serving)) and not cause(serving):
            why_not(serving)
        return
    because = telling(life)
    program = serving.record.image.programs.get("serve")
    if start_failed(life) and program is not None and not program.loader_found:
        because += f"; its loader {program.loader} is not in the image"
    raise Violation(
        expected=f"a server that is healthy within {within(life, 'start', 480)} with `serve` as its only argument",
        observed=f"{found(life)}, before it was healthy",
        fix="run docker run IMAGE serve with the model in place and mend what the log shows; where ENTRYPOINT is a "
        "script, let it know the word `serve`",
        because=because,
        evidence=[life, *life.events[-3:]],
    )


@requirement("SM-INFER-RUN-02", rests_on=STARTS)
def test_serve_is_on_path(serving: Serving) -> None:
    """If the image has no ENTRYPOINT, an executable named `serve` is on PATH."""
    image = serving.record.image
    if image.entrypoint:
        raise NotApplicable(f"it has an ENTRYPOINT: {list(image.entrypoint)}")
    program = image.programs.get("serve")
    if program is None:
        raise NotTestable(f"its files could not be read: {image.unreadable or 'the entry program is not known'}")
    if program.file is None:
        life = next((life for life in firsts(serving) if life.start_error), None)
        raise Violation(
            expected="an executable `serve` in one of the folders of PATH, since there is no ENTRYPOINT",
            observed=f"no `serve` in {', '.join(program.looked_in) or 'PATH'}",
            fix="copy `serve` to /usr/local/bin, or add its folder to PATH (ENV PATH=/opt/program:$PATH)",
            because=f"it lies in {', '.join(program.elsewhere)}, off the PATH"
            if program.elsewhere
            else telling(life)
            if life
            else "",
            evidence=[*program.elsewhere, *([life] if life else [])],
        )


@requirement("SM-INFER-RUN-03", runs=SIMPLE, rests_on=STARTS, hidden_by=roots.SERVING)
def test_keeps_running(serving: Serving) -> None:
    """The container keeps running for as long as it should serve."""
    if cause(serving) not in ("", "SM-INFER-RUN-03"):
        if not all(life.ended in ("stopped", "killed") for life in ready(serving) or firsts(serving)):
            why_not(serving)
        return
    life = guilty(serving, "SM-INFER-RUN-03")
    life = life or next((life for life in ready(serving) if life.ended == "itself" and not life.hit_limits), None)
    if life is not None:
        when = "before it was healthy" if life.ready_at is None else f"though healthy since {life.ready_at:.1f} s"
        raise Violation(
            expected="a container that runs until it is stopped",
            observed=f"{found(life)}, {when}",
            fix="keep the server in the foreground: end the entry script with `exec gunicorn …`, start nothing with &",
            because=telling(life),
            evidence=[life, *life.events[-3:]],
        )
    if not any(life.ended in ("stopped", "killed") for life in firsts(serving)):
        why_not(serving, "serve.bare")


@requirement("SM-INFER-RUN-11", runs=("serve.again", "serve.bare"), rests_on=STARTS, hidden_by=roots.SERVING)
def test_starts_again_with_the_same_model(serving: Serving) -> None:
    """A container can be started again from scratch at any time with the same inputs."""
    if not any(life.name.startswith("serve.bare") for life in ready(serving)):
        why_not(serving, "serve.bare")
    again = serving.lives.get("serve.again")
    flip = flipped(serving, changes.USED_MODEL)
    bad = flip.bad if flip is not None and flip.broke else None
    if bad is None and again is not None and again.ready_at is None and not again.hit_limits:
        if flipped(serving, changes.NO_NETWORK):
            raise Blocked(cause(serving) or "SM-OFFLINE-LOOPBACK-01")
        if doubtful(again):
            raise too_busy(again)
        singles = [serving.lives.get(f"serve.bare+{change}") for change in (changes.USED_MODEL, changes.NO_NETWORK)]
        if all(single is not None and single.ready_at is not None for single in singles):
            raise NotTestable(
                f"{found(again)}: neither the used model folder nor the missing network does that by itself",
                evidence=[again, *filter(None, singles)],
            )
        if again.ended in ("itself", "stopped", "killed", "never started"):
            bad = again
    if bad is not None and cause(serving):
        why_not(serving)
    if bad is not None:
        how = found(bad) if bad.ended == "itself" else f"the second container was not healthy ({bad.name})"
        raise Violation(
            expected="a second, fresh container that serves from the model folder that a first one used",
            observed=f"after one life with the same /opt/ml/model, {how}",
            fix="write no lock, cache or converted copy into /opt/ml/model; use /tmp, which is new in each container",
            because=telling(bad),
            evidence=[bad, *ready(serving)[:1]],
        )
    life = serving.life("serve.again")
    if life.ready_at is None:
        raise NotTestable(f"serve.again: {life.ended}", evidence=[life])


@requirement("SM-INFER-ENV-01", runs=("serve.full", "serve.bare"), rests_on=STARTS, hidden_by=roots.SERVING)
def test_takes_any_host_name_and_variables(serving: Serving) -> None:
    """It works with any valid container host name and with the user's environment map set."""
    flip = flipped(serving, changes.HOST_NAME, changes.ENVIRONMENT, changes.HOST_ALGO_1)
    if cause(serving) == "SM-INFER-ENV-01" and flip is not None:
        what = {
            changes.HOST_NAME: "the host name model.aws.local",
            changes.ENVIRONMENT: "harmless variables of the user's",
            changes.HOST_ALGO_1: "the host name algo-1",
        }[flip.change]
        with_it, without = f"with {what}", f"without {what}"
        raise Violation(
            expected="the same health and answers with any host name and with variables of the user's",
            observed=f"{with_it if flip.broke else without} it {_state(flip.bad)} ({flip.bad.name}); "
            f"{without if flip.broke else with_it} it works",
            fix="do not parse the host name, and read only variables of your own, each with a default",
            because=telling(flip.bad),
            evidence=flip[1:],
        )
    if not serving.lives.get("serve.full") or not serving.life("serve.full").good:
        why_not(serving, "serve.full")
    if not any(life.name.startswith("serve.bare") for life in ready(serving)):
        why_not(serving, "serve.bare")
    answering(serving)


def _state(life: Life) -> str:
    one = plain(life)
    if life.ready_at is None:
        return ending(life) if life.ended == "itself" else "did not become healthy"
    return f"answered an invocation with {outcome(one)}" if one else ending(life)
