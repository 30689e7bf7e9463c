"""A life as a script: its volumes, its container, what was done to it, and what it is to show."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from shlex import quote

from sm_contract import changes
from sm_contract.recipe import Recipe, Sent
from sm_contract.record import AFTER_KILL, AFTERWARDS, BUSY, EARLY, PARALLEL, TRAINING, ImageFacts, Life
from sm_contract.report.repro.options import options, volumes
from sm_contract.report.repro.script import Sheet, fragment, head, settings, the_image
from sm_contract.report.repro.seen import ZOMBIES, probed, seen, what
from sm_contract.report.repro.volumes import Files, Room, lay
from sm_contract.verdict import Judgement

_TO_BE_MADE = 1 << 20  # bytes of a body from which on the script pads it itself
_LIVED_ON = 4.5  # seconds of health from which on a life was a long one
_PATIENCE_AFTER_KILL = 30


def life_sheet(
    judgement: Judgement,
    life: Life,
    recipe: Recipe,
    *,
    image: ImageFacts,
    concurrency: int,
    inside: bool,
    engine: str,
    room: Room,
    more: str = "",
) -> Sheet:
    """The script that lives a life once more.

    ``inside``: processes can be looked at from the engine's machine; ``engine``: its address, if one was named.
    """
    how = f", which is {life.base} with one change: {life.change}" if life.change else ""
    conditions = f" ({', '.join(life.conditions)})" if life.conditions else ""
    files: Files = {}
    container = _container(recipe, room, files)
    trains = life.role == TRAINING
    steps = _training(life, inside) if trains else _serving(life, recipe, concurrency, inside, files)
    parts = [
        head(judgement, f"It does what was done in the life {life.name}{how}{conditions}.", seen(life), more),
        settings("usage: [DOCKER=…] [TIME LIMIT=…] sh show.sh [IMAGE]", _limits(life), engine),
        fragment("common"),
        the_image(image),
        fragment("container"),
        container,
        steps,
    ]
    return Sheet(text="\n".join(parts), files=files)


def _limits(life: Life) -> dict[str, tuple[object, str]]:
    limits = life.limits
    if life.role == TRAINING:
        seconds = limits.get("train", 3600) if life.ended == "itself" else life.seconds
        if life.stop is not None:
            seconds = life.stop.at + (life.stop.seconds if life.stop.killed else life.stop.limit)
        elif life.kill is not None:
            seconds = min(seconds, _PATIENCE_AFTER_KILL + life.kill.at)
        return {"TRAIN": (math.ceil(seconds), "seconds until it has to end")}
    return {
        "START": (math.ceil(limits.get("start", 480)), "seconds until it has to be healthy"),
        "PING": (f"{limits.get('ping', 2):g}", "seconds for the answer to a ping"),
        "INVOKE": (f"{limits.get('invoke', 60):g}", "seconds for the answer to an invocation"),
        "STOP": (math.ceil(limits.get("stop", 30)), "seconds from SIGTERM to SIGKILL"),
    }


def _container(recipe: Recipe, room: Room, files: Files) -> str:
    spec = recipe.spec
    lines = ["# --- as it was set up"]
    for name, mount in volumes(spec).items():
        laid = lay(name, recipe.contents[mount.target], room)
        files.update(laid.files)
        lines += laid.lines
    if spec.network.kind != "none":
        kind = ""
        if spec.network.kind == "internal":  # packets to the outside are dropped
            masked = "--opt com.docker.network.bridge.enable_ip_masquerade=false"
            kind = f" {masked if spec.network.published else '--internal'}"
        lines.append(f'quietly docker network create{kind} "$name"')
    command = " ".join(quote(word) for word in spec.command or ())
    made = ['docker create --name "$name"', *(f"    {option}" for option in options(spec))]
    lines.append(" \\\n".join([*made, f'    "$IMAGE" {command}'.rstrip()]) + ' >"$work/said" || failed=yes')
    return "\n".join(lines) + "\n"


def _training(life: Life, inside: bool) -> str:
    if life.stop is not None:
        return f"AFTER=${{AFTER:-{life.stop.at:.1f}}} # seconds\n{fragment('stop_training')}\n{fragment('train')}"
    if life.kill is None or not life.kill.victim or not inside:
        return "interfere() { :; }\n\n" + fragment("train")
    seconds = 0 if life.change == changes.GOOD_DATA else life.kill.at  # one that waits for nothing is soon through
    after = f"AFTER=${{AFTER:-{seconds:.1f}}} # seconds\n"
    return f"{after}{fragment('kill_child')}\n{fragment('train')}"


def _serving(life: Life, recipe: Recipe, concurrency: int, inside: bool, files: Files) -> str:
    listens = inside and life.listeners is not None and life.ready_at is None
    told = inside and life.stop is not None and life.stop.ended_when_told is not None
    return "\n".join(
        [
            _reachable(recipe),
            _invocations(life, recipe.sent, concurrency, files),
            fragment("listeners") if listens else "unhealthy() { :; }\n",
            fragment("tell_all") if told else "outlived() { :; }\n",
            *([fragment("probing")] if probed(life) else []),
            fragment("serve"),
        ]
    )


def _reachable(recipe: Recipe) -> str:
    """How its port is reached: by its own address, by one of this machine, or from its network namespace."""
    network = recipe.spec.network
    if network.kind == "none":
        lines = [
            '[ "$(id -u)" = 0 ] || { say "only root reaches a container without a network"; exit 1; }',
            "enter=\"nsenter --target $(about '{{.State.Pid}}') --net\"",
            "address=http://127.0.0.1:8080",
        ]
    elif network.published:
        lines = ["enter=", 'address=http://$(docker port "$name" 8080/tcp | head -n 1)']
    else:
        found = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        lines = ["enter=", f"address=http://$(about '{found}'):8080"]
    return _function("reachable", lines)


def _invocations(life: Life, sent: Sequence[Sent], concurrency: int, files: Files) -> str:
    lines = []
    together: dict[str, None] = {}
    early = next((one.at for one in life.invocations if one.name == EARLY), None)
    victim = life.kill.victim if life.kill is not None else ""
    busy = [f"busy {concurrency} request-0.bin plain-0.txt"] if any(i.name == BUSY for i in life.invocations) else []
    for one in sent:
        if one.name == AFTERWARDS:
            lines += busy
            busy = []
        if one.asked:
            lines.append(_ask(one, files))
            continue
        if one.name == AFTER_KILL and victim:
            lines.append(f"kill_biggest {quote(victim)}")
            victim = ""
        if one.name == "plain" and early is not None:
            lines.append(f"sleep {math.ceil(_plain_at(life) - early) + 1}")
            early = None
        body, headers = _body(one, files), f"{_slug(one.name)}-{one.request}.txt"
        files[headers] = "".join(f"{n}: {v}\n" if v else f"{n};\n" for n, v in one.headers.items()).encode("latin-1")
        if one.name == PARALLEL:
            together[f"{body} {quote(headers)}"] = None
            continue
        lines += _together(together)
        if len(one.body) > _TO_BE_MADE:
            lines.append(f"padded {body} {len(one.body)} '\\{one.body[-1]:03o}'")
            body = '"$work/padded"'
        lines.append(f"invoke {quote(what(one.name, one.request, one.body_of))} {body} {quote(headers)}")
    lines += _together(together)
    if life.kill is not None and life.kill.left_zombies:
        lines.append(f"zombies {quote(ZOMBIES)}")
    if victim:
        lines.append(f"kill_biggest {quote(victim)}")
    lines += busy
    if probed(life):
        lines.append("afterwards")
    elif life.ready_at is not None and life.pings and life.pings[-1].at - life.ready_at > _LIVED_ON:
        lines.append("live_on")
    return _function("invocations", lines)


def _plain_at(life: Life) -> float:
    return next((one.at for one in life.invocations if one.name == "plain"), 0.0)


def _ask(one: Sent, files: Files) -> str:
    assert one.asked is not None
    method, path, host = one.asked
    body = f"{_body(replace(one, name='plain'), files)} plain-0.txt" if path == "/invocations" else ""
    return f"ask {method} {path} {quote(host)} {body}".rstrip()


def _together(pairs: dict[str, None]) -> list[str]:
    """The line that sends these at the same time, once; there is none for none."""
    line = [f"together {' '.join(pairs)}"] if pairs else []
    pairs.clear()
    return line


def _body(one: Sent, files: Files) -> str:
    """The file with a body; of one that is padded, without the padding."""
    data = one.body if len(one.body) <= _TO_BE_MADE else one.body.rstrip(one.body[-1:])
    name = f"request-{one.request}{f'-{_slug(one.body_of)}' if one.body_of else ''}.bin"
    files[name] = data
    return name


def _function(name: str, lines: Sequence[str]) -> str:
    return f"{name}() {{\n" + "".join(f"    {line}\n" for line in lines or [":"]) + "}\n"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
