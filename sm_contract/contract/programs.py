"""What the image alone shows: the programs behind `train` and `serve`, the user, the working directory."""

from __future__ import annotations

from collections.abc import Iterator

from sm_contract.record import ROLES, TRAINING, WORD, FileFact, ImageFacts, Program, Record

MOUNTED = ("/opt/ml/input", "/opt/ml/model", "/opt/ml/output", "/opt/ml/checkpoints")
CODE = "/opt/ml/code"  # a convention of the toolkits that survives in practice
_MADE_BY_THE_PLATFORM = ("/opt/ml/input/config", "/opt/ml/input/data", "/opt/ml/output/data")


def image_of(record: Record, role: str) -> ImageFacts:
    """The image of a role; two where they are judged as a pair."""
    return record.training_image if role == TRAINING and record.training_image else record.image


def images(record: Record) -> list[ImageFacts]:
    """Every image that is judged."""
    return [record.image] if record.training_image is None else [record.training_image, record.image]


def programs(record: Record) -> Iterator[tuple[ImageFacts, Program]]:
    """The program of each role that is not known to be absent, as far as its image names a file for it."""
    for role in ROLES:
        fact = record.roles.get(role)
        if fact is None or fact.claimed is not False:
            program = image_of(record, role).programs.get(WORD[role])
            if program is not None and program.file is not None:
                yield image_of(record, role), program


def below(path: str, folders: tuple[str, ...]) -> bool:
    """Whether a path lies below one of the folders."""
    return path.startswith(tuple(f"{folder}/" for folder in folders))


def hidden_files(image: ImageFacts) -> list[FileFact]:
    """Files of the image in a directory that the platform mounts over."""
    return [file for file in image.baked if below(file.path, MOUNTED)]


def loose_files(image: ImageFacts) -> list[FileFact]:
    """Files of the image elsewhere below /opt/ml; the toolkits' code folder is tolerated."""
    return [file for file in image.baked if not below(file.path, (*MOUNTED, CODE))]


def listed(files: list[FileFact]) -> str:
    """A few of the files by name."""
    names = ", ".join(file.path for file in files[:3])
    return names if len(files) <= 3 else f"{names} and {len(files) - 3} more"


def script_fault(program: Program) -> str:  # noqa: PLR0911  # a decision list reads best as one
    """What keeps the kernel from executing the program: "" if nothing."""
    file = program.file
    if file is None:
        return ""
    if file.kind != "file":
        return f"{file.path} is no file but a {file.kind}"
    if not file.mode & 0o111:
        return f"{file.path} has mode {file.mode:04o}: no execute bit"
    if program.form == "other":
        return f"{file.path} is neither a binary nor a script with a first line that names its interpreter"
    if program.form != "script":
        return ""
    if program.interpreter_file is None:
        return f"the first line of {file.path} names {program.interpreter!r}, which is not in the image"
    if not program.interpreter_file.mode & 0o111:
        return f"the first line of {file.path} names {program.interpreter!r}, which has no execute bit"
    return ""


def user_fault(image: ImageFacts) -> str:
    """Which name of `USER` the image does not know: "" if none."""
    user, _, group = image.user.partition(":")
    if user and not user.isdigit() and user not in (image.passwd or ()):
        return f"USER names {user!r}, and " + (
            "/etc/passwd has no such user" if image.passwd else "there is no /etc/passwd"
        )
    if group and not group.isdigit() and group not in (image.groups or ()):
        return f"USER names the group {group!r}, and " + (
            "/etc/group has no such group" if image.groups else "there is no /etc/group"
        )
    return ""


def workdir_fault(image: ImageFacts) -> str:
    """What is wrong with WORKDIR, or with an entry point relative to it: "" if nothing."""
    workdir = image.workdir or "/"
    there = image.workdir_file
    if workdir != "/" and there is None:
        return f"WORKDIR {workdir} does not exist in the image"
    if there is not None and there.kind != "directory":
        return f"WORKDIR {workdir} is no directory but a {there.kind}"
    real = there.real_path if there is not None else workdir
    if below(real, MOUNTED) and real not in _MADE_BY_THE_PLATFORM:
        return (
            f"WORKDIR {workdir} lies in a directory that the platform mounts over: what the image has there is hidden"
        )
    entry = image.entrypoint[0] if image.entrypoint else ""
    if "/" in entry and not entry.startswith("/"):
        if real in MOUNTED:
            return f"ENTRYPOINT {entry!r} is looked for in WORKDIR {workdir}, which the platform mounts over"
        if any(program.file is None for program in image.programs.values()):
            return f"ENTRYPOINT {entry!r} is looked for in WORKDIR {workdir}, and is not there"
    return ""


def machine_fault(program: Program, architecture: str) -> str:
    """Whether the program is built for another architecture: "" if not."""
    if program.file is None or not program.machine or program.machine == architecture:
        return ""
    binary = program.interpreter_file or program.file
    return f"{binary.real_path or binary.path} is built for {program.machine}"
