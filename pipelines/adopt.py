"""Take a folder of images as the line's data: infer the configuration, copy, and track with DVC.

`python -m pipelines.adopt FOLDER` in the project's root. The folder itself is never changed.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from inspection.adoption.adoption import Folder, Plan, plan
from inspection.adoption.adoption_report import told
from inspection.adoption.adoption_warnings import warned
from inspection.adoption.folder_guesses import is_image
from inspection.adoption.params_text import as_block, with_section, with_value
from inspection.adoption.vocabulary import plain_name
from inspection.dataset.layouts import Layout
from inspection.errors import InspectionError, first_three
from inspection.line import Line
from inspection.storage import locked, write_bytes, write_text
from pipelines.looking import look

DATA = Path("data")
DATA_FILE = Path("data.dvc")
PARAMS = Path("params.yaml")
REVIEWS = Path("reviews/labels.csv")
CHAMPION = Path("models/releases/champion.json")
KEPT = (PARAMS, DATA_FILE, REVIEWS, CHAMPION)
METRICS = Path("metrics")
LOCK = Path(".state/locks/adopt.lock")
INCOMING = Path("data.incoming")
OUTGOING = Path("data.outgoing")
BEFORE = ".before-adopt"
TEXT_SUFFIXES = (".txt", ".json", ".yaml", ".yml", ".names")
MAX_TEXT_BYTES = 512 * 1024 * 1024


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; 1 and lines of explanation for what the user can mend."""
    arguments = _parser().parse_args(argv)
    try:
        with locked(LOCK, holder="adopt"):
            adopt(
                arguments.folder,
                replace=arguments.replace,
                dry_run=arguments.dry_run,
                normal=arguments.normal,
                name=arguments.name,
            )
    except InspectionError as error:
        sys.stderr.write(f"adopt: failed\n{error}\n")
        return 1
    return 0


def adopt(
    folder: Path,
    *,
    replace: bool = False,
    dry_run: bool = False,
    normal: str = "",
    name: str = "",
) -> Plan:
    """Understand `folder`, say so, and unless `dry_run` make it the project's data."""
    source = folder.resolve()
    _check_source(folder, source)
    _finish_interrupted()
    found = _understood(
        source, name=name or plain_name(source.name) or "line", normal=normal
    )
    _say("understood:", *(f"  {line}" for line in told(found)))
    _say(*(f"mind: {line}" for line in warned(found)))
    if dry_run:
        _say(
            "nothing was changed (--dry-run); the sections would be:",
            "",
            *_blocks(found).values(),
            *(
                f"{section}: ... {key}: {value}"
                for section, key, value in _values(found)
            ),
        )
        return found
    _check_project(source, found.files, replace=replace)
    if source == DATA.resolve():
        undo = _keep_old(keep_data=False)
    else:
        _copy(source, found.files)
        undo = [*_keep_old(keep_data=DATA.exists()), *_put_numbers_aside()]
        _swap_data()
    _write_params(found)
    _dvc("add", str(DATA))
    _say(
        f"{DATA}/ holds {len(found.files)} files, tracked by {DATA_FILE}",
        f"to undo: {' && '.join(undo)}",
        "next: dvc repro",
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
    parser.add_argument(
        "--normal", default="", help="what the normal class is called, if unclear"
    )
    parser.add_argument(
        "--name", default="", help="name of the line, ASCII (the folder's name)"
    )
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
    if not PARAMS.exists() or not Path(".dvc").is_dir():
        raise InspectionError(
            "no params.yaml or .dvc here; run this in the project's root"
        )
    other = DATA.exists() and source != DATA.resolve() and any(DATA.iterdir())
    if other and not replace:
        raise InspectionError(
            f"{DATA}: holds other data; add --replace (make adopt REPLACE=1) to put this in its "
            "place: the old data stays in the DVC cache"
        )
    needed = sum((source / path).stat().st_size for path in files)
    free = shutil.disk_usage(Path.cwd()).free
    if needed * 2 > free:
        raise InspectionError(
            f"{source}: {needed / 1e9:.1f} GB of files, copied once and cached once, and "
            f"{free / 1e9:.1f} GB are free; make room"
        )


def _understood(source: Path, *, name: str, normal: str) -> Plan:
    raw = sorted(
        os.fsencode((Path(folder) / file).relative_to(source).as_posix())
        for folder, _, files in os.walk(source)
        for file in files
    )
    paths = tuple(path.decode() for path in raw if _is_unicode(path))
    if len(paths) < len(raw):
        strange = [
            path.decode(errors="backslashreplace")
            for path in raw
            if not _is_unicode(path)
        ]
        _say(
            f"mind: {len(strange)} names are no UTF-8 and left out: {first_three(strange)}"
        )
    looked, unread, told_of = look(source, [path for path in paths if is_image(path)])
    _say(*told_of)
    texts = [path for path in paths if path.lower().endswith(TEXT_SUFFIXES)]
    contents = {
        path: (source / path).read_bytes()
        for path in tqdm(texts, desc="reading labels", unit="file", disable=None)
        if (source / path).stat().st_size <= MAX_TEXT_BYTES
    }
    return plan(Folder(paths, looked, contents, unread), name=name, normal=normal)


def _is_unicode(path: bytes) -> bool:
    return path.decode(errors="ignore").encode() == path


def _copy(source: Path, files: Sequence[str]) -> None:
    """Copy the files beside the target; nothing is in place before all are there."""
    shutil.rmtree(INCOMING, ignore_errors=True)
    for path in tqdm(files, desc="copying", unit="file", disable=None):
        target = INCOMING / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / path, target)


def _keep_old(*, keep_data: bool) -> list[str]:
    """Cache the old data, copy the old settings aside; returns the commands that undo it."""
    kept = [path for path in KEPT if path.exists()]
    if keep_data:
        _dvc(
            *(
                ("commit", "-f", str(DATA_FILE))
                if DATA_FILE.exists()
                else ("add", str(DATA))
            )
        )
        kept = [path for path in KEPT if path.exists()]
    for path in kept:
        write_bytes(_before(path), path.read_bytes())
    if REVIEWS.exists():
        header = REVIEWS.read_text(encoding="utf-8-sig").splitlines()[:1]
        write_text(REVIEWS, "".join(f"{line}\n" for line in header))
    moves = [f"mv {_before(path)} {path}" for path in kept]
    return [*moves, *(["dvc checkout data.dvc"] if keep_data else [])]


def _put_numbers_aside() -> list[str]:
    """Move away what the old line measured; returns the commands that undo it."""
    numbers = sorted(METRICS.glob("*.json"))
    if not numbers:
        return []
    shutil.rmtree(_before(METRICS), ignore_errors=True)
    _before(METRICS).mkdir()
    for path in numbers:
        path.rename(_before(METRICS) / path.name)
    return [f"mv {_before(METRICS)}/*.json {METRICS}/"]


def _swap_data() -> None:
    if DATA.exists():
        DATA.rename(OUTGOING)
    INCOMING.rename(DATA)
    shutil.rmtree(OUTGOING, ignore_errors=True)


def _finish_interrupted() -> None:
    """A run killed between its two renames left no data folder: put the old one back."""
    if OUTGOING.exists() and not DATA.exists():
        OUTGOING.rename(DATA)


def _before(path: Path) -> Path:
    return path.with_name(path.name + BEFORE)


def _dvc(*arguments: str) -> None:
    command = [sys.executable, "-m", "dvc", *arguments, "--quiet"]
    done = subprocess.run(
        command,
        env={**os.environ, "DVC_NO_ANALYTICS": "1"},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        told_by_dvc = (done.stderr or done.stdout).strip()[-800:]
        raise InspectionError(f"dvc {' '.join(arguments)}: failed; {told_by_dvc}")


def _blocks(found: Plan) -> dict[str, str]:
    """The new sections of params.yaml as text, checked by the models that will read them."""
    Line.model_validate(found.line)
    Layout.model_validate(
        {k: v for k, v in found.validate.items() if k in Layout.model_fields}
    )
    comment = "inferred by adopt; mend it where it is wrong"
    return {
        "line": as_block("line", found.line, comment=comment),
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
    return [
        ("clean_labels", "part_disagreement", f"'{found.part_disagreement}'"),
        ("train", "epochs", str(found.epochs)),
        ("train", "patience", str(found.patience)),
    ]


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    raise SystemExit(main())
