"""Serving: the model folder, and the archive or folder it is made from."""

from __future__ import annotations

from sm_contract import changes
from sm_contract.contract import roots
from sm_contract.contract.causes import STARTS, flipped, good, ready, why_not
from sm_contract.contract.invoking import answering
from sm_contract.contract.readiness import plain, steady
from sm_contract.contract.reading import ending, outcome, telling
from sm_contract.record import Life, ModelFacts, TreeFile
from sm_contract.requirements import requirement
from sm_contract.verdict import NotApplicable, NotTestable, Violation
from sm_contract.views import Serving


@requirement(
    "SM-INFER-MODEL-01",
    runs=("serve.bare", "serve.empty"),
    rests_on=[*STARTS, "SM-INFER-MODEL-04"],
    excused_without=("requests",),
    hidden_by=roots.SERVING,
)
def test_the_model_is_read_from_its_folder(serving: Serving) -> None:
    """Model artifacts are read from /opt/ml/model, present before start."""
    if serving.model.source == "none":
        raise NotApplicable("no model artifact is supplied")
    there = plain(answering(serving))
    empty = serving.life("serve.empty")
    one = plain(empty)
    damaged = serving.lives.get(f"serve.empty+{changes.DAMAGED_MODEL}")
    same = there is not None and one is not None and one.ok and one.body_sha256 == there.body_sha256
    if there is not None and one is not None and same and (damaged is None or damaged.answer == there.body_sha256):
        also = "" if damaged is None else ", and with noise in the files of the model"
        raise Violation(
            expected="another behaviour with /opt/ml/model empty than with the model in it",
            observed=f"healthy, and the same answer to request 0 with the folder empty{also}: {one.body_head[:80]!r}",
            fix="load the model from /opt/ml/model at start, not from a path of the build",
            evidence=[one, there],
        )
    if there is not None and one is not None and one.ok and not same and not steady(answering(serving), there):
        raise NotTestable(
            "it is healthy with /opt/ml/model empty, too, and its answers differ each time, so that nobody can tell "
            "whether the model is in them: take what changes (times, random numbers) out of the answer",
            evidence=[one, there],
        )


@requirement("SM-INFER-MODEL-02", runs=("serve.full", "serve.bare"), rests_on=STARTS, hidden_by=roots.SERVING)
def test_the_model_folder_may_be_read_only(serving: Serving) -> None:
    """It works with /opt/ml/model read-only; serving never writes there."""
    flip = flipped(serving, changes.READ_ONLY_MODEL)
    if flip is not None and flip.broke:
        raise Violation(
            expected="the same start and answers with /opt/ml/model mounted read-only",
            observed=f"with the folder read-only {_state(flip.bad)} ({flip.bad.name}); writable, it works",
            fix="write caches, locks and converted models to /tmp, never next to the model",
            because=telling(flip.bad),
            evidence=flip[1:],
        )
    full = next((life for life in good(serving) if life.name.startswith("serve.full")), None)
    if full is None:
        why_not(serving, "serve.full")
    answering(serving)


@requirement("SM-INFER-MODEL-03", runs=("serve.bare", "serve.full"), rests_on=STARTS, hidden_by=roots.SERVING)
def test_starts_without_a_model(serving: Serving) -> None:
    """If artifacts are baked into the image, it starts with /opt/ml/model empty or absent."""
    if serving.model.source != "none":
        raise NotApplicable("a model is supplied")
    flip = flipped(serving, changes.A_MODEL_FILE)
    if flip is not None and not flip.broke:
        raise Violation(
            expected="a healthy server with /opt/ml/model empty, since the model is in the image",
            observed=f"with the folder empty {_state(flip.bad)} ({flip.bad.name}); with any file in it, it works",
            fix="do not require a file below /opt/ml/model: no ls /opt/ml/model/* under set -e",
            because=telling(flip.bad),
            evidence=flip[1:],
        )
    if not ready(serving):
        why_not(serving, "serve.bare")


@requirement("SM-INFER-MODEL-07", runs=("serve.bare", "serve.full"), rests_on=STARTS, hidden_by=roots.SERVING)
def test_additional_models_have_a_place_of_their_own(serving: Serving) -> None:
    """Additional model data sources are looked up under `/opt/ml/additional-model-data-sources/<channel>`."""
    if not serving.candidate.additional_models:
        raise NotApplicable("no additional model is declared: [inference.additional_models]")
    flip = flipped(serving, changes.BESIDE_THE_MODEL)
    if flip is not None and not flip.broke:
        names = ", ".join(serving.candidate.additional_models)
        raise Violation(
            expected=f"a healthy server with {names} below /opt/ml/additional-model-data-sources",
            observed=f"there {_state(flip.bad)} ({flip.bad.name}); below /opt/ml/model it works",
            fix=f"read /opt/ml/additional-model-data-sources/{serving.candidate.additional_models[0]}",
            because=telling(flip.bad),
            evidence=flip[1:],
        )
    if not ready(serving):
        why_not(serving, "serve.bare")


@requirement("SM-INFER-MODEL-04", hidden_by=roots.SERVING)
def test_the_archive_is_a_gzipped_tar(serving: Serving) -> None:
    """The supplied model archive is one gzip-compressed tar."""
    model = _archive(serving)
    name = model.name or model.path
    what = ""
    if model.magic != "gzip":
        kind = {"zip": "a zip file", "tar": "a plain tar, not compressed"}.get(model.magic, "neither gzip nor tar")
        what = f"{name} is {kind}"
    elif model.problem:
        what = f"{name} cannot be unpacked: {model.problem}"
    elif not name.endswith(".tar.gz"):
        what = f"{name} does not end in .tar.gz"
    if what:
        raise Violation(
            expected="a model archive that is one gzip-compressed tar, named ….tar.gz",
            observed=what,
            fix="pack it with tar -czf model.tar.gz -C model .",
            evidence=[f"{model.path}: magic {model.magic}, {len(model.members)} members"],
        )


@requirement("SM-INFER-MODEL-05", rests_on=["SM-INFER-MODEL-04"])
def test_the_archive_has_no_symbolic_links(serving: Serving) -> None:
    """The model archive has no symbolic links."""
    model = _archive(serving)
    links = [member for member in model.members if member.kind == "symlink"]
    if links:
        raise Violation(
            expected="an archive of files and directories only",
            observed=f"symbolic links in it: {len(links)}, such as {links[0].path} -> {links[0].target}",
            fix="pack the files the links lead to: tar -czhf model.tar.gz -C model .",
            evidence=links[:5],
        )
    twice = [member for member in model.members if member.kind == "hardlink"]
    if twice:
        raise Violation(
            expected="an archive of files and directories only",
            observed=f"hard links in it: {len(twice)}, such as {twice[0].path} -> {twice[0].target}; not every program "
            "that unpacks it makes a file of one",
            fix="pack each as a file of its own: tar --hard-dereference -czf model.tar.gz -C model .",
            evidence=twice[:5],
            near=True,
        )


@requirement("SM-INFER-MODEL-06")
def test_the_folder_obeys_the_key_rules(serving: Serving) -> None:
    """An uncompressed model folder obeys the rules for key names."""
    if serving.model.source != "declared folder":
        raise NotApplicable("no uncompressed model is supplied")
    members = serving.model.members
    files = {member.path for member in members if member.kind != "directory"}
    for member in members:
        if fault := _key_fault(member, files):
            raise Violation(
                expected='names of at most 255 bytes, none blank, "." or "..", and no file where a folder is',
                observed=f"{member.path[:80]!r}{'…' if len(member.path) > 80 else ''}: {fault}",
                fix="rename it in the model folder and in the prefix in S3",
                evidence=[member],
            )


def _archive(serving: Serving) -> ModelFacts:
    if serving.model.source != "declared archive":
        raise NotApplicable("no model archive is supplied")
    return serving.model


def _key_fault(member: TreeFile, files: set[str]) -> str:
    path = member.path.rstrip("/")
    names = path.split("/")
    if member.path.endswith("/") and member.kind != "directory":
        return "a zero-byte key that stands for a folder"
    if any(name.strip() in ("", ".", "..") or "\0" in name for name in names):
        return 'a part of the name is blank, ".", ".." or holds a null byte'
    longest = max(len(name.encode()) for name in names)
    if longest > 255:
        return f"a name of {longest} bytes"
    above = next(("/".join(names[:n]) for n in range(1, len(names)) if "/".join(names[:n]) in files), "")
    return f"{above} is a file, too" if above else ""


def _state(life: Life) -> str:
    """What became of a server, as the end of a sentence."""
    one = plain(life)
    if life.ready_at is None:
        return f"it {ending(life)}" if life.ended == "itself" else "it did not become healthy"
    return f"an invocation was answered with {outcome(one)}" if one and not one.ok else f"it {ending(life)}"
