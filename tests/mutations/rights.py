"""SM-PRIV-…: rights by name."""

from __future__ import annotations

from dataclasses import replace

from good_record import unhealthy

from mutations import (
    Mutation,
    crashing,
    failing,
    follow_up,
    life,
    no_serving,
    no_training,
    saying,
    servers,
    then,
    trainings,
)
from sm_contract import changes
from sm_contract.record import Life, Ping

SOCKET = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
EROFS = "OSError: [Errno 30] Read-only file system: '/proc/sys/net/core/somaxconn'"


def _mended(name: str, change: str, *log: str, code: int = 1) -> list[Mutation]:
    """A grant mends the training; it mends the server."""
    return [
        Mutation(f"{name}, to serve", then(no_serving(crashing(*log, code=code)), follow_up("serve.bare", change))),
        Mutation(f"{name}, to train", then(no_training(failing(*log, code=code)), follow_up("train.bare", change))),
    ]


def _dies_when_invoked(one: Life) -> Life:
    """Healthy, and ended by a bus error in its first invocation."""
    failed = tuple(replace(i, status=None, error="closed") for i in one.invocations if i.name == "plain")[:1]
    return replace(one, ended="itself", exit_code=135, invocations=failed, stop=None, pings=one.pings[:6], seconds=1.2)


def _waits(one: Life) -> Life:
    """Never healthy: it asks for an engine until its window is over."""
    return saying(*[SOCKET] * 5)(unhealthy(one, Ping(at=479.0, seconds=0.001, error="refused")))


BREAKS = {
    "SM-PRIV-SECCOMP-01": [
        *_mended("setarch -R", changes.NO_SECCOMP, "setarch: failed to set personality: Operation not permitted"),
        *_mended("io_uring without a word", changes.NO_SECCOMP),
    ],
    "SM-PRIV-SHM-01": [
        *_mended("a bus error without a word", changes.BIG_SHM, code=135),
        Mutation(
            "workers killed",
            then(
                no_training(failing("RuntimeError: DataLoader worker (pid 12) is killed by signal: Bus error.")),
                follow_up("train.bare", changes.BIG_SHM),
            ),
        ),
        Mutation(
            "gone at the first invocation",
            then(no_serving(_dies_when_invoked), follow_up("serve.bare", changes.BIG_SHM)),
        ),
    ],
    "SM-PRIV-DEVICE-01": [
        *_mended("fuse", changes.FUSE_DEVICE, "FileNotFoundError: [Errno 2] No such file or directory: '/dev/fuse'"),
        *_mended("tun", changes.TUN_DEVICE, "ERROR: Cannot open TUN/TAP dev /dev/net/tun: No such file or directory"),
        *_mended("one that only privileged mode has", changes.PRIVILEGED, "cannot open /dev/kmsg: No such file"),
    ],
    "SM-PRIV-DOCKER-01": [
        Mutation("no socket", no_serving(crashing(SOCKET))),
        Mutation(
            "docker-py in training",
            no_training(failing("Traceback (most recent call last):", "docker.errors.DockerException: Error while")),
        ),
        Mutation("dockerd in the entry script", no_serving(crashing("failed to start daemon: Devices cgroup isn't"))),
        Mutation("asks until its window is over", no_serving(_waits)),
        *_mended("an inner engine in privileged mode", changes.PRIVILEGED, SOCKET, "giving up"),
    ],
    "SM-PRIV-SYSCTL-01": [
        Mutation("somaxconn", no_serving(crashing(EROFS))),
        Mutation("sysctl -w in training", no_training(failing("sysctl: setting key: Read-only file system"))),
        Mutation(
            "transparent huge pages",
            no_serving(crashing("/run.sh: line 3: /sys/kernel/mm/transparent_hugepage/enabled: Read-only file system")),
        ),
        *_mended("and only then an error of its own", changes.PRIVILEGED, EROFS, "fatal: the entry script failed"),
    ],
    "SM-PRIV-NAMESPACE-01": [
        Mutation("the host's processes", no_serving(crashing("error: no kthreadd; run with --pid=host"))),
        Mutation("the host's network", no_training(failing("RuntimeError: start it with --network=host"))),
    ],
}

KEEPS = {
    "SM-PRIV-SECCOMP-01": [
        Mutation("goes on without", servers(saying("io_uring_setup: Operation not permitted, using epoll", "ready"))),
    ],
    "SM-PRIV-SHM-01": [
        Mutation(
            "a notice of shared memory",
            trainings(saying("NOTE: The SHMEM allocation limit is set to the default of 64MB: use --ipc=host", "done")),
        ),
    ],
    "SM-PRIV-DEVICE-01": [
        Mutation("looks for a device and goes on", servers(saying("/dev/kvm: not there, no sandbox", "listening"))),
    ],
    "SM-PRIV-DOCKER-01": [Mutation("finds none and goes on", servers(saying(SOCKET, "no tools", "listening")))],
    "SM-PRIV-SYSCTL-01": [
        Mutation("cannot write and goes on", servers(saying(f"warning: {EROFS}", "listening"))),
        Mutation("as its last word", life("train.full", saying("trained", f"warning: {EROFS}"))),
    ],
    "SM-PRIV-NAMESPACE-01": [
        Mutation("advice", trainings(saying("recommended: docker run --ipc=host --ulimit memlock=-1", "saved"))),
    ],
}
