"""``scripts/setup.sh`` where it can do nothing: one message says what to install, and nothing is begun."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent
TOOLS = ("bash", "sh", "cat", "cut", "dirname", "env", "id", "mktemp", "sha256sum", "tail", "rm")
STAMP = '{ "$PYTHON" -V; cat pyproject.toml scripts/setup.sh; pwd; } | sha256sum | cut -c1-64 >.venv/stamp'
# may read everything, since Python or the project may lie in root's home
NOBODY = ("--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=+dac_read_search")
AS_NOBODY = (*NOBODY, "--ambient-caps=+dac_read_search")


@dataclass(frozen=True)
class Machine:
    """What there is not."""

    says: str  # what the message says of the way out
    root: bool = True
    venv: bool = True


MACHINES = {
    "not root": Machine("install Docker Engine (apt-get install docker.io), start it", root=False),
    "no apt-get": Machine("install Docker Engine and start it, or set DOCKER_HOST to one"),
    "neither venv nor apt-get": Machine("needs the venv module of", venv=False),
}


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that other users may look into, which pytest's own are not."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.fixture
def project(home: Path) -> Path:
    """A copy that is set up but for the engine; what it would install into is not there."""
    path = home / "project"
    (path / ".venv" / "bin").mkdir(parents=True)
    (path / "scripts").mkdir()
    for name in ("scripts/setup.sh", "pyproject.toml"):
        shutil.copy(SOURCE / name, path / name)
    for name in ("fixtures", "sm_contract", "schemas"):
        (path / name).symlink_to(SOURCE / name)
    return path


def program(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def tool(name: str) -> str:
    found = shutil.which(name)
    return found or pytest.skip(f"needs {name}")


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES.keys())
def test_what_is_missing_is_said_in_one_message(project: Path, home: Path, machine: Machine) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to hide the engine of this machine")
    python = program(home / "python", f'[ "$1 $2" = "-m venv" ] && exit 1\nexec {sys.executable} "$@"')
    tools = home / "tools"
    tools.mkdir()
    for name in TOOLS:
        (tools / name).symlink_to(tool(name))
    environment = {"PATH": str(tools), "HOME": str(home), "PYTHON": str(python)}
    if machine.venv:
        program(project / ".venv" / "bin" / "python", f'exec {sys.executable} "$@"')
        subprocess.run(["bash", "-c", STAMP], cwd=project, env=environment, check=True)
    user = [] if machine.root else [tool("setpriv"), *AS_NOBODY]
    bare = ["-c", f'{tool("mount")} -t tmpfs none /run && exec "$@"', "-"]  # no socket of an engine
    done = subprocess.run(
        [tool("unshare"), "--mount", tool("sh"), *bare, *user, "scripts/setup.sh"],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1, done.stdout + done.stderr
    assert machine.says in done.stderr
    assert done.stderr.count("setup:") == 1, done.stderr
    assert "starting" not in done.stdout
    assert not (project / ".venv" / "lib").exists(), "nothing was installed"
