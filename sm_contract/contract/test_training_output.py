"""Training: what a job leaves behind, where it lies, and how it is handed over."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from fnmatch import fnmatch

from sm_contract.contract import roots
from sm_contract.contract.causes import STARTS, claimed, good, why_not
from sm_contract.contract.reading import found, telling
from sm_contract.record import INFERENCE, Life, TreeFile
from sm_contract.requirements import requirement
from sm_contract.verdict import NotApplicable, NotTestable, Violation
from sm_contract.views import Serving, Training

SIMPLE = ("train.bare", "train.full")
LEAVES_A_MODEL = "SM-TRAIN-OUT-01"
_SCRATCH = 10_000_000  # bytes: settings, locks and caches of libraries are less, unpacked data is more
_KNOWN = ("data", "failure", "success", "tensors", "tensorboard", "profiler", "metrics", "intermediate")
_KEY = 1024  # bytes of an object's name


@requirement("SM-TRAIN-FS-02", runs=SIMPLE, rests_on=STARTS, hidden_by=roots.TRAINING)
def test_big_temporary_files_go_to_tmp(training: Training) -> None:
    """Big temporary files go to /tmp or the contract directories, not to system or home directories."""
    lives = good(training)
    if not lives:
        why_not(training, "train.bare")
    measured = [(life, life.written) for life in lives if life.written is not None]
    for life, written in measured:
        if written.bytes > _SCRATCH:
            big = [file for file in written.biggest[:3] if file.size > _SCRATCH / 100]
            files = ", ".join(f"{file.path} ({file.size / 1e6:.1f} MB)" for file in big) or "many small files"
            raise Violation(
                expected=f"less than {_SCRATCH / 1e6:.0f} MB of new files outside /tmp and /opt/ml",
                observed=f"{written.bytes / 1e6:.1f} MB of them after {life.name}: {files}",
                fix="write big temporary files to /tmp (the default of tempfile, TMPDIR=/tmp): the disk under system "
                "and home folders is small",
                evidence=[*written.biggest[:3], life],
            )
    if not measured:
        raise NotTestable("what the training wrote to its own file system was not measured in this record")


@requirement("SM-TRAIN-OUT-02", runs=SIMPLE, rests_on=[*STARTS, LEAVES_A_MODEL], hidden_by=roots.TRAINING)
def test_leaves_the_declared_outputs(training: Training) -> None:
    """Other artifacts worth keeping are under /opt/ml/output/data."""
    wanted = training.candidate.outputs
    if not wanted:
        if "channels" in training.candidate.declared:
            raise NotApplicable("no outputs beside the model are declared: [training] outputs")
        raise NotTestable("declare [training] outputs: what a training leaves below /opt/ml/output/data")
    life = next((life for life in good(training) if life.name.startswith("train.full")), None)
    if life is None:
        why_not(training, "train.full")
    files = [path.removeprefix("data/") for path in _files(life, "output") if path.startswith("data/")]
    for pattern in wanted:
        if any(fnmatch(path, pattern) for path in files):
            continue
        places = [f"/opt/ml/{tree}/{path}" for tree in ("model", "output") for path in _files(life, tree)]
        elsewhere = [path for path in places if fnmatch(posixpath.basename(path), posixpath.basename(pattern))]
        there = f"; it holds {', '.join(files[:4])}" if files else ", which is empty"
        raise Violation(
            expected=f"{', '.join(wanted)} below /opt/ml/output/data after a training with all that is declared",
            observed=f"no {pattern} below /opt/ml/output/data ({life.name}){there}"
            + (f"; {elsewhere[0]} looks like it" if elsewhere else ""),
            fix=f"write it to /opt/ml/output/data/{pattern}: other folders go with the container",
            because=telling(life),
            evidence=[life, *(life.result.output[:3] if life.result else ())],
        )


@requirement("SM-TRAIN-OUT-03", runs=SIMPLE, rests_on=[*STARTS, LEAVES_A_MODEL], hidden_by=roots.TRAINING)
def test_leaves_nothing_beside_the_output(training: Training) -> None:
    """Nothing is left directly in /opt/ml/output except failure and data/."""
    for life in good(training):
        output = life.result.output if life.result else ()
        # an empty file, such as a marker of success, loses nothing
        lost = [one for one in output if one.kind != "directory" and one.size and one.path.split("/")[0] not in _KNOWN]
        if lost:
            raise Violation(
                expected="nothing in /opt/ml/output but data/ and, after a failure, the file failure",
                observed=f"/opt/ml/output/{lost[0].path} ({lost[0].size} bytes"
                + (f", and {len(lost) - 1} more such files" if len(lost) > 1 else "")
                + f") after {life.name}: it is not kept",
                fix=f"write it to /opt/ml/output/data/{lost[0].path}, which becomes output.tar.gz",
                evidence=[*lost[:3], life],
            )
    if not good(training):
        why_not(training, "train.bare")


@requirement("SM-TRAIN-OUT-04", runs=SIMPLE, rests_on=[*STARTS, LEAVES_A_MODEL], hidden_by=roots.TRAINING)
def test_leaves_plain_files(training: Training) -> None:
    """Artifacts are plain files and directories that survive tar.gz."""
    for life in good(training):
        for tree in ("model", "output"):
            for one, how in _fragile(life, tree):
                raise Violation(
                    expected="regular files and folders below /opt/ml/model and /opt/ml/output/data, and links only "
                    "to what lies beside them",
                    observed=f"/opt/ml/{tree}/{one.path} {how} ({life.name})",
                    fix="copy what it stands for to its place (shutil.copyfile, cp -L), and make pipes and sockets "
                    "in /tmp",
                    evidence=[one, life],
                )
    if not good(training):
        why_not(training, "train.bare")


@requirement(
    "SM-TRAIN-OUT-07",
    runs=(*SIMPLE, "serve.bare", "serve.uncompressed"),
    rests_on=[*STARTS, LEAVES_A_MODEL],
    hidden_by=roots.SERVING,
)
def test_its_model_needs_no_archive(training: Training) -> None:
    """Model files do not depend on packing: uncompressed, they are uploaded object by object."""
    if "uncompressed" not in training.candidate.features:
        raise NotApplicable('uncompressed output is not claimed: features = ["uncompressed"]')
    life = training.good()
    for path in _files(life, "model"):
        name = path.encode("utf-8", "surrogateescape")
        if len(name) > _KEY or name != path.encode("utf-8", "replace"):
            raise Violation(
                expected=f"names that an object in S3 may have: UTF-8, at most {_KEY} bytes with the prefix",
                observed=f"{path[:80]!r}{'…' if len(path) > 80 else ''} ({len(name)} bytes) in /opt/ml/model",
                fix="give the file a short name of plain characters",
                evidence=[life],
            )
    empty = life.result.empty_folders if life.result else ()
    if not empty:
        return
    serving = Serving(training.record)
    if not any(view.role == INFERENCE for view in claimed(training.record)):
        raise NotTestable(f"needs the image that serves the model: /opt/ml/model/{empty[0]} is an empty folder")
    if not good(serving):
        why_not(serving, "serve.bare")
    stripped = serving.life("serve.uncompressed")
    if not stripped.good:
        raise Violation(
            expected="a model that works when only its files are kept, as with CompressionType NONE",
            observed=f"without the empty folders ({', '.join(empty[:3])}) {found(stripped)}",
            fix="put a small file into a folder that means something, or make the folder when it is missing",
            because=telling(stripped),
            evidence=[stripped, life],
        )


def _files(life: Life, tree: str) -> list[str]:
    files: tuple[TreeFile, ...] = getattr(life.result, tree) if life.result else ()
    return [file.path for file in files if file.kind != "directory"]


def _fragile(life: Life, tree: str) -> Iterator[tuple[TreeFile, str]]:
    """What an archive of a tree would lose, and how."""
    files: tuple[TreeFile, ...] = getattr(life.result, tree) if life.result else ()
    there = {file.path for file in files}
    for file in files:
        if tree == "output" and not file.path.startswith("data/"):
            continue
        if file.kind == "other":
            yield file, "is a pipe or a device"
        elif file.kind == "symlink" and file.target.startswith("/"):
            yield file, f"is a link to {file.target}, which is not in the archive"
        elif file.kind == "symlink":
            target = posixpath.normpath(posixpath.join(posixpath.dirname(file.path), file.target))
            if target != "." and target not in there:
                yield file, f"is a link to {file.target}, which leads nowhere"
