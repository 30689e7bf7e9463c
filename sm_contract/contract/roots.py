"""What can hide the rest: the requirements whose violation keeps a role from being seen at work.

Written on the requirements as ``hidden_by``, the same for every image. One of these that is broken blocks only
what the record does not show anyway; ``causes`` reads off the record which one it is.
"""

from __future__ import annotations

START = (
    "SM-IMAGE-USER-02",
    "SM-IMAGE-WORKDIR-01",
    "SM-IMAGE-SCRIPT-01",
    "SM-IMAGE-ARCH-02",
    "SM-IMAGE-HEALTHCHECK-01",
    "SM-INFER-RUN-10",
    "SM-PRIV-FILECAP-01",
    "SM-IMAGE-CMD-01",
    "SM-IMAGE-RESERVED-01",
    "SM-IMAGE-ARGUMENT-01",
    "SM-PRIV-TERMINAL-01",
    "SM-PRIV-CAPABILITY-01",
    "SM-PRIV-PRIVILEGED-01",
    "SM-PRIV-MOUNT-01",
    "SM-OFFLINE-CREDENTIALS-01",
    "SM-OFFLINE-DROP-01",
)
TRAINING = (
    *START,
    "SM-TRAIN-RUN-01",
    "SM-TRAIN-RUN-06",
    "SM-TRAIN-USER-01",
    "SM-PRIV-READ-01",
    "SM-TRAIN-FS-03",
    "SM-TRAIN-NET-01",
    "SM-TRAIN-NET-04",
    "SM-TRAIN-ENV-01",
    "SM-TRAIN-ENV-02",
    "SM-TRAIN-ENV-03",
    "SM-TRAIN-WARM-01",
    "SM-TRAIN-CFG-01",
    "SM-TRAIN-CFG-02",
    "SM-TRAIN-CFG-03",
    "SM-TRAIN-CFG-07",
    "SM-TRAIN-CFG-08",
    "SM-TRAIN-CFG-09",
    "SM-TRAIN-CFG-10",
    "SM-TRAIN-CFG-11",
    "SM-TRAIN-CFG-12",
    "SM-TRAIN-CKPT-03",
    "SM-TRAIN-DATA-04",
    "SM-TRAIN-DATA-10",
    "SM-TRAIN-FAIL-01",
    "SM-TRAIN-FAIL-02",
)
SERVING = (
    *TRAINING,  # a server without the model that training should have made shows nothing of itself
    "SM-TRAIN-OUT-01",
    "SM-TRAIN-FS-04",
    "SM-INFER-RUN-01",
    "SM-INFER-RUN-02",
    "SM-INFER-RUN-03",
    "SM-INFER-ENV-01",
    "SM-INFER-NET-01",
    "SM-INFER-NET-04",
    "SM-INFER-PING-01",
    "SM-INFER-PING-02",
    "SM-INFER-PING-03",
    "SM-INFER-PING-04",
    "SM-INFER-INVOKE-01",
    "SM-INFER-INVOKE-02",
    "SM-INFER-INVOKE-04",
    "SM-INFER-INVOKE-05",
    "SM-INFER-MODEL-02",
    "SM-INFER-MODEL-03",
    "SM-INFER-MODEL-04",
    "SM-INFER-ISO-01",
    "SM-OFFLINE-INVOKE-01",
)
