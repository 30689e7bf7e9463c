"""What is told on the error stream: one line in a log, wrapped below its first word on a terminal. Light."""

from __future__ import annotations

import shutil
import sys

import pytest

PREFIX = "ERROR: "  # pytest writes the same before a usage error


def usage(*messages: str) -> pytest.UsageError:
    """The error that ends the run with these messages, each of which pytest writes behind the prefix."""
    return pytest.UsageError(*map(laid_out, messages))


def write(message: str) -> None:
    """Tell something that went wrong, after what was told before."""
    sys.stdout.flush()
    sys.stderr.write(f"{PREFIX}{laid_out(message)}\n")


def laid_out(message: str) -> str:
    """A message fit to stand behind the prefix: every line wrapped and indented if it is read on a terminal."""
    if not sys.stderr.isatty():
        return message
    from sm_contract.report.text import broken  # noqa: PLC0415  # only for a message

    room = max(shutil.get_terminal_size().columns - len(PREFIX), 20)
    lines = [part for line in message.splitlines() for part in broken(line, room)]
    return f"\n{' ' * len(PREFIX)}".join(lines)
