"""Small results for the report tests: each case is a record and judgements, concluded as a run would."""

from __future__ import annotations

import io
import re
from dataclasses import replace

from sm_contract.catalogue import catalogue
from sm_contract.coverage import IMAGE, role_of
from sm_contract.record import (
    INFERENCE,
    TRAINING,
    Candidate,
    Event,
    ImageFacts,
    Invocation,
    Life,
    LogLine,
    Record,
    RoleFact,
    Stop,
    TrainingResult,
)
from sm_contract.report.terminal import Head, Terminal
from sm_contract.report.text import Page, StreamSink
from sm_contract.result import ImageResult, RoleResult, conclude
from sm_contract.verdict import Judgement, Verdict

ENGINE = {"name": "docker", "version": "28.2", "platform": "linux/amd64"}
BASE = ("base-image", "base-training", "base-hosting")
DECLARED = RoleFact(claimed=True, how="declared", why="roles in sm-contract.toml")
FOUND = RoleFact(claimed=True, how="found out", why="`serve` is an executable file on the image's PATH")
UNCLEAR = RoleFact(claimed=None, how="found out", why="the container ended with 1 before it listened, and says not why")

SERVED = Life(
    name="serve.full",
    role=INFERENCE,
    network="internal",
    seconds=35.0,
    exit_code=137,
    ended="killed",
    ready_at=1.41,
    limits={"start": 60.0, "stop": 5.0, "ping": 2.0},
    shortened={"start": 480.0, "stop": 30.0},
    events=(
        Event(at=0.0, what="start"),
        Event(at=1.22, what="port open"),
        *(Event(at=1.41 + 0.2 * n, what="ping 200") for n in range(20)),
        Event(at=5.6, what="SIGTERM"),
        Event(at=35.6, what="SIGKILL"),
        Event(at=35.62, what="exit 137"),
    ),
    log=tuple(
        LogLine(at=0.4 + n * 0.2, stream="stderr" if n % 4 == 3 else "stdout", text=text)
        for n, text in enumerate(
            (
                "[2026-11-20 10:14:02 +0000] [7] [INFO] Starting gunicorn 23.0.0",
                "[2026-11-20 10:14:02 +0000] [7] [INFO] Listening at: http://0.0.0.0:8080 (7)",
                "\x1b[32mready\x1b[0m\ttook 0.2 s",
                "::error file=app.py::not a command to anybody",
                "größe 12 µm, 日本語のログ",
                "GET /ping 200",
                "POST /invocations 200",
                "POST /invocations 200 with a line that is much too long to stand on a page of eighty columns",
            )
        )
    ),
    stop=Stop(at=5.6, seconds=30.0, limit=30.0, killed=True),
)
TRAINED = Life(
    name="train.bad_hyperparameter",
    role=TRAINING,
    network="internal",
    seconds=2.1,
    exit_code=1,
    ended="itself",
    events=(Event(at=0.0, what="start"), Event(at=2.1, what="exit 1")),
    log=(LogLine(at=1.9, stream="stderr", text="ValueError: epochs must be positive"),),
    result=TrainingResult(status="Failed", failure_reason="AlgorithmError: , exit code: 1"),
)


def image(**changes: object) -> ImageFacts:
    return ImageFacts(
        **{
            "reference": "my-image:tag",
            "source": "engine",
            "id": "sha256:3f1c09d2a7be5500112233445566778899aabbccddeeff00112233445566e2e2",
            "digest": "sha256:77aa09d2a7be5500112233445566778899aabbccddeeff00112233445566aaaa",
            "os": "linux",
            "architecture": "amd64",
            "size": 6_212_000_000,
            "entrypoint": ("sh", "start.sh"),
            **changes,
        }
    )


def record(**changes: object) -> Record:
    return Record(
        **{
            "image": image(),
            "candidate": Candidate(declared=("channels", "model", "requests")),
            "roles": {TRAINING: DECLARED, INFERENCE: FOUND},
            "lives": {life.name: life for life in (TRAINED, SERVED)},
            "engine": ENGINE,
            **changes,
        }
    )


def judged(id: str, verdict: Verdict = Verdict.PASSED, **changes: object) -> Judgement:
    entry = catalogue()[id]
    role = role_of(entry)
    return Judgement(
        **{
            "id": id,
            "verdict": verdict,
            "level": entry.level,
            "title": entry.title,
            "scope": entry.scope,
            "roles": (TRAINING, INFERENCE) if role == IMAGE else (role,),
            "evidence_class": entry.evidence,
            "sources": entry.sources,
            "seconds": 12.3,
            **changes,
        }
    )


def passed() -> list[Judgement]:
    """Every MUST of the base scopes, passed."""
    return [judged(e.id) for e in catalogue().values() if e.scope in BASE and e.level == "MUST"]


def but(*changed: Judgement) -> list[Judgement]:
    """Every base MUST passed, but for these."""
    by_id = {judgement.id: judgement for judgement in (*passed(), *changed)}
    order = list(catalogue())
    return sorted(by_id.values(), key=lambda judgement: order.index(judgement.id))


STOP = judged(
    "SM-INFER-STOP-01",
    Verdict.FAILED,
    expected="the container ends within 30.0 s of SIGTERM",
    observed="still running after 30.0 s, then killed (exit 137)",
    because="PID 1 is `sh start.sh`, the server its child; the shell does not pass the signal on",
    fix="end start.sh with `exec python main.py`",
    evidence=("SIGTERM at 5.60 s, killed after 30.00 s (limit 30 s)",),
    lives=("serve.full",),
)
FAILURE_FILE = judged(
    "SM-TRAIN-FAIL-02",
    Verdict.WARNED,
    level="SHOULD",
    expected="a failed training says why in /opt/ml/output/failure",
    observed="exit 1, and no file /opt/ml/output/failure",
    fix="write the exception's text to /opt/ml/output/failure before you exit",
    lives=("train.bad_hyperparameter",),
    by_hand="repro/SM-TRAIN-FAIL-02/show.sh",
)
PING = judged(
    "SM-INFER-PING-01",
    Verdict.FAILED,
    expected="GET /ping answers 200 within 8 minutes of the start",
    observed="no 200 in 60.0 s; nothing ever listened on port 8080",
    because="the server listens on 127.0.0.1:5000",
    fix="bind to 0.0.0.0:8080",
    evidence=("listener on 127.0.0.1:5000",),
    lives=("serve.bare",),
    by_hand="repro/SM-INFER-PING-01/show.sh",
)
DEAF = Life(
    name="serve.bare",
    role=INFERENCE,
    seconds=60.0,
    ended="limit",
    limits={"start": 60.0, "ping": 2.0},
    shortened={"start": 480.0},
    events=(Event(at=0.0, what="start"), Event(at=60.0, what="SIGTERM"), Event(at=60.2, what="exit 143")),
)
WAIVED = judged(
    "SM-INFER-INVOKE-01",
    Verdict.WAIVED,
    expected="an invocation is answered",
    observed="500 for request 0",
    fix="mend it",
    reason="the load balancer wants a body, ML-412 (ml-platform, until 2027-01-31)",
    waiver={"owner": "ml-platform", "reason": "the load balancer wants a body, ML-412", "expires": "2027-01-31"},
    lives=("serve.full",),
)


def _conclude(record: Record, judgements: list[Judgement], **options: object) -> ImageResult:
    options = {"suite_version": "0.1.0", "report": "sm-report", "seconds": 54.3, "container_starts": 5, **options}
    return conclude(record, judgements, **options)


def conformant() -> ImageResult:
    lives = {life.name: replace(life, shortened={}) for life in (TRAINED, SERVED)}
    return _conclude(record(lives=lives), passed())


def failing() -> ImageResult:
    blocked = [
        judged(id, Verdict.BLOCKED, blocked_by="SM-INFER-PING-01", reason="rests on SM-INFER-PING-01, which is broken")
        for id in ("SM-INFER-INVOKE-01", "SM-INFER-INVOKE-02", "SM-INFER-PING-02", "SM-INFER-PING-03")
    ]
    na = [judged("SM-IMAGE-USER-02", Verdict.NOT_APPLICABLE, reason="the image runs as root")]
    lives = {life.name: life for life in (TRAINED, SERVED, DEAF)}
    return _conclude(record(lives=lives), but(STOP, PING, FAILURE_FILE, *blocked, *na))


def partial() -> ImageResult:
    missing = "declare [[inference.requests]] with a body of yours: with sample data of ours, 400 for request 0"
    gaps = [judged(id, Verdict.NOT_TESTABLE, reason=missing) for id in ("SM-INFER-INVOKE-01", "SM-INFER-INVOKE-02")]
    seen = [judged("SM-INFER-STOP-01", Verdict.NOT_TESTABLE, reason="needs root on a local Linux engine")]
    return _conclude(
        record(),
        [j for j in but(*gaps, *seen) if j.id != "SM-INFER-PING-02"],
        filtered={"SM-INFER-PING-02"},
        accept_not_testable=("SM-INFER-STOP-01",),
    )


def waived() -> ImageResult:
    return _conclude(
        record(),
        but(WAIVED),
        waiver_problems=["the waiver for SM-INFER-PING-03 (owner ml-platform) is not needed: it passed; delete it"],
    )


def undeclared() -> ImageResult:
    roles = {TRAINING: DECLARED, INFERENCE: UNCLEAR}
    kept = [
        j
        if INFERENCE not in j.roles or len(j.roles) > 1
        else replace(j, verdict=Verdict.NOT_TESTABLE, reason=f"declare roles ({UNCLEAR.why})", roles=())
        for j in passed()
    ]
    return _conclude(record(roles=roles), kept)


def interrupted() -> ImageResult:
    done = passed()[:12]
    return _conclude(
        record(), done, filtered={j.id for j in passed()[12:]}, incomplete="interrupted (Ctrl-C) after 12.4 s"
    )


CASES = {
    "conformant": conformant,
    "failing": failing,
    "partial": partial,
    "waived": waived,
    "undeclared": undeclared,
    "interrupted": interrupted,
}
STATUS = {"conformant": 0, "failing": 1, "partial": 7, "waived": 1, "undeclared": 7, "interrupted": 2}


def head(result: ImageResult) -> Head:
    return Head(
        suite_version=result.suite_version,
        contract=result.contract,
        image=result.record.image,
        engine=result.engine,
        profile=result.profile,
        roles=result.record.roles,
        waivers=["SM-INFER-INVOKE-01 to 2027-01-31 (ml-platform)"] if result.of(Verdict.WAIVED) else (),
    )


UNSEEN = judged("SM-INFER-PING-02", Verdict.NOT_TESTABLE, reason="needs what is not here")


def role(result: ImageResult, name: str) -> RoleResult:
    return next(each for each in result.roles if each.role == name)


def one(*judgements: Judgement, **options: object) -> ImageResult:
    changes = {name: options.pop(name) for name in ("roles", "candidate", "lives") if name in options}
    return conclude(record(**changes), list(judgements), suite_version="0.1.0", **options)


def hostile(text: str) -> ImageResult:
    """A result in which everything that an image or its owner can write is one text."""
    said = text.strip() or "x"
    life = replace(
        SERVED,
        log=(LogLine(at=0.0, stream="stdout", text=text),),
        events=(Event(at=0.0, what=text),),
        invocations=(
            Invocation(name="plain", request=0, content_type="a/b", at=1, seconds=1, status=500, client_sees=text),
        ),
    )
    broken = replace(
        STOP,
        expected=said,
        observed=said,
        because=text,
        fix=said,
        evidence=(text, text),
        lives=("serve.full",),
    )
    invoke = replace(broken, id="SM-INFER-INVOKE-01", verdict=Verdict.WARNED)
    unseen = replace(UNSEEN, reason=said)
    facts = image(entrypoint=(text,), reference="my-image:tag", digest=text)
    return conclude(record(image=facts, lives={life.name: life}), [broken, invoke, unseen], suite_version="0.1.0")


def written(
    result: ImageResult, *, page: Page | None = None, colour: bool = False, verbosity: int = 0, status: int | None = 0
) -> str:
    """The whole terminal text of a run."""
    stream = io.StringIO()
    terminal = Terminal(StreamSink(stream, colour=colour), page or Page(), verbosity=verbosity)
    terminal.head(head(result))
    for judgement in result.judgements:
        terminal.judged(judgement)
    terminal.finish(result, reports=["sm-report/result.json", "sm-report/junit.xml"], status=status)
    return stream.getvalue()


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
