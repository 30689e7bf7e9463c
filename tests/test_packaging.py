"""Both ways to install it give a plugin that pytest finds by itself, with all of its data."""

from __future__ import annotations

import json
import shutil
import subprocess
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist")
FIND = """
import json, sys
from sm_contract.resources import resource
found = {name: str(resource(*name.split("/"))) for name in json.loads(sys.argv[1])}
print(json.dumps(found))
"""


@pytest.fixture(scope="module", params=["wheel", "editable"])
def installed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A fresh environment; of a wheel, the source tree is gone when it is used."""
    home = tmp_path_factory.mktemp(request.param)
    source = shutil.copytree(SOURCE, home / "source", ignore=LEFT_OUT)
    environment = home / "environment"
    venv.create(environment, with_pip=True)
    how = [str(source)] if request.param == "wheel" else ["--editable", str(source)]
    _run(home, environment / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-compile", *how)
    if request.param == "wheel":
        shutil.rmtree(source)
    yield environment / "bin"
    shutil.rmtree(home, ignore_errors=True)


def test_pytest_finds_the_plugin(installed: Path, tmp_path: Path) -> None:
    listed = json.loads(_run(tmp_path, installed / "pytest", "--sm-list=json"))

    assert len(listed["requirements"]) > 50


def test_all_data_is_found(installed: Path, tmp_path: Path) -> None:
    schemas = [f"schemas/{path.name}" for path in (SOURCE / "schemas").iterdir()]
    data = SOURCE / "sm_contract"
    files = [*(data / "data").rglob("*"), *(data / "engine" / "control").iterdir()]
    shipped = [path.relative_to(data).as_posix() for path in files if path.is_file()]
    assert schemas
    assert {"data/2026-11.json", "engine/control/control-amd64"} <= set(shipped)

    found = json.loads(_run(tmp_path, installed / "python", "-c", FIND, json.dumps([*schemas, *shipped])))

    assert found.keys() == {*schemas, *shipped}
    assert not [place for place in found.values() if place.startswith(str(SOURCE))]


def test_it_is_typed_and_brings_what_it_needs_and_no_more(installed: Path, tmp_path: Path) -> None:
    _run(tmp_path, installed / "python", "-m", "pip", "check")
    _run(tmp_path, installed / "python", "-c", "from sm_contract.resources import resource; resource('py.typed')")
    if not (installed.parent.parent / "source").exists():
        extra = "import importlib.util as u; print([n for n in ('fixtures', 'tests', 'schemas') if u.find_spec(n)])"
        assert _run(tmp_path, installed / "python", "-c", extra).strip() == "[]"


def test_the_faults_are_there_or_one_line_says_where(installed: Path, tmp_path: Path) -> None:
    command = [str(installed / "python"), "-m", "sm_contract", "list"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    if (installed.parent.parent / "source").exists():
        assert done.returncode == 0
        assert "breaks SM-INFER-PING-02" in done.stdout
    else:
        assert (done.returncode, done.stdout) == (4, "")
        assert done.stderr.count("\n") == 1
        assert "source tree" in done.stderr


def _run(folder: Path, *command: object) -> str:
    done = subprocess.run([str(word) for word in command], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
