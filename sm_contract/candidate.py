"""The data a candidate is run with: its owner's, and our own samples where the owner declares none."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sm_contract.declaration import Channel, Declaration
from sm_contract.record import TRAINING, Candidate, RequestFacts
from sm_contract.resources import resource


@dataclass(frozen=True, kw_only=True)
class Request:
    """One sample invocation."""

    body: bytes
    content_type: str
    accept: str = ""
    expect_content_type: str = ""  # of the answer


@dataclass(frozen=True, kw_only=True)
class Given:
    """Everything a scenario feeds the image with. ``declared`` names the kinds that are the owner's."""

    declared: tuple[str, ...]
    roles: tuple[str, ...] | None
    features: tuple[str, ...] = ()
    architecture: str = "amd64"
    concurrency: int = 1
    max_image_size: int | None = None
    hyperparameters: dict[str, str] = field(default_factory=dict)
    bad_hyperparameters: dict[str, str] = field(default_factory=dict)
    long_hyperparameters: dict[str, str] = field(default_factory=dict)
    required_hyperparameters: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    failure_pattern: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    model: Path | None = None
    model_name: str = ""  # as declared
    serving_environment: dict[str, str] = field(default_factory=dict)
    echoes_custom_attributes: bool = False
    additional_models: dict[str, Path] = field(default_factory=dict)  # folders, by channel
    requests: tuple[Request, ...] = ()

    def table_of(self, role: str) -> str:
        """The table of the declaration that gives data of the owner's for a role; "" if there is none."""
        own = set(self.declared) & ({"channels"} if role == TRAINING else {"model", "requests"})
        values = self.hyperparameters or self.bad_hyperparameters or self.long_hyperparameters
        return f"[{role}]" if own or (role == TRAINING and values) else ""

    def facts(self) -> Candidate:
        """What a requirement may look at."""
        return Candidate(
            declared=self.declared,
            features=self.features,
            architecture=self.architecture,
            concurrency=self.concurrency,
            max_image_size=self.max_image_size,
            hyperparameters=self.hyperparameters,
            bad_hyperparameters=self.bad_hyperparameters,
            long_hyperparameters=self.long_hyperparameters,
            required_hyperparameters=self.required_hyperparameters,
            outputs=self.outputs,
            failure_pattern=self.failure_pattern,
            environment=self.environment,
            serving_environment=self.serving_environment,
            echoes_custom_attributes=self.echoes_custom_attributes,
            additional_models=tuple(self.additional_models),
            required_channels=tuple(name for name, channel in self.channels.items() if channel.required),
            optional_channels=tuple(name for name, channel in self.channels.items() if not channel.required),
            requests=tuple(_facts(request) for request in self.requests),
        )


def given(declaration: Declaration | None) -> Given:
    """The data of a declaration, each missing kind filled with our sample."""
    if declaration is None:
        return Given(declared=(), roles=None, channels=_sample_channels(), requests=_sample_requests())
    training, inference = declaration.training, declaration.inference
    channels = dict(training.channels) if training else {}
    requests = tuple(
        Request(
            body=request.body.read_bytes(),
            content_type=request.content_type,
            accept=request.accept or "",
            expect_content_type=request.expect_content_type or "",
        )
        for request in (inference.requests if inference else ())
    )
    model = inference.model if inference else None
    kinds = {
        "channels": channels,
        "model": model,
        "requests": requests,
        "concurrency": declaration.concurrency,
    }
    return Given(
        declared=tuple(kind for kind, value in kinds.items() if value),
        roles=declaration.roles,
        features=declaration.features,
        architecture=declaration.architecture,
        concurrency=declaration.concurrency or 1,
        max_image_size=declaration.max_image_size,
        hyperparameters=dict(training.hyperparameters) if training else {},
        bad_hyperparameters=dict(training.bad_hyperparameters) if training else {},
        long_hyperparameters=dict(training.long_hyperparameters) if training else {},
        required_hyperparameters=tuple(training.required_hyperparameters) if training else (),
        outputs=tuple(training.outputs) if training else (),
        failure_pattern=training.failure_pattern if training else "",
        environment=dict(training.environment) if training else {},
        channels=channels or _sample_channels(),
        model=model,
        model_name=model.name if model else "",
        serving_environment=dict(inference.environment) if inference else {},
        echoes_custom_attributes=inference is not None and inference.echoes_custom_attributes,
        additional_models=dict(inference.additional_models) if inference else {},
        requests=requests or _sample_requests(),
    )


def _sample_channels() -> dict[str, Channel]:
    return {"training": Channel(path=resource("data", "sample", "training"), content_type="text/csv")}


def _sample_requests() -> tuple[Request, ...]:
    bodies = resource("data", "sample", "requests")
    return (
        Request(body=(bodies / "request.csv").read_bytes(), content_type="text/csv"),
        Request(body=(bodies / "request.json").read_bytes(), content_type="application/json"),
    )


def _facts(request: Request) -> RequestFacts:
    try:
        request.body.decode("utf-8")
        text = True
    except UnicodeDecodeError:
        text = False
    return RequestFacts(
        content_type=request.content_type,
        accept=request.accept,
        body_bytes=len(request.body),
        text=text,
        expect_content_type=request.expect_content_type,
    )
