"""Roles: absent only on positive evidence."""

from __future__ import annotations

from pathlib import Path

import pytest

from sm_contract.candidate import given
from sm_contract.declaration import read_declaration
from sm_contract.record import FileFact, ImageFacts, Life, Listener, LogLine, Program
from sm_contract.scenarios.roles import decide

SERVE = FileFact(path="/usr/bin/serve", real_path="/usr/bin/serve", kind="file", mode=0o755)


def image(
    entrypoint: tuple[str, ...] = (), *, knows: bool | None = None, on_path: bool = False, off: str = ""
) -> ImageFacts:
    program = Program(
        word="serve",
        argv=(*entrypoint, "serve"),
        file=SERVE if on_path or entrypoint else None,
        elsewhere=(off,) if off else (),
        knows_word=knows,
    )
    return ImageFacts(
        reference="i", source="engine", id="x", os="linux", architecture="amd64", entrypoint=entrypoint,
        programs={"serve": program},
    )  # fmt: skip


def answer(
    *,
    code: int = 2,
    log: str = "",
    ended: str = "itself",
    ready: float | None = None,
    on: tuple[str, int] | None = None,
) -> Life:
    lines = tuple(LogLine(at=0, stream="stderr", text=text) for text in log.splitlines())
    return Life(
        name="serve.bare",
        role="inference",
        seconds=61.0,
        exit_code=code,
        ended=ended,
        log=lines,
        ready_at=ready,
        listeners=None if on is None else (Listener(address=on[0], port=on[1]),),
    )


PYTHON = ("python", "/opt/program/main.py")


@pytest.mark.parametrize(
    ("facts", "life", "claimed", "why"),
    [
        (image(), answer(), False, "no ENTRYPOINT and no `serve` on its PATH"),
        (image(on_path=True), answer(code=1), True, "/usr/bin/serve is there"),
        (image(off="/opt/program/serve"), answer(), None, "/opt/program/serve lies off its PATH"),
        (
            image(PYTHON),
            answer(log="main.py: error: invalid choice: 'serve' (choose from 'train')"),
            False,
            "refuses the word",
        ),
        (image(PYTHON, knows=False), answer(log="usage: main.py [-h]"), False, "does not mention"),
        (image(PYTHON), answer(log="usage: main.py [-h]"), None, "nothing shows"),
        (image(PYTHON, knows=True), answer(code=1, log="Traceback"), True, "mentions `serve`"),
        (image(PYTHON, knows=False), answer(code=1, log="Traceback"), None, "nothing shows"),
        (image(PYTHON), answer(code=0), None, "nothing shows"),
        (
            image(("python3",)),
            answer(log="python3: can't open file '//serve': [Errno 2] No such file or directory"),
            None,
            "`python3 serve` ended with exit code 2: it took the word for a file and found none (python3: can't open",
        ),
        (
            image(("node",)),
            answer(code=1, log="Error: Cannot find module '/serve'\n    at Module._load"),
            None,
            "it took the word for a file and found none (Error: Cannot find module '/serve')",
        ),
        (image(("sh",)), answer(log="sh: serve: No such file or directory"), None, "it took the word for a file"),
        (image(PYTHON), answer(code=1, log="cannot serve: No such file: '/opt/ml/model/m'"), None, "nothing shows"),
        (image(PYTHON), answer(ended="stopped", ready=0.3), True, "served when given"),
        (image(PYTHON), answer(ended="serving"), False, "ignores the word"),
        (image(PYTHON), answer(ended="stopped", on=("0.0.0.0", 8080)), True, "listens on port 8080 when given `serve`"),
        (image(PYTHON), answer(ended="stopped", on=("127.0.0.1", 5000)), None, "was still running after 61 s and had"),
    ],
)
def test_a_role_is_found_out(facts: ImageFacts, life: Life, claimed: bool | None, why: str) -> None:
    fact = decide("inference", None, facts, [life])
    assert (fact.claimed, fact.how) == (claimed, "found out")
    assert why in fact.why


def test_a_table_with_data_claims_its_role_whatever_the_image_answers() -> None:
    failing = answer(code=1, log="Traceback")
    fact = decide("inference", None, image(PYTHON, knows=False), [failing], table="[inference]")
    assert (fact.claimed, fact.how, fact.why) == (True, "declared", "[inference]")
    fact = decide("inference", ("training",), image(), [failing], table="[inference]")
    assert (fact.claimed, fact.why) == (False, "inference is not among the declared roles")


@pytest.mark.parametrize(
    ("text", "tables"),
    [
        ("", ("", "")),
        ("[inference]\nenvironment = { A = 'b' }\n[training]\nenvironment = { A = 'b' }", ("", "")),
        ("[inference]\nmodel = 'here'", ("", "[inference]")),
        ("[[inference.requests]]\nbody = 'here/a'\ncontent_type = 'a/b'", ("", "[inference]")),
        ("[training]\nhyperparameters = { a = 'b' }", ("[training]", "")),
        ("[training]\nbad_hyperparameters = { a = 'b' }", ("[training]", "")),
        ("[training.channels.here]\npath = 'here'", ("[training]", "")),
    ],
)
def test_which_tables_hold_data_of_a_role(tmp_path: Path, text: str, tables: tuple[str, str]) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "a").write_text("1\n")
    (tmp_path / "sm-contract.toml").write_text(text)
    data = given(read_declaration(tmp_path / "sm-contract.toml"))
    assert (data.table_of("training"), data.table_of("inference")) == tables
    assert given(None).table_of("inference") == ""


@pytest.mark.parametrize(("declared", "claimed"), [(("training",), False), (("inference",), True)])
def test_a_declaration_decides(declared: tuple[str, ...], claimed: bool) -> None:
    fact = decide("inference", declared, image(), [answer()])
    assert (fact.claimed, fact.how) == (claimed, "declared")
