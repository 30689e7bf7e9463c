"""Which follow-ups are tried, which set-up each is, and when a life is measured again alone."""

from __future__ import annotations

import threading
import time
from dataclasses import fields, replace
from pathlib import Path

import pytest
from good_record import fail, trained

from sm_contract import changes
from sm_contract.alone import late, settled
from sm_contract.candidate import Given, given
from sm_contract.declaration import Channel
from sm_contract.platform.limits import Limits
from sm_contract.record import (
    FileFact,
    ImageFacts,
    Kill,
    Life,
    Listener,
    LogLine,
    ModelFacts,
    Ping,
    Stop,
    TrainingResult,
    TreeFile,
)
from sm_contract.scenarios.diagnosis import HARDSHIPS, narrower, serving_follow_ups, training_follow_ups, unsure
from sm_contract.scenarios.further import Further
from sm_contract.scenarios.machine import Closed, Machine
from sm_contract.scenarios.odd import many_variables, odd_hyperparameters, plain_values, ran, short_keys
from sm_contract.scenarios.setup import Setup, serve_bare, train_bare, vary

ALL = [value for name, value in vars(changes).items() if name.isupper() and not value.endswith(" ")]  # no beginnings
GIVEN = Given(
    declared=("channels", "requests"),
    roles=("training", "inference"),
    hyperparameters={"epochs": "3", "shuffle": "true", "name": "x"},
    channels={
        "training": Channel(path=Path("t"), content_type="text/csv"),
        "validation": Channel(path=Path("v"), required=False),
    },
)
IMAGE = ImageFacts(reference="i", source="engine", id="x", os="linux", architecture="amd64")
GOOD = Life(name="train.bare", role="training", ended="itself", exit_code=0, command=("train",))
DEAD = Life(name="train.bare", role="training", ended="itself", exit_code=1, command=("train",))
UP = Life(name="serve.bare", role="inference", ended="stopped", ready_at=1.0, limits=Limits().in_force())
TRAINED = ModelFacts(source="trained", members=(TreeFile(path="model", kind="file"),))
SLOW = replace(UP, pings=(Ping(at=1, seconds=2.4, status=200, connect_seconds=0.01),))
LISTENER = Listener(address="0.0.0.0", port=8080)
STOP = Stop(at=6, seconds=30.0, limit=30.0, killed=True, listeners=(LISTENER,))
LOADING = Ping(at=479, seconds=0.01, status=503, connect_seconds=0.001)
DOWN = Life(name="serve.bare", role="inference", ended="itself", exit_code=1)


def says(life: Life, text: str) -> Life:
    return replace(life, log=(LogLine(at=0, stream="stderr", text=text),))


@pytest.mark.parametrize("change", ALL)
def test_a_follow_up_differs_by_exactly_one_change(change: str) -> None:
    bare = serve_bare(GIVEN) if "model" in change or change == changes.HOST_NAME else train_bare(GIVEN)
    if change == changes.GOOD_DATA:
        bare = replace(bare, data="pipes")
    if change in (changes.PLAIN_VALUES, changes.FEW_KEYS):
        bare = replace(bare, hyperparameters=dict(odd_hyperparameters(GIVEN.hyperparameters)))
    varied = vary(bare, change, GIVEN, ("/opt/ml/assets",))
    assert (varied.name, varied.base, varied.change) == (f"{bare.name}+{change}", bare.name, change)
    differing = {f.name for f in fields(bare) if getattr(bare, f.name) != getattr(varied, f.name)}
    differing -= {"name", "base", "change"}
    if change in (changes.TRAINED_CONTAINER, changes.FUSE):
        return  # the one takes another image, the other is three grants that are of no use alone
    if change == changes.ONCE_MORE:
        assert not differing
        return
    assert len(differing) == 1


def test_values_are_typed_as_a_careless_program_expects() -> None:
    varied = vary(train_bare(GIVEN), changes.TYPED_HYPERPARAMETERS, GIVEN)
    assert varied.hyperparameters == {"epochs": 3, "shuffle": True, "name": "x"}


def test_odd_hyperparameters_are_legal_and_the_same_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    declared = {"epochs": "3", "rate": "0.05"}
    odd = odd_hyperparameters(declared)
    assert odd == odd_hyperparameters(declared)
    assert len(odd) == 100
    assert {name: odd[name] for name in declared} == declared
    assert max(map(len, odd)) == 256
    assert max(map(len, odd.values())) == 2500
    assert not any("\n" in text for pair in odd.items() for text in pair)
    assert any("0.05" in value for name, value in odd.items() if name not in declared), (
        "none is made from a declared one"
    )
    assert list(tmp_path.iterdir()) == []


def test_each_oddity_stands_alone() -> None:
    odd = odd_hyperparameters({"epochs": "3"})
    plain, few = plain_values(odd, {"epochs": "3"}), short_keys(odd)
    assert set(plain) == set(odd)
    assert {name: value for name, value in plain.items() if value != "1"} == {"epochs": "3"}
    assert max(map(len, few)) < 20
    assert set(few.values()) >= set(odd.values()) - {"1"}


def test_variables_are_filled_up_to_their_limits() -> None:
    found = many_variables({"A": "1"})
    assert len(found) == 100
    assert found["A"] == "1"
    assert max(map(len, found.values())) == 512
    assert any("\n" in value and '"' in value for value in found.values())


def test_what_a_shell_ran_is_read_off_its_files() -> None:
    odd = odd_hyperparameters({})
    names = ["data/report.json", "data/sm-contract-ran-0", "data/sm-contract-ran-5"]
    sprung = ran(names)
    assert len(sprung) == 2
    assert set(sprung) <= set(odd.values())
    assert all(f"/opt/ml/output/{name}" in "".join(sprung) for name in names[1:])
    assert ran(["data/report.json"]) == ()


def test_good_runs_need_no_follow_up() -> None:
    assert training_follow_ups(GOOD, GOOD, GIVEN, IMAGE) == []
    assert serving_follow_ups(UP, UP, GIVEN, IMAGE, TRAINED) == []


def test_what_only_the_full_run_breaks_is_added_to_the_bare_one() -> None:
    tried = training_follow_ups(DEAD, GOOD, GIVEN, IMAGE)
    assert tried[0] == changes.ISOLATED
    assert changes.PRIVILEGED not in tried
    assert set(HARDSHIPS) == set(tried[-len(HARDSHIPS) :]), "what only a SHOULD asks for comes last"
    cached = says(DEAD, "ValueError: the cache directory is not empty")
    assert training_follow_ups(cached, GOOD, GIVEN, IMAGE)[-len(HARDSHIPS)] == changes.WARM_CACHE
    tried = serving_follow_ups(DOWN, UP, GIVEN, IMAGE, TRAINED)
    assert set(tried) == {changes.ISOLATED, changes.READ_ONLY_MODEL, changes.HOST_NAME, changes.ENVIRONMENT}


def test_what_only_the_bare_run_lacks_is_added_to_it() -> None:
    dead = says(DEAD, "KeyError: 'instance_groups'")
    tried = training_follow_ups(GOOD, dead, GIVEN, IMAGE)
    assert tried[0] == changes.UNDOCUMENTED_KEYS
    assert changes.OTHER_CHANNEL not in tried
    optional = replace(GIVEN, channels={"validation": Channel(path=Path("v"), required=False)})
    tried = training_follow_ups(GOOD, DEAD, optional, IMAGE)
    assert tried.index(changes.OTHER_CHANNEL) < tried.index(changes.OPTIONAL_CHANNELS)


def test_the_log_decides_what_is_tried_first() -> None:
    dead = says(DEAD, "KeyError: 'SM_MODEL_DIR'")
    assert training_follow_ups(dead, dead, GIVEN, IMAGE)[0] == changes.SM_VARIABLES
    dead = says(DOWN, "mount: Operation not permitted")
    assert serving_follow_ups(dead, dead, GIVEN, IMAGE, TRAINED)[0] == changes.NO_SECCOMP


def test_a_capability_is_looked_for_by_what_the_log_says() -> None:
    life = fail(trained("train.bare"), 1, "mlock: Operation not permitted")
    tried = narrower(changes.CAPABILITIES, life)
    assert tried[:2] == ["capability IPC_LOCK", "capability NET_ADMIN"]
    assert len(tried) == len(set(tried)) == 8
    assert not narrower(changes.PRIVILEGED, life)
    setup = vary(train_bare(given(None)), tried[0], given(None))
    assert (setup.capabilities, setup.name) == (("IPC_LOCK",), "train.bare+capability IPC_LOCK")


@pytest.mark.parametrize(("harmful", "most"), [({"1e309"}, 10), ({"two words", '"adam"'}, 12), ({"NaN", ""}, 12)])
def test_the_odd_value_that_does_the_harm_is_found_by_halving(harmful: set[str], most: int) -> None:
    lived: list[Setup] = []

    def one(setup: Setup) -> Life:
        lived.append(setup)
        bad = harmful & set(setup.hyperparameters.values())
        return replace(trained(setup.name), exit_code=134 if bad else 0)

    firsts = {name: trained(name) for name in ("train.bare", "train.full")}
    further = Further(given=GIVEN, image=IMAGE, firsts=firsts, one=one, sure=lambda setup, _: one(setup))
    (odd,) = further.wanted(frozenset({"train.odd"}), inside=False)
    odd()
    found = lived[-1]
    assert len(found.conditions) == 1
    assert found.conditions[0] in {ascii(value) for value in harmful}
    assert len({setup.name for setup in lived}) == len(lived) <= most


def test_what_may_just_refuse_our_samples_is_not_tried_at_length() -> None:
    ours = replace(GIVEN, declared=())
    dead = says(DEAD, "ValueError: no column named price")
    assert training_follow_ups(dead, dead, ours, IMAGE) == []
    assert len(training_follow_ups(dead, dead, GIVEN, IMAGE)) > 8


def test_work_that_was_done_needs_no_search_for_a_cause() -> None:
    saved = TrainingResult(status="Failed", model=(TreeFile(path="m", kind="file"),))
    dead = replace(DEAD, exit_code=3, result=saved)
    assert training_follow_ups(dead, dead, GIVEN, IMAGE) == []


def test_the_images_own_command_and_files_are_tried_where_there_are_any() -> None:
    baked = FileFact(path="/opt/ml/model/w", real_path="/opt/ml/model/w", kind="file")
    image = replace(IMAGE, cmd=("/opt/train.py",), baked=(baked,))
    assert training_follow_ups(DEAD, DEAD, GIVEN, image)[:2] == [changes.OWN_COMMAND, changes.UNMOUNTED]


@pytest.mark.parametrize(
    ("life", "is_late"),
    [
        (UP, False),
        (replace(UP, pings=(Ping(at=1, seconds=2.4, status=200, connect_seconds=0.01),)), True),
        (replace(UP, pings=(Ping(at=1.2, seconds=0.4, status=200, connect_seconds=0.3),)), True),
        (replace(UP, pings=(Ping(at=1, seconds=0.4, status=200, connect_seconds=0.3),)), False),  # not ready before it
        (replace(UP, pings=(Ping(at=1, seconds=9, error="refused"),)), False),
        (replace(UP, pings=(Ping(at=0.5, seconds=2.4, status=200, connect_seconds=0.3),)), False),  # not ready yet
        (replace(UP, ended="itself", pings=(Ping(at=1, seconds=2.4, status=200, connect_seconds=0.01),)), True),
        (replace(UP, stop=STOP), True),
        (replace(UP, stop=replace(STOP, killed=False)), False),
        (replace(UP, stop=replace(STOP, idle=29.5)), False),  # it did nothing: the machine was not too busy for that
        (replace(UP, stop=replace(STOP, idle=20.0)), True),
        (replace(UP, stop=replace(STOP, seconds=3.1, dropped=True)), False),
        (replace(UP, stop=replace(STOP, seconds=2.0, limit=2.0)), False),  # of a later life, which nobody asks about
        (replace(UP, stop=replace(STOP, listeners=())), True),
        (replace(UP, stop=replace(STOP, listeners=(replace(LISTENER, ignores_sigterm=True),))), True),
        (replace(UP, stop=replace(STOP, listeners=None)), True),
        (replace(UP, stop=replace(STOP, listeners=(replace(LISTENER, pid_one=True),))), True),
        (replace(UP, ready_at=None), True),
        (replace(UP, ready_at=None, listeners=(Listener(address="0.0.0.0", port=5000),)), False),
        (replace(UP, ready_at=None, pings=(LOADING,), first_bytes="HTTP/1.1 503"), True),
        (replace(UP, ready_at=None, pings=(replace(LOADING, status=404),), first_bytes="HTTP/1.1 404"), False),
        (replace(UP, ready_at=None, pings=(replace(LOADING, status=None),), first_bytes=r"\x15\x03"), False),
        (DOWN, False),
        (DEAD, False),
        (replace(DEAD, ended="idle"), True),
        (replace(DEAD, ended="limit"), False),
        (replace(DEAD, ended="limit", base="train.bare", change=changes.ISOLATED), True),
        (replace(DEAD, ended="limit", kill=Kill(at=1, victim="train", depth=1)), True),
    ],
)
def test_only_broken_time_limits_are_measured_again(life: Life, is_late: bool) -> None:
    assert late(life) is is_late


@pytest.mark.parametrize(
    ("life", "base", "is_unsure"),
    [
        (SLOW, None, True),
        (SLOW, UP, False),  # it is good all the same
        (replace(SLOW, ready_at=None), UP, True),
        (replace(SLOW, ready_at=None), DOWN, False),  # nothing follows from it
        (DOWN, UP, False),
    ],
)
def test_a_follow_up_is_measured_again_where_its_lateness_would_name_a_cause(
    life: Life, base: Life | None, is_unsure: bool
) -> None:
    assert unsure(life, base) is is_unsure


def test_the_measurement_alone_speaks_for_what_went_wrong_beside_others() -> None:
    hung, alone = replace(UP, ready_at=None), replace(UP, name="serve.bare@alone")
    assert settled({"serve.bare": hung, "serve.bare@alone": alone}) == {"serve.bare": alone}
    assert settled({"serve.bare": SLOW, "serve.bare@alone": alone}) == {"serve.bare": SLOW}
    assert settled({"serve.bare": hung}) == {"serve.bare": hung}


def test_a_life_alone_has_the_machine_to_itself() -> None:
    machine = Machine(slots=2)
    seen: list[int] = []

    def live(alone: bool) -> None:
        with machine.life(alone=alone) as neighbours:
            time.sleep(0.05)
        if alone:
            seen.append(neighbours.most)

    threads = [threading.Thread(target=live, args=(number % 3 == 0,)) for number in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert seen == [0, 0, 0]


def test_each_life_counts_its_own_neighbours() -> None:
    machine = Machine(slots=3)
    with machine.life() as first:
        with machine.life() as second:
            pass
        with machine.life(), machine.life():
            pass
    assert (first.most, second.most) == (2, 1)


def test_a_closed_machine_begins_no_life() -> None:
    machine = Machine(slots=1)
    machine.close()
    with pytest.raises(Closed), machine.life():
        pass
