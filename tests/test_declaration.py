"""What the owner declares: read whole, or refused in one line that says where and how to mend it."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from textwrap import dedent

import pytest
from command_support import command

from sm_contract.catalogue import catalogue
from sm_contract.declaration import (
    Channel,
    Declaration,
    DeclarationError,
    Inference,
    Request,
    Training,
    Waiver,
    find_declaration,
    read_declaration,
)
from sm_contract.resources import resource
from sm_contract.status import Exit

WHOLE = """
    roles = ["training", "inference"]
    features = ["batch", "multi-model"]
    architecture = "arm64"
    concurrency = 4
    accept_not_testable = ["SM-INFER-PING-02", "TEAM-01"]

    [training]
    hyperparameters = { epochs = "3" }
    bad_hyperparameters = { epochs = "minus one" }
    required_hyperparameters = ["epochs"]
    environment = { LOG_LEVEL = "debug" }
    [training.channels.training]
    path = "data/training"
    content_type = "text/csv"
    required = true
    [training.channels.extra]
    path = "data/training/train.csv"
    required = false

    [inference]
    model = "model/"
    environment = { WORKERS = "2" }
    echoes_custom_attributes = true
    additional_models = { draft = "model" }
    [[inference.requests]]
    body = "request.csv"
    content_type = "text/csv"
    accept = "application/json"
    expect_content_type = "application/json"
    [[inference.requests]]
    body = "request.csv"
    content_type = "text/csv"

    [[waivers]]
    id = "SM-INFER-PING-05"
    owner = "ml-platform"
    reason = "the load balancer wants a body, ML-412"
    expires = 2027-01-31
    """


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with data, in which we are."""
    for name in ("data/training/train.csv", "model/model.json", "request.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1,2\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def declare(folder: Path, text: str, name: str = "sm-contract.toml") -> Path:
    path = folder / name
    path.write_text(dedent(text).lstrip(), encoding="utf-8")
    return path


def refusal(path: Path) -> list[str]:
    with pytest.raises(DeclarationError) as raised:
        read_declaration(path)
    return [str(line) for line in raised.value.args]


def test_everything_declared_is_read(folder: Path) -> None:
    path = declare(folder, WHOLE)
    request = Request(body=folder / "request.csv", content_type="text/csv")

    assert read_declaration(path) == Declaration(
        source=path,
        roles=("training", "inference"),
        features=("batch", "multi-model"),
        architecture="arm64",
        concurrency=4,
        accept_not_testable=("SM-INFER-PING-02", "TEAM-01"),
        training=Training(
            hyperparameters={"epochs": "3"},
            bad_hyperparameters={"epochs": "minus one"},
            required_hyperparameters=("epochs",),
            environment={"LOG_LEVEL": "debug"},
            channels={
                "training": Channel(path=folder / "data/training", content_type="text/csv"),
                "extra": Channel(path=folder / "data/training/train.csv", required=False),
            },
        ),
        inference=Inference(
            model=folder / "model",
            environment={"WORKERS": "2"},
            echoes_custom_attributes=True,
            additional_models={"draft": folder / "model"},
            requests=(
                Request(
                    body=folder / "request.csv",
                    content_type="text/csv",
                    accept="application/json",
                    expect_content_type="application/json",
                ),
                request,
            ),
        ),
        waivers=(
            Waiver(
                id="SM-INFER-PING-05",
                owner="ml-platform",
                reason="the load balancer wants a body, ML-412",
                expires=date(2027, 1, 31),
            ),
        ),
    )


def test_what_nobody_wrote_is_absent(folder: Path) -> None:
    read = read_declaration(declare(folder, ""))

    assert (read.roles, read.training, read.inference, read.waivers) == (None, None, None, ())
    assert (read.architecture, read.concurrency, read.features) == ("amd64", None, ())
    assert read.base == folder


def test_paths_are_taken_from_the_file_and_not_from_here(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = declare(folder, "[inference]\nmodel = 'model'\n")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))

    inference = read_declaration(path).inference
    assert inference is not None
    assert inference.model == folder / "model"


def test_where_it_is_looked_for(folder: Path) -> None:
    below, above = folder / "data", folder
    assert find_declaration(None, (below, above)) is None
    shared = declare(above, "[project]\nname = 'x'\n", "pyproject.toml")
    assert find_declaration(None, (below, above)) is None
    declare(above, "[tool.sm-contract]\nconcurrency = 2\n", "pyproject.toml")
    found = find_declaration(None, (below, above))
    assert found is not None
    assert (found.source, found.concurrency) == (shared, 2)
    declare(below, "concurrency = 3")
    found = find_declaration(None, (below, above))
    assert found is not None
    assert found.concurrency == 3
    other = declare(folder, "concurrency = 4", "other.toml")
    found = find_declaration(other, (below, above))
    assert found is not None
    assert found.concurrency == 4


def test_two_declarations_side_by_side_are_one_too_many(folder: Path) -> None:
    declare(folder, "concurrency = 3")
    declare(folder, "[tool.sm-contract]\nconcurrency = 2\n", "pyproject.toml")

    with pytest.raises(DeclarationError, match=r"sm-contract\.toml and .* both declare the image"):
        find_declaration(None, (folder,))


REFUSED = {
    "an unknown key": ("rolls = ['training']", "sm-contract.toml:1: rolls: unknown key; did you mean roles?"),
    "a role": ("roles = ['serving']", 'sm-contract.toml:1: roles[0]: found "serving"; valid are training, inference'),
    "no role": ("roles = []", "sm-contract.toml:1: roles: is empty; name at least one, or leave the key out"),
    "a feature": ("features = ['multimodel']", 'features[0]: found "multimodel"; did you mean multi-model?'),
    "an architecture": ("architecture = 'arm'", 'architecture: found "arm"; did you mean arm64?'),
    "no concurrency": ("concurrency = 0", "concurrency: found 0; the smallest valid value is 1"),
    "a wrong type": ("concurrency = 'many'", 'concurrency: found "many", a string, where an integer is wanted'),
    "a number for text": (
        "[training]\nhyperparameters = { epochs = 3 }",
        'sm-contract.toml:2: training.hyperparameters.epochs: found 3, an integer, where a string is wanted; write "3"',
    ),
    "a key in a table": (
        "\n# a comment\n[training]\nhyperparamters = {}",
        "sm-contract.toml:3: training.hyperparamters: unknown key; did you mean hyperparameters?",
    ),
    "a name of a channel": ("[training.channels.'my data']\npath = 'x'", 'found "my data", which is no valid value'),
    "a channel without data": (
        "[training.channels.training]\npath = 'data/trainning'",
        "sm-contract.toml:2: training.channels.training.path: the channel's data, 'data/trainning', is not there",
    ),
    "a value that is asked for and not given": (
        "[training]\nhyperparameters = { epochs = '3' }\nrequired_hyperparameters = ['epoch']",
        "required_hyperparameters[0]: 'epoch' has no value in training.hyperparameters; did you mean epochs?",
    ),
    "a model": ("[inference]\nmodel = 'model.tar.gz'", "inference.model: the model, 'model.tar.gz', is not there"),
    "an empty channel": ("[training.channels.training]\npath = 'empty'", "'empty', is an empty folder"),
    "a model that cannot be read": ("[inference]\nmodel = 'broken'", "holds link, which cannot be read"),
    "a body": (
        "[[inference.requests]]\nbody = 'request.csv'\ncontent_type = 'text/csv'\n"
        "[[inference.requests]]\nbody = 'data'\ncontent_type = 'text/csv'",
        "sm-contract.toml:5: inference.requests[1].body: the request's body, 'data', is a folder; name a file",
    ),
    "half a request": ("[[inference.requests]]\nbody = 'request.csv'", "inference.requests[0]: content_type missing"),
    "half a waiver": ("[[waivers]]\nid = 'SM-INFER-PING-05'", "waivers[0]: owner and reason and expires missing"),
    "a waiver for ever": (
        "[[waivers]]\nid = 'X'\nowner = 'me'\nreason = 'so'\nexpires = 'never'",
        'sm-contract.toml:5: waivers[0].expires: found "never"; write a day as in 2027-01-31',
    ),
    "no day": (
        "[[waivers]]\nid = 'X'\nowner = 'me'\nreason = 'so'\nexpires = '2027-02-30'",
        "waivers[0].expires: '2027-02-30' is no day of the calendar",
    ),
    "a moment for a day": (
        "[[waivers]]\nid = 'X'\nowner = 'me'\nreason = 'so'\nexpires = 2027-01-31T00:00:00Z",
        "write a day as in 2027-01-31",
    ),
    "one id waived twice": (
        "[[waivers]]\nid = 'X'\nowner = 'me'\nreason = 'so'\nexpires = 2027-01-31\n" * 2,
        "sm-contract.toml:7: waivers[1].id: X is waived twice; keep one of them",
    ),
    "an id nobody knows": (
        "accept_not_testable = ['SM-INFER-PNIG-02']",
        "accept_not_testable[0]: SM-INFER-PNIG-02 is not in contract 2026-11; did you mean SM-INFER-PING-02",
    ),
    "no TOML": ("roles = [", "sm-contract.toml: is not valid TOML: "),
}


@pytest.mark.parametrize(("text", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_a_mistake_is_named_in_one_line(folder: Path, text: str, says: str) -> None:
    (folder / "empty").mkdir()
    (folder / "broken").mkdir()
    (folder / "broken" / "link").symlink_to("nowhere")

    (line,) = refusal(declare(folder, text))

    assert says in line
    assert "\n" not in line


def test_each_of_several_mistakes_has_its_line(folder: Path) -> None:
    lines = refusal(declare(folder, "rolls = []\nconcurrency = 0\n[training]\nhyperparamters = {}\n"))

    assert [line.split(": ")[1] for line in lines] == ["rolls", "concurrency", "training.hyperparamters"]


def test_a_mistake_in_a_shared_file_is_named_in_full(folder: Path) -> None:
    path = declare(folder, "[project]\nname = 'x'\n\n[tool.sm-contract.training]\nchannel = {}\n", "pyproject.toml")

    assert refusal(path) == ["pyproject.toml:5: tool.sm-contract.training.channel: unknown key; did you mean channels?"]
    declare(folder, "[project]\nname = 'x'\n", "pyproject.toml")
    assert "has no table [tool.sm-contract]" in refusal(path)[0]


def test_a_file_that_is_none(folder: Path) -> None:
    (folder / "latin.toml").write_bytes(b"# caf\xe9\n")

    assert "is not UTF-8 at byte 5" in refusal(folder / "latin.toml")[0]
    assert "there is no such file" in refusal(folder / "nothing.toml")[0]
    assert "cannot be read" in refusal(folder / "data")[0]


def test_features_are_scopes_of_the_contract_or_claims_within_one() -> None:
    schema = json.loads(resource("schemas", "sm-contract.schema.json").read_text(encoding="utf-8"))
    scopes = {entry.scope.removeprefix("training-") for entry in catalogue().values()}

    within_base_training = {"graceful-stop", "uncompressed"}
    assert set(schema["properties"]["features"]["items"]["enum"]) <= scopes | within_base_training


def test_the_command_refuses_it(folder: Path) -> None:
    declare(folder, "rolls = []\n")
    found, named = command(folder, "--image=any:1"), command(folder, "--image=any:1", "--sm-config=data/none.toml")

    assert (found.status, named.status) == (Exit.USAGE, Exit.USAGE)
    assert found.err.strip() == "ERROR: sm-contract.toml:1: rolls: unknown key; did you mean roles?"
    assert named.err.strip().startswith("ERROR: data/none.toml: there is no such file")
    assert command(folder, "--sm-list").status == 0, "a question is answered all the same"
