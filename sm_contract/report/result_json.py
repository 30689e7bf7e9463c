"""``result.json``: the whole result for machines; its schema is ``schemas/result.schema.json``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from sm_contract.measured import biggest, spreads
from sm_contract.record import ImageFacts, Record
from sm_contract.report.cloud import cloud_words
from sm_contract.result import Coverage, ImageResult, RoleResult, platform
from sm_contract.verdict import Judgement

SCHEMA_VERSION = 1

Json = dict[str, Any]


def result_json(results: Sequence[ImageResult], *, status: int | None = None, error: str = "") -> str:
    """The document as text. Pure ASCII, so that no text of an image can make it unreadable."""
    return json.dumps(document(results, status=status, error=error), indent=1, allow_nan=False) + "\n"


def document(results: Sequence[ImageResult], *, status: int | None = None, error: str = "") -> Json:
    """The document of one run; ``error`` is why nothing came of it."""
    return {
        "schema_version": SCHEMA_VERSION,
        "exit_status": status,
        **({"error": error} if error else {}),
        "incomplete": not results or any(result.incomplete for result in results),
        "images": [_image(result) for result in results],
    }


def _image(result: ImageResult) -> Json:
    record = result.record
    return {
        **_facts(record.image),
        "training_image": _facts(record.training_image) if record.training_image is not None else None,
        "contract": result.contract,
        "suite_version": result.suite_version,
        "profile": result.profile,
        "strict": result.strict,
        "engine": dict(result.engine),
        "emulated": record.emulated,
        "not_started": record.unstartable,
        "incomplete": bool(result.incomplete),
        "incomplete_because": result.incomplete,
        "roles": _roles(result),
        "coverage": _coverage(result.coverage),
        "counts": {
            **{verdict.value: count for verdict, count in result.counts.items()},
            "not judged": result.not_judged,
        },
        "verdicts": [_verdict(judgement, result) for judgement in result.judgements],
        "not_built": list(result.not_built),
        "filtered": list(result.filtered),
        "waiver_problems": list(result.waiver_problems),
        "shortened": [
            {"wait": s.wait, "seconds": s.used, "contract_seconds": s.contract, "lives": list(s.lives)}
            for s in result.shortened
        ],
        "measured": {
            "seconds": [
                {"what": s.what, "count": s.count, "median": s.median, "p95": s.p95, "longest": s.longest}
                for s in spreads(record)
            ],
            "biggest_body": _biggest(record),
        },
        "durations": {
            "run": _number(result.seconds),
            "lives": {name: _number(life.seconds) for name, life in record.lives.items()},
        },
        "container_starts": result.container_starts,
    }


def _biggest(record: Record) -> Json | None:
    one = biggest(record)
    if one is None:
        return None
    return {"what": one.body_of, "status": one.status, "error": one.error, "seconds": _number(one.seconds)}


def _facts(image: ImageFacts) -> Json:
    return {
        "reference": image.reference,
        "id": image.id,
        "digest": image.digest,
        "platform": platform(image),
        "size": image.size,
        "entrypoint": list(image.entrypoint),
        "cmd": list(image.cmd),
    }


def _roles(result: ImageResult) -> Json:
    roles: Json = {role.role: _role(role, result) for role in result.roles}
    for name, fact in result.not_claimed.items():
        roles[name] = {"claimed": False, "how": fact.how, "why": fact.why, "conclusion": None}
    return roles


def _role(role: RoleResult, result: ImageResult) -> Json:
    fact = result.record.roles.get(role.role)
    return {
        "claimed": fact.claimed if fact is not None else None,
        "how": role.how,
        "why": role.why,
        "conclusion": role.conclusion.value,
        "text": role.text,
        "coverage": _coverage(role.coverage),
        "broken": list(role.broken),
        "waived": list(role.waived),
        "gaps": [{"id": g.id, "kind": g.kind, "reason": g.reason, "accepted": g.accepted} for g in role.gaps],
    }


def _coverage(coverage: Coverage) -> Json:
    return {
        "judged": coverage.judged,
        "can_fail": coverage.can_fail,
        "contract": coverage.contract,
        "text": str(coverage),
    }


def _verdict(judgement: Judgement, result: ImageResult) -> Json:
    verdict: Json = {
        "id": judgement.id,
        "title": judgement.title,
        "level": judgement.level,
        "scope": judgement.scope,
        "roles": list(judgement.roles),
        "verdict": judgement.verdict.value,
        "expected": judgement.expected,
        "observed": judgement.observed,
        "because": judgement.because,
        "fix": judgement.fix,
        "reason": judgement.reason,
        "cloud": cloud_words(judgement, result.record),
        "sources": list(judgement.sources),
        "evidence_class": judgement.evidence_class,
        "evidence": list(judgement.evidence),
        "lives": list(judgement.lives),
        "seconds": _number(judgement.seconds),
    }
    optional: Mapping[str, object] = {
        "by_hand": judgement.by_hand,
        "waiver": judgement.waiver,
        "traceback": judgement.traceback,
    }
    return {**verdict, **{name: value for name, value in optional.items() if value}}


def _number(value: float) -> float | None:
    """Three decimals; None for what JSON has no number for."""
    return round(value, 3) if math.isfinite(value) else None
