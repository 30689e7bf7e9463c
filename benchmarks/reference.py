"""What a run costs beside the same lives driven by bare docker commands.

    python -m benchmarks.reference [--core]

Builds the reference image, judges it by the whole contract, then drives the same containers with the
docker command alone: same inputs, same concurrency, same waits. Prints ratios of one run; asserts nothing.
With ``--core`` it is the core of the contract alone: the MUSTs of the image, of training and of hosting, with
privileges and isolation (`CORE`).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from fixtures.candidates import build
from sm_contract.candidate import given
from sm_contract.catalogue import catalogue
from sm_contract.declaration import read_declaration
from sm_contract.journal import read_journal
from sm_contract.platform import config
from sm_contract.platform.tree import directory, folder, tar_stream
from sm_contract.record import Life

CORE_SCOPES = ("base-image", "base-training", "base-hosting")
CORE_BESIDE = ["PRIV-PRIVILEGED", "PRIV-CAPABILITY", "PRIV-MOUNT", "PRIV-TERMINAL", "TRAIN-NET", "INFER-ISO"]
CORE_BESIDE += ["OFFLINE-INVOKE", "OFFLINE-CREDENTIALS", "OFFLINE-DROP"]
CORE = [id for id, entry in catalogue().items() if entry.level == "MUST" and entry.scope in CORE_SCOPES]
CORE += [f"SM-{name}-01" for name in CORE_BESIDE]
AT_ONCE = 3  # containers side by side, as in the run on two processors
MARK = "sm-contract-benchmark"


def docker(*arguments: str, data: bytes | None = None) -> bytes:
    return subprocess.run(["docker", *arguments], input=data, capture_output=True, check=True).stdout.strip()


def create(image: str, word: str, *volumes: str) -> str:
    mounts = [part for path in volumes for part in ("-v", path)]
    return docker("create", "--label", MARK, "--network", MARK, *mounts, image, word).decode()


def train_by_hand(image: str, life: Life, inputs: bytes) -> bytes:
    """Create, fill, start, wait, read the model (a tar), remove."""
    made = create(image, "train", "/opt/ml/input", "/opt/ml/model", "/opt/ml/output")
    docker("cp", "-", f"{made}:/opt/ml/input", data=inputs)
    docker("start", made)
    if life.kill is None:
        docker("wait", made)
    else:
        time.sleep(life.kill.at)  # and what is still running goes with its removal
    model = docker("cp", f"{made}:/opt/ml/model/.", "-")
    docker("rm", "-fv", made)
    return model


def serve_by_hand(image: str, life: Life, model: bytes) -> None:
    """Create, fill, start, let it live as long as it did, stop, remove."""
    made = create(image, "serve", "/opt/ml/model")
    docker("cp", "-", f"{made}:/opt/ml/model", data=model)
    docker("start", made)
    time.sleep(life.stop.at if life.stop is not None else life.seconds)
    docker("stop", "-t", "30", made)
    docker("rm", "-fv", made)


def by_hand(image: str, lives: list[Life], inputs: bytes) -> float:
    """The same lives in the same order: the first training, then everything else beside the servers."""
    docker("network", "create", "--label", MARK, MARK)
    try:
        began = time.monotonic()
        trainings = [life for life in lives if life.role == "training"]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            first = [pool.submit(train_by_hand, image, life, inputs) for life in trainings[:2]]
            model, _ = [one.result() for one in first]
            rest: list[Callable[[], object]] = [
                partial(serve_by_hand, image, life, model) for life in lives if life.role == "inference"
            ]
            rest += [partial(train_by_hand, image, life, inputs) for life in trainings[2:]]
            for one in [pool.submit(work) for work in rest]:
                one.result()
        return time.monotonic() - began
    finally:
        left = docker("ps", "-aq", "--filter", f"label={MARK}").decode().split()
        if left:
            docker("rm", "-fv", *left)
        docker("network", "rm", MARK)


def input_tree(declared: Path) -> bytes:
    """The input of a training as the run gives it."""
    data = given(read_declaration(declared))
    types = {name: channel.content_type for name, channel in data.channels.items()}
    members = [*config.config_files(data.hyperparameters, types), directory("data")]
    for name, channel in data.channels.items():
        members += [directory(f"data/{name}"), *folder(channel.path, f"data/{name}")]
    return b"".join(tar_stream(members, mtime=time.time()))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--core", action="store_true", help="the core of the contract alone")
    core = parser.parse_args().core
    with tempfile.TemporaryDirectory() as home:
        candidate = build("reference", Path(home))
        report = Path(home, "report")
        # compiled, as an installation has it
        compiled = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        subprocess.run([sys.executable, "-m", "pytest", "--sm-list"], env=compiled, capture_output=True, check=True)
        began = time.monotonic()
        only = [f"--sm-only={id}" for id in CORE] if core else []
        command = [sys.executable, "-m", "pytest", *candidate.arguments, *only, f"--sm-report={report}", "-q"]
        with (
            Path(home, "output").open("wb") as output,
            subprocess.Popen(command, stdout=output, stderr=output, cwd=home, env=compiled) as run,
        ):
            _, status, used = os.wait4(run.pid, 0)
            run.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - began
        (record,) = read_journal(report / "journal.jsonl").records.values()
        (result,) = json.loads((report / "result.json").read_text())["images"]
        lives = list(record.lives.values())
        bare = by_hand(candidate.image, lives, input_tree(Path(home, "sm-contract.toml")))
        longest = max(life.seconds for life in lives)
        print(f"exit status                        {run.returncode}")
        print(f"wall time of the run               {wall:6.1f} s")
        print(f"container starts                   {result['container_starts']:6}")
        print(f"longest single life                {longest:6.1f} s")
        print(f"beyond the longest life            {wall - longest:6.1f} s")
        print(f"the same lives by bare docker      {bare:6.1f} s")
        print(f"ratio                              {wall / bare:6.2f}")
        print(f"most memory of the run             {used.ru_maxrss / 1024:6.0f} MB")


if __name__ == "__main__":
    main()
