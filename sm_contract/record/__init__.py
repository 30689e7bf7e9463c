"""The record: what was observed of one image, and what its owner said of it. Plain frozen data; it judges nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

from sm_contract.record.image import FileFact, GpuFacts, Healthcheck, ImageFacts, LayerFact, ManifestFact, Program
from sm_contract.record.life import (
    AFTER_KILL,
    AFTERWARDS,
    AGAIN,
    ALONE,
    ANY_ACCEPT,
    BIG,
    BUSY,
    EARLY,
    HUGE,
    INFERENCE,
    MALFORMED,
    NO_ACCEPT,
    NOT_YET,
    PARALLEL,
    ROLES,
    TRAINING,
    WORD,
    Asked,
    Attempt,
    Event,
    Invocation,
    Kill,
    Life,
    Listener,
    LogLine,
    Ping,
    Stop,
    Survivor,
    TrainingResult,
    TreeFile,
    Written,
)

__all__ = [
    "AFTERWARDS",
    "AFTER_KILL",
    "AGAIN",
    "ALONE",
    "ANY_ACCEPT",
    "BIG",
    "BUSY",
    "EARLY",
    "HUGE",
    "INFERENCE",
    "MALFORMED",
    "NOT_YET",
    "NO_ACCEPT",
    "PARALLEL",
    "ROLES",
    "TRAINING",
    "WORD",
    "Asked",
    "Attempt",
    "Candidate",
    "Event",
    "FileFact",
    "GpuFacts",
    "Healthcheck",
    "ImageFacts",
    "Invocation",
    "Kill",
    "LayerFact",
    "Life",
    "Listener",
    "LogLine",
    "ManifestFact",
    "ModelFacts",
    "Ping",
    "Program",
    "Record",
    "RequestFacts",
    "RoleFact",
    "Stop",
    "Survivor",
    "TrainingResult",
    "TreeFile",
    "Written",
]


@dataclass(frozen=True, kw_only=True)
class RoleFact:
    """Whether the image claims a role, and how that is known."""

    claimed: bool | None  # None: cannot be told; the owner has to declare it
    how: str  # "declared" or "found out"
    why: str


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """The model the server was given."""

    source: str  # "declared archive", "declared folder", "trained", "none"
    path: str = ""
    magic: str = ""  # "gzip", "zip", "tar", "other", of an archive
    problem: str = ""  # why it could not be unpacked
    members: tuple[TreeFile, ...] = ()
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class RequestFacts:
    content_type: str
    accept: str = ""
    body_bytes: int = 0
    text: bool = True  # the body is valid UTF-8
    expect_content_type: str = ""  # of the answer, as declared


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What the owner says of the image; what is missing was filled with our own sample data."""

    declared: tuple[str, ...] = ()  # what is the owner's: "channels", "model", "requests", "concurrency"
    features: tuple[str, ...] = ()
    architecture: str = "amd64"
    concurrency: int = 1
    max_image_size: int | None = None  # bytes
    hyperparameters: dict[str, str] = field(default_factory=dict)
    bad_hyperparameters: dict[str, str] = field(default_factory=dict)
    long_hyperparameters: dict[str, str] = field(default_factory=dict)
    required_hyperparameters: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()  # patterns below /opt/ml/output/data
    failure_pattern: str = ""
    environment: dict[str, str] = field(default_factory=dict)  # of the training job
    serving_environment: dict[str, str] = field(default_factory=dict)  # of the model
    echoes_custom_attributes: bool = False  # the model code gives back what it was sent
    additional_models: tuple[str, ...] = ()  # channels of additional model data sources
    required_channels: tuple[str, ...] = ()
    optional_channels: tuple[str, ...] = ()
    requests: tuple[RequestFacts, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Record:
    """All that was observed of one image (or of one pair) in one run."""

    image: ImageFacts  # of the role's image where two are judged as a pair: the inference image
    training_image: ImageFacts | None = None  # of a pair only
    candidate: Candidate = field(default_factory=Candidate)
    roles: dict[str, RoleFact] = field(default_factory=dict)
    model: ModelFacts = field(default_factory=lambda: ModelFacts(source="none"))
    runs: tuple[str, ...] | None = None  # those that the selected requirements asked for; None: not known
    lives: dict[str, Life] = field(default_factory=dict)
    engine: dict[str, str] = field(default_factory=dict)  # name, version, platform, root access; empty: none answered
    emulated: bool = False
    unfinished: tuple[str, ...] = ()  # roles whose runs were cut short: what is missing may be what names a cause
    unstartable: str = ""  # why nothing was started at all, if so: "needs an arm64 engine", "no engine answers"
