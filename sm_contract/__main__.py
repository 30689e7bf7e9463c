"""``python -m sm_contract list``, ``build NAME``, ``judge NAME``: the good images and the faults, to play with."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

NEEDS = (
    "python -m sm_contract needs the source tree, where the good images and the faults are built from (fixtures/): "
    "install it with `pip install -e .` in a clone of the project"
)


def main() -> None:
    """Hand the arguments on to the fixtures of the source tree; end with 4 where there is none."""
    tree = Path(__file__).resolve().parent.parent
    if not (tree / "fixtures" / "__main__.py").exists():
        sys.exit(_refused())
    sys.path.insert(0, str(tree))
    runpy.run_module("fixtures", run_name="__main__")


def _refused() -> int:
    print(NEEDS, file=sys.stderr)
    return 4


if __name__ == "__main__":
    main()
