"""The contract alone, in folders of all kinds: nothing of them changes a verdict, a name or the exit status."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_support import A_CONFTEST_THAT_RAISES, ARCH, GOOD, OS, command, journal, write

from sm_contract.status import Exit

HOSTILE = {
    "a conftest that raises": A_CONFTEST_THAT_RAISES,
    "an autouse fixture that raises": {
        "conftest.py": """
            import pytest
            @pytest.fixture(autouse=True)
            def broken():
                raise RuntimeError('a fixture of the folder')
            """
    },
    "an emptied item list": {
        "conftest.py": """
            def pytest_collection_modifyitems(items):
                items.clear()
            """
    },
    "settings for other files": {
        "pytest.ini": """
            [pytest]
            python_files = check_*.py
            python_functions = check_*
            python_classes = Check*
            testpaths = nowhere
            norecursedirs = *
            usefixtures = nothing
            """
    },
    "warnings as errors": {"pytest.ini": "[pytest]\nfilterwarnings = error\naddopts = -W error\n"},
    "paths in addopts": {
        "pytest.ini": "[pytest]\naddopts = tests --strict-markers --doctest-modules\n",
        "tests/test_own.py": "def test_own(): assert False, 'a test of the folder'",
    },
    "tests chosen in addopts": {"pytest.ini": "[pytest]\naddopts = -m slow -k fast\n"},
    "strict settings": {"pytest.ini": "[pytest]\nmarkers =\n    must: something else\naddopts = --strict-markers\n"},
    "tests of its own": {"test_own.py": "def test_own(): assert False, 'a test of the folder'"},
    "a virtual environment inside": {
        ".venv/pyvenv.cfg": "home = /usr/bin\n",
        ".venv/lib/python3.11/site-packages/thing/test_thing.py": "raise RuntimeError('a package of the folder')",
    },
}


@pytest.mark.parametrize("files", HOSTILE.values(), ids=HOSTILE.keys())
def test_nothing_of_the_folder_changes_a_verdict(folder: Path, files: dict[str, str]) -> None:
    write(folder, files)

    ran = command(folder, journal(folder, GOOD), "-v")

    assert ran.status == Exit.CONFORMANT, ran.text
    assert {OS, ARCH} <= set(ran.ids("✔")), ran.text
    assert "of the folder" not in ran.text
    assert "warning" not in ran.text.lower()


def test_a_folder_that_cannot_be_written_to(folder: Path) -> None:
    option = journal(folder, GOOD)
    write(folder, {"conftest.py": "raise RuntimeError('a conftest of the folder')", ".pytest_cache": "not a folder"})
    folder.chmod(0o555)
    try:
        ran = command(folder, option)
    finally:
        folder.chmod(0o755)

    assert ran.status == Exit.CONFORMANT, ran.text
    assert "warning" not in ran.text.lower()


def test_a_virtual_environment_of_the_folder_that_runs_pytest(tmp_path: Path) -> None:
    """The package lies below the folder then, in a place that pytest does not recurse into."""
    folder = tmp_path / "project"
    site = folder / ".venv" / "lib" / "site-packages"
    site.mkdir(parents=True)
    (folder / ".venv" / "pyvenv.cfg").write_text("home = /usr/bin\n", encoding="utf-8")
    source = Path(__file__).resolve().parent.parent
    for part in ("sm_contract", "schemas"):
        (site / part).symlink_to(source / part)

    ran = command(folder, "--image=any:1", "--collect-only", "-q", environment={"PYTHONPATH": str(site)})

    assert ran.status == 0, ran.text
    assert f"sm_contract/contract/test_image.py::{ARCH}[any:1]" in ran.out.splitlines()


def test_node_ids_are_the_same_everywhere(folder: Path, tmp_path: Path) -> None:
    write(folder, {"pytest.ini": "[pytest]\n", "deep/inside/setup.py": ""})
    source = Path(__file__).resolve().parent.parent
    told = [
        command(place, "--image=localhost:5000/a/b:1", "--collect-only", "-q").out.split("\n\n")[0]
        for place in (folder, folder / "deep" / "inside", source)
    ]

    assert f"sm_contract/contract/test_image.py::{ARCH}[localhost:5000/a/b:1]" in told[0].splitlines()
    assert told[0] == told[1] == told[2]
