"""JUnit: one test case a requirement, the same in our ``junit.xml`` and in pytest's own ``--junitxml``.

A case is named by what the contract says and holds no traceback: a reader of a CI page wants to know
what was expected, what was observed, and how to mend it.
"""

from __future__ import annotations

import re
import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sm_contract.catalogue import catalogue
from sm_contract.coverage import IMAGE, chapter_of, role_of
from sm_contract.record import Record
from sm_contract.report.cloud import cloud_words
from sm_contract.requirements import registry
from sm_contract.result import ImageResult
from sm_contract.verdict import Judgement, Verdict

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_SKIPPED = (Verdict.BLOCKED, Verdict.NOT_TESTABLE, Verdict.NOT_APPLICABLE)
_LONGEST = 20_000  # characters of one text; some CI systems refuse more


@dataclass(frozen=True, kw_only=True)
class Case:
    """One test case, before it is XML."""

    classname: str  # role and chapter
    name: str  # "ID title", and what sets it apart
    outcome: str  # "passed", "failure", "skipped", "error"
    message: str = ""
    text: str = ""
    properties: tuple[tuple[str, str], ...] = ()


def case(judgement: Judgement, *, strict: bool = False, record: Record | None = None, image: str = "") -> Case:
    """The test case of a judgement. With the record, it says what the cloud would say, too.

    ``image``: its reference, where there are several: many a reader tells cases apart by their names alone.
    """
    return Case(
        classname=f"{_role(judgement)}.{_chapter(judgement)}",
        name=clean(f"{judgement.id} {judgement.title}{_suffix(judgement)}{f' [{image}]' if image else ''}"),
        outcome=_outcome(judgement, strict),
        message=clean(_message(judgement)),
        text=clean(_text(judgement, record)),
        properties=tuple((name, clean(value)) for name, value in _properties(judgement) if value),
    )


def clean(text: str) -> str:
    """Text that XML can hold and a page can show: no control, format or surrogate characters, no colours."""
    text = _ANSI.sub("", text.replace("\r\n", "\n"))
    if len(text) > _LONGEST:
        text = f"{text[:_LONGEST]} … {len(text) - _LONGEST} characters more"
    return "".join(c for c in text if c in "\n\t" or (unicodedata.category(c)[0] != "C" and c not in "\u2028\u2029"))


class NodeReporter(Protocol):
    """The one thing of pytest's JUnit writer that is needed: what ``record_xml_attribute`` uses as well."""

    def add_attribute(self, name: str, value: object) -> None: ...


def name_in_pytest(reporter: NodeReporter, judgement: Judgement, image: str = "") -> None:
    """Give a case of ``--junitxml`` our class name and name; ``image`` as for ``case``.

    ``reporter`` is what the writer's ``node_reporter(report)`` gives. Outcome, message and text come
    by the report itself: a ``longrepr`` whose ``reprcrash.message`` is ``case(…).message`` and whose
    string is ``case(…).text``, or a skip with that message; properties by ``user_properties``.
    """
    ours = case(judgement, image=image)
    reporter.add_attribute("classname", ours.classname)
    reporter.add_attribute("name", ours.name)


def junit_xml(results: Sequence[ImageResult]) -> str:
    """The whole file: one suite an image."""
    suites = [_suite(result, several=len(results) > 1) for result in results]
    root = ET.Element("testsuites", name="sm_contract")
    root.extend(suites)
    for count in ("tests", "failures", "errors", "skipped"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in suites)))
    ET.indent(root, " ")
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(result: ImageResult, *, several: bool) -> ET.Element:
    image = result.reference if several else ""
    cases = [case(j, strict=result.strict, record=result.record, image=image) for j in result.judgements]
    suite = ET.Element("testsuite", name=clean(result.reference), tests=str(len(cases)))
    for attribute, outcome in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(sum(each.outcome == outcome for each in cases)))
    suite.set("time", f"{result.seconds:.3f}")
    facts = {
        "id": result.id,
        "digest": result.digest,
        "platform": result.platform,
        "contract": result.contract,
        "suite_version": result.suite_version,
        "profile": result.profile or "",
        "incomplete": result.incomplete,
        **{f"{role.role}.conclusion": role.text for role in result.roles},
        **{f"{role.role}.coverage": str(role.coverage) for role in result.roles},
    }
    _add_properties(suite, [(name, clean(value)) for name, value in facts.items() if value])
    suite.extend(_element(each) for each in cases)
    return suite


def _element(each: Case) -> ET.Element:
    # the verdicts are read off a record in no time; a life's duration belongs to no single case
    element = ET.Element("testcase", classname=each.classname, name=each.name, time="0.000")
    _add_properties(element, each.properties)
    if each.outcome != "passed":
        ET.SubElement(element, each.outcome, message=each.message).text = each.text
    return element


def _add_properties(element: ET.Element, properties: Sequence[tuple[str, str]]) -> None:
    if properties:
        holder = ET.SubElement(element, "properties")
        for name, value in properties:
            ET.SubElement(holder, "property", name=name, value=value)


def _outcome(judgement: Judgement, strict: bool) -> str:
    if judgement.verdict is Verdict.FAILED or (strict and judgement.verdict is Verdict.WARNED):
        return "failure"
    if judgement.verdict is Verdict.NOT_JUDGED:
        return "error"
    return "skipped" if judgement.verdict in _SKIPPED else "passed"


def _suffix(judgement: Judgement) -> str:
    if judgement.verdict is Verdict.WAIVED:
        return f" [WAIVED to {judgement.waiver.get('expires', '?')}]"
    return f" [{judgement.verdict.name}]" if judgement.verdict in (Verdict.WARNED, Verdict.NOTED) else ""


def _message(judgement: Judgement) -> str:
    if judgement.verdict.broken:
        return f"{judgement.observed} (expected: {judgement.expected})"
    return f"{judgement.verdict.value}: {judgement.reason}" if judgement.reason else judgement.verdict.value


def _text(judgement: Judgement, record: Record | None) -> str:
    if judgement.traceback:
        return judgement.traceback
    if not judgement.verdict.broken:
        return judgement.reason
    cloud = cloud_words(judgement, record) if record is not None else judgement.cloud
    parts = (
        ("expected", judgement.expected),
        ("observed", judgement.observed),
        ("because", judgement.because),
        ("SageMaker would say", cloud),
        ("fix", judgement.fix),
        *(("source", url) for url in judgement.sources),
        *(("evidence", text) for text in judgement.evidence),
        ("by hand", judgement.by_hand),
    )
    return "\n".join(f"{label}: {text}" for label, text in parts if text)


def _properties(judgement: Judgement) -> list[tuple[str, str]]:
    told = judgement.verdict in (Verdict.WARNED, Verdict.NOTED, Verdict.WAIVED)
    return [
        ("id", judgement.id),
        ("level", judgement.level),
        ("verdict", judgement.verdict.value),
        ("reason", judgement.reason),
        *((name, getattr(judgement, name)) for name in ("expected", "observed", "because", "fix", "by_hand") if told),
        *((f"waiver_{name}", value) for name, value in judgement.waiver.items()),
    ]


def _role(judgement: Judgement) -> str:
    entry = catalogue().get(judgement.id)
    if entry is not None:
        return role_of(entry)
    return judgement.roles[0] if len(judgement.roles) == 1 else IMAGE


def _chapter(judgement: Judgement) -> str:
    known = registry().get(judgement.id)
    if known is None:
        return chapter_of(judgement.id).lower()
    return known.module.rpartition(".")[2].removeprefix("test_")
