"""Privileges: what works only with rights, a terminal or devices that the platform never grants."""

from __future__ import annotations

from sm_contract import changes
from sm_contract.contract import roots
from sm_contract.contract.causes import STARTS, claimed, firsts
from sm_contract.contract.entries import needs_programs
from sm_contract.contract.granting import SIMPLE, granted, works_unaided
from sm_contract.contract.programs import capability_fault, programs
from sm_contract.contract.reading import found, telling
from sm_contract.record import WORD, Record
from sm_contract.requirements import requirement
from sm_contract.verdict import Violation


@requirement("SM-PRIV-CAPABILITY-01", runs=SIMPLE, rests_on=STARTS, hidden_by=roots.SERVING)
def test_default_capabilities_are_enough(record: Record) -> None:
    """No capability beyond the engine's default set is needed."""
    if flip := granted(record, "SM-PRIV-CAPABILITY-01"):
        one = flip.change.removeprefix(changes.ONE_CAPABILITY) if flip.change != changes.CAPABILITIES else ""
        grant = f"the capability {one} alone" if one else "every further capability but SYS_ADMIN"
        raise Violation(
            expected="a run that needs none but the default capabilities (CHOWN, SETUID, NET_BIND_SERVICE …)",
            observed=f"{found(flip.bad)}; with {grant} it works",
            fix="leave out what needs it (network set-up, scheduling, tracing, the clock), or let it fail softly",
            because=telling(flip.bad),
            evidence=flip[1:],
        )
    works_unaided(record)


@requirement("SM-PRIV-MOUNT-01", runs=SIMPLE, rests_on=STARTS, hidden_by=roots.SERVING)
def test_mounts_nothing(record: Record) -> None:
    """No mount, FUSE or namespace operation is needed at run time."""
    if flip := granted(record, "SM-PRIV-MOUNT-01"):
        grant = "/dev/fuse, SYS_ADMIN and no seccomp filter" if flip.change == changes.FUSE else "no seccomp filter"
        raise Violation(
            expected="a run without mounts, FUSE and new namespaces: neither the device nor the rights are there",
            observed=f"{found(flip.bad)}; with {grant} it works",
            fix="read the data from a channel or download it; do not mount a bucket (s3fs, mount-s3) at run time",
            because=telling(flip.bad),
            evidence=flip[1:],
        )
    works_unaided(record)


@requirement("SM-PRIV-PRIVILEGED-01", runs=SIMPLE, rests_on=STARTS, hidden_by=roots.SERVING)
def test_needs_no_privileged_mode(record: Record) -> None:
    """Everything works without privileged mode."""
    if flip := granted(record, "SM-PRIV-PRIVILEGED-01"):
        grant = "privileged mode" if flip.change == changes.PRIVILEGED else "the capability SYS_ADMIN"
        raise Violation(
            expected="a run without privileged mode and without SYS_ADMIN",
            observed=f"{found(flip.bad)}; with {grant} it works",
            fix="leave out what needs it (mount, sysctl, kernel modules, devices) or do it when the image is built",
            because=telling(flip.bad),
            evidence=flip[1:],
        )
    works_unaided(record)


@requirement("SM-PRIV-TERMINAL-01", runs=SIMPLE, rests_on=STARTS, hidden_by=roots.SERVING)
def test_needs_no_terminal(record: Record) -> None:
    """No terminal and no standard input are needed."""
    if flip := granted(record, "SM-PRIV-TERMINAL-01"):
        raise Violation(
            expected="a run without a terminal and with an empty standard input, as `docker run` gives without -it",
            observed=f"{found(flip.bad)}; with a terminal and standard input it works",
            fix="ask nothing at start (input(), read); take answers from hyperparameters or variables",
            because=telling(flip.bad),
            evidence=flip[1:],
        )
    works_unaided(record, by_rights=False)


@requirement("SM-PRIV-FILECAP-01", rests_on=STARTS, hidden_by=roots.SERVING)
def test_no_file_capability_beyond_the_default(record: Record) -> None:
    """No file of the entry chain demands a capability that a container does not get."""
    needs_programs(record)
    for image, program in programs(record):
        if fault := capability_fault(program):
            view = next((one for one in claimed(record) if WORD[one.role] == program.word), None)
            life = next((life for life in firsts(view) if life.start_error), None) if view else None
            raise Violation(
                expected="no file capability beyond the 14 that a container may have: the kernel refuses to execute "
                "the file, even for root",
                observed=f"{fault}, and starting `{program.word}` of {image.reference} executes it",
                fix=f"RUN setcap -r {fault.split()[0]} in the Dockerfile, or copy the file (a copy has none)",
                because=telling(life) if life else "",
                evidence=[file for file in (program.file, program.interpreter_file) if file],
            )
