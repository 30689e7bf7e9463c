"""Removes what a run made when the run cannot: a small process that waits for the run's end.

The run holds one end of a pipe and writes what it makes; at the end of the pipe without a "done" (an
exception, kill -9) this process removes everything of the session. It has a session of its own, so that no
signal to the run's process group reaches it. What it imports is light; the rest comes when the run is under way.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sm_contract import temporary

if TYPE_CHECKING:
    from sm_contract.engine.link import Address

QUIET_SECONDS = 2.0  # nothing new for so long: no create in flight was finished later
COMMIT_SECONDS = 30.0  # a commit under way may take longer, and its tag is known
LIMIT_SECONDS = 60.0
DEAD_SECONDS = 3.0  # how long an engine that does not answer is asked again
CALL_SECONDS = 10.0
READY_SECONDS = 1.0


class Watchdog:
    """The run's end of it."""

    def __init__(self, address: Address, version: str, session: str) -> None:
        self._pid = os.getpid()
        reading, self._pipe = os.pipe()
        os.set_blocking(self._pipe, False)  # a stopped watchdog must not stop the run
        arguments = [address.dump(), version, session, str(self._pid)]
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", "sm_contract.engine.watchdog", *arguments],
                stdin=reading,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
                # "-m" looks in the working directory first, and a user's may hold a docker.py.
                cwd=Path(__file__).parents[2],
                env={name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"},
            )
            self.pid = process.pid
            self._held = [process]  # emptied by whoever releases it, once: a pop is atomic
        finally:
            os.close(reading)

    def note(self, sign: str, kind: str, name: str) -> None:
        """ "+" before it is made, "=" when it is there, "-" when it is gone."""
        with contextlib.suppress(OSError):  # full or broken: labels say the same, only later
            os.write(self._pipe, f"{sign} {kind} {name}\n".encode())

    def release(self, *, clean: bool) -> None:
        """The end of the run; unless all is clean, the watchdog goes on alone."""
        if os.getpid() != self._pid:
            return
        try:
            process = self._held.pop()
        except IndexError:
            return
        if clean:
            with contextlib.suppress(OSError):
                os.write(self._pipe, b"done\n")
        os.close(self._pipe)
        if clean:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(1.0)  # no zombie is left behind
        else:
            process.returncode = 0  # it outlives us on purpose: no ResourceWarning


# --- the other process --------------------------------------------------------------------------------


class Notes:
    """What the run wrote."""

    def __init__(self) -> None:
        self.done = False
        self.there: dict[str, str] = {}  # name: kind
        self.begun: dict[str, str] = {}
        self._rest = b""

    def feed(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            sign, _, rest = line.decode(errors="replace").partition(" ")
            kind, _, name = rest.partition(" ")
            self.done = self.done or sign == "done"
            if sign == "+":
                self.begun[name] = kind
            elif sign == "=":
                self.there[name] = self.begun.pop(name, kind)
            elif sign == "-":
                self.there.pop(name, None)
                self.begun.pop(name, None)


def listen(parent: int) -> Notes:
    """Read until the run is over. A forked child may still hold the pipe when the run is dead: watch both."""
    notes = Notes()
    poll = select.poll()
    poll.register(0, select.POLLIN | select.POLLHUP)
    run = -1
    if hasattr(os, "pidfd_open"):
        with contextlib.suppress(OSError):
            run = os.pidfd_open(parent)
            poll.register(run, select.POLLIN)
        if os.getppid() != parent:  # gone before we looked, and the number may be another's
            run = -1
    while True:
        ready = dict(poll.poll(None if run >= 0 else 1000))
        if 0 in ready:
            data = os.read(0, 65536)
            notes.feed(data)
            if not data or notes.done:
                return notes
        elif run in ready or os.getppid() != parent:
            return notes


def get_ready() -> None:
    """Import what a removal needs, in a thread, after the run's own start: a busy machine takes seconds for it."""
    time.sleep(READY_SECONDS)
    with contextlib.suppress(OSError):
        if sys.platform == "linux":  # where it is the thread's own
            os.nice(15)
    with contextlib.suppress(Exception):  # said by whoever needs it
        importlib.import_module("sm_contract.engine.removal")


def clean(address_text: str, version: str, session: str, notes: Notes) -> str:
    """Remove everything of the session; what remains, in words."""
    from docker.errors import APIError  # noqa: PLC0415

    from sm_contract.engine.link import TRANSPORT, Address  # noqa: PLC0415
    from sm_contract.engine.removal import leftovers, remove_session  # noqa: PLC0415

    address = Address.parse(address_text)
    start = time.monotonic()

    def commit_expected() -> bool:
        return "commit" in notes.begun.values() and time.monotonic() - start < COMMIT_SECONDS

    while True:
        try:
            left = remove_session(
                lambda: address.client(CALL_SECONDS, version),
                session,
                quiet=QUIET_SECONDS,
                limit=LIMIT_SECONDS,
                expected=commit_expected,
            )
        except (APIError, *TRANSPORT, OSError) as error:
            if time.monotonic() - start < DEAD_SECONDS:
                time.sleep(0.2)
                continue
            known = [f"{kind} {name}" for name, kind in {**notes.there, **notes.begun}.items()]
            reason = f"the engine at {address.url} does not answer any more ({error})"
            return f"{reason}; {leftovers(session, known)}"
        return f"the engine did not remove all: {leftovers(session, left)}" if left else ""


def main(arguments: list[str]) -> int:
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    address, version, session, parent = arguments
    threading.Thread(target=get_ready, daemon=True).start()
    notes = listen(int(parent))
    if notes.done:
        os._exit(0)  # without waiting for an import under way
    remains = clean(address, version, session, notes)
    with contextlib.suppress(OSError):  # a full disk has no folder for temporary files
        temporary.sweep()
    if remains:
        with contextlib.suppress(OSError, ValueError):
            print(f"sm-contract: {remains}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
