"""Questions that need no engine: what is judged (``--sm-list``), and what a requirement means (``--sm-explain``)."""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
import textwrap
from collections.abc import Iterator
from fnmatch import fnmatchcase

import sm_contract.contract
from sm_contract.catalogue import CURRENT, PROFILES, Entry, catalogue
from sm_contract.judge import WHERE_DECLARED
from sm_contract.options import OptionError, Options
from sm_contract.practice import LEFT_OPEN
from sm_contract.requirements import Requirement, registry
from sm_contract.schema import near_ids

_LABEL, _WIDTH = 11, 80  # columns
_ID = re.compile(r"SM-[A-Z0-9]+(?:-[A-Z0-9]+)*-\d+")
_KEY = re.compile(r"declare (\[(?:training|inference)\] \w+|\[+[\w.]+\]+|[a-z_]+)")


def built() -> dict[str, Requirement]:
    """The requirements of the contract that are judged, in the contract's order."""
    sm_contract.contract.load()
    known = registry()
    return {id: known[id] for id in catalogue() if id in known}


def matching(globs: tuple[str, ...], option: str, ids: list[str]) -> set[str]:
    """The ids that match one of the globs. Raises OptionError for a glob that matches none."""
    found: set[str] = set()
    for glob in globs:
        matched = [id for id in ids if fnmatchcase(id, glob)]
        if not matched:
            meant = [id for id in catalogue() if fnmatchcase(id, glob)]
            if meant:
                more = f" and {len(meant) - 1} more" if len(meant) > 1 else ""
                raise OptionError(
                    f"{option}: {meant[0]}{more} of contract {CURRENT} cannot be judged yet; see --sm-list"
                )
            raise OptionError(f"{option}: {glob!r} matches no id that is judged{near_ids(glob, ids)}")
        found.update(matched)
    return found


def chosen(options: Options, ids: list[str]) -> list[str]:
    """The ids that ``--sm-only`` and ``--sm-skip`` leave. Raises OptionError."""
    only = matching(options.only, "--sm-only", ids) if options.only else set(ids)
    skip = matching(options.skip, "--sm-skip", ids)
    return [id for id in ids if id in only - skip]


def listing(options: Options, form: str) -> str:
    """All that is judged, as text or as JSON. Raises OptionError."""
    if form not in ("text", "json"):
        raise OptionError(f"--sm-list: found {form!r}; give --sm-list or --sm-list=json")
    known = built()
    requirements = [known[id] for id in chosen(options, list(known))]
    if form == "json":
        rows = [_row(requirement.entry) for requirement in requirements]
        return json.dumps({"contract": CURRENT, "requirements": rows}, indent=1)
    width = max((len(requirement.id) for requirement in requirements), default=0)
    lines = [
        f"{each.id:<{width}}  {each.entry.level_in(options.profile):<6}  {_plain(each.entry.title)}"
        for each in requirements
    ]
    profile = f", profile {options.profile}" if options.profile else ""
    return "\n".join([*lines, f"{len(lines)} requirements of contract {CURRENT}{profile}"])


def explanation(id: str, profile: str | None) -> str:
    """What one requirement means and how it is judged. Raises OptionError for an id nobody knows."""
    entries = catalogue()
    aliases = {alias: entry.id for entry in entries.values() for alias in entry.aliases}
    wanted = id.upper()
    entry = entries.get(wanted) or entries.get(aliases.get(wanted, ""))
    if entry is None:
        raise OptionError(f"--sm-explain: {id} is not in contract {CURRENT}{near_ids(wanted, [*entries, *aliases])}")
    requirement = built().get(entry.id)
    lines = [*_wrapped("", f"{entry.id}  {entry.level_in(profile)}  {_plain(entry.title)}"), ""]
    for label, text in _parts(entry, requirement):
        lines += _wrapped(f"{label:<{_LABEL}}", text)
    return "\n".join(lines)


def _wrapped(label: str, text: str) -> list[str]:
    """A text behind its label, in lines of a terminal of usual width; ids and addresses stay whole."""
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=label,
        subsequent_indent=" " * max(len(label), _LABEL),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _parts(entry: Entry, requirement: Requirement | None) -> Iterator[tuple[str, str]]:
    yield "scope", f"{entry.scope}; evidence {entry.evidence}"
    yield "verify", entry.verify
    yield "violation", entry.violation
    if entry.note:
        yield "note", _current(entry)
    levels = [f"{name}: {entry.level_in(name)}" for name in (*PROFILES, *(set(entry.profiles) - set(PROFILES)))]
    yield "level", f"{entry.level}; under profile {', '.join(levels)}"
    for position, source in enumerate(entry.sources):
        yield "" if position else "sources", source
    if requirement is None:
        yield "judged", "not by this version"
        return
    doc = inspect.getdoc(requirement.check) or ""
    yield "judged", " ".join(doc.split())
    for position, sentence in enumerate(LEFT_OPEN.get(entry.id, ())):
        yield f"{'' if position else 'left open':<{_LABEL}}- ", sentence
    yield "by", ", ".join(requirement.runs) or "the image alone, without a start"
    if requirement.rests_on:
        yield "rests on", ", ".join(requirement.rests_on)
    if requirement.hidden_by:
        yield "hidden by", f"{len(requirement.hidden_by)} others: where one is broken, a run may not show this one"
    if requirement.excused_without:
        wanted = " and ".join(WHERE_DECLARED[kind] for kind in requirement.excused_without)
        yield "declare", f"{wanted}: with our sample data it accuses nobody"
    if keys := declared(requirement):
        yield "declare", f"{' and '.join(keys)}, without which it may be not testable"


def declared(requirement: Requirement) -> list[str]:
    """The keys of the declaration that a check may ask for, read off its own words: ``declare KEY: …``."""
    module = ast.parse(inspect.getsource(sys.modules[requirement.module]))
    known: dict[str, ast.AST] = {}
    for node in module.body:
        if isinstance(node, ast.FunctionDef):
            known[node.name] = node
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            known[node.targets[0].id] = node.value
    todo, seen, keys = [requirement.check.__name__], set[str](), dict[str, None]()
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        for part in ast.walk(known[name]):
            if isinstance(part, ast.Name) and part.id in known:
                todo.append(part.id)
            elif isinstance(part, ast.Constant) and isinstance(part.value, str):
                asked = _KEY.match(part.value)
                keys.update({asked[1]: None} if asked else {})
    return list(keys)


def _current(entry: Entry) -> str:
    """The note of an entry, in which the ids of the lists that the contract was made from are told as such."""
    entries = catalogue()
    owners = {alias: each.id for each in entries.values() for alias in each.aliases}

    def told(found: re.Match[str]) -> str:
        id = found[0]
        if id in entries or id not in owners:
            return id
        if owners[id] != entry.id:
            return f"{owners[id]} (once {id})"
        begins = not found.start() or entry.note[: found.start()].endswith(". ")
        return f"{'An' if begins else 'an'} earlier form ({id})"

    return _ID.sub(told, entry.note)


def _row(entry: Entry) -> dict[str, object]:
    return {
        "id": entry.id,
        "title": entry.title,
        "level": entry.level,
        "scope": entry.scope,
        "evidence": entry.evidence,
        "sources": list(entry.sources),
        "profiles": entry.profiles,
    }


def _plain(title: str) -> str:
    return title.replace("`", "")
