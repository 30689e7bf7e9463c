"""What ``-k`` finds where the contract is judged alone: parts of an id, words of a title, a chapter, a role.

pytest's own ``-k`` looks into the names of images, modules and markers as well, so that ``-k TRAIN`` would find
``my-trainer:1`` and whatever speaks of both roles.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from sm_contract.judge import roles_of
from sm_contract.requirements import Requirement
from sm_contract.schema import near

_OPERATORS = ("and", "or", "not")
_PART = re.compile(r"[^\s()]+")
_WORD = re.compile(r"\w[\w.-]*\w|\w")


def chooser(expression: str) -> Callable[[Requirement, str], bool]:
    """Whether a requirement, of an image of that name, is meant by an expression. Raises ValueError if it is none."""

    def python(part: re.Match[str]) -> str:
        return part[0] if part[0] in _OPERATORS else f"has({part[0]!r})"

    try:
        code = compile(_PART.sub(python, expression.strip()), "-k", "eval")
        _evaluate(code, lambda _: True)
    except (SyntaxError, TypeError):
        raise ValueError(f"-k: {expression!r} is no expression; join words by and, or, not and parentheses") from None
    return lambda requirement, image: _evaluate(code, lambda word: _found(word, requirement, image))


def meant(expression: str, requirements: Iterable[Requirement]) -> str:
    """``; did you mean PING?`` for an expression of one word that finds nothing."""
    words = _PART.findall(expression)
    parts = {part for requirement in requirements for part in requirement.id.split("-") if part.isalpha()}
    return near(words[0].upper(), sorted(parts)) if len(words) == 1 else ""


def _evaluate(code: object, has: Callable[[str], bool]) -> bool:
    # nothing but has("…"), the operators and parentheses is left in it
    return bool(eval(code, {"__builtins__": {}}, {"has": has}))  # type: ignore[arg-type]  # a code object


def _found(word: str, requirement: Requirement, image: str) -> bool:
    """A word in capitals is looked for as it is written, as ids are; any other in either case."""
    if "[" in word:
        return word in f"{requirement.id}[{image}]"
    texts = [requirement.id, *_words(requirement)]
    if word != word.upper():
        word, texts = word.lower(), [text.lower() for text in texts]
    return word in texts[0] or word in texts[1:]


def _words(requirement: Requirement) -> list[str]:
    roles = roles_of(requirement)
    chapter = requirement.entry.scope.removeprefix("base-")
    return [*_WORD.findall(requirement.entry.title), chapter, *(roles if len(roles) == 1 else ())]
