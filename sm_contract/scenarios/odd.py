"""Odd texts that a job may legally carry: hyperparameters and variables at their limits, and traps for a shell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sm_contract.scenarios.drawing import drawn

MOST = 100  # hyperparameters of a job, and variables
KEY = 256  # characters of a hyperparameter's name
VALUE = 2500  # of its value
VARIABLE = 512  # of a variable's value
DRAWN = 24  # values made from the declared ones

_RAN = "sm-contract-ran"
_PLACE = f"/opt/ml/output/data/{_RAN}"
_TRAPS = (  # what each does only when a shell gets it unquoted, or within the quotes that it ends
    "$(:>{})",
    "`:>{}`",
    "x; :>{}; #",
    "x && :>{}",
    'x"; :>{}; "x',
    "x'; :>{}; 'x",
    'x" $(:>{}) "x',
    "line \"one\"\nline 'two'; :>{}\n$(:>{})",
)
_OF_VARIABLES = len(_TRAPS) - 1  # no hyperparameter holds a line break
_TEXTS = (
    "",
    " ",
    "two words",
    '"adam"',
    "[1, 2]",
    '{"layers": [64, 32], "name": null}',
    "it's",
    'an "open quote',
    "-1",
    "--help",
    "key=value",
    "%s %n %(x)s {0} {}",
    "\\",
    "C:\\new\\table",
    "$HOME ${PATH} ~ * ? !!",
    "a & b | c > /dev/null < /dev/null # d",
    "../../../etc/passwd",
    "1e309",
    "NaN",
    "null",
    "0x1F",
    "naïve ß Δ 漢字 🙂",
    "\u202eright to left\u202c",
    "tab\there",
    "x" * VALUE,
    "é🙂" * (VALUE // 2),
    '"' * VALUE,
)
_CHARACTERS = "abcXYZ0189 .,-+_/\\'\"`$(){}[]<>|&;*?!#%~=:@^\té漢🙂"
_FRAMES = ("{}", " {} ", '"{}"', "'{}'", "[{}]", '{{"value": {}}}', "{}{}", "-{}", "{};{}", "{} # {}")


def odd_hyperparameters(declared: Mapping[str, str]) -> dict[str, str]:
    """100 in all: the declared ones as they are, odd values under short names, and long names for the rest."""
    traps = [trap.format(_mark(number), _mark(number)) for number, trap in enumerate(_TRAPS[:_OF_VARIABLES])]
    values = list(dict.fromkeys([*traps, *_TEXTS, *values_from(declared.values())]))
    room = max(0, MOST - len(declared))
    short = {f"text_{number:02}": value for number, value in enumerate(values[:room])}
    long = {f"name_{number:02}_".ljust(KEY, "x"): "1" for number in range(room - len(short))}
    return {**long, **short, **declared}


def plain_values(odd: Mapping[str, object], declared: Mapping[str, object]) -> dict[str, object]:
    """The same names, each with a plain value but the declared ones."""
    return {name: declared.get(name, "1") for name in odd}


def short_keys(odd: Mapping[str, object]) -> dict[str, object]:
    """The same values without those whose names are long."""
    return {name: value for name, value in odd.items() if len(name) < KEY}


def many_variables(declared: Mapping[str, str]) -> dict[str, str]:
    """The declared variables and others, 100 in all: one of 512 characters with line breaks, quotes and a trap."""
    trap = _TRAPS[_OF_VARIABLES].format(_mark(_OF_VARIABLES), _mark(_OF_VARIABLES))
    found = {"JOB_NOTE": trap.ljust(VARIABLE, "."), "JOB_PADDING": "x" * VARIABLE, "JOB_EMPTY": ""}
    found |= {f"JOB_SETTING_{n:02}": f"value {n}" for n in range(MOST - len(found) - len(declared))}
    return {**found, **declared}


def ran(paths: Iterable[str]) -> tuple[str, ...]:
    """The traps that a shell has sprung, by what lies below /opt/ml/output."""
    found = {path.removeprefix(f"data/{_RAN}-") for path in paths if path.startswith(f"data/{_RAN}-")}
    return tuple(trap.format(_mark(n), _mark(n)) for n, trap in enumerate(_TRAPS) if str(n) in found)


def values_from(declared: Iterable[str]) -> list[str]:
    """Values made from the declared ones and from nothing: the same for the same declaration."""
    from hypothesis import strategies as st  # noqa: PLC0415  # heavy, and only wanted in a run

    known = st.sampled_from(sorted(declared) or ["1"])
    texts = st.lists(st.sampled_from(_CHARACTERS), max_size=80).map("".join)
    framed = st.builds(lambda frame, value: frame.format(value, value), st.sampled_from(_FRAMES), known)
    long = st.builds(lambda value, times: (value * times)[:VALUE], known, st.sampled_from((2, 300, VALUE)))
    return drawn(texts | framed | long, DRAWN)


def _mark(number: int) -> str:
    return f"{_PLACE}-{number}"
