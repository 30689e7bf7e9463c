"""Whether the texts of an entry point know a word.

A role counts as absent only on positive evidence, so "no" is said only of a text that neither mentions
the word nor passes its arguments on to something that we cannot look into.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Sequence

from sm_contract.engine.protocol import FileSystem
from sm_contract.record import FileFact

_TEXT = 65536  # a longer one is not looked at
_TEXTS = 12  # looked at in one entry point
_LOOKED = 80  # names followed
_THE_SYSTEMS = (
    "/bin/",
    "/dev/",
    "/etc/",
    "/lib",
    "/proc/",
    "/sbin/",
    "/sys/",
    "/tmp/",
    "/usr/bin/",
    "/usr/lib",
    "/usr/share/",
)
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "zsh"})
_PASSES_ON = re.compile(
    r"""\$[@*1-9] | \$\{[@*1-9] | \bshift\b                # a shell
      | \bargv\b | \bARGV\b | \bcommandArgs\b | os\.Args     # python and others
      | \b(argparse|click|typer|fire|docopt|optparse|absl|hydra|getopts?)\b
      | \bentry_points?\b | \bmain\s*\(""",
    re.VERBOSE,
)
_ONLY_EXECUTES = re.compile(r"""^\s*exec\s+(--\s+)?"?\$(@|\{@\}|\*)"?\s*$""", re.MULTILINE)
_PATHS = re.compile(r"(?<![\w.$}/-])/[\w./+-]*\w")


def knows(
    fs: FileSystem,
    argv: Sequence[str],
    script: FileFact | None,
    found: FileFact | None,
    *,
    workdir: str,
    on_path: Callable[[], bool],
) -> bool | None:
    """Whether the entry point knows the word, the last of ``argv``; None where no text decides.

    ``script`` is the program if it is a text, ``found`` the program whatever it is.
    """
    word = argv[-1]
    if len(argv) == 1:
        return True if found is not None else None  # without ENTRYPOINT the word is the program's name
    texts = entry_texts(fs, argv, script, workdir).values()
    mentions = re.compile(rf"(?<![A-Za-z0-9_]){re.escape(word)}(?![A-Za-z0-9_])")
    if any(mentions.search(text) for text in texts) or _command_line_mentions(argv, mentions):
        return True
    if not texts:
        return None
    passed_on = any(_PASSES_ON.search(_ONLY_EXECUTES.sub("", text)) for text in texts)
    executed = any(_ONLY_EXECUTES.search(text) for text in texts)
    if executed and on_path():
        return True
    return None if passed_on else False


def _command_line_mentions(argv: Sequence[str], word: re.Pattern[str]) -> bool:
    """Whether the text of a shell-form ENTRYPOINT names the word; what it starts is not looked into."""
    shell = posixpath.basename(argv[0]) in _SHELLS and len(argv) > 3 and argv[1].startswith("-")
    return shell and bool(word.search(argv[2]))


def entry_texts(fs: FileSystem, argv: Sequence[str], script: FileFact | None, workdir: str) -> dict[str, str]:
    """By path the program if it is a text, the arguments that name texts, and the texts that these name in full."""
    first = [script.path] if script is not None else []
    first += [posixpath.join(workdir, argument) for argument in argv[1:-1] if not argument.startswith("-")]
    todo = [(path, True) for path in first]
    seen: set[str] = set()
    texts: dict[str, str] = {}
    while todo and len(texts) < _TEXTS and len(seen) < _LOOKED:
        path, entry = todo.pop(0)
        fact = fs.stat(path) if path not in seen else None
        seen.add(path)
        if fact is None or fact.kind != "file" or fact.real_path in seen - {path} or fact.size > _TEXT:
            continue
        seen.add(fact.real_path)
        text = _as_text(fs.read(path, _TEXT))
        if text is not None:
            texts[path] = text
            named = [match[0] for match in _PATHS.finditer(text)] if entry else []
            todo += [(name, False) for name in named if not name.startswith(_THE_SYSTEMS)]
    return texts


def _as_text(data: bytes | None) -> str | None:
    if not data or b"\0" in data[:4096]:
        return None
    return data.decode("utf-8", "replace")
