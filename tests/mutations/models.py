"""SM-INFER-MODEL-…, -STOP-01"""

from __future__ import annotations

from dataclasses import replace

from good_record import LAST, MODEL, answer, brief, served, unhealthy

from mutations import (
    Change,
    Mutation,
    candidate,
    crashing,
    drop,
    fields,
    follow_up,
    life,
    model,
    no_serving,
    only_bare_serves,
    saying,
    serve_only,
    servers,
    then,
)
from sm_contract import changes
from sm_contract.record import Event, Life, Listener, LogLine, ModelFacts, Ping, TreeFile

READ_ONLY = "OSError: [Errno 30] Read-only file system: '/opt/ml/model/cache.bin'"
ARCHIVE = {"source": "declared archive", "path": "/data/model.tar.gz", "name": "model.tar.gz", "magic": "gzip"}
LINK = TreeFile(path="latest", kind="symlink", target="v3")
FAR = Listener(address="0.0.0.0", port=8080, pid_one=False, catches_sigterm=False, ignores_sigterm=False, pids=(77,))
HANDLING = replace(FAR, catches_sigterm=True)


def _archive(**facts: object) -> Change:
    return then(serve_only(), model(**{**ARCHIVE, "members": MODEL, **facts}))


def _folder(*members: TreeFile) -> Change:
    return then(serve_only(), model(source="declared folder", path="/data/model", members=(*MODEL, *members)))


def _no_model() -> Change:
    """The weights are in the image; nothing is supplied."""
    return then(serve_only(), model(source="none"), drop("serve.empty"))


def _never_healthy(one: Life) -> Life:
    return unhealthy(one, Ping(at=470.0, seconds=0.01, status=503, connect_seconds=0.001))


def _failing_when_invoked(one: Life) -> Life:
    bad = answer("plain", 0, 1.1, 500, "Read-only file system")
    return replace(one, invocations=(bad, replace(bad, name="usual client headers")))


def _killed(*listeners: Listener, seconds: float = 30.0, dropped: bool = False) -> Change:
    def change(one: Life) -> Life:
        assert one.stop is not None
        stop = replace(one.stop, killed=True, seconds=seconds, listeners=listeners, dropped=dropped)
        return replace(one, ended="killed", exit_code=137, stop=stop)

    return servers(change)


def _told() -> Change:
    """The signal sent to the listener itself ends it at once, though it was there all the while after the first."""
    return then(
        _killed(HANDLING),
        servers(
            lambda one: replace(
                one,
                stop=replace(one.stop, ended_when_told=True),
                events=(*one.events, Event(at=LAST + 30, what="SIGTERM to the listener itself")),
            )
        ),
    )


def _draining(one: Life) -> Life:
    return replace(one, log=(*one.log, LogLine(at=LAST + 0.2, stream="stderr", text="SIGTERM, 3 requests to drain")))


BREAKS = {
    "SM-INFER-MODEL-01": [
        Mutation("a path of the build", life("serve.empty", lambda one: brief(served(one.name)))),
        Mutation("a path of the build, in a thorough life", life("serve.empty", lambda one: served(one.name))),
    ],
    "SM-INFER-MODEL-02": [
        Mutation(
            "a cache beside the model at start",
            then(
                only_bare_serves(crashing(READ_ONLY)),
                follow_up("serve.bare", changes.ISOLATED),
                follow_up("serve.bare", changes.READ_ONLY_MODEL, crashing(READ_ONLY)),
            ),
        ),
        Mutation(
            "a cache beside the model in the first invocation",
            then(
                only_bare_serves(_failing_when_invoked),
                follow_up("serve.bare", changes.READ_ONLY_MODEL, _failing_when_invoked),
            ),
        ),
    ],
    "SM-INFER-MODEL-03": [
        Mutation(
            "ls /opt/ml/model/* under set -e",
            then(
                _no_model(),
                no_serving(crashing("ls: cannot access '/opt/ml/model/*': No such file or directory", code=2)),
                follow_up("serve.bare", changes.A_MODEL_FILE),
            ),
        ),
        Mutation(
            "waits for a file there",
            then(_no_model(), no_serving(_never_healthy), follow_up("serve.bare", changes.A_MODEL_FILE)),
        ),
    ],
    "SM-INFER-MODEL-04": [
        Mutation(
            "a renamed zip file",
            then(
                _archive(magic="zip", problem="file could not be opened successfully", members=()),
                no_serving(crashing("FileNotFoundError: '/opt/ml/model/model.json'")),
            ),
        ),
        Mutation("a plain tar", _archive(magic="tar")),
        Mutation(
            "cut off",
            then(_archive(problem="unexpected end of data"), no_serving(crashing("FileNotFoundError: model.json"))),
        ),
        Mutation("named .tgz", _archive(name="model.tgz")),
    ],
    "SM-INFER-MODEL-05": [
        Mutation("a link named latest", _archive(members=(*MODEL, LINK))),
        Mutation("a link that leaves the model", _archive(members=(*MODEL, replace(LINK, target="../../program")))),
    ],
    "SM-INFER-MODEL-06": [
        Mutation("300 bytes", _folder(TreeFile(path="v1/" + "w" * 300, kind="file"))),
        Mutation("300 bytes in 150 characters", _folder(TreeFile(path="ü" * 150, kind="file"))),
        Mutation("a space for a name", _folder(TreeFile(path="v1/ ", kind="file"))),
        Mutation("..", _folder(TreeFile(path="v1/../v2/model.bin", kind="file"))),
        Mutation("file and folder", _folder(TreeFile(path="model.json/part-0", kind="file"))),
        Mutation("a key for a folder", _folder(TreeFile(path="v1/", kind="file"))),
    ],
    "SM-INFER-STOP-01": [
        Mutation("a wrapper without exec", _killed(FAR)),
        Mutation("a handler that was never called", _told()),
        Mutation("a wrapper without a handler", _killed(FAR, seconds=3.1, dropped=True)),
        Mutation("with a worker that knows the signal", _killed(FAR, replace(FAR, catches_sigterm=True))),
    ],
}


def _draft_missing(log: str) -> Change:
    return then(
        candidate(additional_models=("draft",)),
        no_serving(crashing(log)),
        follow_up("serve.bare", changes.BESIDE_THE_MODEL),
    )


BREAKS |= {
    "SM-INFER-MODEL-07": [
        Mutation("a draft below the model", _draft_missing("FileNotFoundError: '/opt/ml/model/draft/model.json'")),
        Mutation("and says nothing", _draft_missing("")),
    ],
    "SM-INFER-STOP-02": [
        Mutation("ignores it", _killed(replace(FAR, ignores_sigterm=True))),
        Mutation("a first process without handler", _killed(replace(FAR, pid_one=True), seconds=3.1, dropped=True)),
        Mutation("the listener is gone, a wrapper stays", _killed()),
        Mutation("drains for a minute, and a second signal ends it", then(_told(), servers(_draining))),
        Mutation("a handler for the first signal only", then(_killed(FAR), servers(fields(listeners=(HANDLING,))))),
    ],
    "SM-INFER-PING-07": [
        Mutation(
            "healthy when empty, and refuses",
            life(
                "serve.empty", lambda one: replace(brief(served(one.name)), invocations=(answer("plain", 0, 1.1, 503),))
            ),
        ),
        Mutation(
            "healthy when empty, and closes",
            life(
                "serve.empty",
                lambda one: replace(
                    brief(served(one.name)), invocations=(replace(answer("plain", 0, 1.1, None), error="closed"),)
                ),
            ),
        ),
    ],
}

KEEPS = {
    "SM-INFER-MODEL-07": [
        Mutation("found", candidate(additional_models=("draft",))),
        Mutation(
            "two, and a word on one", then(candidate(additional_models=("a", "b")), servers(saying("b is empty")))
        ),
    ],
    "SM-INFER-MODEL-01": [
        Mutation(
            "healthy when empty, and answers otherwise",
            life(
                "serve.empty",
                lambda one: replace(brief(served(one.name)), invocations=(answer("plain", 0, 1.1, 200, "no model"),)),
            ),
        ),
        Mutation(
            "not healthy when empty",
            life(
                "serve.empty",
                lambda one: unhealthy(one, Ping(at=470.0, seconds=0.01, status=503, connect_seconds=0.001)),
            ),
        ),
    ],
    "SM-INFER-MODEL-02": [
        Mutation("says that it cannot cache", servers(saying("Read-only file system: no cache, going on")))
    ],
    "SM-INFER-MODEL-03": [Mutation("weights in the image", _no_model())],
    "SM-INFER-MODEL-04": [
        Mutation("any name before .tar.gz", _archive(name="m-2026.11.tar.gz")),
        Mutation("folders in it", _archive(members=(TreeFile(path="v1", kind="directory"), *MODEL))),
    ],
    "SM-INFER-MODEL-05": [
        Mutation("an empty folder", _archive(members=(*MODEL, replace(LINK, kind="directory", target=""))))
    ],
    "SM-INFER-MODEL-06": [
        Mutation("255 bytes", _folder(TreeFile(path="v1/" + "w" * 255, kind="file"))),
        Mutation("a hidden file, an empty one", _folder(TreeFile(path="..v1/.keep", kind="file"))),
    ],
    "SM-INFER-STOP-01": [
        Mutation("143", servers(fields(exit_code=143))),
        Mutation("1", servers(fields(exit_code=1))),
        Mutation("29 s", servers(lambda one: replace(one, stop=replace(one.stop, seconds=29.0)))),
    ],
}
_ = ModelFacts
