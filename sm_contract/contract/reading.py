"""Lives and logs in words: how a life ended, the line of its log that matters, the limits that were in force."""

from __future__ import annotations

import re

from sm_contract import wants
from sm_contract.record import WORD, Asked, Invocation, Life, LogLine, Ping
from sm_contract.wants import ERROR, EXCEPTION

NO_CREDENTIALS = re.compile(
    r"unable to locate credentials|NoCredentialsError|NoCredentialProviders|no EC2 IMDS role found"
    r"|(could not|unable to) load (AWS )?credentials",
    re.IGNORECASE,
)
USAGE = re.compile(
    r"\busage:|unrecogni[sz]ed (arguments?|options?|commands?)|invalid choice|unexpected (extra )?arguments?"
    r"|(unknown|invalid|no such|unsupported) (sub)?(command|argument|option|mode|action)"
    r"|positional arguments? .* not expected|(can't|cannot|could not) open (file )?\W*([\w./-]*/)?(train|serve)\b"
    r"|try '.*--help'",
    re.IGNORECASE,
)
WANTS_A_VARIABLE = re.compile(
    r"KeyError: '(?!SM_)[A-Z][A-Z0-9_]{2,}'|(?i:environment variable)\W+\w*[A-Z_]{3,}"
    r"|[A-Z_]{3,}: (unbound|parameter) "
)
WANTS_A_HYPERPARAMETER = re.compile(
    r"(?i:hyper[-_ ]?param)|KeyError: '[a-z][\w-]*'|the following arguments are required: --\w"
)
SM_VARIABLE = re.compile(r"\bSM_[A-Z][A-Z0-9_]*\b")
_SIGNALS = {130: "SIGINT", 132: "SIGILL", 134: "SIGABRT", 135: "SIGBUS", 136: "SIGFPE", 137: "SIGKILL"}
_SIGNALS |= {139: "SIGSEGV", 141: "SIGPIPE", 143: "SIGTERM"}
_MEANING = {126: "found, but it cannot be executed", 127: "command not found"}

error_line = wants.error_line  # a reading like the others here


def error_text(text: str) -> str:
    """The line of a text that says most of what went wrong; "" if none reads like an error."""
    lines = text.splitlines()[::-1]
    return next((line.strip() for rule in (EXCEPTION, ERROR) for line in lines if rule.search(line)), "")


def crash_line(life: Life) -> LogLine | None:
    """The last log line that reports a crash: a traceback or an exception, not merely the word error."""
    crash = re.compile(r"Traceback \(most recent|\bpanic:|\bfatal\b|core dumped|Segmentation fault", re.IGNORECASE)
    return next((n for n in reversed(life.log) if EXCEPTION.search(n.text) or crash.search(n.text)), None)


def first_line(life: Life, pattern: re.Pattern[str]) -> LogLine | None:
    """The first log line that matches."""
    return next((line for line in life.log if pattern.search(line.text)), None)


def says(line: LogLine) -> str:
    """A log line, quoted for a sentence."""
    text = " ".join(line.text.split())
    return f"the log says: {text[:200]}{'…' if len(text) > 200 else ''}"


def telling(life: Life) -> str:
    """What the engine or the log says of what went wrong in a life, in one sentence."""
    if life.start_error:
        return f"the engine says: {life.start_error}"
    line = error_line(life)
    if line is not None:
        return says(line)
    if life.ended not in ("itself", "idle", "limit"):
        return ""
    silent = "no line of its log reads like an error" if life.log_text().strip() else "it wrote nothing to its log"
    if life.ended != "itself":
        return silent
    signal = _SIGNALS.get(life.exit_code or 0, "")
    return f"{signal} ended it, and {silent}" if signal else f"its first process ended of its own accord, and {silent}"


def ending(life: Life) -> str:
    """How a life ended, as the end of a sentence whose subject is the container."""
    if life.start_error:
        return "could not be started"
    after = f"after {life.seconds:.1f} s"
    if life.ended == "itself":
        code = life.exit_code
        meaning = _MEANING.get(code or 0, _SIGNALS.get(code or 0, ""))
        return f"exited with {code}{f' ({meaning})' if meaning else ''} {after}"
    if life.ended == "idle":
        return f"still ran {after}, though its model was saved and no processor time was used any more"
    if life.ended == "limit":
        return f"was still running {after}, when it was ended by force"
    return f"was stopped {after}"


def word(life: Life) -> str:
    """The word of the life's role, as it was given to the container."""
    return f"`{WORD[life.role]}`"


def found(life: Life) -> str:
    """One sentence on a life: its word, its run, its end."""
    return f"{word(life)} {ending(life)} ({life.name})"


def never_healthy(life: Life) -> str:
    """One sentence on a server that was stopped since it was never healthy: what was seen of it; else as ``found``."""
    last = life.pings[-1] if life.pings else None
    stopped = life.ended in ("stopped", "killed") and life.ready_at is None
    if not stopped or last is None or any(ping.status == 200 for ping in life.pings):
        return found(life)
    seen = f"/ping got {outcome(last)}"
    if last.status is not None and not last.error:
        seen = f"/ping answered {last.status}"
    elif last.error == "refused" and life.listeners == ():
        seen = "nothing listened on port 8080"
    return f"{seen} until the limit of {limit(life, 'start', 480):g} s ({life.name})"


def steadily(life: Life) -> Ping | None:
    """The first of the pings that all got the same status up to the last; None if that got no whole answer."""
    first = None
    for ping in reversed(life.pings):
        if ping.status is None or ping.error or ping.status != life.pings[-1].status:
            break
        first = ping
    return first


def shape(text: str) -> str:
    """A line without its numbers: times and counts differ from run to run."""
    return re.sub(r"\d+", "0", text.strip())


def limit(life: Life, name: str, contract: float) -> float:
    """A limit in force in a life; the contract's where the record does not say."""
    return life.limits.get(name, contract)


def within(life: Life, name: str, contract: float) -> str:
    """A limit in words, with the contract's own where an option shortened it."""
    text = f"{limit(life, name, contract):g} s"
    if name in life.shortened:
        text += f" (shortened by an option; the contract's is {life.shortened[name]:g} s)"
    return text


def outcome(answer: Ping | Invocation | Asked) -> str:
    """What came back: the status, or why there is none."""
    if answer.status is not None and not (isinstance(answer, Ping) and answer.error):
        return f"status {answer.status}"
    words = {
        "refused": "connection refused",
        "reset": "connection reset",
        "closed": "connection closed without an answer",
        "timed out": f"no complete answer within {answer.seconds:.1f} s",
        "not HTTP": "an answer that is not HTTP",
        "broken off": "an answer that broke off",
    }
    return words.get(answer.error, answer.error or "no answer")


def trained_well(life: Life) -> bool:
    """Whether there is a model: a regular file below /opt/ml/model."""
    return life.result is not None and any(file.kind == "file" for file in life.result.model)
