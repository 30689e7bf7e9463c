"""The contract in code: one module a chapter, one function a requirement, each a pure function of the record.

Beside the chapters stand helpers: ``causes`` (which requirement explains a run that went wrong; ``ends``, ``rights``,
``reaching`` and ``readiness`` read that off a single life, ``granting`` off a grant), ``programs``, ``entries`` and
``references`` (what the image alone shows), ``provided`` and ``invoking`` (runs that were meant to fail, servers that
answered), ``reading`` (lives in words) and ``timing`` (limits).
"""

from __future__ import annotations

from importlib import import_module

MODULES = (
    "test_image",
    "test_image_config",
    "test_running_image",
    "test_registry",
    "test_gpu",
    "test_privileges",
    "test_rights",
    "test_hardships",
    "test_user",
    "test_offline",
    "test_reaching",
    "test_training_start",
    "test_training_config",
    "test_training_values",
    "test_training_data",
    "test_training_output",
    "test_training_exit",
    "test_training_failure",
    "test_training_stop",
    "test_serving_start",
    "test_network",
    "test_ping",
    "test_invocations",
    "test_answers",
    "test_health",
    "test_model",
    "test_stop",
)


def load() -> None:
    """Import every chapter, so that ``requirements.registry()`` holds the whole contract."""
    for module in MODULES:
        import_module(f"{__name__}.{module}")
