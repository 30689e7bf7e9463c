"""The JUnit report that pytest itself writes, with our names and verdicts in it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

from command_support import ARCH, OS, command, journal, named, write
from good_record import unhealthy

from sm_contract.record import Life, Listener, Ping
from sm_contract.status import Exit


def test_junit(folder: Path) -> None:
    write(
        folder,
        {
            "sm-contract.toml": f"""
        [[waivers]]
        id = "{OS}"
        owner = "ml-platform"
        reason = "an experiment"
        expires = 2999-01-31
        """
        },
    )
    other = named("bad:1", os="win\x1bdows", architecture="arm64")
    ran = command(folder, journal(folder, other), "--junitxml=junit.xml", "--sm-only=SM-IMAGE-*", "--sm-skip=*-02")
    cases = {case.get("name", ""): case for case in ET.parse(folder / "junit.xml").iter("testcase")}
    by_id = {name.split()[0]: name for name in cases}

    assert ran.status in (Exit.BROKEN, Exit.PARTIAL)
    assert "[WAIVED to 2999-01-31]" in by_id[OS]
    waived = cases[by_id[OS]]
    assert [child.tag for child in waived] == ["properties"]
    properties = {each.get("name"): each.get("value") for each in waived.iter("property")}
    assert properties["verdict"] == "waived"
    assert properties["waiver_owner"] == "ml-platform"
    blocked = cases[by_id[ARCH]].find("skipped")
    assert blocked is not None
    assert blocked.get("message") == f"blocked: rests on {OS}, which is broken"
    assert cases[by_id[ARCH]].get("classname") == "image.image"


def test_junit_of_a_failure(folder: Path) -> None:
    bad = named("bad:1", architecture="\x1b[31marm64")
    command(folder, journal(folder, bad), "--junitxml=junit.xml", f"--sm-only={ARCH}")
    (failure,) = ET.parse(folder / "junit.xml").iter("failure")

    assert "is built for linux/" in failure.get("message", "")
    assert "(expected: an image for linux/amd64" in failure.get("message", "")
    assert "fix: " in (failure.text or "")
    assert "source: " in (failure.text or "")
    assert "Traceback" not in (failure.text or "")
    assert not [c for c in (failure.get("message", "") + (failure.text or "")) if ord(c) < 32 and c != "\n"]
    assert "#x1B" not in failure.get("message", "")


def test_cases_of_several_images_are_told_apart_and_both_files_say_the_same(folder: Path) -> None:
    good, bad = named("good:1"), named("bad:1")
    unhealthy_one = replace(bad, lives={**bad.lives, **dict(map(_never_healthy, ("serve.bare", "serve.full")))})
    option = journal(folder, good, unhealthy_one)
    command(folder, option, "--junitxml=pytests.xml", "--sm-report=report", "--sm-only=SM-INFER-PING-0*")

    def cases(path: Path) -> dict[tuple[str, str], list[tuple[str, str, str]]]:
        found = []
        for case in ET.parse(path).iter("testcase"):
            inside = [(child.tag, child.get("message", ""), child.text or "") for child in case]
            found.append(((case.get("classname", ""), case.get("name", "")), inside))
        told_apart = dict(found)
        assert len(told_apart) == len(found)
        return {key: [child for child in row if child[0] == "failure"] for key, row in told_apart.items()}

    pytests, ours = cases(folder / "pytests.xml"), cases(folder / "report" / "junit.xml")
    assert pytests == ours
    (broken,) = [row for (_, name), row in ours.items() if name.endswith("[bad:1]") and row]
    assert "SageMaker would say: The primary container for production variant" in broken[0][2]


def _never_healthy(name: str) -> tuple[str, Life]:
    refused = Ping(at=470.0, seconds=0.003, status=404, connect_seconds=0.0004)
    return name, unhealthy(named("bad:1").lives[name], refused, listeners=(Listener(address="0.0.0.0", port=8080),))
