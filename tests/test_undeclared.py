"""Without a declaration our sample data proves and does not accuse: how much is judged then, on a real engine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from fixtures.base import base_image
from fixtures.candidates import build
from fixtures.layers import Docker, program

TRAIN = """#!/usr/local/bin/python3
import os, sys
if not os.path.isdir("/opt/ml/input/data/images"):
    os.makedirs("/opt/ml/output", exist_ok=True)
    open("/opt/ml/output/failure", "w").write("channel images is missing")
    sys.exit("channel images is missing")
"""
SERVE = """#!/usr/local/bin/python3
import signal, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self):
        self.answer(200 if self.path == "/ping" else 404)

    def do_POST(self):
        self.answer(415 if self.path == "/invocations" else 404)

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
ThreadingHTTPServer.request_queue_size = 128
ThreadingHTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
"""


def judged(image: str, folder: Path) -> tuple[int, list[dict[str, str]]]:
    """The exit status and the verdicts of a run that knows nothing but the image."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--image={image}", "--sm-report=report"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    verdicts = json.loads((folder / "report" / "result.json").read_text())["images"][0]["verdicts"]
    assert {row["verdict"] for row in verdicts} <= {"passed", "not testable", "not applicable"}, ran.stdout[-4000:]
    return ran.returncode, verdicts


def count(verdicts: list[dict[str, str]]) -> int:
    return sum(row["verdict"] == "passed" for row in verdicts)


def test_the_reference_needs_no_declaration_for_most(tmp_path: Path) -> None:
    status, verdicts = judged(build("reference", tmp_path / "built").image, tmp_path)
    assert count(verdicts) >= 50
    assert status == 7


def test_an_image_that_refuses_our_data_is_not_accused(tmp_path: Path) -> None:
    docker = Docker()
    files = {"/usr/local/bin/train": program(TRAIN), "/usr/local/bin/serve": program(SERVE)}
    status, verdicts = judged(docker.derive("refuses-our-data", base_image(docker), files, ()), tmp_path)
    assert count(verdicts) >= 25
    assert status == 7
