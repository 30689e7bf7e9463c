"""What a program says, with its last words, that it lacked of the host.

Nothing that could be granted to see whether it helps: an engine's socket, a namespace or a sysctl of the machine this
runs on is not given to an image under test. So the words decide, and only where they are the last: a warning that the
program went on after says nothing.
"""

from __future__ import annotations

import re

from sm_contract.record import Life, LogLine

ENGINE = "engine"
NAMESPACE = "namespace"
SYSCTL = "sysctl"
_EROFS = r"[Rr]ead-only file system"
_KERNEL = r"(?<![\w.])/(proc/)?sys/|\bsysctl\b"
WORDS = {
    ENGINE: re.compile(
        r"Cannot connect to the Docker daemon|\bDockerException\b|Error while fetching server API version"
        r"|failed to start (daemon|containerd)\b|/run/(docker|containerd/containerd|podman/podman|crio/crio)\.sock"
    ),
    SYSCTL: re.compile(rf"({_KERNEL}).*{_EROFS}|{_EROFS}.*({_KERNEL})|\bsysctl: permission denied on key"),
    NAMESPACE: re.compile(
        r"--(ipc|pid|net|network|uts)[= ]host\b|\bhost(IPC|PID|Network)\b"
        r"|\bhost('s)? (ipc|pid|process|network|uts) namespace",
        re.IGNORECASE,
    ),
}
EXCEPTION = re.compile(r"^\s*[\w.]*(Error|Exception|Exit|Interrupt|Failure)\b")
ERROR = re.compile(
    r"\berrors?\b(?!\s*(of|is|was)?\s*[:=]?\s*[\d.])|\w(Error|Exception)\b"
    r"|\bfatal\b|\bpanic\b|traceback|denied|not found|no such file|cannot |can't "
    r"|\bfailed\b|\bunable to\b|not permitted",
    re.IGNORECASE,
)


def error_line(life: Life) -> LogLine | None:
    """The log line that says most of what went wrong, if any reads like an error: the last exception, else error."""
    for pattern in (EXCEPTION, ERROR):
        for line in reversed(life.log):
            if pattern.search(line.text):
                return line
    return None


def wanted(life: Life) -> str:
    """What a life that went wrong lacked of the host, by its last words; "" where they say nothing of the kind."""
    if life.good or life.never_executed or life.hit_limits:
        return ""
    texts = [line.text for line in last_words(life)]
    return next((what for what, words in WORDS.items() if any(words.search(text) for text in texts)), "")


def last_words(life: Life) -> list[LogLine]:
    """The last line of its log, and the last that reads like an error."""
    last = next((line for line in reversed(life.log) if line.text.strip()), None)
    return [line for line in (last, error_line(life)) if line is not None]


def mentioned(life: Life) -> str:
    """The same by any line of its log, for a life of which a grant has shown that it lacked a right."""
    log = life.log_text()
    return next((what for what, words in WORDS.items() if words.search(log)), "")
