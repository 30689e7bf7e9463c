"""What a run costs beside the same lives driven by bare docker commands.

    python benchmarks/reference.py

Builds the reference image, judges it by the whole contract, then drives the same containers with the
docker command alone: same inputs, same concurrency, same waits. Prints ratios of one run; asserts nothing.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from fixtures.build import build
from sm_contract.journal import read_journal
from sm_contract.platform import config
from sm_contract.platform.tree import tar_stream
from sm_contract.record import Life

TREE = "/opt/ml/input"


def docker(*arguments: str, data: bytes | None = None) -> str:
    done = subprocess.run(["docker", *arguments], input=data, capture_output=True, check=True)
    return done.stdout.decode().strip()


def train_by_hand(image: str, life: Life, inputs: bytes, name: str) -> None:
    """Create, fill, start, wait, read the model, remove."""
    made = docker("create", "--name", name, "-v", f"{name}:/opt/ml/model", "-v", TREE, image, "train")
    docker("cp", "-", f"{made}:{TREE}", data=inputs)
    docker("start", made)
    if life.ended == "itself":
        docker("wait", made)
    else:
        time.sleep(life.seconds)
        docker("kill", made)
    subprocess.run(["docker", "cp", f"{made}:/opt/ml/model", "-"], capture_output=True, check=True)
    docker("rm", "-fv", made)


def serve_by_hand(image: str, life: Life, name: str) -> None:
    """Create, start, wait until it is ready, let it live as long, stop, remove."""
    made = docker("create", "--name", name, "-v", f"{name}:/opt/ml/model", image, "serve")
    docker("start", made)
    if life.stop is None:
        docker("wait", made)
    else:
        time.sleep(life.stop.at)
        docker("stop", "-t", str(int(life.stop.limit)), made)
    docker("rm", "-fv", made)


def by_hand(image: str, lives: dict[str, Life], inputs: bytes) -> float:
    """The same lives, training before serving as in the run, two at a time."""
    began = time.monotonic()
    names = []
    with ThreadPoolExecutor(2) as pool:
        for role in ("training", "inference"):
            waiting = []
            for number, life in enumerate(one for one in lives.values() if one.role == role):
                name = f"bench-{role}-{number}-{int(began)}"
                names.append(name)
                if role == "training":
                    waiting.append(pool.submit(train_by_hand, image, life, inputs, name))
                else:
                    waiting.append(pool.submit(serve_by_hand, image, life, name))
            for one in waiting[:2] if role == "training" else waiting:
                one.result()
    seconds = time.monotonic() - began
    subprocess.run(["docker", "volume", "rm", "-f", *names], capture_output=True, check=False)
    return seconds


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        candidate = build("reference", Path(folder))
        report = Path(folder, "report")
        began = time.monotonic()
        command = [sys.executable, "-m", "pytest", *candidate.arguments, f"--sm-report={report}", "-q"]
        status = subprocess.run(command, capture_output=True, check=False, cwd=folder).returncode
        wall = time.monotonic() - began
        (record,) = read_journal(report / "journal.jsonl").records.values()
        (result,) = json.loads((report / "result.json").read_text())["images"]
        inputs = b"".join(tar_stream(config.config_files({}, {"training": None}), mtime=time.time()))
        bare = by_hand(candidate.image, record.lives, inputs)
        longest = max(life.seconds for life in record.lives.values())
        print(f"exit status                        {status}")
        print(f"wall time of the run               {wall:6.1f} s")
        print(f"container starts                   {result['container_starts']:6}")
        print(f"longest single life                {longest:6.1f} s")
        print(f"beyond the longest life            {wall - longest:6.1f} s")
        print(f"the same lives by bare docker      {bare:6.1f} s")
        print(f"ratio                              {wall / bare:6.2f}")


if __name__ == "__main__":
    main()
