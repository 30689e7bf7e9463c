"""Where the data that ships with the package is found, in a wheel and in a source tree alike."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def resource(*parts: str) -> Path:
    """Return the path of shipped data: ``resource("schemas", "result.json")``, ``resource("data", "2026-11.json")``.

    ``schemas/`` lies beside the package in a source tree (and so in an editable install) and inside
    it in a wheel. Raises FileNotFoundError naming the missing file.
    """
    for home in (_PACKAGE, _PACKAGE.parent):
        path = home.joinpath(*parts)
        if path.exists():
            return path
    raise FileNotFoundError(f"{'/'.join(parts)} is missing from the installation of sm_contract")
