"""The exit status of the command: of what was judged, of waivers, and of what cannot be used."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from command_support import BAD, GOOD, LOOKED_AT, OS, Ran, command, journal, named, write

from sm_contract.record import Record
from sm_contract.resources import resource
from sm_contract.status import PRECEDENCE, Exit, decide

ODD = named("odd:1", workdir_file=None)  # a MUST that AWS does not document: it warns


def _unclaimed() -> Record:
    facts = {role: replace(fact, claimed=False) for role, fact in GOOD.roles.items()}
    return replace(named("none:1"), roles=facts)


STATUSES = {
    "everything is met": ((GOOD,), [], Exit.CONFORMANT),
    "a MUST is broken": ((BAD,), [], Exit.BROKEN),
    "of two images one is broken": ((GOOD, BAD), [], Exit.BROKEN),
    "a MUST is not testable": ((LOOKED_AT,), [], Exit.PARTIAL),
    "of two images one is partial": ((GOOD, LOOKED_AT), [], Exit.PARTIAL),
    "partial is good enough": ((LOOKED_AT,), ["--sm-partial=ok"], Exit.CONFORMANT),
    "partial and broken": ((LOOKED_AT, BAD), ["--sm-partial=ok"], Exit.BROKEN),
    "a MUST is filtered out": ((GOOD,), [f"--sm-skip={OS}"], Exit.PARTIAL),
    "a MUST is deselected": ((GOOD,), ["-k", OS], Exit.PARTIAL),
    "of a profile not all is built": ((GOOD,), ["--sm-profile=isolation"], Exit.PARTIAL),
    "nothing was selected": ((GOOD,), ["-k", "no_such_thing"], Exit.NOTHING_JUDGED),
    "no role is claimed": ((_unclaimed(),), [], Exit.NOTHING_JUDGED),
    "there is a warning": ((ODD,), [], Exit.CONFORMANT),
    "there is a warning, and it counts": ((ODD,), ["--sm-strict"], Exit.BROKEN),
}


@pytest.mark.parametrize(("records", "arguments", "status"), STATUSES.values(), ids=STATUSES.keys())
def test_exit_status(folder: Path, records: tuple, arguments: list[str], status: Exit) -> None:
    ran = command(folder, journal(folder, *records), *arguments)

    assert ran.status == status, ran.text


def test_the_readme_has_the_table_and_the_order() -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    told = re.search(r"Where several hold: ([0-9, ]+)\.", readme)
    order = [int(number) for number in told[1].split(", ")] if told else []

    assert re.findall(r"^\| (\d) \|", readme, re.MULTILINE) == [str(int(status)) for status in Exit]
    assert [Exit.USAGE, *order, Exit.CONFORMANT] == list(PRECEDENCE)
    for place, status in enumerate(order):
        assert decide([Exit(each) for each in order[place:]]) == status
    assert decide(()) is Exit.CONFORMANT


LONG = "registry.example/" + "x" * 300
TOO_LONG = "SM-IMAGE-REFERENCE-03"  # nothing rests on it


def test_waivers(folder: Path) -> None:
    option = journal(folder, named(LONG))

    def waived(id: str, expires: str) -> Ran:
        write(folder, {"sm-contract.toml": f"""
            [[waivers]]
            id = "{id}"
            owner = "ml-platform"
            reason = "the registry wants it, ML-412"
            expires = {expires}
            """})  # fmt: skip
        return command(folder, option)

    assert command(folder, option).status == Exit.BROKEN
    good = waived(TOO_LONG, "2999-01-31")
    assert good.status == Exit.CONFORMANT, good.text
    assert good.ids("w") == [TOO_LONG]
    assert "conformant with waivers" in " ".join(good.out.splitlines()[-8:])
    assert f"{TOO_LONG} to 2999-01-31 (ml-platform)" in good.out
    expired = waived(TOO_LONG, "2020-01-31")
    assert (expired.status, expired.ids("✘")) == (Exit.BROKEN, [TOO_LONG])
    assert "expired on 2020-01-31" in expired.out
    unknown = waived("SM-NOTHING-01", "2999-01-31")
    assert unknown.status == Exit.BROKEN
    assert "SM-NOTHING-01 names no requirement" in unknown.out


def test_a_waiver_that_one_of_two_images_needs_is_needed(folder: Path) -> None:
    write(folder, {"sm-contract.toml": f"""
        [[waivers]]
        id = "{TOO_LONG}"
        owner = "ml-platform"
        reason = "the registry wants it, ML-412"
        expires = 2999-01-31
        """})  # fmt: skip

    both = command(folder, journal(folder, GOOD, named(LONG)))
    assert both.status == Exit.CONFORMANT, both.text
    alone = command(folder, journal(folder, GOOD))
    assert alone.status == Exit.BROKEN
    assert "is not needed" in alone.out


def test_accepted_gaps_are_no_gaps(folder: Path) -> None:
    option = journal(folder, LOOKED_AT)
    gaps = command(folder, option, "-v").ids("?")
    assert gaps
    write(folder, {"sm-contract.toml": f"accept_not_testable = {json.dumps(gaps)}"})
    assert command(folder, option).status == Exit.CONFORMANT
    write(folder, {"sm-contract.toml": f"accept_not_testable = {json.dumps(gaps[1:])}"})
    assert command(folder, option).status == Exit.PARTIAL


USAGE = {
    "a misspelt option": (["--sm-stict"], "did you mean --sm-strict?"),
    "an option without an image": (["--sm-strict"], "add --image=REF"),
    "the contract without an image": (["--pyargs", "sm_contract.contract"], "add --image=REF"),
    "half a pair": (["--training-image=a"], "--inference-image"),
    "an image beside a pair": (["--image=c", "--training-image=a", "--inference-image=b"], "leave --image out"),
    "an image beside a journal": (["--image=c", "--sm-judge=j"], "leave --image out"),
    "roles beside a journal": (["--sm-judge=j", "--sm-roles=inference"], "a journal has the roles of its own run"),
    "an empty image": (["--image="], "--image"),
    "no seconds": (["--image=a", "--sm-ping-limit=0"], "--sm-ping-limit: found '0'"),
    "no number": (["--image=a", "--sm-start-limit=soon"], "--sm-start-limit: found 'soon'"),
    "no size": (["--image=a", "--sm-memory=lots"], "--sm-memory: found 'lots'"),
    "too small a size": (["--image=a", "--sm-memory=1m"], "no less than 6m"),
    "no count": (["--image=a", "--sm-processes=-1"], "--sm-processes: found '-1'"),
    "no profile": (["--image=a", "--sm-profile=isolated"], "did you mean isolation?"),
    "no role": (["--image=a", "--sm-roles=training,serving"], "--sm-roles: found 'serving'"),
    "no such partial": (["--image=a", "--sm-partial=yes"], "--sm-partial: found 'yes'"),
    "no such keep": (["--image=a", "--sm-keep=always"], "never, on-failure"),
    "a glob that matches nothing": (["--image=a", "--sm-only=SM-IMAGE-ARHC-*"], "did you mean SM-IMAGE-ARCH-0"),
    "what is not built yet": (["--image=a", "--sm-skip=SM-MKT-*"], "cannot be judged yet"),
    "a form of list": (["--sm-list=xml"], "--sm-list=json"),
    "documents": (["--sm-document=model.json"], "later version"),
    "no journal": (["--sm-judge=nowhere.jsonl"], "nowhere.jsonl: there is no such journal"),
    "no declaration": (["--image=a", "--sm-config=nowhere.toml"], "nowhere.toml: there is no such file"),
}


@pytest.mark.parametrize(("arguments", "says"), USAGE.values(), ids=USAGE.keys())
def test_a_usage_error_is_one_line(folder: Path, arguments: list[str], says: str) -> None:
    ran = command(folder, *arguments)

    assert ran.status == Exit.USAGE, ran.text
    assert says in ran.err
    assert len(ran.err.strip().splitlines()) == 1, ran.err
    assert list(folder.iterdir()) == []


def test_a_report_folder_that_cannot_be_written(folder: Path) -> None:
    write(folder, {"report": "a file"})
    ran = command(folder, journal(folder, GOOD), "--sm-report=report/here")

    assert ran.status == Exit.USAGE
    assert "--sm-report: report/here cannot be written" in ran.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--image=./no.tar"], "no.tar"),
        (["--image=i", "--sm-config=none.toml"], "none.toml"),
        (["--image=i", "--sm-memory=much"], "--sm-memory"),
        (["--image=i", "--sm-only=SM-NONE-01"], "SM-NONE-01"),
        (["--sm-judge=none.jsonl"], "none.jsonl"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_report_of_a_run_that_comes_to_nothing_says_why(folder: Path, arguments: list[str], said: str) -> None:
    first = command(folder, journal(folder, GOOD), "--sm-report=report")
    assert first.status == Exit.CONFORMANT, first.text
    ran = command(folder, *arguments, "--sm-report=report")

    assert ran.status == Exit.USAGE, ran.text
    assert [path.name for path in (folder / "report").glob("*.*")] == ["result.json"]
    told = json.loads((folder / "report" / "result.json").read_text(encoding="utf-8"))
    assert told == {"schema_version": 1, "exit_status": 4, "error": told["error"], "incomplete": True, "images": []}
    assert said in told["error"]
    assert " ".join(told["error"].split()) in " ".join(ran.err.split())
    jsonschema.validate(told, json.loads(resource("schemas", "result.schema.json").read_text(encoding="utf-8")))


def test_a_journal_is_judged_again_in_the_folder_where_it_lies(folder: Path) -> None:
    command(folder, journal(folder, GOOD), "--sm-report=report")
    ran = command(folder, "--sm-judge=report/journal.jsonl", "--sm-report=report")

    assert ran.status == Exit.CONFORMANT, ran.text
    assert (folder / "report" / "journal.jsonl").stat().st_size > 1000
    assert json.loads((folder / "report" / "result.json").read_text(encoding="utf-8"))["exit_status"] == 0


def test_a_journal_that_breaks_off_is_never_green(folder: Path) -> None:
    option = journal(folder, GOOD, complete=False)
    ran = command(folder, option)

    assert ran.status == Exit.PARTIAL, ran.text
    assert "did not come to its end" in ran.out
