"""What the image alone shows: the programs behind `train` and `serve`, the user, the working directory."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from sm_contract.record import ROLES, TRAINING, WORD, FileFact, ImageFacts, Program, Record

MOUNTED = ("/opt/ml/input", "/opt/ml/model", "/opt/ml/output", "/opt/ml/checkpoints")
DEFAULT_CAPABILITIES = (  # what an engine grants unasked
    *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW"),
    *("SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
)
CODE = "/opt/ml/code"  # a convention of the toolkits that survives in practice
CUDA_LABEL = "com.amazonaws.sagemaker.inference.cuda.verified_versions"
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "zsh"})
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


def shell_form(entrypoint: tuple[str, ...]) -> str:
    """The line that an ENTRYPOINT gives to a shell; "" where it is a program with its arguments."""
    if not entrypoint or posixpath.basename(entrypoint[0]) not in _SHELLS:
        return ""
    words = iter(entrypoint[1:])
    for word in words:
        if re.fullmatch(r"[-+][oO]", word):
            next(words, None)  # set -o NAME
        elif re.fullmatch(r"-\w*c\w*", word):
            return " ".join(words)
        elif not word.startswith(("-", "+")):
            break
    return ""


def preset(image: ImageFacts, names: re.Pattern[str]) -> list[str]:
    """The variables of these names that ENV gives a value."""
    settings = (setting.partition("=") for setting in image.env)
    return [name for name, _, value in settings if value and names.fullmatch(name)]


def line_fault(program: Program) -> str:
    """What is wrong with the first line of a script, or with the end of that line: "" if nothing."""
    file = program.file
    if file is None or file.kind != "file" or program.form != "script":
        return ""
    if program.first_line.endswith("\\r"):
        return (
            f"the first line of {file.path} ends in CR LF: the kernel takes the CR for a part of {program.first_line!r}"
        )
    if program.interpreter_file is None:
        return f"the first line of {file.path} names {program.interpreter!r}, which is not in the image"
    return ""


def capability_fault(program: Program) -> str:
    """The file that the kernel refuses to execute for what it demands: "" if there is none."""
    file = program.interpreter_file if program.form == "script" else program.file
    beyond = [name for name in file.capabilities if name not in DEFAULT_CAPABILITIES] if file is not None else []
    return f"{file.real_path} carries the file capabilities {', '.join(beyond)}" if file is not None and beyond else ""


def script_fault(program: Program) -> str:
    """What but its first line keeps the kernel from executing the program: "" if nothing."""
    file = program.file
    if file is None:
        return ""
    if file.kind != "file":
        return f"{file.path} is no file but a {file.kind}"
    if not file.mode & 0o111:
        return f"{file.path} has mode {file.mode:04o}: no execute bit"
    if program.form == "other":
        return f"{file.path} is neither a binary nor a script with a first line that names its interpreter"
    if program.form == "script" and program.interpreter_file and not program.interpreter_file.mode & 0o111:
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
