"""Take a folder of images as the line's data: infer the configuration, copy, and track with DVC.

`python -m pipelines.adopt FOLDER` in the project's root, or in the folder of a line. The folder of
images itself is never changed.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from inspection.adoption.params_text import as_block, with_section, with_value
from inspection.adoption.plan import Plan, plan
from inspection.adoption.questions import Answers
from inspection.adoption.recognition import FORMS
from inspection.adoption.report import understood, warnings
from inspection.adoption.training import ANOMALY, TRANSFER
from inspection.adoption.words import plain_name
from inspection.dataset.layouts import Layout
from inspection.errors import InspectionError
from inspection.line import Line
from inspection.plant import LINES, as_typed, line_of
from inspection.promotion.gate import GateParams
from inspection.storage import locked, write_bytes, write_text
from pipelines.dvc_state import dvc_root
from pipelines.looking import Folder

DATA = Path("data")
DATA_FILE = Path("data.dvc")
PARAMS = Path("params.yaml")
REVIEWS = (Path("reviews/labels.csv"), Path("reviews/boxes.csv"))
CHAMPION = Path("models/releases/champion.json")
KEPT = (PARAMS, DATA_FILE, *REVIEWS, CHAMPION)
METRICS = Path("metrics")
LOCK = Path(".state/locks/adopt.lock")
INCOMING = Path("data.incoming")
OUTGOING = Path("data.outgoing")
BEFORE = ".before-adopt"
FLAGS = {
    "form": f"the form of the folder, where several fit or none: {', '.join(FORMS)}",
    "part": "what makes a part: file, folder, runs, runs:<step>, or how names are built, as in "
    "<part>_<shot> or {camera}_{part}_{label}[_{view}]",
    "masks": "where the mask of an image lies, as in {folder}/{stem}_mask.png, or none",
    "label": "the column of labels in a table, or <file>:<column>",
    "normal": "the normal class, several by commas, or unlisted: the images that nothing labels",
    "name": "name of the line, ASCII (default: that of the folder)",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; 1 and lines of explanation for what the user can fix."""
    given = vars(_parser().parse_args(argv))
    answers = Answers(**{flag: given.pop(flag) for flag in FLAGS})
    try:
        with locked(LOCK, holder="adopt"):
            adopt(**given, answers=answers)
    except InspectionError as error:
        sys.stderr.write(as_typed(f"adopt: failed\n{error}\n"))
        return 1
    return 0


def adopt(
    folder: Path,
    *,
    replace: bool = False,
    dry_run: bool = False,
    answers: Answers = Answers(),  # noqa: B008  (frozen)
) -> Plan:
    """Understand `folder`, say so, and unless `dry_run` make it the project's data."""
    source = folder.resolve()
    _check_source(folder, source)
    _finish_interrupted()

    found = _understood(source, answers)
    _say("understood:", *(f"  {line}" for line in understood(found)))
    _say(*(f"warning: {line}" for line in warnings(found)))
    if dry_run:
        _say("nothing was changed (--dry-run); the sections would be:", "")
        _say(*_blocks(found).values())
        _say(
            *(
                f"{section}: ... {key}: {value}"
                for section, key, value in _values(found)
            )
        )
        return found

    _check_project(source, found.files, replace=replace)
    aside = _aside()
    if source == DATA.resolve():
        undo = _keep_old(aside, keep_data=False)
    else:
        _copy(source, found.files)
        undo = [*_keep_old(aside, keep_data=DATA.exists()), *_put_numbers_aside(aside)]
        _swap_data()
    _write_params(found)
    _dvc("add", str(DATA))
    _say(
        f"{DATA}/ holds {len(found.files)} files, tracked by {DATA_FILE}",
        f"to undo: {' && '.join([*_way_here(), *undo])}",
        as_typed("next: `dvc repro`"),
    )
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.adopt", description=__doc__
    )
    parser.add_argument(
        "folder", type=Path, help="folder of images; it is read, never changed"
    )
    parser.add_argument(
        "--replace", action="store_true", help="replace the data there is"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="only say what would be done"
    )
    for flag, meaning in FLAGS.items():
        parser.add_argument(f"--{flag}", default="", help=meaning)
    return parser


def _check_source(folder: Path, source: Path) -> None:
    data, project = DATA.resolve(), Path.cwd().resolve()
    if not source.is_dir():
        raise InspectionError(
            f"{folder}: no such folder; name the one that holds the images"
        )
    if source in (project, *project.parents):
        raise InspectionError(
            f"{folder}: holds the project itself; name a folder of images"
        )
    if data in source.parents:
        raise InspectionError(
            f"{folder}: lies in {DATA}/; name {DATA} itself, or a folder outside"
        )


def _check_project(source: Path, files: Sequence[str], *, replace: bool) -> None:
    if not PARAMS.exists() or dvc_root() is None:
        raise InspectionError(
            "no params.yaml or .dvc here; run this in the project's root"
        )
    other = DATA.exists() and source != DATA.resolve() and any(DATA.iterdir())
    if other and not replace:
        raise InspectionError(
            f"{DATA}: holds other data; add --replace (`make adopt REPLACE=1`) to put this in its "
            "place: the old data stays in the DVC cache"
        )
    needed = sum((source / path).stat().st_size for path in files)
    free = shutil.disk_usage(Path.cwd()).free
    if needed * 2 > free:
        raise InspectionError(
            f"{source}: {needed / 1e9:.1f} GB of files, copied once and cached once, and "
            f"{free / 1e9:.1f} GB are free; make room"
        )


def _understood(source: Path, answers: Answers) -> Plan:
    folder = Folder(source)
    _say(*(f"warning: {line}" for line in folder.warnings))
    name = answers.name or plain_name(source.name) or "line"
    return plan(folder.listing(answers), folder.contents, name=name)


def _copy(source: Path, files: Sequence[str]) -> None:
    """Copy the files beside the target; nothing is in place before all are there."""
    shutil.rmtree(INCOMING, ignore_errors=True)
    for path in tqdm(files, desc="copying", unit="file", disable=None):
        target = INCOMING / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / path, target)


def _aside() -> str:
    """What is put behind the names of what is kept: a new one each time, so that an undo lasts."""
    number = 1
    while any(_with(path, f"{BEFORE}-{number}").exists() for path in (*KEPT, METRICS)):
        number += 1
    return f"{BEFORE}-{number}"


def _with(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _keep_old(aside: str, *, keep_data: bool) -> list[str]:
    """Cache the old data, copy the old settings aside; returns the commands that undo it."""
    if keep_data:
        known = DATA_FILE.exists()
        _dvc(*(("commit", "-f", str(DATA_FILE)) if known else ("add", str(DATA))))

    undo = []
    for path in KEPT:
        if path.exists():
            write_bytes(_with(path, aside), path.read_bytes())
            undo.append(f"mv {_with(path, aside)} {path}")
    for path in REVIEWS:
        if path.exists():
            header = path.read_text(encoding="utf-8-sig").splitlines()[:1]
            write_text(path, "".join(f"{line}\n" for line in header))
    return [*undo, "dvc checkout data.dvc"] if keep_data else undo


def _put_numbers_aside(aside: str) -> list[str]:
    """Move away what the old line measured; returns the commands that undo it."""
    numbers = sorted(METRICS.glob("*.json"))
    if not numbers:
        return []
    kept = _with(METRICS, aside)
    kept.mkdir()
    for path in numbers:
        path.rename(kept / path.name)
    return [f"mv {kept}/*.json {METRICS}/"]


def _way_here() -> list[str]:
    """Where the commands of an undo are typed, from the checkout's root; none for the root."""
    name = line_of(Path())
    return [f"cd {LINES / name}"] if name else []


def _swap_data() -> None:
    if DATA.exists():
        DATA.rename(OUTGOING)
    INCOMING.rename(DATA)
    shutil.rmtree(OUTGOING, ignore_errors=True)


def _finish_interrupted() -> None:
    """A run killed between its two renames left no data folder: put the old one back."""
    if OUTGOING.exists() and not DATA.exists():
        OUTGOING.rename(DATA)


def _dvc(*arguments: str) -> None:
    command = [sys.executable, "-m", "dvc", *arguments, "--quiet"]
    done = subprocess.run(
        command,
        env={**os.environ, "DVC_NO_ANALYTICS": "1"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-800:]
        raise InspectionError(f"dvc {' '.join(arguments)}: failed; {said}")


def _blocks(found: Plan) -> dict[str, str]:
    """The new sections of params.yaml as text, checked by the models that will read them."""
    # DVC watches single keys of the line, so each must be there to be watched.
    line = Line.model_validate(found.line).model_dump(mode="json") | found.line
    layout = {k: v for k, v in found.validate.items() if k in Layout.model_fields}
    Layout.model_validate(layout)
    comment = "inferred by adopt; change it where it is wrong"
    return {
        "line": as_block("line", line, comment=comment),
        "validate": as_block("validate", found.validate, comment=comment),
    }


def _write_params(found: Plan) -> None:
    text = PARAMS.read_text(encoding="utf-8")
    for section, block in _blocks(found).items():
        text = with_section(text, section, block)
    for section, key, value in _values(found):
        text = with_value(text, section, key, value)
    write_text(PARAMS, text)


def _values(found: Plan) -> list[tuple[str, str, str]]:
    """Single values of other sections that follow from the data: section, key, value."""
    # without a labelled place there is no heat to measure, and what is missing stops the gate
    max_cam_edge = GateParams().max_cam_edge if found.marks_places else "null"
    return [
        ("clean_labels", "part_disagreement", f"'{found.part_disagreement}'"),
        *(("train", key, value) for key, value in TRANSFER.items()),
        ("train", "epochs", str(found.epochs)),
        (
            "train",
            "window_px",
            str(list(found.window_px)) if found.window_px else "null",
        ),
        *(("fit_anomaly", key, value) for key, value in ANOMALY.items()),
        # nobody has asked for a limit yet: what escapes cost decides
        ("assemble", "max_escape_rate", "null"),
        # nor stated the takt of the line: the gate tells the time a part and refuses none by it
        ("gate", "max_ms_per_part", "null"),
        ("gate", "max_cam_edge", str(max_cam_edge)),
    ]


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    if "--dry-run" in sys.argv:
        # `| head` ends it, without a traceback; what copies is ended by nobody who reads
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    raise SystemExit(main())
