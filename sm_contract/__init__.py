"""Judges any container image against the Amazon SageMaker container contract.

For checks of your own: ``requirement``, and the findings ``Violation``, ``NotTestable``, ``NotApplicable``.
"""

from sm_contract.requirement import requirement
from sm_contract.verdict import NotApplicable, NotTestable, Violation

__version__ = "0.1.0"
__all__ = ["NotApplicable", "NotTestable", "Violation", "__version__", "requirement"]
