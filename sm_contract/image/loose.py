"""JSON that somebody else wrote: what is there in the right shape, and nothing where it is not."""

from __future__ import annotations

from typing import Any


def maps(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def strings(value: Any) -> tuple[str, ...]:
    """A list of strings as the engine reads it: one string stands for a list of one."""
    if isinstance(value, str):
        return (value,)
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def number(value: Any, default: int = 0) -> int:
    return value if isinstance(value, int) else default
