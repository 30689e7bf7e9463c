"""Observations as short texts, for reports."""

from __future__ import annotations

from sm_contract.record import Event, FileFact, Invocation, Life, Listener, LogLine, Ping, Stop, TreeFile


def describe(thing: object) -> str:  # noqa: PLR0911  # one line a kind reads best
    """One line on one observation."""
    if isinstance(thing, Ping):
        answer = thing.status if thing.status is not None else thing.error or "no answer"
        return f"ping at {thing.at:.2f} s: {answer} after {thing.seconds:.3f} s{' (busy)' if thing.busy else ''}"
    if isinstance(thing, Invocation):
        answer = str(thing.status) if thing.status is not None else thing.error or "no answer"
        return (
            f"invocation {thing.name!r} of request {thing.request} ({thing.content_type}) at {thing.at:.2f} s: "
            f"{answer} after {thing.seconds:.3f} s, {thing.body_bytes} bytes: {thing.body_head[:120]!r}"
        )
    if isinstance(thing, Life):
        end = f"exit {thing.exit_code}" if thing.exit_code is not None else "no exit code"
        return f"{thing.name}: {thing.start_error or f'ended {thing.ended}, {end}'} after {thing.seconds:.1f} s"
    if isinstance(thing, LogLine):
        return f"log at {thing.at:.2f} s ({thing.stream}): {thing.text}"
    if isinstance(thing, Listener):
        return f"listener on {thing}{' held by PID 1' if thing.pid_one else ''}"
    if isinstance(thing, Stop):
        end = "killed" if thing.killed else "ended"
        return f"SIGTERM at {thing.at:.2f} s, {end} after {thing.seconds:.2f} s (limit {thing.limit:g} s)"
    if isinstance(thing, FileFact):
        return f"{thing.path}: {thing.kind}, mode {thing.mode:04o}, owner {thing.uid}:{thing.gid}, {thing.size} bytes"
    if isinstance(thing, TreeFile):
        return f"{thing.path}: {thing.kind}, {thing.size} bytes{f' → {thing.target}' if thing.target else ''}"
    if isinstance(thing, Event):
        return f"{thing.at:.2f} s: {thing.what}"
    return str(thing)
