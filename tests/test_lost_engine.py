"""An engine that dies in the middle of a run, and one that does not let this user in: what a user is told."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from command_support import command, meanwhile
from engine_support import client, promised, second_engine, until

from fixtures.candidates import build
from fixtures.layers import Docker, program
from sm_contract.journal import read_journal
from sm_contract.status import Exit

TRAINS_FOR_EVER = "#!/bin/sh\nsleep 600\n"
NOBODY = 65534
SOCKET = Path("/var/run/docker.sock")


def test_an_engine_that_dies_in_mid_run(folder: Path) -> None:
    client()
    shell = build("shell", folder).image
    image = Docker().derive("trains-for-ever", shell, {"/bin/train": program(TRAINS_FOR_EVER)})
    with second_engine() as second:
        second.bring(image)
        killed: list[float] = []

        def kill(process: subprocess.Popen[str]) -> None:
            until(lambda: len(second.client().containers()) == 2, 30)  # train.full and train.bare
            second.die()
            killed.append(time.monotonic())
            process.wait(30)
            killed.append(time.monotonic())

        arguments = (f"--image={image}", "--sm-roles=training", f"--sm-engine={second.url}")
        ran = meanwhile(folder, *arguments, "--sm-report=report", "-v", do=kill, within=second.within)
        second.start()
        left = second.things()
        later = command(folder, *arguments, "--sm-only=SM-IMAGE-OS-01", within=second.within)
        swept = second.things()

    assert ran.status == Exit.ENGINE, ran.text
    assert killed[1] - killed[0] < promised(5), "a lost engine ends every wait"
    message, remains = ran.err.strip().splitlines()
    assert f"ERROR: the engine at {second.url} was lost while" in message
    assert "See whether it still runs (`docker version`) and run again" in message
    assert f"the engine at {second.url} does not answer any more" in remains
    named = re.findall(r"(?:container|volume) (sm-contract-\S+?)[,.] ", remains)
    assert set(named) == set(left)
    assert "docker rm -fv" in remains
    assert "Traceback" not in ran.text
    assert "SM-IMAGE-ARCH-01" in ran.ids("✔"), ran.out
    assert ran.ids("✘") == []
    assert "incomplete: the container engine was lost (exit status 6)" in " ".join(ran.out.split())
    assert json.loads((folder / "report" / "result.json").read_text("utf-8"))["incomplete"] is True
    assert (folder / "report" / "junit.xml").exists()
    assert not read_journal(folder / "report" / "journal.jsonl").complete

    assert later.status == Exit.PARTIAL, later.text
    assert left
    assert swept == []


def test_a_user_whom_the_engine_does_not_let_in(folder: Path) -> None:
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("needs root, to become somebody else, and setpriv")
    if not SOCKET.exists():
        pytest.skip("needs an engine at the default socket")
    os.chown(folder, NOBODY, NOBODY)
    # may read everything, since Python or the project may lie in root's home; to a socket one must be able to write
    may_read = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    user = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *may_read)
    environment = {"DOCKER_HOST": "", "DOCKER_CONTEXT": "", "HOME": str(folder)}
    ran = command(folder, "--image=any:1", "--sm-report=report", environment=environment, within=user)

    assert ran.status == Exit.ENGINE, ran.text
    assert len(ran.err.strip().splitlines()) == 1, ran.err
    assert "no permission for the engine's socket /var/run/docker.sock (from the default socket)" in ran.err
    assert "join the group that owns it (`sudo usermod -aG docker $USER`" in ran.err
    assert "Traceback" not in ran.text
    assert json.loads((folder / "report" / "result.json").read_text("utf-8"))["incomplete"] is True
