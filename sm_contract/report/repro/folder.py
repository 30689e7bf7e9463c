"""The folder of a report in which each broken requirement has its script: which lives it shows, and what is written."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from sm_contract.recipe import Recipe
from sm_contract.record import TRAINING, Life, Record
from sm_contract.report.repro.life import life_sheet
from sm_contract.report.repro.script import MARK, Sheet
from sm_contract.report.repro.still import image_sheet, model_sheet
from sm_contract.report.repro.volumes import Room
from sm_contract.verdict import Judgement

FOLDER, SCRIPT, COMPARE = "repro", "show.sh", "compare"
MOST = 20 * 1024 * 1024  # bytes of the owner's data that are copied, in all scripts of a report
_BESIDE = f"{COMPARE}/{SCRIPT} is the life {{}}, with another end. What differs: diff -r . {COMPARE}"


class Scripts:
    """Writes the scripts of one run. Raises OSError."""

    def __init__(self, report: Path, labels: Sequence[str]) -> None:
        """``labels`` are the images of the run; several have a folder each."""
        self.report = report
        self._room = Room(MOST)
        self._folders = dict(zip(labels, _folders(labels), strict=True))
        for old in list((report / FOLDER).glob(f"**/{SCRIPT}")):  # of an earlier run into the same folder
            if old.is_file() and old.read_text(encoding="utf-8", errors="replace").startswith(MARK):
                shutil.rmtree(old.parent)

    def write(
        self, label: str, judgement: Judgement, record: Record, recipes: Mapping[str, Recipe], engine: str = ""
    ) -> str:
        """Write the script that shows a broken requirement; its path below the report, "" if there is none."""
        sheets = self._sheets(judgement, record, recipes, engine)
        home = Path(FOLDER, self._folders[label], _plain(judgement.id))
        for place, sheet in zip((home, home / COMPARE), sheets, strict=False):
            _write(self.report / place, sheet)
        return (home / SCRIPT).as_posix() if sheets else ""

    def _sheets(self, judgement: Judgement, record: Record, recipes: Mapping[str, Recipe], engine: str) -> list[Sheet]:
        lives = chosen(judgement, record, recipes)
        if lives:
            more = ["", ""]
            if len(lives) > 1:
                more = [_BESIDE.format(lives[1].name), f"It is there to be compared with the life {lives[0].name}."]
            return [
                self._life(judgement, life, record, recipes[life.name], engine=engine, more=text)
                for life, text in zip(lives, more, strict=False)
            ]
        if judgement.lives:
            return []  # lived with an image that is gone
        if judgement.id.startswith("SM-INFER-MODEL-"):
            return [model_sheet(judgement, record.model, self._room)] if record.model.path else []
        image = record.training_image if judgement.roles == (TRAINING,) and record.training_image else record.image
        startable = bool(record.engine) and not record.unstartable
        return [image_sheet(judgement, image, startable=startable, engine=engine)]

    def _life(
        self, judgement: Judgement, life: Life, record: Record, recipe: Recipe, *, engine: str, more: str
    ) -> Sheet:
        trains = life.role == TRAINING and record.training_image is not None
        return life_sheet(
            judgement,
            life,
            recipe,
            image=record.training_image if trains and record.training_image else record.image,
            concurrency=record.candidate.concurrency,
            inside=record.engine.get("inside") == "yes",
            engine=engine,
            room=self._room,
            more=more,
        )


def chosen(judgement: Judgement, record: Record, recipes: Mapping[str, Recipe]) -> list[Life]:
    """The life that shows it: one that its evidence is from and that went wrong; and one to compare it with."""
    known = [record.lives[name] for name in judgement.shown_in or judgement.lives if name in record.lives]
    bad = next((life for life in known if not life.good), known[0] if known else None)
    if bad is None or bad.name not in recipes:
        return []
    others = [life for life in known if judgement.shown_in and life is not bad and life.good and life.role == bad.role]
    # a script cannot type
    return [bad, *[other for other in others if other.name in recipes and not recipes[other.name].spec.terminal][:1]]


def _write(folder: Path, sheet: Sheet) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for place, content in sheet.files.items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            shutil.copyfile(content, path)
        else:
            path.write_bytes(content)
    script = folder / SCRIPT
    script.write_text(sheet.text, encoding="utf-8", newline="\n")
    script.chmod(0o755)


def _folders(labels: Sequence[str]) -> list[str]:
    """A folder for each image, none if there is only one."""
    if len(labels) == 1:
        return [""]
    plain = [_plain(label) for label in labels]
    return plain if len(set(plain)) == len(plain) else [f"{number}-{name}" for number, name in enumerate(plain, 1)]


def _plain(text: str) -> str:
    """A text as the name of a folder."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")[:100] or "image"
