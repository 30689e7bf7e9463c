"""What the body of an answer is, whatever its Content-Type says."""

from __future__ import annotations

import codecs
import json
import re

HEAD = 4096  # bytes in which markup begins
MOST = 8 * 1024 * 1024  # bytes that are looked at
_MARKUP = re.compile(r"\s*<[!?:\w]")  # a name may have a prefix or be in any language
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def reads_as(body: bytes) -> tuple[str, ...]:
    """Of "json" (an object, a list, a text, a number …), "jsonlines" and "markup" (HTML, XML), those that it is."""
    encoding = "utf-16" if body.startswith(_WIDE) else "utf-8-sig"  # or another one, which is named in ASCII
    markup = ["markup"] if _MARKUP.match(body[:HEAD].decode(encoding, "replace")) else []
    found = []
    try:
        text = body.decode("utf-8")  # JSON is always that
    except UnicodeDecodeError:
        return tuple(markup)
    if _json(text):
        found.append("json")
    lines = [line for line in text.split("\n") if line.strip()]  # a text may hold other line ends as they are
    if lines and all(map(_json, lines)):
        found.append("jsonlines")
    return (*found, *markup)


def structured(head: str) -> bool:
    """Whether a text begins as a JSON object or list does."""
    return head.lstrip()[:1] in ("{", "[")


def _json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
