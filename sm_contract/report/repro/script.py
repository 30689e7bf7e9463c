"""The parts that every script has: what it shows, its settings, where its image comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote

from sm_contract.record import ImageFacts
from sm_contract.report.repro.volumes import Files
from sm_contract.report.text import shown, wrap
from sm_contract.resources import resource
from sm_contract.verdict import Judgement

MARK = "#!/bin/sh\n# by hand:"  # how a script of ours begins
_WIDTH = 110


@dataclass(kw_only=True)
class Sheet:
    """A script and the files it needs beside it."""

    text: str
    files: Files = field(default_factory=dict)


def fragment(name: str) -> str:
    """A part that is the same in every script, as it is shipped."""
    return resource("data", "repro", f"{name}.sh").read_text(encoding="utf-8")


def head(judgement: Judgement, what: str, expected: Sequence[str], more: str = "") -> str:
    """What is shown, and what is to be seen. Whatever an image wrote stays within its comment."""
    told = [
        ("expected", judgement.expected),
        ("observed", judgement.observed),
        ("because", judgement.because),
        ("fix", judgement.fix),
        *(("source", source) for source in judgement.sources),
    ]
    lines = [f"{judgement.id} ({judgement.level})", *_wrapped(judgement.title), ""]
    lines += [line for label, text in told if text for line in _labelled(label, text)]
    lines += ["", *_wrapped(what)]
    if expected:
        lines += ["sm_contract saw, and this is to say again:", ""]
        lines += [f"  seen: {shown(line)}" for line in expected]
    lines += ["", *_wrapped(more)] if more else []
    lines += ["", "All it needs is docker, curl and the files beside it. What it makes, it removes."]
    return f"{MARK} " + "\n".join(f"# {line}".rstrip() for line in lines).removeprefix("# ") + "\n"


def settings(usage: str, values: Mapping[str, tuple[object, str]], engine: str = "") -> str:
    """What can be set from outside: by name, its value in this run and what it is."""
    lines = [f"# {usage}", "set -u", "umask 022", 'cd "$(dirname "$0")" || exit 1']
    lines += [f"export DOCKER_HOST=${{DOCKER_HOST-{quote(engine)}}}"] if engine else []
    lines += [f"{name}=${{{name}:-{value}}} # {what}" for name, (value, what) in values.items()]
    return "\n".join(lines) + "\n"


def the_image(image: ImageFacts) -> str:
    """Where the image comes from. It is never pulled."""
    if image.source == "engine":
        return (
            f"IMAGE=${{1:-{quote(image.reference)}}}\n"
            'docker image inspect --format "image {{.Id}}" "$IMAGE" || exit 1\n'
        )
    path = Path(image.reference).expanduser().resolve()
    reading = f"cat {quote(str(path))}" if path.is_file() else f"tar -C {quote(str(path))} -cf - ."
    return f"IMAGE=${{1:-{quote(image.id)}}}\narchive() {{ {reading}; }}\n{fragment('archive')}"


def _labelled(label: str, text: str) -> list[str]:
    parts = _wrapped(text, _WIDTH - 10)
    return [f"{label:<9} {parts[0]}", *(f"{'':<9} {part}" for part in parts[1:])]


def _wrapped(text: str, width: int = _WIDTH) -> list[str]:
    return wrap(shown(text), width)
