"""Which roles an image claims: absent only on positive evidence, never for lack of proof."""

from __future__ import annotations

import re

from sm_contract.record import INFERENCE, TRAINING, WORD, ImageFacts, Life, RoleFact

USAGE = re.compile(r"^usage[: ]|\busage:", re.IGNORECASE | re.MULTILINE)


def decide(
    role: str, declared: tuple[str, ...] | None, image: ImageFacts, lives: list[Life], *, table: str = ""
) -> RoleFact:
    """Decide on one role from the declaration, the image's files, and its answer to the word.

    A ``table`` of the declaration that gives the role's data claims it, where no roles are declared and the image
    does not show that it lacks it: one declaration may speak of several images.
    """
    if declared is not None:
        there = role in declared
        why = f"roles = [{', '.join(declared)}]"
        return RoleFact(claimed=there, how="declared", why=why if there else f"{role} is not among the declared roles")
    found = _found_out(role, image, lives)
    return RoleFact(claimed=True, how="declared", why=table) if table and found.claimed is None else found


def _found_out(role: str, image: ImageFacts, lives: list[Life]) -> RoleFact:
    word = WORD[role]
    worked = next((life for life in lives if life.saved or life.ready_at is not None), None)
    if worked is not None:
        did = "trained" if role == TRAINING else "served"
        how = "with its own CMD" if worked.change == "own command" else f"when given `{word}`"
        return _found(True, f"it {did} {how}")
    if role == INFERENCE and any(one.right for life in lives for one in life.listeners or ()):
        return _found(True, f"it listens on port 8080 when given `{word}`")
    answer = next((life for life in lives if not life.base), None)
    if answer is not None and answer.ended == "serving":
        return _found(False, f"given `{word}` it serves: it ignores the word")
    if image.entrypoint:
        return _by_answer(word, image, answer)
    return _by_path(word, image)


def _by_path(word: str, image: ImageFacts) -> RoleFact:
    program = image.programs.get(word)
    if program is None:
        return _found(None, f"its files could not be read to look for `{word}`")
    if program.file is not None:
        return _found(True, f"{program.file.path} is there to be run")
    if program.elsewhere:
        return _found(None, f"it has no ENTRYPOINT, and {program.elsewhere[0]} lies off its PATH")
    return _found(False, f"it has no ENTRYPOINT and no `{word}` on its PATH")


def _by_answer(word: str, image: ImageFacts, answer: Life | None) -> RoleFact:
    program = image.programs.get(word)
    log = answer.log_text() if answer is not None else ""
    refused = answer is not None and answer.ended == "itself" and answer.exit_code not in (0, None)
    if refused and _names_as_unknown(word, log):
        return _found(False, f"it refuses the word: {_line_with(word, log)}")
    if program is not None and program.knows_word:
        return _found(True, f"its entry program mentions `{word}`")
    if refused and program is not None and program.knows_word is False and USAGE.search(log):
        return _found(False, f"its entry program does not mention `{word}` and answers it with a usage text")
    started = " ".join([*image.entrypoint, word])
    if refused and _takes_for_a_file(word, log):
        end = f"ended with exit code {answer.exit_code if answer else None}: it took the word for a file and found none"
        return _found(None, f"`{started}` {end} ({_line_with(word, log)})")
    return _found(None, f"`{started}` {_end(answer)}, and nothing shows whether the image knows the word")


def _end(answer: Life | None) -> str:
    if answer is None:
        return "was not tried"
    if answer.start_error or answer.ended == "itself":
        return answer.start_error or f"ended with exit code {answer.exit_code}"
    return f"was still running after {answer.stop.at if answer.stop else answer.seconds:.0f} s and had to be ended"


UNKNOWN = (
    r"(invalid choice|unrecognized arguments?|unknown (sub)?command|unexpected (extra )?argument)[^\n]*{word}",
    r"(no such command|not a valid (sub)?command)[^\n]*{word}",
    r"{word}[^\n]*(is not a|not a valid) (sub)?command",
)

# an interpreter as the entry program: python3, sh, node, java
NO_SUCH_FILE = (
    r"(can't|cannot|could not|unable to) (open|find|access)( (or|load|main|class|file|jarfile|module|script))* "
    r"['\"]?[./]*{word}['\"]?([:\s]|$)",
    r"(^|\s)['\"]?[./]*{word}['\"]?: No such file or directory",
)


def _takes_for_a_file(word: str, log: str) -> bool:
    return any(re.search(pattern.format(word=word), log, re.IGNORECASE | re.MULTILINE) for pattern in NO_SUCH_FILE)


def _names_as_unknown(word: str, log: str) -> bool:
    return any(re.search(pattern.format(word=rf"\b{word}\b"), log, re.IGNORECASE) for pattern in UNKNOWN)


def _line_with(word: str, log: str) -> str:
    return next((line.strip()[:150] for line in log.splitlines() if word in line), "")


def _found(claimed: bool | None, why: str) -> RoleFact:
    return RoleFact(claimed=claimed, how="found out", why=why)
