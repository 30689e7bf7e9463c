"""A record of an image that keeps the whole contract, as a run on an engine would leave it; built without one."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from sm_contract.record import (
    AFTER_KILL,
    AGAIN,
    ALONE,
    ANY_ACCEPT,
    BIG,
    INFERENCE,
    MALFORMED,
    NO_ACCEPT,
    PARALLEL,
    TRAINING,
    Asked,
    Candidate,
    Event,
    FileFact,
    ImageFacts,
    Invocation,
    Kill,
    LayerFact,
    Life,
    Listener,
    LogLine,
    ManifestFact,
    ModelFacts,
    Ping,
    Program,
    Record,
    RequestFacts,
    RoleFact,
    Stop,
    TrainingResult,
    TreeFile,
    Written,
)

LIMITS = {
    "start": 480.0,
    "ping": 2.0,
    "invoke": 60.0,
    "stop": 30.0,
    "connect": 0.25,
    "train_stop": 120.0,
    "train": 3600.0,
    "idle": 60.0,
}
REQUESTS = (
    RequestFacts(content_type="text/csv", accept="application/json", body_bytes=31),
    RequestFacts(content_type="application/json", accept="text/csv", body_bytes=58, expect_content_type="text/csv"),
    RequestFacts(content_type="application/octet-stream", accept="application/json", body_bytes=96, text=False),
)
MODEL = (TreeFile(path="model.json", kind="file", size=212, mode=0o644),)
DATA = TreeFile(path="data", kind="directory", mode=0o755)
REPORT = TreeFile(path="data/report.json", kind="file", size=48, mode=0o644)
STRICT = ("no capabilities", "read-only root", "1,024 open files")
READY = 0.62
LAST = 6.2  # seconds, when a thorough life of a server is stopped


def good_record() -> Record:
    """Both roles, everything declared, the server given the model that training made."""
    lives = [
        trained("train.full", conditions=("everything optional", "isolated", "read-only input"), network="internal"),
        trained("train.bare", conditions=("nothing optional", "ordinary network")),
        refused_training("train.bad_hyperparameter", "ValueError: epochs: 'minus one' is no number"),
        refused_training("train.bad_data", "ValueError: /opt/ml/input/data/training/train.csv: no row can be read"),
        refused_training("train.missing_channel", "FileNotFoundError: '/opt/ml/input/data/training'"),
        replace(
            refused_training("train.killed_child", "trainer was killed"),
            exit_code=137,
            kill=Kill(at=1.9, victim="python3 /opt/program/trainer.py", depth=1),
        ),
        trained("train.odd"),
        stopped_training("train.stopped"),
        trained("train.strict", conditions=STRICT),
        served("serve.full", conditions=("everything optional", "isolated", "read-only model"), network="internal"),
        served("serve.bare", conditions=("nothing optional", "ordinary network")),
        brief(served("serve.again", network="none")),
        probed(served("serve.probed")),
        brief(served("serve.strict", conditions=STRICT)),
        brief(served("serve.other_user", conditions=("another user",))),
        crashed(served("serve.empty"), 1, "FileNotFoundError: '/opt/ml/model/model.json'"),
    ]
    return Record(
        image=image(),
        candidate=Candidate(
            declared=("channels", "requests"),
            concurrency=2,
            max_image_size=100_000_000,
            hyperparameters={"epochs": "5", "rate": "0.05"},
            bad_hyperparameters={"epochs": "minus one"},
            required_channels=("training",),
            optional_channels=("validation",),
            requests=REQUESTS,
            echoes_custom_attributes=True,
        ),
        roles={
            TRAINING: RoleFact(claimed=True, how="declared", why="roles = [training, inference]"),
            INFERENCE: RoleFact(claimed=True, how="declared", why="roles = [training, inference]"),
        },
        model=ModelFacts(source="trained", members=MODEL),
        lives={life.name: life for life in lives},
        engine={"name": "docker", "version": "20.10.24", "platform": "linux/amd64"},
    )


# --- the image --------------------------------------------------------------------------------------


def image(reference: str = "registry.example/team/linear:1.4") -> ImageFacts:
    """No ENTRYPOINT: `train` and `serve` are scripts on PATH."""
    folder = FileFact(path="/opt/program", real_path="/opt/program", kind="directory", mode=0o755)
    return ImageFacts(
        reference=reference,
        source="engine",
        id=f"sha256:{'5' * 64}",
        os="linux",
        architecture="amd64",
        size=61_000_000,
        manifest=manifest(),
        env=("PATH=/opt/program:/usr/local/bin:/usr/bin:/bin",),
        workdir="/opt/program",
        layers=4,
        workdir_file=folder,
        passwd=("root", "0", "nobody", "65534"),
        groups=("root", "0"),
        programs={word: program(word) for word in ("train", "serve")},
    )


def manifest() -> ManifestFact:
    """One image manifest of Docker V2 schema 2."""
    kind = "application/vnd.docker.image.rootfs.diff.tar.gzip"
    return ManifestFact(
        media_type="application/vnd.docker.distribution.manifest.v2+json",
        characters=1160,
        layers=tuple(LayerFact(media_type=kind, size=size) for size in (21_000_000, 4_000_000, 1200, 900)),
    )


def program(word: str) -> Program:
    """A Python script of that name."""
    path = f"/opt/program/{word}"
    python = FileFact(path="/usr/bin/python3", real_path="/usr/bin/python3.11", kind="file", mode=0o755, size=6_800_000)
    return Program(
        word=word,
        argv=(word,),
        file=FileFact(path=path, real_path=path, kind="file", mode=0o755, size=2100),
        looked_in=("/opt/program",),
        form="script",
        interpreter="/usr/bin/env python3",
        interpreter_file=python,
        first_line="#!/usr/bin/env python3",
        machine="amd64",
        loader="/lib64/ld-linux-x86-64.so.2",
        knows_word=None,
    )


# --- trainings --------------------------------------------------------------------------------------


def trained(name: str, conditions: tuple[str, ...] = (), network: str = "ordinary") -> Life:
    """A training that went well."""
    return Life(
        name=name,
        role=TRAINING,
        conditions=conditions,
        command=("train",),
        network=network,
        seconds=1.4,
        neighbours=1,
        exit_code=0,
        ended="itself",
        limits=LIMITS,
        attempts=() if network != "none" else None,
        events=(Event(at=0.0, what="start"), Event(at=1.4, what="exit 0")),
        log=lines("reading 90 rows", "epoch 5: mean squared error 0.031", "saved /opt/ml/model/model.json"),
        written=Written(),
        result=TrainingResult(status="Completed", model=MODEL, output=(DATA, REPORT)),
    )


def refused_training(name: str, why: str, code: int = 1) -> Life:
    """A training that failed, and said so in its log and in the failure file."""
    life = fail(trained(name), code, "Traceback (most recent call last):", why)
    file = TreeFile(path="failure", kind="file", size=len(why), mode=0o644, mtime=1_700_000_000.0)
    reason = f"AlgorithmError: {why}, exit code: {code}"
    result = TrainingResult(
        status="Failed", failure_reason=reason, output=(DATA, file), failure=why, failure_at=life.seconds - 0.02
    )
    return replace(life, result=result)


def stopped_training(name: str) -> Life:
    """A training that was stopped in mid-run, and ended."""
    return replace(
        trained(name),
        seconds=2.1,
        exit_code=143,
        ended="stopped",
        written=None,
        events=(Event(at=0.0, what="start"), Event(at=2.0, what="SIGTERM"), Event(at=2.1, what="exit 143")),
        log=lines("reading 90 rows"),
        stop=Stop(at=2.0, seconds=0.1, limit=120.0, killed=False),
        result=TrainingResult(status="Stopped", output=(DATA,)),
    )


def fail(life: Life, code: int, *log: str) -> Life:
    """The same training, ended by itself with a code other than 0 and no model."""
    result = TrainingResult(status="Failed", failure_reason=f"AlgorithmError: , exit code: {code}")
    events = (Event(at=0.0, what="start"), Event(at=0.8, what=f"exit {code}"))
    return replace(
        life,
        seconds=0.8,
        exit_code=code,
        ended="itself",
        log=lines(*log),
        written=None,
        result=result,
        events=events,
    )


# --- servers ----------------------------------------------------------------------------------------


def served(name: str, conditions: tuple[str, ...] = (), network: str = "ordinary") -> Life:
    """A thorough life of a server that did all it should."""
    return Life(
        name=name,
        role=INFERENCE,
        conditions=conditions,
        command=("serve",),
        network=network,
        seconds=LAST + 0.1,
        neighbours=1,
        exit_code=0,
        ended="stopped",
        limits=LIMITS,
        attempts=() if network != "none" else None,
        events=(
            Event(at=0.0, what="start"),
            Event(at=READY, what="ping 200"),
            Event(at=1.0, what="healthy"),
            Event(at=LAST, what="SIGTERM"),
            Event(at=LAST + 0.1, what="exit 0"),
        ),
        log=lines("loading /opt/ml/model/model.json", "listening on 0.0.0.0:8080"),
        ready_at=READY,
        pings=_pings(),
        invocations=_invocations(),
        listeners=(Listener(address="0.0.0.0", port=8080, pid_one=True, catches_sigterm=True, ignores_sigterm=False),),
        stop=Stop(at=LAST, seconds=0.09, limit=30.0, killed=False),
    )


def brief(life: Life) -> Life:
    """A server's life that is not thorough: healthy, one invocation, stopped."""
    first = tuple(one for one in life.invocations if one.name == "plain" and one.request == 0)
    return replace(life, seconds=1.6, pings=life.pings[:9], invocations=first)


def probed(life: Life) -> Life:
    """A server's life in which it is asked odd things, and takes them all as it should."""
    plain = [answer("plain", request, 1.05 + request / 50) for request in range(len(REQUESTS))]
    accept = [replace(answer(name, 0, 1.2), accept=given) for name, given in ((NO_ACCEPT, ""), (ANY_ACCEPT, "*/*"))]
    alone = [replace(one, name=ALONE) for one in plain for _ in range(2)]
    beside = [replace(one, name=PARALLEL, at=1.5) for one in plain for _ in range(3)]
    big = replace(answer(BIG, 1, 1.6), body_of="a body of 6 MB")
    bad = [
        replace(answer(MALFORMED, 1, 1.7 + n / 10, 400, '{"error": "no JSON"}'), body_of=what, broken=n > 0)
        for n, what in enumerate(("an empty body", "a single brace", "bytes that are no UTF-8"))
    ]
    again = [answer(AGAIN, 0, round(one.at + 0.02, 2)) for one in (big, *bad)]
    pings = [replace(life.pings[-1], at=round(one.at - 0.01, 2), busy=False) for one in again]
    again.append(answer(AFTER_KILL, 0, 2.02))
    sent = sorted([*plain, *accept, *alone, *beside, big, *bad, *again], key=lambda one: one.at)
    hosts = [f"{what} for Host sm-contract.example" for what in ("GET /ping", "POST /invocations")]
    statuses = {**dict.fromkeys(hosts, 200), "POST /ping": 405, "GET /metrics": 404}
    asked = tuple(
        Asked(what=what, at=round(1.25 + n / 50, 2), seconds=0.002, status=status, ping_ok=True)
        for n, (what, status) in enumerate(statuses.items())
    )
    return replace(
        life,
        seconds=2.1,
        pings=(*life.pings[:6], *pings, replace(life.pings[-1], at=2.01, busy=False)),
        invocations=tuple(sent),
        asked=asked,
        kill=Kill(at=2.0, victim="gunicorn: worker [wsgi]", depth=2),
    )


def crashed(life: Life, code: int, *log: str) -> Life:
    """The same server, ended by itself before it was healthy."""
    events = (Event(at=0.0, what="start"), Event(at=0.4, what=f"exit {code}"))
    refused = tuple(ping for ping in life.pings if ping.error == "refused")
    return replace(
        life,
        seconds=0.4,
        exit_code=code,
        ended="itself",
        log=lines(*log),
        events=events,
        ready_at=None,
        pings=refused,
        invocations=(),
        listeners=None,
        stop=None,
    )


def unhealthy(life: Life, *pings: Ping, listeners: tuple[Listener, ...] | None = (), first_bytes: str = "") -> Life:
    """The same server, running until its window was over and never healthy."""
    return replace(
        life,
        seconds=480.6,
        exit_code=143,
        ended="stopped",
        events=(
            Event(at=0.0, what="start"),
            Event(at=480.0, what="not healthy in time"),
            Event(at=480.1, what="SIGTERM"),
        ),
        ready_at=None,
        pings=pings,
        invocations=(),
        listeners=listeners,
        first_bytes=first_bytes,
        stop=Stop(at=480.1, seconds=0.4, limit=30.0, killed=False),
    )


def answer(name: str, request: int, at: float, status: int | None = 200, body: str = "") -> Invocation:
    """One invocation; the same request gets the same body."""
    facts = REQUESTS[request]
    text = body or ("1.5\n" if facts.accept == "text/csv" else f'{{"predictions": [{request}.5]}}')
    return Invocation(
        name=name,
        request=request,
        content_type=facts.content_type,
        accept=facts.accept,
        at=at,
        seconds=0.012,
        connect_seconds=0.0004,
        status=status,
        headers=(("Content-Type", facts.accept), ("Content-Length", str(len(text)))),
        body_sha256=hashlib.sha256(text.encode()).hexdigest(),
        body_bytes=len(text),
        body_head=text,
        reads_as=("json",) if facts.accept == "application/json" else (),
        attributes_back=True if name in ("custom attributes", "all headers") else None,
    )


def in_time(at: float = 0.0, seconds: float = 0.001) -> tuple[Ping, ...]:
    """The pings of a control beside a life alone; one of them takes ``seconds``."""
    pings = [Ping(at=round(n / 5, 1), seconds=0.001, status=200, connect_seconds=0.0002) for n in range(32)]
    return tuple(replace(ping, seconds=seconds) if ping.at == at else ping for ping in pings)


def lines(*texts: str) -> tuple[LogLine, ...]:
    """Log lines, a tenth of a second apart."""
    return tuple(LogLine(at=round(0.1 + n / 10, 1), stream="stderr", text=text) for n, text in enumerate(texts))


def _pings() -> tuple[Ping, ...]:
    before = [Ping(at=at, seconds=0.0003, error="refused") for at in (0.02, 0.1, 0.4)]
    after = [
        Ping(
            at=round(READY + n / 5, 2),
            seconds=0.002,
            status=200,
            connect_seconds=0.0003,
            body_bytes=1,
            busy=1.0 <= READY + n / 5 <= 3.4,
        )
        for n in range(28)
    ]
    return (*before, *after)


def _invocations() -> tuple[Invocation, ...]:
    plain = [answer("plain", request, 1.05 + request / 50) for request in range(len(REQUESTS))]
    names = ("repeated", "extra headers", "custom attributes", "all headers")
    others = [answer(name, 0, 1.15 + n / 50) for n, name in enumerate(names)]
    return (*plain, *others, *(answer("busy", 0, round(1.3 + n / 5, 2)) for n in range(10)))
