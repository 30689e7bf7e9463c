"""The matrix: every requirement by fault by mutation, every candidate judged by the whole contract.

    make matrix                    judges everything on this engine and writes docs/matrix.json and docs/matrix.md
    make matrix RUNS=3             three whole runs, one after the other, and counts the verdicts that flipped
    make matrix NAMES="a b"        judges these alone, and puts them into the matrix on file if there is one

What is not as declared has no row; once mended it is judged by its name. The scripts that show a fault by hand are
run as well, and have to see what the run saw.

Each candidate is stamped with the digest of the code that judged it, each requirement with its own as of when all
its faults were judged, so that a test can tell what has changed since.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import inspect
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from datetime import date
from pathlib import Path
from typing import Any

from judging import NOTED_OF_GOOD, SIDE_BY_SIDE, UNDER_LIMITS, Judged, judge
from mutations.tables import BREAKS, KEEPS

from benchmarks.reference import CORE
from fixtures.candidates import GOOD
from fixtures.faults import FAULTS, UNBREAKABLE
from fixtures.faults.fault import Fault
from fixtures.layers import Docker
from fixtures.outside import outside
from fixtures.repro import show
from sm_contract.catalogue import CURRENT
from sm_contract.contract import load
from sm_contract.requirements import Requirement, registry

ROOT = Path(__file__).resolve().parent.parent
PAGE, DATA = ROOT / "docs" / "matrix.md", ROOT / "docs" / "matrix.json"
CANDIDATES = (*GOOD, UNDER_LIMITS, *FAULTS)
SAMPLE = 8  # every so many of the faults are proven in an ordinary test run, beside those of the core

load()


# --- digests --------------------------------------------------------------------------------------------


def code_digest() -> str:
    """Of all that decides a verdict: the package, the schemas, the candidates."""
    paths = [path for folder in ("sm_contract", "schemas", "fixtures") for path in sorted((ROOT / folder).rglob("*"))]
    files = [path for path in paths if path.is_file() and "__pycache__" not in path.parts]
    return _digest(f"{path.relative_to(ROOT)} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in files)


def requirement_digest(requirement: Requirement) -> str:
    """Of a check, what it is registered with, and the helpers and constants of its chapter that it comes to use.

    Comments and the form of the lines do not count. What several chapters share is not in it: after a change there
    it is for ``make matrix`` to say that every verdict still holds.
    """
    tree = ast.parse(inspect.getsource(sys.modules[requirement.module]))
    defined = {name: node for node in tree.body for name in _names(node)}
    used, ahead = dict[str, str](), [requirement.check.__name__]
    while ahead:
        name = ahead.pop()
        if name in defined and name not in used:
            used[name] = ast.dump(defined[name])
            ahead += [node.id for node in ast.walk(defined[name]) if isinstance(node, ast.Name)]
    return _digest(f"{name}={used[name]}" for name in sorted(used))


def _names(node: ast.stmt) -> list[str]:
    """What a statement of a module gives a name to."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [each.id for target in targets if target for each in ast.walk(target) if isinstance(each, ast.Name)]


def chapter_digest(module: str) -> str:
    """Of a chapter's module."""
    return _digest([Path(inspect.getfile(sys.modules[module])).read_text(encoding="utf-8")])


def fault_digest(fault: Fault) -> str:
    """Of what a fault changes in the reference, and of the chapters that hold what it breaks."""
    known = contract()
    values = {each.name: getattr(fault, each.name) for each in fields(fault)}
    chapters = sorted({known[id].module for id in fault.breaks if id in known})
    return _digest(
        [
            *(f"{name}={inspect.getsource(value) if callable(value) else value!r}" for name, value in values.items()),
            *(chapter_digest(module) for module in chapters),
        ]
    )


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def contract() -> dict[str, Requirement]:
    """The contract's own requirements that are built."""
    return {id: one for id, one in registry().items() if not one.own}


# --- what a matrix says, and what has changed since ----------------------------------------------------------


def stamped(
    runs: Sequence[Sequence[Judged]], seconds: float, before: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The matrix of one or more whole runs; with ``before``, that one with the candidates judged now in their rows."""
    last = {run.name: run for run in runs[-1]}
    code, old = code_digest(), (before or {}).get("candidates", {})
    rows = {name: {"code": code, **_seen(last[name])} if name in last else old.get(name) for name in CANDIDATES}
    whole = {"runs": len(runs), "seconds": round(seconds), "flips": flips(runs)}
    return {
        "contract": CURRENT,
        "made": date.today().isoformat(),
        **({key: before[key] for key in whole} if before else whole),
        "requirements": {id: _stated(one, last, before) for id, one in contract().items()},
        "candidates": {name: row for name, row in rows.items() if row},
    }


def _stated(one: Requirement, judged: Mapping[str, Judged], before: Mapping[str, Any] | None) -> dict[str, Any]:
    """A requirement's row. Its digest is that of the check as its faults were last judged by it, all of them."""
    faults = sorted(fault.name for fault in FAULTS.values() if one.id in fault.breaks)
    digest = requirement_digest(one)
    if not judged.keys() >= set(faults):
        digest = before["requirements"].get(one.id, {}).get("digest", "") if before else ""
    return {
        "digest": digest,
        "level": one.entry.level,
        "chapter": one.module.rpartition(".")[2],
        "faults": faults,
        "breaks": [mutation.name for mutation in BREAKS.get(one.id, ())],
        "keeps": [mutation.name for mutation in KEEPS.get(one.id, ())],
    }


def _seen(run: Judged) -> dict[str, Any]:
    fault = FAULTS.get(run.name)
    return {
        "digest": fault_digest(fault) if fault else "",
        "broken": sorted(run.ids("failed", "warned", "noted")),
        "passed": len(run.ids("passed")),
        "blocked": len(run.ids("blocked")),
        "not applicable": len(run.ids("not applicable")),
        "not testable": sorted(run.ids("not testable")),
        "exit": run.exit_code,
        "starts": run.starts,
        "seconds": round(run.seconds, 1),
        "scripts": len(run.scripts),
    }


def flips(runs: Sequence[Sequence[Judged]]) -> list[str]:
    """Each verdict that was not the same in all runs."""
    found = []
    for name in CANDIDATES:
        same = [run for each in runs for run in each if run.name == name]
        for id in sorted({id for run in same for id in run.verdicts}):
            seen = {run.verdicts.get(id, {}).get("verdict", "missing") for run in same}
            if len(seen) > 1:
                found.append(f"{name}: {id} was {' and '.join(sorted(seen))}")
    return found


def read() -> dict[str, Any] | None:
    """The matrix on file, if there is one."""
    return json.loads(DATA.read_text(encoding="utf-8")) if DATA.exists() else None


def outdated(matrix: Mapping[str, Any]) -> list[str]:
    """The requirements that are not those the matrix speaks of, each with what differs."""
    known, spoken_of = contract(), matrix["requirements"]
    found = [f"{id} is not in it" for id in known if id not in spoken_of]
    found += [f"{id} is judged no more" for id in spoken_of if id not in known]
    return found + [
        f"{id} was changed since"
        for id, row in spoken_of.items()
        if id in known and row["digest"] != requirement_digest(known[id])
    ]


def to_prove(matrix: Mapping[str, Any] | None) -> list[str]:
    """The faults an ordinary test run proves.

    Those of the core, whatever has changed; of chapters touched since, new or changed ones; and a fixed sample.
    """
    rows = matrix["candidates"] if matrix else {}
    changed = {name for name, fault in FAULTS.items() if rows.get(name, {}).get("digest") != fault_digest(fault)}
    core = {name for name, fault in FAULTS.items() if set(CORE) & set(fault.breaks)}
    return [name for number, name in enumerate(FAULTS) if name in changed | core or number % SAMPLE == 0]


# --- the page ---------------------------------------------------------------------------------------------


def page(matrix: Mapping[str, Any]) -> str:
    """The matrix as Markdown."""
    requirements, candidates = matrix["requirements"], matrix["candidates"]
    good = [name for name in candidates if name not in FAULTS]
    faults = [name for name in candidates if name in FAULTS]
    mutations = sum(len(row["breaks"]) for row in requirements.values())
    neutral = sum(len(row["keeps"]) for row in requirements.values())
    unflagged = [name for name in good if not set(candidates[name]["broken"]) - NOTED_OF_GOOD.get(name, {}).keys()]
    codes = Counter(row["code"] for row in candidates.values())
    judged = ", ".join(f"{count} by the code `{code}`" for code, count in codes.most_common())
    lines = [
        "# The matrix",
        "",
        "Written by `make matrix`; do not edit. Each fault is an image, a declaration or an archive with one",
        "violation, judged by the whole contract on a real engine. Each mutation is a change of a good record that",
        "must flip exactly its requirement, or, a neutral one, must flip none.",
        "",
        f"- made {matrix['made']}, contract {matrix['contract']}; candidates judged: {judged}",
        f"- {matrix['runs']} whole run(s) in {matrix['seconds'] // 60} min {matrix['seconds'] % 60:02d} s; what was "
        "touched since was judged again by itself",
        f"- {len(requirements)} requirements, {len(faults)} faults, {mutations} mutations that flip, {neutral} neutral "
        f"ones; {len(unflagged)} of {len(good)} good images without a finding that is not expected of them"
        + "".join(f"; expected of `{name}`: {', '.join(noted)}" for name, noted in NOTED_OF_GOOD.items()),
        f"- verdicts that flipped between the runs: {len(matrix['flips'])}",
        "",
        "## Requirement by fault by mutation",
        "",
        "| requirement | level | faults that break it | mutations that flip it | neutral ones |",
        "|---|---|---|---|---|",
    ]
    for id, row in requirements.items():
        broken = ", ".join(f"`{name}`" for name in row["faults"]) or UNBREAKABLE.get(id, "none")
        flipping = f"{len(row['breaks'])}: {'; '.join(row['breaks'])}" if row["breaks"] else "0"
        keeping = f"{len(row['keeps'])}: {'; '.join(row['keeps'])}" if row["keeps"] else "0"
        lines.append(f"| {id} | {row['level']} | {broken} | {_cell(flipping)} | {_cell(keeping)} |")
    lines += [
        "",
        "## Candidate by verdict",
        "",
        "| candidate | broken | by hand | passed | blocked | not applicable | not testable | exit | starts | seconds |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in candidates.items():
        broken = ", ".join(row["broken"]) or "nothing"
        lines.append(
            f"| `{name}` | {broken} | {row.get('scripts', 0)} | {row['passed']} | {row['blocked']} "
            f"| {row['not applicable']} | {len(row['not testable'])} | {row['exit']} | {row['starts']} "
            f"| {row['seconds']} |"
        )
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


# --- the run ----------------------------------------------------------------------------------------------


def whole_run(names: Sequence[str]) -> list[Judged]:
    """Every candidate judged, two side by side; prints each as it is done."""
    docker = Docker()

    def one(name: str) -> Judged:
        with tempfile.TemporaryDirectory(prefix="sm-contract-matrix-") as folder:
            found = judge(name, Path(folder), docker)
            if name in FAULTS:
                found = replace(found, scripts=tuple(show(found.report)))
        state = "as declared" if not found.problems() else "NOT AS DECLARED"
        print(f"{found.seconds:6.1f} s  {name:<50} {state}", flush=True)
        for problem in found.problems():
            print(f"          {problem}", flush=True)
        return found

    with outside(), ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        return list(pool.map(one, names))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--runs", type=int, default=1, help="whole runs, one after the other")
    parser.add_argument("names", nargs="*", help="these candidates alone, put into the matrix on file")
    given = parser.parse_args()
    began = time.monotonic()
    runs = [whole_run(given.names or CANDIDATES) for _ in range(given.runs)]
    wrong = {judged.name: problem for run in runs for judged in run for problem in judged.problems()}
    turned = flips(runs)
    for line in [*wrong.values(), *turned]:
        print(line, file=sys.stderr)
    before = read() if given.names else None
    if given.names and before is None:
        return 1 if wrong or turned else 0
    right = [[judged for judged in run if judged.name not in wrong] for run in runs]
    matrix = stamped(right, time.monotonic() - began, before)
    for name in wrong:  # without a row until it is judged again
        matrix["candidates"].pop(name, None)
    DATA.parent.mkdir(exist_ok=True)
    DATA.write_text(json.dumps(matrix, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(matrix), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)} and {DATA.relative_to(ROOT)}")
    return 1 if wrong or turned else 0


if __name__ == "__main__":
    sys.exit(main())
