"""Judges any container image against the Amazon SageMaker container contract.

For checks of your own: ``requirement``, and the findings ``Violation``, ``NotTestable``, ``NotApplicable``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sm_contract.requirements import requirement
    from sm_contract.verdict import NotApplicable, NotTestable, Violation

__version__ = "0.1.0"
__all__ = ["NotApplicable", "NotTestable", "Violation", "__version__", "requirement"]


def __getattr__(name: str) -> object:
    """Import the public names when they are asked for: pytest loads this package in every project."""
    if name == "requirement":
        from sm_contract.requirements import requirement  # noqa: PLC0415

        return requirement
    if name in __all__:
        from sm_contract import verdict  # noqa: PLC0415

        return getattr(verdict, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
