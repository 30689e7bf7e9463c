"""The requirements, each tested by changing a good record: a fault breaks its own, and what is legal breaks none."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from contract_support import broken, mutated, verdicts
from good_record import REQUESTS, answer, crashed, fail, good_record, served, trained
from mutations import (
    MEANT_TO_FAIL,
    Change,
    Mutation,
    add,
    candidate,
    drop,
    failing,
    fields,
    follow_up,
    image,
    life,
    measured_again,
    no_serving,
    no_training,
    serve_only,
    servers,
    then,
    trainings,
)
from mutations.tables import BREAKS, KEEPS
from mutations.texts import TEXTS

import sm_contract.contract
from fixtures.faults import UNBREAKABLE
from sm_contract import changes
from sm_contract.catalogue import catalogue
from sm_contract.record import (
    AGAIN,
    BIG,
    INFERENCE,
    TRAINING,
    FileFact,
    GpuFacts,
    Healthcheck,
    Life,
    ManifestFact,
    ModelFacts,
    Record,
    RoleFact,
)
from sm_contract.requirements import registry
from sm_contract.verdict import Judgement, Verdict

TOGETHER = {  # what the same observation breaks as well
    "SM-TRAIN-NET-04": {"SM-TRAIN-OUT-01"},  # a model that is uploaded is not in /opt/ml/model
}
NOT_OF_THE_GOOD_IMAGE = {  # a supplied model, a HEALTHCHECK, CUDA and its label, /opt/ml/code, what is not claimed
    "SM-INFER-MODEL-07",
    *("SM-INFER-MODEL-03", "SM-INFER-MODEL-04", "SM-INFER-MODEL-05", "SM-INFER-MODEL-06"),
    "SM-IMAGE-HEALTHCHECK-01",
    *("SM-IMAGE-GPU-01", "SM-IMAGE-GPU-02", "SM-IMAGE-GPU-03", "SM-IMAGE-GPU-04", "SM-INFER-GPU-03"),
    *("SM-IMAGE-LABEL-02", "SM-IMAGE-RESERVED-02"),
    *("SM-TRAIN-DATA-10", "SM-TRAIN-OUT-02", "SM-TRAIN-OUT-07", "SM-TRAIN-STOP-03"),
}


def _cases(table: dict[str, list[Mutation]]) -> list[object]:
    return [pytest.param(id, one, id=f"{id}: {one.name}") for id, rows in table.items() for one in rows]


# --- the registry -----------------------------------------------------------------------------------


def test_the_base_contract_is_registered_whole_and_all_of_it_has_mutations() -> None:
    scopes = ("base-image", "base-training", "base-hosting", "privileges", "offline", "ecr", "gpu")
    contract = {id for id, one in registry().items() if not one.own}
    assert contract == {id for id, entry in catalogue().items() if entry.scope in scopes}
    assert set(BREAKS) == set(KEEPS) == set(TEXTS) == contract - set(UNBREAKABLE)


@pytest.mark.parametrize("table", [BREAKS, KEEPS], ids=["breaks", "keeps"])
def test_each_requirement_has_mutations(table: dict[str, list[Mutation]]) -> None:
    assert [id for id, rows in table.items() if not rows] == []
    for id, rows in table.items():
        assert len({one.name for one in rows}) == len(rows), f"{id}: a name is used twice"


def test_what_they_rest_on_is_known_and_has_no_circle() -> None:
    known = registry()
    for start in known:
        todo, seen = list(known[start].rests_on), set[str]()
        while todo:
            id = todo.pop()
            assert id in known, f"{start} rests on {id}, which is not judged"
            assert id != start, f"{start} rests on itself"
            if id not in seen:
                seen.add(id)
                todo.extend(known[id].rests_on)


def test_the_room_knows_nothing_of_how_the_record_comes_about() -> None:
    allowed = {"record", "verdict", "requirements", "views", "changes", "alone", "wants", "contract"}
    for path in Path(sm_contract.contract.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for name in names:
                assert name.split(".")[0] not in ("docker", "requests", "pytest"), f"{path.name} imports {name}"
                parts = name.split(".")
                if parts[0] == "sm_contract" and len(parts) > 1:
                    assert parts[1] in allowed, f"{path.name} imports {name}"


# --- mutations --------------------------------------------------------------------------------------


def test_a_good_record_keeps_the_whole_contract() -> None:
    found = verdicts(good_record())
    other = {id: one.verdict for id, one in found.items() if one.verdict is not Verdict.PASSED}
    assert other == dict.fromkeys(NOT_OF_THE_GOOD_IMAGE, Verdict.NOT_APPLICABLE)


@pytest.mark.parametrize(("id", "mutation"), _cases(BREAKS))
def test_a_fault_breaks_its_requirement_and_no_other(id: str, mutation: Mutation) -> None:
    found = mutated(mutation.change)
    together = {id} | TOGETHER.get(id, set())
    assert broken(found) == together
    level = Verdict.NOTED if catalogue()[id].level == "MAY" else Verdict.WARNED
    assert found[id].verdict is (Verdict.FAILED if catalogue()[id].fails(None) else level)
    for one in found.values():
        if one.verdict is Verdict.BLOCKED:
            assert one.reason in {f"rests on {root}, which is broken" for root in together}


@pytest.mark.parametrize(("id", "mutation"), _cases(KEEPS))
def test_what_is_legal_breaks_nothing(id: str, mutation: Mutation) -> None:
    found = mutated(mutation.change)
    assert broken(found) == set()
    assert found[id].verdict is Verdict.PASSED, found[id].reason


@pytest.mark.parametrize("id", TEXTS)
def test_what_is_said_is_held_to_the_letter(id: str) -> None:
    one = mutated(BREAKS[id][0].change)[id]
    assert (one.observed, one.fix) == TEXTS[id]
    assert one.expected
    assert one.evidence


@pytest.mark.parametrize("seed", range(3))
def test_two_faults_at_once_are_never_missed_nor_a_fault_of_ours(seed: int) -> None:
    alone = ("samples of ours", "only trains")  # they take away what others need
    cases = [(id, m) for id, rows in BREAKS.items() for m in rows if not any(words in m.name for words in alone)]
    for number, (id, one) in enumerate(cases):
        other_id, other = cases[(number * 7 + seed * 31 + 13) % len(cases)]
        try:
            record = measured_again(then(one.change, other.change)(good_record()))
        except (KeyError, StopIteration, AssertionError, IndexError, TypeError):
            continue  # the second has nothing left to change
        found = verdicts(record)
        assert broken(found), f"neither {id} ({one.name}) nor {other_id} ({other.name}) is named"
        for judged in found.values():
            assert _root(judged, found) in broken(found) or judged.verdict is not Verdict.BLOCKED, judged


def _root(judged: Judgement, found: dict[str, Judgement]) -> str:
    """What a blocked verdict comes down to."""
    for _ in found:
        if judged.verdict is not Verdict.BLOCKED:
            break
        judged = found[judged.reason.split()[2].rstrip(",")]
    return judged.id


# --- no declaration, roles --------------------------------------------------------------------------


def _undeclared() -> Change:
    nothing = candidate(
        declared=(), hyperparameters={}, bad_hyperparameters={}, optional_channels=(), requests=REQUESTS[:2]
    )
    return then(nothing, drop("train.bad_hyperparameter"))


def _refuses_requests(status: int) -> Change:
    def change(one: object) -> object:
        plain = [replace(answer("plain", n, 1.1, status, "bad request")) for n in (0, 1)]
        more = replace(plain[0], name="usual client headers")
        pings = tuple(replace(ping, busy=False) for ping in one.pings)  # type: ignore[attr-defined]
        return replace(one, invocations=(*plain, more), pings=pings)  # type: ignore[type-var]

    return then(servers(change), life("serve.again", change))  # type: ignore[arg-type]


def test_without_declaration_a_good_image_is_judged_in_fifty_requirements() -> None:
    found = mutated(_undeclared())
    assert broken(found) == set()
    assert sum(one.verdict.judged for one in found.values()) >= 50


@pytest.mark.parametrize("status", [400, 415, 500, 503])
def test_an_image_that_refuses_our_data_is_not_accused(status: int) -> None:
    found = mutated(
        _undeclared(),
        no_training(failing("ValueError: train.csv: expected 784 columns")),
        lambda record: replace(record, lives={**record.lives, **_healthy_lives()}),
        _refuses_requests(status),
    )
    assert broken(found) == set()
    assert sum(one.verdict.judged for one in found.values()) >= 25
    assert all(one.verdict is not Verdict.BLOCKED for one in found.values())


def _healthy_lives() -> dict[str, object]:
    good = good_record().lives
    return {name: good[name] for name in ("serve.full", "serve.bare", "serve.again")}


def test_without_a_model_a_server_that_ends_is_not_accused() -> None:
    found = mutated(_undeclared(), no_training(failing("ValueError: train.csv: no such column")))
    assert broken(found) == set()
    assert "declare [training.channels.NAME]" in found["SM-TRAIN-RUN-01"].reason
    assert "declare" in found["SM-INFER-RUN-01"].reason


def test_a_role_that_is_not_claimed_is_not_judged() -> None:
    found = mutated(serve_only())
    training = [one for id, one in found.items() if id.startswith("SM-TRAIN-")]
    assert {one.verdict for one in training} == {Verdict.NOT_APPLICABLE}
    assert broken(found) == set()
    assert found["SM-PRIV-TERMINAL-01"].verdict is Verdict.PASSED


def test_training_alone_has_nothing_to_hand_over() -> None:
    def change(record: Record) -> Record:
        lives = {name: one for name, one in record.lives.items() if one.role == TRAINING}
        roles = {**record.roles, INFERENCE: RoleFact(claimed=False, how="declared", why="not declared")}
        return replace(record, lives=lives, roles=roles)

    found = mutated(change, add(trained("train.other_user")))
    assert found["SM-TRAIN-FS-04"].verdict is Verdict.NOT_APPLICABLE
    assert not any(one.verdict in (Verdict.NOT_TESTABLE, Verdict.BLOCKED) for one in found.values())


def test_a_failed_training_blocks_the_server_that_has_no_model() -> None:
    found = mutated(no_training(failing("ModuleNotFoundError: No module named 'numpy'")))
    assert broken(found) == {"SM-TRAIN-RUN-01"}
    assert found["SM-INFER-RUN-01"].reason == "rests on SM-TRAIN-RUN-01, which is broken"


# --- limits of ours ---------------------------------------------------------------------------------


def test_a_limit_of_ours_is_no_verdict() -> None:
    memory = trainings(lambda one: replace(fail(one, 137, "Killed"), hit_limits=("memory",)))
    found = mutated(memory, drop(*MEANT_TO_FAIL))
    assert broken(found) == set()
    assert found["SM-TRAIN-RUN-01"].reason.startswith("raise --sm-memory (now ")


def test_a_follow_up_that_hit_a_limit_of_ours_names_no_cause() -> None:
    isolated = follow_up("train.bare", changes.ISOLATED, lambda one: replace(fail(one, 137), hit_limits=("memory",)))
    found = mutated(life("train.full", failing("killed")), isolated)
    assert broken(found) == set()
    assert "no single difference" in found["SM-TRAIN-NET-01"].reason


def test_a_training_that_is_still_at_work_is_no_verdict() -> None:
    slow = fields(ended="limit", exit_code=137, seconds=3600.0)
    found = mutated(trainings(slow), drop(*MEANT_TO_FAIL))
    assert broken(found) == set()
    assert found["SM-TRAIN-RUN-06"].reason.startswith("raise --sm-train-limit (now 3600 s)")


def test_a_shortened_window_is_named() -> None:
    sleeps = no_serving(
        lambda one: replace(crashed(one, 0), ended="stopped", shortened={"start": 480.0}, limits={"start": 8.0})
    )
    observed = mutated(sleeps)["SM-INFER-PING-03"]
    assert observed.expected.endswith("within 8 s (shortened by an option; the contract's is 480 s)")


# --- what cannot be shown, and says so ---------------------------------------------------------------


def sent(name: str, **facts: Any) -> Callable[[Life], Life]:
    """A life in which what was sent under a name came to something else."""

    def change(one: Life) -> Life:
        return replace(one, invocations=tuple(replace(i, **facts) if i.name == name else i for i in one.invocations))

    return change


def _not_over_it(one: Life) -> Life:
    """After the big body no good request is answered, and that was the last of it."""
    big = next(i for i in one.invocations if i.name == BIG)
    kept = tuple(i for i in one.invocations if i.at <= big.at)
    return replace(one, invocations=(*kept, answer(AGAIN, 0, big.at + 1, 500)), kill=None)


def _fails_at_all_from(what: str) -> Callable[[Life], Life]:
    """A server that answers nothing any more from a request with another Host on."""

    def change(one: Life) -> Life:
        asked = tuple(replace(a, status=500) if what in a.what else a for a in one.asked)
        return _not_over_it(replace(one, asked=asked))

    return change


@pytest.mark.parametrize(
    ("id", "change", "reason"),
    [
        (
            "SM-INFER-STOP-01",
            servers(lambda one: replace(one, ended="killed", stop=replace(one.stop, killed=True))),
            "needs root on a local Linux engine",
        ),
        ("SM-TRAIN-FAIL-08", drop("train.killed_child"), "needs root on a local Linux engine"),
        ("SM-TRAIN-FAIL-08", life("train.killed_child", fields(kill=None)), "ended before a child"),
        ("SM-TRAIN-FAIL-02", candidate(bad_hyperparameters={}), "declare [training] bad_hyperparameters"),
        (
            "SM-INFER-INVOKE-12",
            life("serve.probed", sent(BIG, status=None, error="timed out", seconds=60.0, headers=())),
            "no complete answer within 60.0 s for a body of 6 MB",
        ),
        (
            "SM-INFER-INVOKE-11",
            life("serve.probed", _not_over_it),
            "a broken body was to be sent: the server was not well again after what was sent before",
        ),
        ("SM-INFER-NET-03", life("serve.probed", _fails_at_all_from("POST /invocations")), "for the usual Host"),
        ("SM-INFER-RUN-11", drop("serve.again"), "serve.again was not run"),
        ("SM-INFER-MODEL-01", drop("serve.empty"), "serve.empty was not run"),
        ("SM-INFER-PING-04", servers(lambda one: replace(one, pings=one.pings[:9])), "fewer than 20 pings"),
        (
            "SM-INFER-PING-08",
            servers(lambda one: replace(one, pings=tuple(replace(p, busy=False) for p in one.pings))),
            "no ping fell into an open invocation",
        ),
        (
            "SM-TRAIN-FAIL-03",
            then(candidate(declared=()), life("train.bad_data", lambda one: trained(one.name))),
            "declare [training.channels.NAME]",
        ),
        (
            "SM-INFER-NET-01",
            no_serving(lambda one: replace(crashed(one, 0), ended="needs the container's address")),
            "needs the container's address",
        ),
        (
            "SM-TRAIN-RUN-01",
            lambda record: replace(record, lives={}, unstartable="needs an arm64 engine"),
            "needs an arm64",
        ),
        ("SM-IMAGE-SIZE-01", candidate(max_image_size=None), 'declare max_image_size, such as "10 GB"'),
        (
            "SM-IMAGE-LAYERS-02",
            then(candidate(max_image_size=None), image(manifest=None, size=60 << 30)),
            "unpacked, up to 61,440 MiB are in one layer",
        ),
        ("SM-IMAGE-MANIFEST-01", image(manifest=None), "skopeo copy docker://NAME oci:FOLDER"),
        ("SM-IMAGE-HEALTHCHECK-01", image(healthcheck=Healthcheck(command=("CMD", "x"))), "a run longer than 90 s"),
        ("SM-IMAGE-GPU-04", image(gpu=GpuFacts(signs=("a",), runtimes=("b",))), "needs an NVIDIA GPU"),
        (
            "SM-IMAGE-SCRIPT-01",
            lambda record: replace(record, image=replace(record.image, unreadable="a layer is damaged")),
            "a layer is damaged",
        ),
    ],
)
def test_what_cannot_be_shown_says_what_is_missing(id: str, change: Change, reason: str) -> None:
    found = mutated(change)
    assert found[id].verdict is Verdict.NOT_TESTABLE
    assert reason in found[id].reason
    killed = {"SM-INFER-STOP-02"} if id == "SM-INFER-STOP-01" else set()  # why does not matter for that
    assert broken(found) == killed


def test_a_limit_that_is_near_warns_and_hides_nothing() -> None:
    found = mutated(image(layers=110))
    assert found["SM-IMAGE-LAYERS-01"].verdict is Verdict.WARNED
    assert found["SM-IMAGE-LAYERS-01"].near
    assert {one.verdict for one in found.values()} <= {Verdict.PASSED, Verdict.WARNED, Verdict.NOT_APPLICABLE}
    assert broken(found) == {"SM-IMAGE-LAYERS-01"}


def test_an_index_whose_content_the_engine_does_not_tell() -> None:
    found = mutated(image(manifest=ManifestFact(media_type="", index="an index", images=0, attestations=None)))
    assert broken(found) == {"SM-IMAGE-MANIFEST-01"}
    unseen = {id for id, one in found.items() if one.verdict is Verdict.NOT_TESTABLE}
    assert unseen == {"SM-IMAGE-MANIFEST-02", "SM-IMAGE-MANIFEST-04", "SM-IMAGE-COMPRESSION-02"}


@pytest.mark.parametrize("code", [True, False])
def test_what_permits_something_is_met_or_does_not_apply(code: bool) -> None:
    baked = FileFact(path="/opt/ml/code/train.py", real_path="/opt/ml/code/train.py", kind="file")
    found = mutated(image(baked=(baked,) if code else ()), candidate())
    assert found["SM-IMAGE-RESERVED-02"].verdict is (Verdict.PASSED if code else Verdict.NOT_APPLICABLE)
    assert found["SM-IMAGE-ROLES-01"].verdict is Verdict.PASSED
    assert mutated(serve_only())["SM-IMAGE-ROLES-01"].verdict is Verdict.NOT_APPLICABLE


def test_the_first_process_itself_has_no_wrapper_to_pass() -> None:
    def change(one: object) -> object:
        return replace(one, kill=replace(one.kill, depth=0), ended="no child")  # type: ignore[attr-defined,type-var]

    found = mutated(life("train.killed_child", change))  # type: ignore[arg-type]
    assert found["SM-TRAIN-FAIL-08"].verdict is Verdict.NOT_APPLICABLE


def test_a_declared_model_whose_trained_one_is_served_too() -> None:
    declared = ModelFacts(source="declared folder", path="/data/model", members=good_record().model.members)
    found = mutated(
        lambda record: replace(record, model=declared),
        candidate(declared=("channels", "model", "requests")),
        add(served("serve.handover")),
    )
    assert broken(found) == set()
    assert found["SM-TRAIN-FS-04"].verdict is Verdict.PASSED
