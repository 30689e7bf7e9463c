"""The engine through docker-py: implements ``protocol.Engine``. Made by ``connect.open_engine``."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Collection, Iterable, Iterator

from docker.errors import APIError, ImageNotFound

from sm_contract.engine.cgroup import KernelLog
from sm_contract.engine.configuration import configuration
from sm_contract.engine.container import DockerContainer
from sm_contract.engine.files import ImageFiles
from sm_contract.engine.images import Images
from sm_contract.engine.inside import inside_or_why
from sm_contract.engine.link import TRANSPORT, Client, Link, says
from sm_contract.engine.networks import Networks
from sm_contract.engine.ownership import PURPOSE, SESSION, Session
from sm_contract.engine.protocol import (
    Container,
    ContainerSpec,
    EngineError,
    EngineFacts,
    FileSystem,
    ImageUnknown,
    Inside,
    Left,
    Network,
    StartError,
    Volume,
)
from sm_contract.engine.removal import Swept, by_hand, find, remove_all, remove_session, sweep, untag
from sm_contract.engine.volumes import Volumes
from sm_contract.engine.watchdog import Watchdog
from sm_contract.resources import resource

CLOSE_SECONDS = 4.5
CLOSE_CALL_SECONDS = 4.0
CONTROLS = ("amd64", "arm64")  # what scripts/build-control.sh builds


class DockerEngine:
    """One connection to an engine, and the owner of all that is made through it."""

    def __init__(self, link: Link, facts: EngineFacts, *, deadline_seconds: float, keep: bool = False) -> None:
        self.link = link
        self.facts = facts
        self.starts = 0
        self.keep = keep  # what is removed before the end is only stopped
        self.left: Left | None = None
        self._leave: frozenset[tuple[str, str]] = frozenset()  # image and purpose of what is left at the end
        self.session = Session.begin(deadline_seconds, keep)
        self.watchdog = Watchdog(link.address, link.version, self.session.id)
        self.kernel_log = KernelLog()
        self.networks = Networks(self)
        self.images = Images(self)
        self.volumes = Volumes(self)
        self.inside: Inside | None
        self.inside, self.inside_needs = inside_or_why(facts, link.address)
        self._files: dict[str, ImageFiles] = {}
        self._pending: set[str] = set()  # names of what the engine is making just now
        self._control = ""  # the image of the control server, once it was needed
        self._closing = False
        self._uncertain = False  # a creation was broken off: what it was to make may appear any time
        self._closed = False
        self._lock = threading.RLock()
        self.swept = self._sweep()

    def _sweep(self) -> Swept:
        try:
            return sweep(self.cleaner, self.session)
        except (APIError, *TRANSPORT, OSError) as error:
            return Swept(left=(f"the engine could not be swept: {error}",))

    def cleaner(self) -> Client:
        """A client for removals only: ours may be in the middle of a call when a signal comes."""
        return self.link.address.client(CLOSE_CALL_SECONDS, self.link.version)

    # --- what is made ---

    @contextlib.contextmanager
    def making(self, kind: str, name: str) -> Iterator[None]:
        """Around every creation: the watchdog hears of it first, and close() waits for it."""
        self._pending.add(name)  # before the look at _closing: close() looks the other way round
        try:
            if self._closing:
                raise EngineError("this run is ending: nothing new is made")
            self.watchdog.note("+", kind, name)
            try:
                yield
            except APIError:
                self.watchdog.note("-", kind, name)
                raise
            except BaseException:  # Ctrl-C, a time-out: the engine may finish it yet
                self._uncertain = True
                raise
            self.watchdog.note("=", kind, name)
        finally:
            self._pending.discard(name)

    def gone(self, name: str) -> None:
        """Something of ours was removed before the end."""
        self.watchdog.note("-", "", name)

    def create(self, spec: ContainerSpec) -> Container:
        """Make a container; StartError with the engine's words if it refuses this image or command."""
        name = self.session.name(spec.purpose)
        config = configuration(
            spec,
            self.session.labels(spec.purpose),
            publish=self.networks.published,
            podman=self.facts.name == "podman",
        )
        try:
            with self.making("container", name), self.link.calls(f"making {name}") as api:
                made = api.create_container_from_config(config, name)
        except ImageNotFound as error:
            if "no such image" in says(error).lower():
                raise ImageUnknown(f"the image {spec.image} is not in the engine any more") from error
            raise EngineError(f"the engine could not make {name}: {says(error)}") from error
        except APIError as error:
            if error.status_code in (404, 409):  # a volume or network that is gone, a name taken twice: not the image's
                raise EngineError(f"the engine could not make {name}: {says(error)}") from error
            raise StartError(says(error)) from error
        return DockerContainer(self, str(made["Id"]), name, spec)

    def network(self, kind: str) -> Network:
        """A network of the kind, made once per session and kind ("internal", "ordinary"; "none" is there)."""
        return self.networks.get(kind)

    def volume(self, purpose: str) -> Volume:
        return self.volumes.make(purpose)

    def remove_volume(self, volume: Volume) -> None:
        self.volumes.remove(volume)

    def fill(self, volume: Volume, image: str, tar: Iterable[bytes]) -> None:
        """Unpack a tar stream into a volume, owner, mode and mtime exact, through a never-started helper."""
        self.volumes.fill(volume, image, tar)

    def read(self, volume: Volume, image: str) -> Iterator[bytes]:
        """A volume's content as a tar stream (members below "./")."""
        return self.volumes.read(volume, image)

    def check_room(self) -> None:
        """Raise EngineFull if its disk is full, as far as that can be seen from here."""
        if self.facts.local:
            self.link.check_room()

    # --- images ---

    def tag(self) -> str:
        """The next tag of ours: ``sm-contract/<session>:<n>``."""
        return self.session.tag()

    def resolve(self, reference: str) -> str:
        """Tag, digest or id to the image id. Never pulls. Raises ImageUnknown."""
        return self.images.resolve(reference)

    def inspect(self, image: str) -> dict[str, object]:
        """The engine's own description of an image id (docker's JSON)."""
        return self.images.inspect(image)

    def load(self, tar: Iterable[bytes]) -> str:
        """Stream a docker archive in, whose only tag is ours; returns the image id."""
        return self.images.load(tar)

    def control(self) -> str | None:
        """The image of the control server, brought in when first asked for; None where none is built for it."""
        if self.facts.os != "linux" or self.facts.architecture not in CONTROLS:
            return None
        with self._lock:
            if not self._control:
                program = resource("engine", "control", f"control-{self.facts.architecture}")
                self._control = self.images.of_program(program.read_bytes())
            return self._control

    def commit(self, container: Container) -> str:
        """The stopped container's file system as an image of ours; returns its id."""
        return self.images.commit(container)

    def files(self, image: str) -> FileSystem:
        """The merged file system of an image, through one never-started container."""
        with self._lock:
            if image not in self._files:
                self._files[image] = ImageFiles(self, image)
            return self._files[image]

    def remove_tags(self, api: Client, image: str) -> None:
        for thing in find(api, self.session.id):
            if thing.kind == "image" and api.inspect_image(thing.id)["Id"] == image:
                untag(api, thing.id)

    # --- the end ---

    def leave(self, containers: Collection[tuple[str, str]]) -> None:
        """Let close() leave these containers (image id, purpose), with what they use; with ``keep`` they are there."""
        self._leave = frozenset(containers) if self.keep else frozenset()

    def close(self) -> None:
        """Remove all that is ours; safe to call twice, from a signal handler, and after a lost engine.

        No lock is taken. What cannot be done in five seconds is left to the watchdog, which goes on
        after us and says what remains.
        """
        if self._closed or os.getpid() != self.session.pid:  # a forked child owns nothing
            return
        self._closing = True
        try:
            if self._leave:
                left = self._leave_some()
            else:
                left = remove_session(
                    self.cleaner, self.session.id, quiet=0, limit=CLOSE_SECONDS, expected=lambda: bool(self._pending)
                )
        except (APIError, *TRANSPORT, OSError):
            left = ["?"]
        self._closed = True
        self.watchdog.release(clean=bool(self.left) or not (left or self._uncertain))

    def _leave_some(self) -> list[str]:
        """Stop what is to be looked at, and remove everything else; what could not be removed."""
        api = self.cleaner()
        label = f"{SESSION}={self.session.id}"
        needed, names = set[str](), list[str]()
        for item in api.containers(all=True, filters={"label": label}):
            if (item["ImageID"], item["Labels"].get(PURPOSE)) not in self._leave:
                continue
            with contextlib.suppress(APIError):  # it has ended
                api.kill(item["Id"])
            names.append(item["Names"][0].lstrip("/"))
            needed |= {item["Id"], item["ImageID"], *(str(mount.get("Name")) for mount in item["Mounts"])}
            needed |= {network["NetworkID"] for network in item["NetworkSettings"]["Networks"].values()}
        self.left = Left(tuple(sorted(names)), by_hand(self.session.id)) if names else None
        rest = [one for one in find(api, self.session.id) if one.id not in needed]
        rest = [one for one in rest if one.kind != "image" or api.inspect_image(one.id)["Id"] not in needed]
        failed = remove_all(self.cleaner, rest)
        failed = remove_all(self.cleaner, [thing for thing, _ in failed])  # a busy engine may need a second word
        return [f"{thing.kind} {thing.name}: {why}" for thing, why in failed]

    def remains(self) -> list[str]:
        """What is in the engine of this session, by kind and name."""
        return [f"{thing.kind} {thing.name}" for thing in find(self.cleaner(), self.session.id)]
