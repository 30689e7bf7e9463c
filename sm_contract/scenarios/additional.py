"""Additional model data sources: folders that the platform unpacks beside the model, one a channel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from sm_contract.candidate import Given
from sm_contract.engine.protocol import Mount
from sm_contract.platform.content import Content
from sm_contract.platform.tree import Member, folder
from sm_contract.scenarios.life import Stage
from sm_contract.scenarios.setup import Setup


@contextmanager
def additional(stage: Stage, given: Given, setup: Setup) -> Iterator[list[Mount]]:
    """A volume for each declared channel, filled and mounted where the set-up says; gone afterwards."""
    with ExitStack() as stack:
        mounts = []
        for name, path in given.additional_models.items():
            volume = stage.engine.volume("additional")
            stack.callback(stage.engine.remove_volume, volume)
            stage.contents.fill(volume, Content(members=partial(_members, path), owned={"": path}))
            mounts.append(Mount(volume=volume, target=f"{setup.sources}/{name}", read_only=True))
        yield mounts


def _members(path: Path) -> Iterable[Member]:
    return (member for member in folder(path, "") if member.path)
