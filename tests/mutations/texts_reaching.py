# ruff: noqa: E501  # sentences are held whole
"""What is said of what is reached for, held to the letter."""

from __future__ import annotations

TEXTS = {
    "SM-OFFLINE-INSTALL-01": (
        "`serve` exited with 1 after 0.4 s (serve.bare+isolated); on an open network it works",
        "install the packages in the Dockerfile; nothing can be installed without a way out",
    ),
    "SM-OFFLINE-FETCH-01": (
        "`serve` exited with 1 after 0.4 s (serve.bare+isolated); on an open network it works",
        "put weights, tokenizers, licences and keys into the image or the model archive, and load them by path (HF_HUB_OFFLINE=1)",
    ),
    "SM-OFFLINE-DNS-01": (
        "`serve` exited with 1 after 0.4 s (serve.bare+isolated); on an open network it works",
        "look no name up at start, or go on where the look-up fails",
    ),
    "SM-OFFLINE-METADATA-01": (
        "`serve` exited with 1 after 0.4 s (serve.bare), on an open network, too",
        "take the Region from AWS_REGION or from a default, and call no metadata address",
    ),
    "SM-OFFLINE-REGION-01": (
        "`serve` exited with 1 after 0.4 s (serve.bare); with AWS_REGION it works",
        "name a Region where the client is made, boto3.client(…, region_name=…), or make it when it is used",
    ),
    "SM-OFFLINE-PROXY-01": (
        "`serve` exited with 1 after 0.4 s (serve.bare); with these variables it works",
        "read them with a default, and go without a proxy where they are not set",
    ),
    "SM-OFFLINE-LOOPBACK-01": (
        "with loopback alone `serve` exited with 1 after 0.4 s (serve.bare+no network); on a network of its own, without a way out, it works",
        "let the processes meet on 127.0.0.1 or a Unix socket, not on the container's address or host name",
    ),
    "SM-OFFLINE-ANSWER-01": (
        "request 0 (text/csv): '{\"predictions\": [0.0]}' without a way out, '{\"predictions\": [0.5]}' on an open network",
        "leave out the fallback, or what it stands in for: an isolated endpoint answers alike",
    ),
    "SM-OFFLINE-TELEMETRY-01": (
        "telemetry.example.com looked up 0.1 s after the start (serve.full)",
        "switch it off in the image: ENV DO_NOT_TRACK=1 HF_HUB_DISABLE_TELEMETRY=1, or the framework's own",
    ),
    "SM-OFFLINE-ATTEMPT-01": (
        "203.0.113.7:443 tried 0.1 s after the start, and nothing came of it (serve.full)",
        "switch off update checks and the like; each costs time where packets are dropped",
    ),
}
