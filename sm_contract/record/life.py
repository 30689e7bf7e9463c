"""What was observed of one container, from its creation to its end.

All times named ``at`` are seconds from the start of the life they belong to, ``seconds`` are durations.
A life's name is its run ("train.full"), for a follow-up the run it varies and what was changed
("train.bare+credentials"), with "@alone" behind it when it was measured again by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

TRAINING = "training"
INFERENCE = "inference"
ROLES = (TRAINING, INFERENCE)
WORD = {TRAINING: "train", INFERENCE: "serve"}
_SIGNALS = range(128, 160)  # exit codes


@dataclass(frozen=True, kw_only=True)
class Event:
    at: float
    what: str  # "start", "port open", "ping 200", "SIGTERM", "exit 137", …


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """Something outside of the container that it tried to reach, when it first did."""

    at: float
    what: str  # "weights.example.com", "203.0.113.7:443"


@dataclass(frozen=True, kw_only=True)
class LogLine:
    at: float
    stream: str  # "stdout" or "stderr"
    text: str


@dataclass(frozen=True, kw_only=True)
class Ping:
    at: float
    seconds: float  # until the answer, the failure, or the limit of patience
    status: int | None = None
    error: str = ""  # "refused", "reset", "closed", "timed out", "not HTTP", …
    connect_seconds: float | None = None
    body_bytes: int = 0
    body_head: str = ""  # first 40 characters
    busy: bool = False  # at least one invocation was open meanwhile

    def ok(self, limit: float) -> bool:
        """A whole answer with 200 within ``limit`` seconds: a client that reads what was promised raises otherwise."""
        return self.status == 200 and not self.error and self.seconds <= limit


NOT_YET = (502, 503, 504)  # statuses of a server, or its front end, that may be able to answer a while later
BUSY = "busy"  # the name of invocations that are sent several at a time
AFTERWARDS = "afterwards"  # the same request by itself, again and again, where one of those failed
# names of invocations that probe a server in a life of its own
NO_ACCEPT, ANY_ACCEPT = "no Accept", "any Accept"
ALONE, PARALLEL = "by itself", "beside others"  # different requests, one by one and at the same time
BIG = "as big as allowed"
HUGE = "as big as newer pages allow"
EARLY = "too early"  # a plain one that was not answered yet, and was later
AFTER_KILL = "after the kill"  # of the biggest child
MALFORMED, AGAIN = "malformed", "good again"  # and a good one after each, until it is answered


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """One POST /invocations, as the platform would pass it on."""

    name: str  # "plain", "repeated", "extra headers", "custom attributes", "usual client headers", BUSY, …
    request: int  # which of the requests, from 0
    content_type: str
    accept: str = ""
    at: float
    seconds: float
    connect_seconds: float | None = None
    status: int | None = None
    error: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body_sha256: str = ""
    body_bytes: int = 0
    body_head: str = ""  # first 400 characters, decoded with replacement
    client_sees: str = ""  # what InvokeEndpoint would give the caller
    reads_as: tuple[str, ...] | None = None  # of "json", "jsonlines", "markup": what the body is; None: not looked at
    attributes_back: bool | None = None  # custom attributes were sent, and the same came back; None: none were sent
    extra_bytes: int = 0  # that came behind the length which the header promised, or behind the last chunk
    body_of: str = ""  # what was sent, where it is none of the requests as it is: "truncated JSON", …
    broken: bool = False  # no reader of that content type can make sense of what was sent

    @property
    def ok(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request of another kind than the platform's two, or with another Host."""

    what: str  # "POST /ping", "GET /metrics", "ping for Host X", "invocation for Host X"
    at: float
    seconds: float
    status: int | None = None
    error: str = ""
    body_head: str = ""
    ping_ok: bool | None = None  # the ping behind it was in time with 200; None: none was sent


@dataclass(frozen=True, kw_only=True)
class Listener:
    """A TCP socket in state LISTEN inside the container, seen from outside."""

    address: str
    port: int
    pid_one: bool = False  # held by the container's first process
    catches_sigterm: bool | None = None
    ignores_sigterm: bool | None = None
    pids: tuple[int, ...] = ()  # who holds it, as this host numbers them

    @property
    def inward(self) -> bool:
        """Whether only the container itself can reach it."""
        return self.address.startswith(("127.", "::ffff:127.")) or self.address == "::1"

    @property
    def of_the_engine(self) -> bool:
        """Whether it is the resolver that the engine puts into the container, and nothing of the image's."""
        return self.address == "127.0.0.11"

    @property
    def right(self) -> bool:
        """Whether it is where the platform looks for the server."""
        return self.port == 8080 and not self.inward

    @property
    def of_ipv6(self) -> bool:
        """Whether it has an address of IPv6. It may take connections over IPv4 all the same, at "::" most often."""
        return ":" in self.address and not self.address.startswith("::ffff:")

    def __str__(self) -> str:
        return f"{f'[{self.address}]' if ':' in self.address else self.address}:{self.port}"


@dataclass(frozen=True, kw_only=True)
class Survivor:
    """A process of a training that outlived the wait after SIGTERM, and what it does with the signal."""

    command: str
    depth: int  # generations below the container's first process
    caught_at_first: bool  # it had a handler when SIGTERM was sent
    catches: bool  # it has one now, or waits for the signal
    ignores: bool


@dataclass(frozen=True, kw_only=True)
class Stop:
    """The stop sequence: SIGTERM, a wait, SIGKILL."""

    at: float
    seconds: float  # from SIGTERM to the end
    limit: float  # how long was waited before SIGKILL
    killed: bool
    listeners: tuple[Listener, ...] | None = None  # those of port 8080 that outlived the wait; None: not to be seen
    survivors: tuple[Survivor, ...] | None = None  # of a training, itself first; None: not to be seen, or none
    ended_when_told: bool | None = None  # SIGTERM sent to those listeners themselves ended them; None: not tried
    idle: float | None = None  # seconds of the wait in which no process ran, or wanted to, or waited for a disk
    dropped: bool = False  # the first process never had a handler: the kernel drops the signal

    @property
    def beyond_doubt(self) -> bool:
        """No machine was too busy: nobody was told, or nobody did anything for most of the wait."""
        return self.dropped or (self.idle is not None and self.idle >= 0.9 * self.seconds)

    @property
    def deaf(self) -> bool:
        """The first process of a training outlived SIGTERM without a handler: the kernel drops the signal then."""
        return any(one.depth == 0 and not one.catches for one in self.survivors or ())


@dataclass(frozen=True, kw_only=True)
class TreeFile:
    """A member of a tree below /opt/ml after the run."""

    path: str  # relative to the tree
    kind: str  # "file", "directory", "symlink", "hardlink", "other"
    size: int = 0
    mode: int = 0
    mtime: float = 0.0  # seconds since the epoch
    target: str = ""


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a container left in its own file system outside /opt/ml and /tmp, compiled Python left out."""

    bytes: int = 0  # of new files, and by which others grew; counting stops at a quarter of a gigabyte
    biggest: tuple[TreeFile, ...] = ()  # by full path


@dataclass(frozen=True, kw_only=True)
class TrainingResult:
    """What the job left behind, and what the platform makes of it."""

    status: str  # "Completed", "Failed", "Stopped"
    failure_reason: str = ""  # in the platform's wording
    model: tuple[TreeFile, ...] = ()
    output: tuple[TreeFile, ...] = ()
    failure: str | None = None  # first 1,024 characters of /opt/ml/output/failure
    failure_rest: str = ""  # the last 1,024 characters of what came after them
    failure_utf8: bool = True
    failure_at: float | None = None  # when it was last written, by the clock of the life
    ran: tuple[str, ...] = ()  # texts of ours that a shell has run, each by the file it makes

    @property
    def empty_folders(self) -> tuple[str, ...]:
        """Folders of the model that no file lies below: an upload of files leaves them out."""
        files = [file.path for file in self.model if file.kind != "directory"]
        folders = [file.path for file in self.model if file.kind == "directory"]
        return tuple(one for one in folders if not any(path.startswith(f"{one}/") for path in files))


@dataclass(frozen=True, kw_only=True)
class Kill:
    """The biggest child of the program, killed in mid-run."""

    at: float
    victim: str  # its command line
    depth: int  # generations below the container's first process; 0: there was no child to kill
    zombies: int = 0  # children of the first process that had ended by then, and for which it did not wait
    replaced: bool = False  # of a training: another process waited for the data in its place, as it had done

    @property
    def left_zombies(self) -> bool:
        """More of them than the workers that a server may have lost."""
        return self.zombies > 10


@dataclass(frozen=True, kw_only=True)
class Life:
    """One life of one container, from its creation to its end."""

    name: str
    role: str  # TRAINING or INFERENCE
    base: str = ""  # of a follow-up: the life it varies
    change: str = ""  # and the one thing that was changed
    conditions: tuple[str, ...] = ()  # what was present: "isolated", "read-only inputs", …
    command: tuple[str, ...] = ()
    network: str = "ordinary"  # "internal", "none", "ordinary"
    seconds: float = 0.0
    neighbours: int = 0  # other lives at the same time, at most
    control: tuple[Ping, ...] | None = None  # of a life alone: pings of a server of ours beside it, from when each was
    # due to its answer; None: there was none
    start_error: str = ""  # the engine's words, if it could not start the container
    exit_code: int | None = None
    ended: str = ""  # "itself", "stopped", "killed", "limit", "idle", "never started", "no container"
    hit_limits: tuple[str, ...] = ()  # limits of ours: "memory", "processes", "log"
    limits: dict[str, float] = field(
        default_factory=dict
    )  # seconds in force: "start", "ping", "invoke", "stop", "train", "idle", "connect"
    shortened: dict[str, float] = field(default_factory=dict)  # those below the contract's, with the contract's value
    events: tuple[Event, ...] = ()
    attempts: tuple[Attempt, ...] | None = None  # to reach something outside; None: not watched
    log: tuple[LogLine, ...] = ()
    log_cut: bool = False
    # of a training
    written: Written | None = None  # None: not looked at
    result: TrainingResult | None = None
    kill: Kill | None = None  # of a server, too
    # of a server
    ready_at: float | None = None  # start of the first three 200s in a row, each in time
    pings: tuple[Ping, ...] = ()
    invocations: tuple[Invocation, ...] = ()
    asked: tuple[Asked, ...] = ()
    listeners: tuple[Listener, ...] | None = None  # at the end of the start window if not ready, else once ready
    first_bytes: str = ""  # of a raw HTTP/1.1 request's answer on port 8080, control characters shown
    stop: Stop | None = None

    @property
    def never_executed(self) -> bool:
        """The kernel refused to execute the program: the engine says so, or the log in the engine's words."""
        refused = re.compile(r"exec format error|exec user process caused|^exec [^:]+: ", re.IGNORECASE)
        return bool(self.start_error) or any(refused.search(line.text) for line in self.log)

    @property
    def harm(self) -> Invocation | None:
        """The last malformed request, if no good one was answered with 2xx after it; None if there was none."""
        sent = [one for one in self.invocations if one.name == MALFORMED]
        after = [one for one in self.invocations if sent and one.name == AGAIN and one.at > sent[-1].at]
        return None if not sent or any(one.ok for one in after) else sent[-1]

    @property
    def unclean(self) -> bool:
        """A training that ended neither well nor with a refusal that it gave a reason for."""
        silent = not self.log_text().strip() and not (self.result and self.result.failure)
        return self.ended != "itself" or self.crashed or (self.exit_code != 0 and silent)

    @property
    def crashed(self) -> bool:
        """It ended with the exit code of a signal."""
        return self.exit_code in _SIGNALS

    @property
    def only_ipv6(self) -> bool:
        """Port 8080 is open over IPv6 alone: all who listen there do so, and over IPv4, as we came, none answered."""
        there = [one for one in self.listeners or () if one.right]
        came_in = any(ping.connect_seconds is not None for ping in self.pings) or bool(self.first_bytes)
        refused = bool(self.pings) and self.pings[-1].error == "refused" and not came_in
        return refused and bool(there) and all(one.of_ipv6 for one in there)

    @property
    def trained(self) -> bool:
        """The container ended by itself with 0."""
        return self.ended == "itself" and self.exit_code == 0

    @property
    def served(self) -> bool:
        """Ready within its window, alive until it was stopped, and no invocation ended in a server error."""
        return (
            self.ready_at is not None
            and self.ended in ("stopped", "killed")
            and not any(i.status is None or i.status >= 500 for i in self.invocations if i.name == "plain")
        )

    @property
    def saved(self) -> bool:
        """There is a file in the model folder after a training."""
        return self.result is not None and any(file.kind == "file" for file in self.result.model)

    @property
    def good(self) -> bool:
        if self.role == TRAINING:
            # any program may end with 0 when it is given no word: only a model shows that it trained
            return self.trained and (self.saved or bool(self.command))
        return self.served

    @property
    def answered(self) -> bool:
        """A server answered the first request with 2xx."""
        return any(one.ok for one in self.invocations if one.name == "plain" and one.request == 0)

    @property
    def answer(self) -> str:
        """The digest of the answer to the first request; "" unless that was 2xx."""
        return next(
            (one.body_sha256 for one in self.invocations if one.name == "plain" and not one.request and one.ok), ""
        )

    @property
    def put_off(self) -> float:
        """Seconds from the first good ping to the first 2xx, where an invocation in between came too early."""
        ok = next((one.at for one in self.invocations if one.name == "plain" and not one.request and one.ok), None)
        early = any(one.name == EARLY for one in self.invocations)
        return ok - (self.ready_at or 0.0) if early and ok is not None else 0.0

    def fine(self, beside: Iterable[Life]) -> bool:
        """It went well, and the server did not refuse the request that it answered in one of the lives beside it."""
        return self.good and (self.answered or not any(one.answered for one in beside))

    def observed(self) -> Iterator[object]:
        """Everything in it that may be evidence."""
        yield from (*self.pings, *self.invocations, *self.asked, *self.log, *self.events, *(self.listeners or ()))
        if self.stop is not None:
            yield from (self.stop, *(self.stop.listeners or ()))
        if self.result is not None:
            yield from (*self.result.model, *self.result.output)

    def log_text(self) -> str:
        return "\n".join(line.text for line in self.log)
