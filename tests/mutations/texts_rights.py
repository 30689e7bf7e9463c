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
}
