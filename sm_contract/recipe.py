"""How a life was set up: all that somebody needs to live it once more by hand. Plain data beside the record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sm_contract.engine.protocol import ContainerSpec
from sm_contract.platform.content import Content


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One invocation as it went out, beside Host and Content-Length."""

    name: str  # as in the record
    request: int
    headers: Mapping[str, str]
    body: bytes
    body_of: str = ""  # as in the record
    asked: tuple[str, str, str] | None = None  # method, path and Host of a request of another kind


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The container of one life, what its volumes held, and what was sent to it."""

    life: str
    spec: ContainerSpec
    contents: Mapping[str, Content]  # by the place of the volume
    sent: list[Sent] = field(default_factory=list)  # those of a kind once; grows while the life goes on
