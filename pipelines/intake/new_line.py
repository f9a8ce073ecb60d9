"""Make a line of its own in `lines/<name>` from a folder of images, beside the others.

`python -m pipelines.intake.new_line NAME FOLDER` in the project's root. What adopt does not infer
is set as in the root's params.yaml. The folder of images is never changed.
"""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path

from inspection.adoption.questions import Answers
from inspection.errors import InspectionError
from inspection.failures import PlainErrors
from inspection.plant import LINES, check_name, lines_in
from inspection.storage import locked, write_bytes, write_text
from pipelines.adopt import FLAGS as ADOPTS
from pipelines.adopt import PARAMS, adopt
from pipelines.dvc_state import DVC, PIPELINE
from stages.sections import read_yaml

REVIEWS = Path("reviews")
LOCK = Path(".state/locks/new_line.lock")
# As adopt has them; the name is that of the folder.
FLAGS = {flag: meaning for flag, meaning in ADOPTS.items() if flag != "name"}


def main(argv: Sequence[str] | None = None) -> None:
    """Command line; what the user can fix ends it with 1, untraced."""
    given = vars(_parser().parse_args(argv))
    answers = {flag: given.pop(flag) for flag in FLAGS}
    with PlainErrors("new line"), locked(LOCK, holder="another new line"):
        new_line(**given, answers=answers)


def new_line(
    name: str, source: Path, *, dry_run: bool = False, answers: dict[str, str]
) -> None:
    """Make the folder of a line and adopt `source` in it. Raises InspectionError, and then, as
    after a dry run, no folder is left."""
    _check(name)
    folder, images = LINES / name, source.absolute()
    # before what is taken back: a folder that is there is another's
    folder.mkdir(parents=True)
    try:
        _lay_out(folder)
        with chdir(folder):
            adopt(images, dry_run=dry_run, answers=Answers(**answers, name=name))
    except BaseException:
        shutil.rmtree(folder)
        raise
    if dry_run:
        shutil.rmtree(folder)
        return
    sys.stdout.write(
        f"{folder}: is a line of its own; `git add {folder}` lets git know it\n"
        f"to take it away again: rm -r {folder}\n"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.intake.new_line", description=__doc__
    )
    parser.add_argument("name", help="of the line and its folder, as in tiles")
    parser.add_argument(
        "source", type=Path, metavar="FOLDER", help="of images; it is read only"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="only say what would be done"
    )
    for flag, meaning in FLAGS.items():
        parser.add_argument(f"--{flag}", default="", help=meaning)
    return parser


def _check(name: str) -> None:
    check_name(name)
    if not DVC.is_dir() or not PARAMS.is_file():
        raise InspectionError(
            "no params.yaml or .dvc here; run this in the project's root"
        )
    if name in lines_in(LINES):
        raise InspectionError(
            f"{LINES / name}: is there already; bring other parts into it by "
            f"`make adopt LINE={name} DATA=<folder> REPLACE=1`, or give another name"
        )
    # releases and registered models are called by the name of their line
    if read_yaml(PARAMS).get("line", {}).get("name") == name:
        raise InspectionError(
            f"{PARAMS}: line.name is {name!r} already, of the line in the root; give another name"
        )


def _lay_out(folder: Path) -> None:
    """The settings of the root, no reviews, and the stages of the root's dvc.yaml."""
    write_bytes(folder / PARAMS, PARAMS.read_bytes())
    for path in sorted(REVIEWS.glob("*.csv")):
        header = path.read_text(encoding="utf-8-sig").splitlines()[:1]
        write_text(folder / path, "".join(f"{line}\n" for line in header))

    command = [sys.executable, "-m", "stages.dependencies"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InspectionError(
            f"{folder / PIPELINE}: not written; {done.stderr.strip()}"
        )


if __name__ == "__main__":
    main()
