"""Which requirements of the contract concern an image, which of its roles they speak of, and what a profile asks."""

from __future__ import annotations

from collections.abc import Collection

from sm_contract.catalogue import Entry
from sm_contract.record import INFERENCE, ROLES, TRAINING

IMAGE = "image"  # what concerns neither role alone
UNCLAIMED = "features and kinds of product that it does not claim"

# every image meets these, whatever it claims; ECR is where SageMaker pulls from
_EVERY_IMAGE = frozenset({"base-image", "privileges", "offline", "hygiene", "ecr"})
_MARKETPLACE = frozenset({"marketplace", "listing", "documents"})
# File mode is what a training job gets unless it asks for another
_EVERY_ROLE = {"base-training": TRAINING, "training-file": TRAINING, "base-hosting": INFERENCE}
_SERVING_FEATURES = frozenset(
    {
        "adapters",
        "async",
        "batch",
        "bidi",
        "clarify",
        "multi-model",
        "pipeline",
        "serverless",
        "sessions",
        "streaming",
    }
)
_OUTSIDE = frozenset({"registry", "scanner", "manual"})


def role_of(entry: Entry) -> str:
    """The one role a requirement can speak of, or IMAGE; the same for every image, so that reports compare."""
    if entry.scope in _EVERY_ROLE:
        return _EVERY_ROLE[entry.scope]
    if entry.scope.startswith("training-"):
        return TRAINING
    if entry.scope in _SERVING_FEATURES:
        return INFERENCE
    chapter = chapter_of(entry.id)
    if chapter in ("TRAIN", "INFER"):
        return TRAINING if chapter == "TRAIN" else INFERENCE
    runs = {"train", "serve"} & set(entry.needs)
    if len(runs) == 1:
        return TRAINING if "train" in runs else INFERENCE
    return IMAGE


def chapter_of(id: str) -> str:
    """``SM-INFER-PING-02`` belongs to ``INFER``; an owner's own id to its first word."""
    words = id.split("-")
    return words[1] if words[0] == "SM" and len(words) > 2 else words[0]


def applies(entry: Entry, *, roles: Collection[str], features: Collection[str], profile: str | None) -> bool:
    """Whether a requirement concerns an image with these claimed roles and declared features."""
    if not roles or role_of(entry) not in (*roles, IMAGE):
        return False
    if entry.scope in _EVERY_IMAGE or entry.scope in _EVERY_ROLE:
        return True
    if entry.scope in _MARKETPLACE:
        return profile == "marketplace"
    return bool({entry.scope, entry.scope.removeprefix("training-")} & set(features))


def unclaimed(entry: Entry, *, role: str, features: Collection[str], profile: str | None) -> str:
    """Why a requirement does not concern a role of an image, as what it is of; "" if it does."""
    if applies(entry, roles=[role], features=features, profile=profile):
        return ""
    other = next(each for each in ROLES if each != role)
    return other if applies(entry, roles=[other], features=features, profile=profile) else UNCLAIMED


def counts_unjudged(entry: Entry, profile: str | None) -> bool:
    """Whether leaving a requirement unjudged makes a run partial.

    It does for a MUST; but a need for a registry, a scanner or a person counts only where the
    profile asks for it, since no run on an engine could ever meet it.
    """
    if entry.level_in(profile) != "MUST":
        return False
    return not _OUTSIDE & set(entry.needs) or _asked_for(entry, profile)


def _asked_for(entry: Entry, profile: str | None) -> bool:
    if profile is None:
        return False
    return profile in entry.profiles or (profile == "marketplace" and entry.scope in _MARKETPLACE | {"ecr"})
