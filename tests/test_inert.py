"""Without one of our options the plugin does nothing: it loads nothing, prints nothing, writes nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from command_support import PYTEST, command

HEAVY = ("docker", "requests", "hypothesis", "jsonschema", "cattrs", "sm_contract.run", "sm_contract.requirements")
SPY = f"""
import sys
def pytest_unconfigure(config):
    print("LOADED", *(name for name in {HEAVY} if name in sys.modules))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a test of its own."""
    (tmp_path / "test_own.py").write_text("def test_own(): pass\n", encoding="utf-8")
    return tmp_path


def test_it_loads_nothing(folder: Path) -> None:
    (folder / "conftest.py").write_text(SPY, encoding="utf-8")
    ran = command(folder, "-q")

    assert ran.status == 0, ran.text
    assert ran.out.splitlines()[-1].strip() == "LOADED", "none of these"


def test_it_prints_and_writes_nothing(folder: Path) -> None:
    def left() -> list[str]:
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if ".pytest_cache" not in path.parts)

    before = left()
    seen = []
    for how in ((), ("-p", "no:sm_contract")):
        ran = command(folder, *how)
        assert ran.status == 0, ran.text
        assert ran.err == ""
        lines = ran.out.splitlines()
        seen.append([re.sub(r"\d+\.\d+s", "s", line) for line in lines if not line.startswith("plugins:")])

    assert seen[0] == seen[1]
    assert left() == before


def test_it_takes_less_than_20_ms(folder: Path) -> None:
    """Processor time of the whole of a run, the least of several, so that a busy machine proves nothing."""

    having, without = [], []
    for _ in range(30):  # in turn, so that what slows down the one slows down the other as well
        having.append(_processor_time(folder))
        without.append(_processor_time(folder, "-p", "no:sm_contract"))
        more = min(having) - min(without)
        if len(having) >= 5 and more < 0.020:
            return
    pytest.fail(f"the plugin takes {more * 1000:.0f} ms of a run that does not want it")


def test_a_project_may_have_an_image_option_of_its_own(folder: Path) -> None:
    (folder / "conftest.py").write_text(
        "def pytest_addoption(parser):\n    parser.addoption('--image', default='mine')\n", encoding="utf-8"
    )
    (folder / "test_own.py").write_text(
        "def test_own(pytestconfig):\n    assert pytestconfig.getoption('--image') == 'cat.png'\n", encoding="utf-8"
    )

    assert command(folder, "-p", "no:sm_contract", "--image=cat.png").status == 0


def test_fixtures_of_other_people_are_not_shadowed(folder: Path) -> None:
    """Our fixtures' names are common words; without our options they are free."""
    (folder / "other_plugin.py").write_text(
        "import pytest\n@pytest.fixture\ndef record():\n    return 'theirs'\n", encoding="utf-8"
    )
    (folder / "test_own.py").write_text("def test_own(record):\n    assert record == 'theirs'\n", encoding="utf-8")

    assert command(folder, "-p", "other_plugin").status == 0


def test_options_in_an_ini_file_do_not_wake_it(folder: Path) -> None:
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --sm-strict --sm-partial=ok\n", encoding="utf-8")
    (folder / "conftest.py").write_text(SPY, encoding="utf-8")
    ran = command(folder, "-q")

    assert ran.status == 0, ran.text
    assert ran.out.splitlines()[-1].strip() == "LOADED"


def _processor_time(folder: Path, *how: str) -> float:
    process = subprocess.Popen(
        [*PYTEST, "-q", "-p", "no:cacheprovider", *how],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""},
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, sys.executable
    return usage.ru_utime + usage.ru_stime
