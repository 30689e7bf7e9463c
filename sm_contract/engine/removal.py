"""Finding and removing what is ours: at the end of a run, by its watchdog, and by the sweep of a later run."""

from __future__ import annotations

import io
import tarfile
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from docker.errors import APIError, NotFound

from sm_contract.engine.link import TRANSPORT, Client
from sm_contract.engine.ownership import KEPT, PREFIX, SESSION, Owner, Place, Session

ORDER = (("container",), ("network", "volume", "image"))  # the second cannot go while the first is there
AT_ONCE = 12  # removals side by side


@dataclass(frozen=True)
class Thing:
    """One thing in the engine that carries our marks."""

    kind: str  # "container", "network", "volume", "image"
    id: str  # an image's is its tag, where it has one
    name: str
    session: str


def find(api: Client, session: str = "") -> list[Thing]:
    """All things of one session, or of any. What only half carries our marks is somebody else's."""
    label = f"{SESSION}={session}" if session else SESSION
    things: list[Thing] = []

    def add(kind: str, ident: str, name: str, labels: dict[str, str] | None) -> None:
        owner = (labels or {}).get(SESSION, "")
        # An image of ours that somebody built on hands its labels down; only the name is never inherited.
        if owner and Owner.read(owner) and name.startswith(f"{PREFIX}-{owner}-") and session in ("", owner):
            things.append(Thing(kind, ident, name, owner))

    for item in api.containers(all=True, filters={"label": label}):
        add("container", item["Id"], (item.get("Names") or [""])[0].lstrip("/"), item.get("Labels"))
    for item in api.networks(filters={"label": label}):
        add("network", item["Id"], item["Name"], item.get("Labels"))
    for item in api.volumes(filters={"label": label}).get("Volumes") or []:
        add("volume", item["Name"], item["Name"], item.get("Labels"))
    for item in api.images(filters={"reference": f"{PREFIX}/{session or '*'}"}):
        for tag in item.get("RepoTags") or []:
            repository, _, _ = tag.removeprefix("localhost/").rpartition(":")  # podman puts its own host before it
            owner = repository.removeprefix(f"{PREFIX}/")
            if repository != owner and Owner.read(owner) and session in ("", owner):
                things.append(Thing("image", tag, tag, owner))
    return things


def remove(api: Client, thing: Thing) -> None:
    """Remove one thing; nothing to do if it is gone. APIError if the engine refuses."""
    try:
        if thing.kind == "container":
            api.remove_container(thing.id, v=True, force=True)
        elif thing.kind == "network":
            api.remove_network(thing.id)
        elif thing.kind == "volume":
            api.remove_volume(thing.id, force=True)
        else:
            untag(api, thing.id)
    except NotFound:
        return
    except APIError as error:
        if "already in progress" not in str(error):
            raise


def untag(api: Client, tag: str) -> None:
    """Remove a tag of ours, and its image only if it came with us.

    The engine deletes an image with its last tag. One that was there before us without a tag is freed
    of ours by giving the tag to an empty image first.
    """
    if tag.endswith(KEPT):
        others = set(api.inspect_image(tag).get("RepoTags") or []) - {tag}
        if not others:
            repository, _, version = tag.rpartition(":")
            api.import_image_from_data(_empty_tar(), repository=repository, tag=version)
    api.remove_image(tag, noprune=True)  # else the candidate below a commit of ours goes too, if it has no tag


def _empty_tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w"):
        pass
    return buffer.getvalue()


def remove_all(connect: Callable[[], Client], things: Iterable[Thing]) -> list[tuple[Thing, str]]:
    """Remove all of these side by side; what could not be removed, with the reason.

    With threads and clients of its own: the caller may be a signal handler in the middle of a call.
    """
    todo = list(things)
    failed: list[tuple[Thing, str]] = []
    for kinds in ORDER:
        batch = [thing for thing in todo if thing.kind in kinds]

        def work(queue: list[Thing] = batch) -> None:
            api = connect()
            while True:
                try:
                    thing = queue.pop()  # atomic
                except IndexError:
                    return
                try:
                    remove(api, thing)
                except (APIError, *TRANSPORT, OSError) as error:
                    failed.append((thing, str(error)))

        workers = [threading.Thread(target=work, daemon=True) for _ in range(min(AT_ONCE, len(batch)))]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    return failed


def remove_session(
    connect: Callable[[], Client],
    session: str,
    *,
    quiet: float,
    limit: float,
    expected: Callable[[], bool] = lambda: False,
) -> list[str]:
    """Remove what a session made, and look until nothing new has appeared for ``quiet`` seconds.

    A call that was under way when its run died is finished by the engine later; ``expected`` says
    that one is still to come. Returns what is left after ``limit`` seconds; raises when the engine is lost.
    """
    api = connect()
    end = time.monotonic() + limit
    empty_since: float | None = None
    while True:
        coming = expected()  # asked first: what it is waiting for may be there by the time of the look
        things = find(api, session)
        now = time.monotonic()
        if things:
            empty_since = None
            remove_all(connect, things)
        elif coming:
            empty_since = None
        else:
            empty_since = now if empty_since is None else empty_since
            if now - empty_since >= quiet:
                return []
        if now > end:
            return [f"{thing.kind} {thing.name}" for thing in things]
        time.sleep(0.02 if things else 0.1)


@dataclass(frozen=True)
class Swept:
    """What a sweep did, for one line to the user."""

    removed: tuple[str, ...] = ()  # "container sm-contract-…: its run has ended"
    left: tuple[str, ...] = ()  # could not be removed, with the engine's words

    def __bool__(self) -> bool:
        return bool(self.removed or self.left)


def sweep(connect: Callable[[], Client], own: Session | None = None) -> Swept:
    """Remove what dead runs left: past their deadline, or of a process of this very place that is gone."""
    here, now = Place(), time.time()
    reasons: dict[Thing, str] = {}
    verdicts: dict[str, str] = {}
    for thing in find(connect()):
        owner = Owner.read(thing.session)
        if owner is None or (own is not None and thing.session == own.id):
            continue
        if thing.session not in verdicts:
            verdicts[thing.session] = owner.gone(here, now)
        if verdicts[thing.session]:
            reasons[thing] = verdicts[thing.session]
    failed = remove_all(connect, reasons)
    lost = {thing for thing, _ in failed}
    return Swept(
        removed=tuple(f"{t.kind} {t.name}: {why}" for t, why in reasons.items() if t not in lost),
        left=tuple(f"{thing.kind} {thing.name}: {why}" for thing, why in failed),
    )


def leftovers(session: str, known: Iterable[Any] = ()) -> str:
    """How a person finds and removes what a session left in an engine that does not answer."""
    names = ", ".join(str(name) for name in known)
    there = f"left behind: {names}. " if names else ""
    return f"{there}When it runs again, the next sm-contract run removes them, or by hand: {by_hand(session)}"


def by_hand(session: str) -> str:
    """The commands that remove what a session left."""
    filters = f"--filter label={SESSION}={session}"
    return (
        f"docker rm -fv $(docker ps -aq {filters}); docker network rm $(docker network ls -q {filters}); "
        f"docker volume rm $(docker volume ls -q {filters}); "
        f"docker rmi $(docker images -q '{PREFIX}/{session}')"
    )
