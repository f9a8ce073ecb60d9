"""One trial: the whole line, made with other parts held back, and how it judged these.

A trial runs in the project's folder with some parameters changed, and then all is as it was. What
it judged is kept in `.state/trials/` under a name that follows from all it depends on, so trials
that were stopped go on where they were.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from inspection.runtime.bundle import CARD, Card, read_card
from inspection.storage import write_text
from pipelines.dvc_process import Dvc
from pipelines.dvc_state import PIPELINE
from pipelines.intake.steps import changing_data
from pipelines.runs.overrides import overridden, restore
from stages.sections import read_yaml

KEPT = Path(".state/trials")
LOG = Path(".state/trials.log")
PARAMS = Path("params.yaml")

# The last stage of a trial, the table that it writes of the parts held back, and its bundle.
LAST_STAGE = "assemble"
TABLE = Path("artifacts/test_fold/parts.csv")
BUNDLE = Path("models/bundle")
# Pictures of crops with their heat, and the table of them.
GALLERY = Path("artifacts/cam/gallery")

# What is measured of a trial besides: a table with a `part_id`, of the project's folder as it lies.
Measure = Callable[[], pd.DataFrame]

# A trial is no run to be registered, and of the CAM only the recipe is asked, which decides no
# verdict: a few views give it.
ALWAYS = (
    "++train.track=false",
    "++evaluate_cam.max_defects=8",
    "++evaluate_cam.max_normals=8",
    "++evaluate_cam.gallery_size=1",
)


@dataclass(frozen=True)
class Trial:
    """A name, and what differs from params.yaml, as `dvc exp run -S` takes it."""

    name: str
    overrides: tuple[str, ...]


@dataclass(frozen=True)
class Judged:
    """The parts that a trial held back, a row each as in `artifacts/test_fold/parts.csv`.

    `gallery` is the folder of its pictures; it may be missing. `tables` are those asked for
    besides, by their names.
    """

    trial: Trial
    table: pd.DataFrame
    card: Card
    gallery: Path
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)


def put_back() -> None:
    """Put back what a trial that was killed has changed. Call it before parameters are read.

    Raises InspectionError while flow `retrain` or another trial is at work.
    """
    with changing_data():
        restore()


def judged(
    trials: Sequence[Trial], measures: Mapping[str, Measure] | None = None
) -> Iterator[Judged]:
    """Run the trials one after the other, those that were run before at once.

    `measures` are taken, by the name of their table, of what a trial leaves in the project's
    folder. Raises InspectionError where a stage fails, and while flow `retrain` is at work.
    """
    measures = measures or {}
    files = [TABLE.name, *map(_file, measures)]
    LOG.parent.mkdir(exist_ok=True)
    progress = tqdm(total=len(trials), unit="trial", disable=None)
    with changing_data(), LOG.open("w", encoding="utf-8") as log, progress:
        for trial in trials:
            folder = KEPT / key(trial)
            if not all((folder / file).is_file() for file in files):
                _run(trial, folder, measures, _logging(log.write, progress, trial))
            yield Judged(
                trial,
                _table(folder / TABLE.name),
                read_card(folder),
                folder / GALLERY.name,
                {name: _table(folder / _file(name)) for name in measures},
            )
            progress.update()


def key(trial: Trial) -> str:
    """A name for what a trial gives: parameters, data, sources and libraries determine it."""
    return _digest([*ALWAYS, *trial.overrides])


def design() -> str:
    """A name for the state of parameters, data, sources and libraries."""
    return _digest([])


def state() -> dict[str, str | None]:
    """What results of trials say of the project they were found in, by which their age is known.

    `design` is the name of its state, `beside` the version of the bundle that it has besides; None
    where it has none.
    """
    beside = read_card(BUNDLE).version if (BUNDLE / CARD).is_file() else None
    return {"design": design(), "beside": beside}


def _digest(texts: Sequence[str]) -> str:
    digest = hashlib.sha256("\n".join(texts).encode())
    for path in _inputs():
        digest.update(f"\n{path.as_posix()}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _inputs() -> list[Path]:
    """The files that the stages of a trial read and no stage writes; the data by its hash."""
    stages = read_yaml(PIPELINE)["stages"]
    before = [stages[name] for name in _before(LAST_STAGE)]
    named = {Path(dep) for stage in before for dep in stage["deps"]}
    files = {path for path in named if path.suffix in (".py", ".json", ".csv")}
    made = _written_by(stages.values())
    sources = {path for path in files if made.isdisjoint((path, *path.parents))}
    # of the params a plain key is one of params.yaml; other files stand by their names
    params = [one for stage in before for one in stage.get("params", [])]
    others = {Path(name) for one in params if isinstance(one, dict) for name in one}
    beside = {PARAMS, Path("data.dvc"), *others}
    return sorted(path for path in sources | beside if path.is_file())


def _written_by(stages: Iterable[Mapping[str, Any]]) -> set[Path]:
    """The files and folders that stages write."""
    paths = set()
    for stage in stages:
        for out in stage.get("outs", []):
            # dvc.yaml names an output alone, or as the only key of a mapping of its settings
            name = next(iter(out)) if isinstance(out, dict) else out
            paths.add(Path(name))
    return paths


def _before(last: str) -> list[str]:
    """The names of the stages up to this one, in the order of dvc.yaml."""
    names = list(read_yaml(PIPELINE)["stages"])
    return names[: names.index(last) + 1]


def _run(
    trial: Trial,
    folder: Path,
    measures: Mapping[str, Measure],
    log: Callable[[str], None],
) -> None:
    with overridden([*ALWAYS, *trial.overrides]):
        with Dvc(log) as dvc:
            for stage in dvc.stages[: dvc.stages.index(LAST_STAGE) + 1]:
                log(f"stage {stage}")
                dvc.run(stage, log)
        table = TABLE.read_text(encoding="utf-8")
        card = (BUNDLE / CARD).read_text(encoding="utf-8")
        if GALLERY.is_dir():
            shutil.copytree(GALLERY, folder / GALLERY.name, dirs_exist_ok=True)
        measured = {name: measure() for name, measure in measures.items()}

    write_text(folder / CARD, card)
    for name, found in measured.items():
        write_text(folder / _file(name), found.to_csv(index=False))
    write_text(folder / TABLE.name, table)


def _logging(
    write: Callable[[str], object], progress: "tqdm[None]", trial: Trial
) -> Callable[[str], None]:
    """What a trial prints goes to the log; the bar shows which stage is at work."""

    def log(line: str) -> None:
        write(f"{trial.name}: {line}\n")
        if line.startswith("stage "):
            progress.set_description(f"{trial.name}: {line}")

    return log


def _file(measure: str) -> str:
    return f"{measure}.csv"


def _table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype={"part_id": str, "label": str})
