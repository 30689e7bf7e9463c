"""The image, never started: what REF means, what is in it, and what the kernel would start for a word."""

from __future__ import annotations

from sm_contract.image.facts import Examined, examine, image_facts
from sm_contract.image.reference import BadImage

__all__ = ["BadImage", "Examined", "examine", "image_facts"]
