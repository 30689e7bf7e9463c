# ruff: noqa: E501  # sentences are held whole
"""What is said of rights, held to the letter."""

from __future__ import annotations

TEXTS = {
    "SM-PRIV-SECCOMP-01": (
        "`serve` exited with 1 after 0.4 s (serve.bare); with no seccomp filter, and no other right, it works",
        "leave out the call that is refused (io_uring, keyctl, perf, numactl --membind, setarch -R …), or go on without it where it fails",
    ),
    "SM-PRIV-SHM-01": (
        "`serve` exited with 135 (SIGBUS) after 0.4 s (serve.bare); with a /dev/shm as big as its memory it works",
        "keep what workers share in files below /tmp, or use fewer of them (PyTorch: num_workers=0, or set_sharing_strategy('file_system'))",
    ),
    "SM-PRIV-DEVICE-01": (
        "`serve` exited with 1 after 0.4 s (serve.bare) without /dev/fuse; with that device alone it works",
        "do without /dev/fuse: the platform never gives it",
    ),
    "SM-PRIV-DOCKER-01": (
        "`serve` exited with 1 after 0.4 s (serve.bare), and its log tells of a container engine that is not there",
        "put what those containers do into this image, as processes of its own",
    ),
    "SM-PRIV-SYSCTL-01": (
        "`serve` exited with 1 after 0.4 s (serve.bare), and its log tells of a setting of the kernel that it could not write",
        "go on where it fails (sysctl -w … || true), or leave it out",
    ),
    "SM-PRIV-NAMESPACE-01": (
        "`serve` exited with 1 after 0.4 s (serve.bare), and its log asks for a namespace of the host",
        "leave out what looks at the host (--pid=host, --net=host, --ipc=host); for shared memory stay within 64 MB of /dev/shm",
    ),
    "SM-PRIV-CAPABILITY-02": (
        "without capabilities and new privileges `serve` exited with 1 after 0.4 s (serve.strict+no capabilities); with the default ones it works",
        "start as the user that the program runs as (no su, gosu, setuid, chown at start)",
    ),
    "SM-PRIV-READONLY-01": (
        "with a read-only root file system `serve` exited with 1 after 0.4 s (serve.strict+read-only root); with a writable one it works",
        "put PID files, caches and sockets into /tmp",
    ),
    "SM-PRIV-UID-02": (
        "as that user `serve` exited with 1 after 0.4 s (serve.other_user); as the image's own it works",
        "let every user read and execute the program's files, write below /tmp or where every user may (a file that only the image's user may write is enough to fail), and chown nothing at start",
    ),
    "SM-PRIV-LIMITS-01": (
        "with that limit `serve` exited with 1 after 0.4 s (serve.strict+1,024 open files); with the engine's it works",
        "raise a limit as far as it goes, and go on where it does not (ulimit -n 65536 || true)",
    ),
}
