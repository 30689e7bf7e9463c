"""What is judged without starting anything, as a script: the image's own description and files, a model archive."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

from sm_contract.record import FileFact, ImageFacts, ModelFacts, Program
from sm_contract.report.repro.script import Sheet, fragment, head, settings, the_image
from sm_contract.report.repro.volumes import Files, Room, beside
from sm_contract.verdict import Judgement

_BAKED = 10
_KINDS = {"file": stat.S_IFREG, "directory": stat.S_IFDIR, "symlink": stat.S_IFLNK}
_FORMAT = (  # what is asked of the engine, and what the record says of it
    ("platform", "{{.Os}}/{{.Architecture}}"),
    ("user", "{{json .Config.User}}"),
    ("working directory", "{{json .Config.WorkingDir}}"),
)


def image_sheet(judgement: Judgement, image: ImageFacts, *, startable: bool, engine: str) -> Sheet:
    """The script that looks at an image; ``startable``: an engine can hold it."""
    steps, expected = [f'see "platform {_platform(image)}"'], [f"platform {image.os}/{image.architecture}"]
    if image.source == "engine":
        steps = [f'see "{name} $(docker image inspect --format \'{form}\' "$IMAGE")"' for name, form in _FORMAT]
        steps.append('see "a reference of ${#IMAGE} characters"')
        expected += [f"user {json.dumps(image.user)}", f"working directory {json.dumps(image.workdir)}"]
        expected.append(f"a reference of {len(image.reference)} characters")
    if image.source == "engine" or startable:
        steps += ["docker image inspect --format '{{json .Config}}' \"$IMAGE\"", "", fragment("image"), "list"]
        for step, line in dict.fromkeys(_files(image)):
            steps.append(step)
            expected += [line] if line else []
    parts = [
        head(judgement, "It looks at the image itself; nothing is started.", expected),
        settings("usage: [DOCKER=…] sh show.sh [IMAGE]", {}, engine),
        fragment("common"),
        the_image(image) if image.source == "engine" or startable else "",
        "\n".join(steps) + "\n",
    ]
    return Sheet(text="\n".join(parts))


def model_sheet(judgement: Judgement, model: ModelFacts, room: Room) -> Sheet:
    """The script that looks at the model its owner supplies."""
    files: Files = {}
    path = Path(model.path)
    if model.source == "declared archive":
        fits = room.take(path.stat().st_size)
        place = beside("model", path, files) if fits else quote(str(path.resolve()))
        links = sum(member.kind == "symlink" for member in model.members)
        steps = [
            f"MODEL=${{1:-{place}}}",
            'head=$(head -c 2 "$MODEL" | od -An -tx1)',
            'if [ "$head" = " 1f 8b" ]; then see "gzip"; else see "not gzip"; echo "it begins with$head"; fi',
            'tar -tvf "$MODEL"',
            'see "symbolic links: $(tar -tvf "$MODEL" | grep -c "^l")"',
        ]
        expected = ["gzip" if model.magic == "gzip" else "not gzip"]
        expected += [] if model.problem else [f"symbolic links: {links}"]
    else:
        place = quote(str(path.resolve()))
        steps = [
            f"MODEL=${{1:-{place}}}",
            "find \"$MODEL\" -mindepth 1 -exec printf '[%s]\\n' {} +",
            'see "names: $(find "$MODEL" -mindepth 1 | wc -l | tr -d " ")"',
            'see "blank names: $(find "$MODEL" -mindepth 1 ! -name "*[![:space:]]*" | wc -l | tr -d " ")"',
        ]
        blank = sum(not member.path.rstrip("/").rpartition("/")[2].strip() for member in model.members)
        expected = [f"names: {len(model.members)}", f"blank names: {blank}"]
    parts = [
        head(judgement, "It looks at the model that is supplied; nothing is started.", expected),
        settings("usage: sh show.sh [MODEL]", {}),
        "see() { printf 'seen: %s\\n' \"$*\"; }",
        "\n".join(steps) + "\n",
    ]
    return Sheet(text="\n".join(parts), files=files)


def _platform(image: ImageFacts) -> str:
    """A command that reads os and architecture out of the config of an archive."""
    path = Path(image.reference).expanduser().resolve()
    digest = image.id.removeprefix("sha256:")
    names = [quote(name) for name in (f"{digest}.json", f"blobs/sha256/{digest}")]
    read = f"cat {quote(str(path))}/" if path.is_dir() else f"tar -xOf {quote(str(path))} "
    config = f"{{ {' || '.join(read + name for name in names)}; }} 2>/dev/null"
    field = 'sed -n \'s/.*"{0}": *"\\([^"]*\\)".*/\\1/p\''
    return f"$({config} | {field.format('os')})/$({config} | {field.format('architecture')})"


def _files(image: ImageFacts) -> Iterator[tuple[str, str]]:
    """The files in question: the line that looks at each, and what it is to say."""
    for program in image.programs.values():
        yield from _program(program)
    if image.workdir.strip("/"):
        yield _file(image.workdir, image.workdir_file)
    user, _, group = image.user.partition(":")
    for name, path, known in ((user, "/etc/passwd", image.passwd), (group, "/etc/group", image.groups)):
        if name and not name.isdigit():
            yield f"account {quote(name)} {path}", f"{path} has {'' if name in (known or ()) else 'no '}{name}"
    for fact in image.baked[:_BAKED]:
        yield _file(fact.path, fact)


def _program(program: Program) -> Iterator[tuple[str, str]]:
    if program.file is None:
        for path in program.looked_in:
            yield _file(path, None)
    for fact in filter(None, (program.file, program.interpreter_file)):
        yield _file(fact.real_path or fact.path, fact)
    for path in program.elsewhere:
        yield f"file {quote(path)}", ""
    if program.file is not None and program.form == "script":
        yield f"first_line {quote(program.file.path)}", ""
    binary = program.interpreter_file or program.file
    if binary is not None and program.machine:
        known = program.machine in ("amd64", "arm64")
        yield (
            f"machine {quote(binary.path)}",
            f"{binary.path} is for {program.machine if known else 'another processor'}",
        )


def _file(path: str, fact: FileFact | None) -> tuple[str, str]:
    if fact is None:
        return f"file {quote(path)}", f"no {path}"
    return f"file {quote(path)}", f"{path} {stat.filemode(_KINDS.get(fact.kind, 0) | fact.mode)}"
