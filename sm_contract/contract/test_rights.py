"""Rights by name: the seccomp filter, shared memory, devices, and what belongs to the host alone."""

from __future__ import annotations

from sm_contract import changes
from sm_contract.contract import roots
from sm_contract.contract.causes import STARTS, accused, firsts, unwell
from sm_contract.contract.granting import SIMPLE, granted, works_unaided
from sm_contract.contract.reading import found, says, telling
from sm_contract.contract.rights import DEVICE_PATH, WANTED
from sm_contract.record import Life, LogLine, Record
from sm_contract.requirements import requirement
from sm_contract.verdict import Violation
from sm_contract.wants import WORDS, last_words

NAMED = {
    changes.FUSE_DEVICE: "/dev/fuse",
    changes.KVM_DEVICE: "/dev/kvm",
    changes.TUN_DEVICE: "/dev/net/tun",
}


@requirement("SM-PRIV-SECCOMP-01", runs=SIMPLE, rests_on=STARTS, hidden_by=roots.SERVING)
def test_works_under_the_default_seccomp_filter(record: Record) -> None:
    """Works under the default seccomp filter."""
    if flip := granted(record, "SM-PRIV-SECCOMP-01"):
        raise Violation(
            expected="a run with the system calls that the engine's default seccomp filter lets through",
            observed=f"{found(flip.bad)}; with no seccomp filter, and no other right, it works",
            fix="leave out the call that is refused (io_uring, keyctl, perf, numactl --membind, setarch -R …), or go "
            "on without it where it fails",
            because=telling(flip.bad),
            evidence=flip[1:],
        )
    works_unaided(record)


@requirement("SM-PRIV-SHM-01", runs=SIMPLE, rests_on=STARTS, hidden_by=roots.SERVING)
def test_works_with_64_mb_of_shared_memory(record: Record) -> None:
    """Works with 64 MB of /dev/shm."""
    if flip := granted(record, "SM-PRIV-SHM-01"):
        raise Violation(
            expected="a run with 64 MB of /dev/shm, as the platform gives",
            observed=f"{found(flip.bad)}; with a /dev/shm as big as its memory it works",
            fix="keep what workers share in files below /tmp, or use fewer of them "
            "(PyTorch: num_workers=0, or set_sharing_strategy('file_system'))",
            because=telling(flip.bad),
            evidence=flip[1:],
        )
    works_unaided(record)


@requirement("SM-PRIV-DEVICE-01", runs=SIMPLE, rests_on=STARTS, hidden_by=roots.SERVING)
def test_needs_no_device(record: Record) -> None:
    """No device nodes are needed besides the default ones and the GPU set."""
    if flip := granted(record, "SM-PRIV-DEVICE-01"):
        if flip.change in NAMED:
            device, grant = NAMED[flip.change], "that device alone"
        else:
            match = DEVICE_PATH.search(flip.bad.log_text())
            device, grant = match.group() if match else "a device", "privileged mode, which has every device,"
        raise Violation(
            expected="a run with the devices that every container has (null, zero, random, tty …), and the GPU's",
            observed=f"{found(flip.bad)} without {device}; with {grant} it works",
            fix=f"do without {device}: the platform never gives it",
            because=telling(flip.bad),
            evidence=flip[1:],
        )
    works_unaided(record)


@requirement("SM-PRIV-DOCKER-01", runs=SIMPLE, rests_on=STARTS, hidden_by=roots.SERVING)
def test_needs_no_container_engine(record: Record) -> None:
    """No container engine and no engine socket is needed."""
    if want := _ended_for_want(record, "SM-PRIV-DOCKER-01"):
        life, line = want
        raise Violation(
            expected="a run without a container engine: its socket is not there, and none can be started inside",
            observed=f"{found(life)}, and its log tells of a container engine that is not there",
            fix="put what those containers do into this image, as processes of its own",
            because=says(line),
            evidence=[life, line],
        )
    works_unaided(record)


@requirement("SM-PRIV-SYSCTL-01", runs=SIMPLE, rests_on=STARTS, hidden_by=roots.SERVING)
def test_needs_no_sysctl(record: Record) -> None:
    """No start depends on sysctl or on writes to /proc/sys or /sys."""
    if want := _ended_for_want(record, "SM-PRIV-SYSCTL-01"):
        life, line = want
        raise Violation(
            expected="a run with /proc/sys and /sys read-only: the kernel's settings are the platform's",
            observed=f"{found(life)}, and its log tells of a setting of the kernel that it could not write",
            fix="go on where it fails (sysctl -w … || true), or leave it out",
            because=says(line),
            evidence=[life, line],
        )
    works_unaided(record)


@requirement("SM-PRIV-NAMESPACE-01", runs=SIMPLE, rests_on=STARTS, hidden_by=roots.SERVING)
def test_needs_no_namespace_of_the_host(record: Record) -> None:
    """No namespace of the host (network, PID, IPC, UTS) is needed."""
    if want := _ended_for_want(record, "SM-PRIV-NAMESPACE-01"):
        life, line = want
        raise Violation(
            expected="a run with network, processes, IPC and host name of its own, nothing of the host's",
            observed=f"{found(life)}, and its log asks for a namespace of the host",
            fix="leave out what looks at the host (--pid=host, --net=host, --ipc=host); for shared memory stay within "
            "64 MB of /dev/shm",
            because=says(line),
            evidence=[life, line],
        )
    works_unaided(record)


def _ended_for_want(record: Record, id: str) -> tuple[Life, LogLine] | None:
    """The simplest life that went wrong for want of it, and the line that says so."""
    view = accused(record, id)
    if view is None:
        return None
    flip = granted(record, id)
    lives = [flip.bad] if flip else [life for life in firsts(view) if life in unwell(view) and not life.hit_limits]
    words = next(WORDS[what] for what, one in WANTED.items() if one == id)
    for life in lives:
        for line in (*last_words(life), *life.log):
            if words.search(line.text):
                return life, line
    return None
