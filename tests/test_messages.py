"""Messages fit what was observed: where a server listens, what ended a life, what a training lacked."""

from __future__ import annotations

from dataclasses import replace

import pytest
from good_record import fail, good_record, lines, served, trained, unhealthy
from mutations import Mutation, measured_again
from mutations.tables import BREAKS

from sm_contract import changes
from sm_contract.asking import built
from sm_contract.contract.causes import claimed, flips
from sm_contract.contract.reading import telling
from sm_contract.judge import judge
from sm_contract.record import (
    BUSY,
    INFERENCE,
    PARALLEL,
    TRAINING,
    Life,
    Listener,
    ModelFacts,
    Ping,
    Record,
    RoleFact,
    TreeFile,
)
from sm_contract.schema import near_ids
from sm_contract.verdict import Judgement, Verdict

REFUSED = Ping(at=479.0, seconds=0.0003, error="refused")


def verdict(record: Record, id: str) -> Judgement:
    (found,) = judge(record, ids=[id])
    return found


@pytest.mark.parametrize(
    ("listeners", "fix"),
    [
        ([Listener(address="127.0.0.1", port=8080)], "bind the server to 0.0.0.0 instead of 127.0.0.1"),
        ([Listener(address="::1", port=8080)], "bind the server to 0.0.0.0 instead of ::1"),
        ([Listener(address="127.0.0.1", port=5000)], "bind the server to 0.0.0.0:8080 instead of 127.0.0.1:5000"),
        ([Listener(address="0.0.0.0", port=5000)], "let the server listen on port 8080 instead of 5000"),
        ([Listener(address="::", port=8080)], "bind the server to 0.0.0.0, or clear IPV6_V6ONLY of its socket"),
        ([Listener(address="::", port=80)], "let the server listen on port 8080 instead of 80"),
        (
            [Listener(address="127.0.0.1", port=9010), Listener(address="0.0.0.0", port=5000, pid_one=True)],
            "let the server listen on port 8080 instead of 5000",
        ),
    ],
)
def test_the_fix_names_where_the_server_listens(listeners: list[Listener], fix: str) -> None:
    good = good_record()
    stuck = {name: life for name, life in good.lives.items() if not name.startswith("serve.")}
    for name in ("serve.bare", "serve.full"):
        stuck[name] = unhealthy(good.lives[name], REFUSED, listeners=tuple(listeners))
    found = verdict(replace(good, lives=stuck), "SM-INFER-NET-01")

    assert found.verdict is Verdict.FAILED
    assert found.fix.startswith(fix)
    assert str(listeners[-1]) in found.observed


def _never_healthy(*pings: Ping, listeners: tuple[Listener, ...] = (), **facts: object) -> Record:
    """A server that both first runs stopped when the window was over, measured again alone."""
    good = good_record()
    lives = {name: life for name, life in good.lives.items() if not name.startswith("serve.")}
    for name in ("serve.bare", "serve.full"):
        lives[name] = unhealthy(good.lives[name], *pings, listeners=listeners)
    return measured_again(replace(good, lives=lives, **facts))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("since", "status", "fix"),
    [
        (
            0.7,
            500,
            "make /ping answer 200 as soon as the server can work: it answered 500 from 0.7 s on, and the log should "
            "say why",
        ),
        (
            0.7,
            503,
            "make /ping answer 200 as soon as the server can work: it answered 503 from 0.7 s on, and the log should "
            "say why; only if it is still loading then, load faster, or raise "
            "ContainerStartupHealthCheckTimeoutInSeconds of the endpoint",
        ),
        (300.0, 500, "load less before the server listens, or load faster; where the model needs its time, raise"),
    ],
)
def test_a_server_that_refuses_from_early_on_need_not_load_faster(since: float, status: int, fix: str) -> None:
    answered = [Ping(at=at, seconds=0.01, status=status, connect_seconds=0.0004) for at in (since, 479.0)]
    found = verdict(_never_healthy(replace(REFUSED, at=0.1), *answered), "SM-INFER-PING-03")
    assert found.verdict is Verdict.FAILED
    assert found.fix.startswith(fix)


def test_a_ping_that_breaks_off_is_no_200() -> None:
    short = Ping(at=479.0, seconds=0.01, status=200, error="broken off", connect_seconds=0.0004)
    found = verdict(_never_healthy(short), "SM-INFER-PING-01")
    assert found.observed == (
        "status 200 and an answer that broke off for each GET /ping until 480 s were over (serve.bare)"
    )
    assert found.fix.startswith("send as many bytes as Content-Length says (an empty body needs Content-Length: 0)")


@pytest.mark.parametrize(
    ("ping", "seen"),
    [
        (Ping(at=479.0, seconds=0.01, status=500, connect_seconds=0.0004), "/ping answered 500"),
        (REFUSED, "nothing listened on port 8080"),
        (
            Ping(at=470.0, seconds=10.0, error="timed out", connect_seconds=0.0004),
            "/ping got no complete answer within 10.0 s",
        ),
    ],
)
def test_what_was_seen_of_a_server_without_a_model_is_said(ping: Ping, seen: str) -> None:
    record = _never_healthy(ping, model=ModelFacts(source="none"))
    found = verdict(replace(record, candidate=replace(record.candidate, declared=())), "SM-INFER-PING-01")
    assert found.reason == (
        "declare [inference] model (an empty folder, if the image holds its own): without one, "
        f"{seen} until the limit of 480 s (serve.bare@alone)"
    )


def test_an_address_of_six_is_told_in_brackets() -> None:
    assert str(Listener(address="::1", port=8080)) == "[::1]:8080"


ENDED = replace(trained("train.bare"), exit_code=1, result=None)


@pytest.mark.parametrize(
    ("life", "because"),
    [
        (replace(ENDED, log=lines("epoch 1", "ValueError: no", "cleaning up")), "the log says: ValueError: no"),
        (replace(ENDED, log=lines("cp: cannot stat 'x': No such file")), "the log says: cp: cannot stat"),
        (
            replace(ENDED, log=lines("reading data", "model saved")),
            "its first process ended of its own accord, and no line of its log reads like an error",
        ),
        (
            replace(ENDED, exit_code=137, log=lines("epoch 1", "epoch 2")),
            "SIGKILL ended it, and no line of its log reads like an error",
        ),
        (replace(ENDED, log=()), "its first process ended of its own accord, and it wrote nothing to its log"),
        (replace(ENDED, ended="idle", log=lines("model saved")), "no line of its log reads like an error"),
        (replace(ENDED, ended="killed", log=lines("model saved")), ""),
        (replace(ENDED, start_error="exec: no"), "the engine says: exec: no"),
    ],
)
def test_only_a_line_that_reads_like_an_error_is_a_cause(life: Life, because: str) -> None:
    assert telling(life).startswith(because)
    assert bool(telling(life)) == bool(because)


CHANNELS = "declare [training.channels.NAME]"
HYPERPARAMETERS = "declare [training] hyperparameters"


@pytest.mark.parametrize(
    ("log", "first"),
    [
        (["Traceback (most recent call last):", "KeyError: 'n_estimators'"], HYPERPARAMETERS),
        (["train: error: the following arguments are required: --epochs"], HYPERPARAMETERS),
        (["ValueError: missing hyperparameter epochs"], HYPERPARAMETERS),
        (["the hyperparameter epochs is missing"], HYPERPARAMETERS),
        (["hyperparameters: {}", "ValueError: could not convert string to float"], CHANNELS),
        (["  File pandas/core/indexes/base.py, in get_loc", "KeyError: 'price'"], CHANNELS),
        (["FileNotFoundError: /opt/ml/input/data/images"], CHANNELS),
    ],
)
def test_what_to_declare_is_what_the_log_hints_at_first(log: list[str], first: str) -> None:
    good = good_record()
    lives = {name: fail(trained(name), 1, *log) for name in ("train.full", "train.bare")}
    candidate = replace(good.candidate, declared=(), hyperparameters={}, bad_hyperparameters={})
    found = verdict(replace(good, candidate=candidate, lives=lives), "SM-TRAIN-RUN-01")

    assert found.verdict is Verdict.NOT_TESTABLE
    assert found.reason.startswith(first)
    assert CHANNELS.removeprefix("declare ") in found.reason
    assert log[-1] in found.reason


def test_roles_that_nobody_can_tell_are_asked_for_in_the_same_words_everywhere() -> None:
    good = good_record()
    unclear = {role: replace(fact, claimed=None, why=f"{role} is unclear") for role, fact in good.roles.items()}
    record = replace(good, roles=unclear, lives={})
    reasons = {each.reason for each in judge(record) if each.verdict is Verdict.NOT_TESTABLE}

    assert "declare roles (training is unclear; inference is unclear)" in reasons
    assert len([reason for reason in reasons if reason.startswith("declare roles")]) == 1


@pytest.mark.parametrize(
    ("id", "hint"),
    [
        ("sm-infer-ping-02", "; did you mean SM-INFER-PING-02?"),
        ("PING-02", "; did you mean SM-INFER-PING-02?"),
        ("SM-INFER-PONG-02", "; did you mean SM-INFER-PING-02"),
        ("SM-TRAIN-RUN-99", "; did you mean SM-TRAIN-RUN-0"),
        ("SM-TRAIN-STOP-O2", "; did you mean SM-TRAIN-STOP-02, SM-TRAIN-STOP-03 or SM-TRAIN-STOP-01?"),
        ("my-own-check", "; see --sm-list"),
    ],
)
def test_the_nearest_ids_are_three_at_most(id: str, hint: str) -> None:
    told = near_ids(id, [*built(), *built()])  # an id may be its own alias
    assert told.startswith(hint)
    assert told.count("SM-") <= 3


def test_what_is_asked_for_with_one_key_is_asked_for_in_the_same_words() -> None:
    good = good_record()
    record = replace(good, candidate=replace(good.candidate, bad_hyperparameters={}))
    reasons = {verdict(record, id).reason for id in ("SM-TRAIN-CFG-01", "SM-TRAIN-FAIL-02")}
    assert reasons == {"declare [training] bad_hyperparameters: a value that the algorithm has to refuse"}


def test_answers_that_differ_whenever_several_are_open_accuse_nobody_of_mixing_them_up() -> None:
    good = good_record()

    def timed(life: Life, name: str) -> Life:
        calls = [replace(i, body_sha256=f"{n:064d}") if i.name == name else i for n, i in enumerate(life.invocations)]
        return replace(life, invocations=tuple(calls))

    unlike = {**good.lives, "serve.probed": timed(good.lives["serve.probed"], PARALLEL)}
    assert verdict(replace(good, lives=unlike), "SM-INFER-INVOKE-13").verdict is Verdict.WARNED
    busy = {name: timed(good.lives[name], BUSY) for name in ("serve.bare", "serve.full")}
    found = verdict(replace(good, lives={**unlike, **busy}), "SM-INFER-INVOKE-13")
    assert found.verdict is Verdict.NOT_TESTABLE
    assert found.reason.startswith("declare [[inference.requests]] whose answers are the same each time, also when")


def test_a_training_that_was_never_told_to_end_shows_nothing_by_its_end() -> None:
    good = good_record()
    one = good.lives["train.stopped"]
    assert one.stop is not None
    candidate = replace(good.candidate, long_hyperparameters={"epochs": "100"})
    untold = replace(one, exit_code=0, stop=replace(one.stop, seconds=2.4, dropped=True))
    record = replace(good, candidate=candidate, lives={**good.lives, "train.stopped": untold})
    for id in ("SM-TRAIN-STOP-01", "SM-TRAIN-STOP-02"):
        found = verdict(record, id)
        assert found.verdict is Verdict.NOT_TESTABLE
        assert found.reason == (
            "declare [training] long_hyperparameters with which a training does not end by itself: "
            "it ended by itself before it showed what it makes of SIGTERM"
        )


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ((), "declare [inference] model and [[inference.requests]] with a body of yours: our sample of text/csv was"),
        (
            ("requests",),
            "declare [inference] model (an empty folder, if the image holds its own): without one, request 0",
        ),
    ],
)
def test_a_server_that_was_given_no_model_is_not_accused_of_its_answers(declared: tuple[str, ...], said: str) -> None:
    good = good_record()

    def refusing(life: Life) -> Life:
        calls = [replace(i, status=500, body_head="no model", client_sees="") for i in life.invocations]
        return replace(life, invocations=tuple(calls))

    lives = {name: refusing(life) if life.role == INFERENCE else life for name, life in good.lives.items()}
    record = replace(
        good,
        roles={**good.roles, TRAINING: RoleFact(claimed=False, how="declared", why="")},
        candidate=replace(good.candidate, declared=declared),
        model=ModelFacts(source="none"),
        lives={name: life for name, life in lives.items() if life.role == INFERENCE and life.name != "serve.handover"},
    )
    id = "SM-INFER-INVOKE-01" if declared else "SM-INFER-INVOKE-03"
    found = verdict(record, id)
    assert found.verdict is Verdict.NOT_TESTABLE
    assert found.reason.startswith(said)


def test_a_short_queue_shows_with_several_at_once_and_nobody_said_how_many() -> None:
    good = good_record()
    one = replace(good.candidate, concurrency=1)
    declared = replace(one, declared=(*one.declared, "concurrency"))
    assert verdict(replace(good, candidate=declared), "SM-INFER-NET-02").verdict is Verdict.PASSED
    found = verdict(replace(good, candidate=one), "SM-INFER-NET-02")
    assert found.verdict is Verdict.NOT_TESTABLE
    assert found.reason.startswith("declare concurrency, how many invocations it takes at once")


def test_the_odd_value_that_does_the_harm_alone_is_named() -> None:
    record = next(one for one in BREAKS["SM-TRAIN-CFG-05"] if one.name == "a single value").change(good_record())
    found = verdict(record, "SM-TRAIN-CFG-05")
    assert found.observed.startswith("with the value '1e309' alone ")
    assert found.shown_in == ("train.odd+odd values text_24 to text_24",)


def test_the_smallest_body_that_does_the_harm_is_named() -> None:
    record = BREAKS["SM-INFER-INVOKE-11"][0].change(good_record())
    life = record.lives["serve.probed"]
    assert life.harm is not None
    change = f"{changes.SMALLER_BODY}2"
    part = replace(life.harm, body_of="4 bytes of it: '<!DO'")
    smaller = replace(life, name=f"{life.name}+{change}", base=life.name, change=change, invocations=(part,))
    found = verdict(replace(record, lives={**record.lives, smaller.name: smaller}), "SM-INFER-INVOKE-11")
    assert found.observed.endswith("(serve.probed); the same with 4 bytes of it: '<!DO'")
    assert found.shown_in[0] == smaller.name


def test_a_hard_link_in_the_model_archive_only_warns() -> None:
    good = good_record()
    link = TreeFile(path="latest", kind="hardlink", target="v3/model.json")
    model = ModelFacts(source="declared archive", path="m.tar.gz", name="m.tar.gz", magic="gzip", members=(link,))
    found = verdict(replace(good, model=model), "SM-INFER-MODEL-05")
    assert found.verdict is Verdict.WARNED
    assert found.observed.startswith("hard links in it: 1, such as latest -> v3/model.json; not every program")
    assert "--hard-dereference" in found.fix


def test_a_clock_in_the_answers_hides_whether_the_model_is_read() -> None:
    good = good_record()
    lives = {**good.lives, "serve.empty": served("serve.empty")}
    ticking = {
        name: replace(
            life,
            invocations=tuple(
                replace(one, body_sha256=f"{name}{n}") if one.request == 0 else one
                for n, one in enumerate(life.invocations)
            ),
        )
        for name, life in lives.items()
    }
    assert verdict(replace(good, lives=lives), "SM-INFER-MODEL-01").verdict is Verdict.FAILED
    found = verdict(replace(good, lives=ticking), "SM-INFER-MODEL-01")
    assert found.verdict is Verdict.NOT_TESTABLE
    assert "its answers differ each time" in found.reason


def test_a_server_that_was_given_no_model_is_not_accused_of_its_silence() -> None:
    good = good_record()
    hung = Ping(at=470.0, seconds=10.0, error="timed out", connect_seconds=0.0004)
    lives = {name: unhealthy(good.lives[name], hung) for name in ("serve.bare", "serve.full")}
    record = replace(
        good,
        roles={**good.roles, TRAINING: RoleFact(claimed=False, how="declared", why="")},
        candidate=replace(good.candidate, declared=("requests",)),
        lives=lives,
    )
    record = measured_again(record)
    assert verdict(record, "SM-INFER-PING-02").verdict is Verdict.FAILED
    found = verdict(replace(record, model=ModelFacts(source="none")), "SM-INFER-PING-02")
    assert found.verdict is Verdict.NOT_TESTABLE
    assert found.reason.startswith("declare [inference] model (an empty folder, if the image holds its own): without")


def _lived_again(record: Record) -> dict[str, Life]:
    """For each life that a pair of lives blames on their difference, one that was the same and went well."""
    blamed = [flip for view in claimed(record) for flip in flips(view) if flip.bad.ended == "itself"]
    change = changes.ONCE_MORE
    again = [replace(one.good, name=f"{one.bad.name}+{change}", base=one.bad.name, change=change) for one in blamed]
    return {life.name: life for life in again}


BLAMED = [
    (id, mutation)
    for id, mutations in BREAKS.items()
    for mutation in mutations
    if _lived_again(mutation.change(good_record()))
    # there the log says what is missing, or another life shows it
    and id not in ("SM-PRIV-DOCKER-01", "SM-PRIV-SYSCTL-01", "SM-INFER-RUN-11", "SM-TRAIN-OUT-01")
]


@pytest.mark.parametrize(("id", "mutation"), BLAMED, ids=lambda value: getattr(value, "name", value))
def test_what_goes_wrong_by_chance_is_not_blamed_on_what_was_changed(id: str, mutation: Mutation) -> None:
    record = mutation.change(good_record())
    assert verdict(record, id).verdict.broken
    again = _lived_again(record)
    found = verdict(replace(record, lives={**record.lives, **again}), id)
    assert not found.verdict.broken
    if found.verdict is Verdict.NOT_TESTABLE and "went well (" in found.reason:
        assert any(f"once more, with nothing changed, it went well ({name})" in found.reason for name in again)


def test_what_goes_wrong_by_chance_is_never_green() -> None:
    for id, start in (("SM-TRAIN-CFG-03", "SM-TRAIN-RUN-01"), ("SM-INFER-ENV-01", "SM-INFER-RUN-01")):
        record = BREAKS[id][0].change(good_record())
        found = verdict(replace(record, lives={**record.lives, **_lived_again(record)}), start)
        assert found.verdict is Verdict.NOT_TESTABLE
        assert "and once more, with nothing changed, it went well" in found.reason


def test_a_second_container_that_fails_by_chance_is_not_blamed_on_the_used_model() -> None:
    record = BREAKS["SM-INFER-RUN-11"][0].change(good_record())
    singles = [
        replace(served("serve.bare"), name=f"serve.bare+{change}", base="serve.bare", change=change)
        for change in (changes.USED_MODEL, changes.NO_NETWORK)
    ]
    found = verdict(replace(record, lives={**record.lives, **{one.name: one for one in singles}}), "SM-INFER-RUN-11")
    assert found.verdict is Verdict.NOT_TESTABLE
    assert "neither the used model folder nor the missing network does that by itself" in found.reason


def test_a_model_that_is_only_fallen_back_on_is_no_baked_model() -> None:
    record = BREAKS["SM-INFER-MODEL-01"][0].change(good_record())
    empty = record.lives["serve.empty"]
    name = f"serve.empty+{changes.DAMAGED_MODEL}"
    same = replace(empty, name=name, base="serve.empty", change=changes.DAMAGED_MODEL)
    found = verdict(replace(record, lives={**record.lives, name: same}), "SM-INFER-MODEL-01")
    assert found.verdict is Verdict.FAILED
    assert "the same answer to request 0 with the folder empty, and with noise in the files of the model" in (
        found.observed
    )
    ended = replace(same, ended="itself", exit_code=1, ready_at=None, invocations=())
    assert verdict(replace(record, lives={**record.lives, name: ended}), "SM-INFER-MODEL-01").verdict is Verdict.PASSED


def test_a_port_that_took_a_connection_is_not_open_over_ipv6_alone() -> None:
    record = next(one for one in BREAKS["SM-INFER-NET-01"] if "IPv6" in one.name).change(good_record())
    assert verdict(record, "SM-INFER-NET-01").verdict is Verdict.FAILED

    def met(life: Life) -> Life:
        came_in = Ping(at=1.0, seconds=0.01, error="reset", connect_seconds=0.001)
        return replace(life, pings=(came_in, *life.pings)) if life.only_ipv6 else life

    restarting = replace(record, lives={name: met(life) for name, life in record.lives.items()})
    assert not verdict(restarting, "SM-INFER-NET-01").verdict.broken


def test_two_first_runs_that_fail_by_chance_are_no_refusal_to_start() -> None:
    record = BREAKS["SM-PRIV-TERMINAL-01"][0].change(good_record())
    again = _lived_again(record)
    assert all(not life.good for name, life in record.lives.items() if name in ("train.bare", "train.full"))
    found = verdict(replace(record, lives={**record.lives, **again}), "SM-TRAIN-RUN-01")
    assert found.verdict is Verdict.NOT_TESTABLE
    assert "once more, with nothing changed, it went well" in found.reason
