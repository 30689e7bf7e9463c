"""Judging a table by a JSON Schema of ours, and saying what is wrong with it in one line each."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time
from typing import Any

from sm_contract.resources import resource


def schema_problems(name: str, table: dict[str, Any]) -> Iterator[tuple[Sequence[str | int], str]]:
    """What a JSON Schema of ours has against a table: where, and what to do, in words."""
    import jsonschema  # noqa: PLC0415  # a run without our options must not load it

    incomplete: list[Sequence[str | int]] = []
    schema = json.loads(resource("schemas", name).read_text(encoding="utf-8"))
    for error in jsonschema.Draft202012Validator(schema).iter_errors(table):
        path = list(error.absolute_path)
        if error.validator == "additionalProperties":
            valid = list(error.schema["properties"])
            for unknown in error.instance.keys() - set(valid):
                yield [*path, unknown], f"unknown key{near(unknown, valid)}"
        elif error.validator == "required":
            if path not in incomplete:  # it is said once for each missing key
                missing = [key for key in error.validator_value if key not in error.instance]
                yield path, f"{' and '.join(missing)} missing"
            incomplete.append(path)
        else:
            yield path, _said(error.validator, error.validator_value, error.instance, str(path[-1]) if path else "")


def _said(rule: str, wanted: Any, found: Any, key: str) -> str:
    composed = isinstance(found, (dict, list))
    shown = f"found {_kind(found) if composed else json.dumps(found, ensure_ascii=False)}"
    if rule == "enum":
        return f"{shown}{near(str(found), wanted)}"
    if rule == "type":
        hint = f'; write "{found}"' if wanted == "string" and isinstance(found, (int, float)) else ""
        kind = "" if composed else f", {_kind(found)}"
        return f"{shown}{kind}, where {_KINDS[wanted]} is wanted{'' if isinstance(found, bool) else hint}"
    rules = {
        "minimum": f"{shown}; the smallest valid value is {wanted}",
        "maximum": f"{shown}; the largest valid value is {wanted}",
        "uniqueItems": "names one value twice",
        "minItems": "is empty; name at least one, or leave the key out",
        "minLength": "is empty",
        "maxProperties": f"holds {len(found) if isinstance(found, dict) else 0}; at most {wanted} are valid",
        "pattern": f"{shown}{_EXAMPLES.get(key, ', which is no valid value')}",
    }
    return rules.get(rule, f"{shown}, which does not fit")


_EXAMPLES = {
    "expires": "; write a day as in 2027-01-31",
    "max_image_size": "; write a size as in 500 MB, 10 GB or 2 GiB",
}
_KINDS = {
    "string": "a string",
    "integer": "an integer",
    "boolean": "true or false",
    "array": "an array",
    "object": "a table",
}


def _kind(value: object) -> str:
    kinds = ((bool, "a boolean"), (str, "a string"), (int, "an integer"), (float, "a number"), (list, "an array"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "a table")


def near(name: str, valid: Iterable[str]) -> str:
    """``; did you mean …?`` or, of a short list, all that is valid; to be put behind a message."""
    names = [str(each) for each in valid]
    closest = difflib.get_close_matches(name, names, n=1, cutoff=0.7)
    if closest:
        return f"; did you mean {closest[0]}?"
    return f"; valid are {', '.join(names)}" if 0 < len(names) <= 20 else ""


def near_ids(id: str, known: Iterable[str]) -> str:
    """``; did you mean SM-…, SM-… or SM-…?``: the ids of the contract that may be meant, to be put behind a message."""
    ids, wanted = list(dict.fromkeys(known)), id.upper()  # an id may be its own alias
    meant = [each for each in ids if wanted in each] or difflib.get_close_matches(wanted, ids, n=3, cutoff=0.7)
    if not meant:
        return "; see --sm-list"
    *others, last = meant[:3]
    return f"; did you mean {', '.join(others)}{' or ' if others else ''}{last}?"


def plain(value: Any) -> Any:
    """TOML's dates as text, so that JSON Schema can judge them."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value.isoformat() if isinstance(value, (date, datetime, time)) else value
