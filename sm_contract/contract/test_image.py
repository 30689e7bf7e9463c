"""The image itself: platform, entry program, user, working directory, what it holds below /opt/ml."""

from __future__ import annotations

from sm_contract import changes
from sm_contract.contract import roots
from sm_contract.contract.causes import STARTS, accused, claimed, firsts, flipped, good, unwell, why_not
from sm_contract.contract.ends import start_failed
from sm_contract.contract.entries import needs_programs
from sm_contract.contract.programs import (
    MOUNTED,
    hidden_files,
    image_of,
    images,
    line_fault,
    listed,
    machine_fault,
    programs,
    script_fault,
    user_fault,
    workdir_fault,
)
from sm_contract.contract.reading import USAGE, ending, first_line, found, says, telling, word
from sm_contract.contract.references import LONGEST, NAMELESS, names, too_long_or_spaced
from sm_contract.record import Life, Record
from sm_contract.requirements import requirement
from sm_contract.verdict import Blocked, NotApplicable, NotTestable, Violation

SIMPLE = ("train.bare", "train.full", "serve.bare", "serve.full")


@requirement("SM-IMAGE-OS-01")
def test_operating_system(record: Record) -> None:
    """The image is built for Linux."""
    for image in images(record):
        if image.os != "linux":
            raise Violation(
                expected="an image whose operating system is linux",
                observed=f"{image.reference} is built for {image.os}/{image.architecture}",
                fix="build it from a Linux base image: docker build --platform linux/amd64 …",
                evidence=[f"image config: os {image.os}, architecture {image.architecture}"],
            )


@requirement("SM-IMAGE-ARCH-01", rests_on=["SM-IMAGE-OS-01"])
def test_architecture(record: Record) -> None:
    """The image is built for the architecture of the target instances."""
    target = record.candidate.architecture
    for image in images(record):
        if image.architecture != target:
            raise Violation(
                expected=f"an image for linux/{target}, the declared target",
                observed=f"{image.reference} is built for linux/{image.architecture}",
                fix=f"build it with docker build --platform linux/{target} …; if its instances really are "
                f'{image.architecture}, declare architecture = "{image.architecture}" in sm-contract.toml',
                evidence=[f"image config: os {image.os}, architecture {image.architecture}"],
            )


@requirement("SM-IMAGE-ARCH-02", rests_on=STARTS, hidden_by=roots.SERVING)
def test_programs_are_built_for_the_architecture(record: Record) -> None:
    """The entry program, or the interpreter it names, is a binary of the declared architecture."""
    target = record.candidate.architecture
    needs_programs(record)
    for image, program in programs(record):
        if fault := machine_fault(program, target):
            raise Violation(
                expected=f"entry program and interpreter built for {target}, as the image says of itself",
                observed=f"{fault}, and {image.reference} claims to be for {image.architecture}",
                fix=f"copy in the {target} build of that binary, or build the whole image for one platform",
                evidence=[file for file in (program.file, program.interpreter_file) if file],
            )


@requirement("SM-IMAGE-SCRIPT-01", rests_on=STARTS, hidden_by=roots.SERVING)
def test_entry_program_can_be_executed(record: Record) -> None:
    """The entry program has the execute bit, and a first line that leads to an interpreter."""
    needs_programs(record)
    for _, program in programs(record):
        if fault := script_fault(program):
            assert program.file is not None
            raise Violation(
                expected=f"an entry program for `{program.word}` that the kernel can execute",
                observed=fault,
                fix=f"RUN chmod +x {program.file.path} in the Dockerfile"
                if "execute bit" in fault
                else f"begin {program.file.path} with a line that names an interpreter of the image, "
                "such as #!/usr/bin/env python3",
                because=f"its first line is {program.first_line!r}" if program.first_line else "",
                evidence=[program.file],
            )
        if line_fault(program):
            raise Blocked("SM-INFER-RUN-10")


@requirement("SM-INFER-RUN-10", rests_on=STARTS, hidden_by=roots.SERVING)
def test_entry_script_begins_well(record: Record) -> None:
    """The entry script has LF line ends, and an interpreter that is in the image."""
    needs_programs(record)
    for _, program in programs(record):
        if fault := line_fault(program):
            assert program.file is not None
            raise Violation(
                expected=f"a script for `{program.word}` with LF line ends and an interpreter of the image",
                observed=fault,
                fix=f"RUN sed -i 's/\\r$//' {program.file.path}: it has Windows line ends (*.sh text eol=lf in "
                ".gitattributes keeps them out)"
                if "CR LF" in fault
                else f"install {program.interpreter}, or name an interpreter that the image has in the first line",
                because=f"its first line is {program.first_line!r}",
                evidence=[program.file],
            )


@requirement("SM-IMAGE-WORKDIR-01", rests_on=STARTS)
def test_working_directory(record: Record) -> None:
    """WORKDIR exists, no mount hides it, and a relative entry point is found from it."""
    for image in images(record):
        if image.unreadable:
            raise NotTestable(f"its files could not be read: {image.unreadable}")
        if fault := workdir_fault(image):
            raise Violation(
                expected="a WORKDIR that exists in the image, outside of the directories that the platform mounts",
                observed=fault,
                fix="set WORKDIR to a directory of the image such as /opt/program; give ENTRYPOINT an absolute path",
                evidence=[f"image config: WORKDIR {image.workdir!r}, ENTRYPOINT {list(image.entrypoint)}"],
            )


@requirement("SM-IMAGE-USER-02", rests_on=STARTS)
def test_user_exists(record: Record) -> None:
    """A user or group that USER names is in the image."""
    for image in images(record):
        if image.unreadable:
            raise NotTestable(f"its files could not be read: {image.unreadable}")
        if fault := user_fault(image):
            raise Violation(
                expected="user and group of USER in /etc/passwd and /etc/group of the image, or given by number",
                observed=fault,
                fix="add it before USER (RUN useradd …, RUN groupadd …), or leave USER out: hosting expects root",
                evidence=[f"image config: USER {image.user!r}"],
            )


@requirement("SM-IMAGE-REFERENCE-03")
def test_reference(record: Record) -> None:
    """The full image reference has at most 255 characters and no white space."""
    named = [name for image in images(record) for name in names(image)]
    if not named:
        raise NotApplicable(NAMELESS)
    for name in named:
        if too_long_or_spaced(name):
            raise Violation(
                expected=f"an image reference of at most {LONGEST} characters without white space",
                observed=f"{name[:60]}… has {len(name)} characters"
                if len(name) > LONGEST
                else f"{name!r} has white space in it",
                fix="push it under a shorter repository path or tag",
                evidence=[name],
            )


@requirement("SM-IMAGE-RESERVED-01", runs=SIMPLE, rests_on=STARTS, hidden_by=roots.SERVING)
def test_nothing_needed_lies_where_the_platform_mounts(record: Record) -> None:
    """Nothing that is needed at run time is baked under the directories that the platform mounts."""
    view = accused(record, "SM-IMAGE-RESERVED-01")
    flip = flipped(view, changes.UNMOUNTED, changes.CHECKPOINT_DIRECTORY) if view else None
    if view and flip:
        files = hidden_files(image_of(record, view.role))
        raise Violation(
            expected=f"a start that needs nothing the image holds below {', '.join(MOUNTED)}",
            observed=f"with the platform's mounts {found(flip.bad)}, and without them it works; "
            f"the mounts hide {listed(files)}",
            fix="copy those files elsewhere, such as to /opt/program, and read them from there",
            because=telling(flip.bad),
            evidence=[*files[:5], flip.bad, flip.good],
        )
    for image in images(record):
        if image.unreadable:
            raise NotTestable(f"its files could not be read: {image.unreadable}")
    for role in claimed(record):
        if hidden_files(image_of(record, role.role)) and not good(role):
            why_not(role)


@requirement("SM-IMAGE-CMD-01", runs=SIMPLE, rests_on=STARTS, hidden_by=roots.SERVING)
def test_nothing_depends_on_cmd(record: Record) -> None:
    """The image works with the word of its role in the place of its CMD."""
    view = accused(record, "SM-IMAGE-CMD-01")
    flip = flipped(view, changes.OWN_COMMAND) if view else None
    if view and flip:
        image = image_of(record, view.role)
        raise Violation(
            expected=f"the same result with {word(flip.bad)} as with the image's own CMD: the platform replaces it",
            observed=f"with CMD {list(image.cmd)} it works, with {word(flip.bad)} it {ending(flip.bad)}",
            fix=f"move the command into ENTRYPOINT and let it take {word(flip.bad)} as its argument, or put an "
            f"executable named {word(flip.bad)} on PATH and leave ENTRYPOINT out",
            because=telling(flip.bad),
            evidence=[f"image config: ENTRYPOINT {list(image.entrypoint)}, CMD {list(image.cmd)}", *flip[1:]],
        )
    for role in claimed(record):
        if image_of(record, role.role).cmd not in ((), (role.prefix,)) and not good(role):
            why_not(role)


@requirement("SM-IMAGE-ARGUMENT-01", runs=SIMPLE, rests_on=STARTS, hidden_by=roots.SERVING)
def test_entry_program_takes_the_word(record: Record) -> None:
    """The entry program accepts or consumes the word `train` or `serve`."""
    view = accused(record, "SM-IMAGE-ARGUMENT-01")
    if view:
        life = unwell(view)[0]
        line = first_line(life, USAGE)
        raise Violation(
            expected=f"an entry program that takes {word(life)} as its argument",
            observed=f"{word(life)} {ending(life)}: the program was started and refused its argument ({life.name})",
            fix=f"let the entry program accept {word(life)}, or put a small script in front of it as ENTRYPOINT "
            'that drops the word: exec supervisord -n  (without "$@")',
            because=says(line) if line else "",
            evidence=[line or telling(life), life],
        )
    for role in claimed(record):
        if not any(_took_the_word(life) for life in firsts(role)):
            why_not(role)


def _took_the_word(life: Life) -> bool:
    """Whether the program got past its argument: it worked, went on, or ended with something else to say."""
    if life.start_error:
        return False
    return life.good or life.ended != "itself" or (not start_failed(life) and first_line(life, USAGE) is None)
