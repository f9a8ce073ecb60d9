"""Bring every stage up to date, as `dvc repro` does, and print one line a stage.

The line says how long the stage took and what it found. What its libraries print besides goes to
the log file; warnings of the stage itself are shown. `dvc repro` shows all of it.
"""

import argparse
import json
import re
import shutil
import string
import sys
import time
from pathlib import Path
from typing import Any, TextIO

from inspection.errors import InspectionError
from inspection.failures import explained
from inspection.plant import as_typed, line_of
from pipelines.dvc_process import Dvc
from pipelines.intake.steps import changing_data
from pipelines.runs.overrides import KEPT, restore
from pipelines.runs.stages import brought_up_to_date

LOG = Path(".state/repro.log")
DATA = Path("data")
METRICS = Path("metrics")
# of the column of names: as wide as the longest of a stage
NAME_WIDTH = 12

# What a person wants to know of a stage, in terms of its metrics.
FOUND = {
    "validate": "{n_views} views of {n_parts} parts, {n_quarantined} files quarantined",
    "clean_labels": "{n_issues} label suspects, {n_held} views held back until reviewed, "
    "{n_near_duplicates} near-duplicates",
    "split": "{n_parts[train]} parts to train on, {n_parts[val]} to choose by, "
    "{n_parts[test]} to test; a random split would change macro-F1 by {leakage[price]:+.3f}",
    "crop": "{n_views} views cropped, framing {framing}",
    "train": "macro-F1 {val_macro_f1:.3f} on val, {epochs} epochs",
    "evaluate_cam": "{method} on layer {layer}; peak on the defect in {pointing:.1%} of "
    "{n_defects} views",
    "assemble": "test fold: {totals[escapes]} of {totals[n_defective]} defective parts passed, "
    "{totals[overkill]} of {totals[n_normal]} good ones rejected, {totals[reviewed]} to review",
    "register": "version {version}",
}
# The same of heads on a frozen backbone, and of a line where nothing marks defects.
ELSE_FOUND = {
    "train": "macro-F1 {out_of_fold_macro_f1:.3f} on {n_out_of_fold_crops} crops, each judged by "
    "a head that has not seen it; {epochs} epochs",
    "evaluate_cam": "{method} on layer {layer}; no mark says where defects are, so where it peaks "
    "is not measured",
}
# The same of stages that find something in each of several regions.
FOUND_EACH = {
    "fit_anomaly": "{region}: {n_fitted} normal views, AUROC {val_auroc:.3f} on unseen parts",
}

# Colours and moves of the cursor, of no use in a line that is cut.
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def main() -> None:
    """Run in the project's root; what the user can fix ends it with 1, untraced."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    try:
        LOG.parent.mkdir(exist_ok=True)
        with LOG.open("w", encoding="utf-8") as log:
            repro(Screen(sys.stdout, log))
    except (InspectionError, OSError) as error:
        said = explained(error)
        if said is None:
            raise
        sys.stderr.write(as_typed(f"{said}\nall that was printed: {LOG}\n"))
        raise SystemExit(1) from error
    except KeyboardInterrupt as error:
        sys.stderr.write(as_typed("\nstopped; `dvc repro` goes on from here\n"))
        raise SystemExit(130) from error


class Screen:
    """The lines that stay, and on a terminal one that shows what the running stage prints."""

    def __init__(self, out: TextIO, log: TextIO) -> None:
        self.is_terminal = out.isatty()
        self._out = out
        self._log = log
        self.begin("dvc")

    def begin(self, stage: str) -> None:
        """From now on lines are of this stage."""
        self.warnings: list[str] = []
        self.numbers = ""
        self._runs = False
        self._stage = stage
        self._began = time.monotonic()
        self._show("")

    def bar(self, text: str) -> None:
        """One state of a progress bar."""
        if self._runs:  # else it is DVC, which draws one for every file that it hashes
            self._show(CONTROL.sub("", text))

    def line(self, text: str) -> None:
        """A line that the stage has printed."""
        plain = CONTROL.sub("", text)
        self._log.write(f"{plain}\n")
        if plain.startswith("> "):  # DVC repeats the command that it starts
            self._runs = True
        warning = as_typed(plain)
        # our own; a library's warning begins with the path of its source
        if plain.startswith("warning: ") and warning not in self.warnings:
            self.warnings.append(warning)
        if plain.startswith(f"{self._stage}: "):
            self.numbers = plain.removeprefix(f"{self._stage}: ")
            self._runs = False
        elif self._runs:
            self._show(plain)

    def end(self, found: str) -> None:
        """The line of a stage that has ended, and below it the stage's warnings."""
        lines = [f"{self._head()}{found}", *(f"  {one}" for one in self.warnings)]
        self._clear()
        self._out.write("\n".join([*lines, ""]))
        self._out.flush()

    def close(self) -> None:
        """Take away the line of a stage that has not ended."""
        self._clear()
        self._out.flush()

    def _show(self, text: str) -> None:
        if not self.is_terminal:
            return

        width = shutil.get_terminal_size().columns - 1
        self._clear()
        self._out.write(f"{self._head()}{text}"[:width])
        self._out.flush()

    def _clear(self) -> None:
        if self.is_terminal:
            self._out.write("\r\x1b[K")

    def _head(self) -> str:
        seconds = time.monotonic() - self._began
        return f"{self._stage:<{NAME_WIDTH}} {seconds:5.0f} s   "


def repro(screen: Screen) -> None:
    """Bring every stage up to date, a line each; raises InspectionError where one fails."""
    _check_data()
    if KEPT.is_dir():  # a run with other parameters was killed, or is at work
        with changing_data():
            restore()
    try:
        with Dvc(
            screen.line, show_bar=screen.bar if screen.is_terminal else None
        ) as dvc:
            for stage in dvc.stages:
                screen.begin(stage)
                ran = brought_up_to_date(dvc, stage, screen.line)
                said = found(stage, screen.numbers)
                screen.end(said if ran else f"up to date; {said}")
    finally:
        screen.close()


def _check_data() -> None:
    """Raise InspectionError where there is no data, with what brings it; DVC says only that."""
    if Path(f"{DATA}.dvc").is_file() and not DATA.exists():
        drawn = "" if line_of(Path()) else "draw the sample line with `make demo`, "
        raise InspectionError(
            f"{DATA}: missing; {drawn}bring your own parts with `make adopt DATA=<folder>`, or "
            "fetch tracked data with `dvc pull`"
        )


def found(stage: str, numbers: str) -> str:
    """What a stage found, in words; `numbers`, its own line, where its metrics say it otherwise.

    That is a stage without metrics, and one of another project.
    """
    path = METRICS / f"{stage}.json"
    if stage not in FOUND | FOUND_EACH or not path.is_file():
        return numbers
    metrics = json.loads(path.read_text("utf-8"))
    if stage in FOUND_EACH:
        each = (
            _Sentence().format(FOUND_EACH[stage], region=region, **one)
            for region, one in metrics.get("regions", {}).items()
        )
        return "; ".join(each) or numbers

    for words in (one[stage] for one in (FOUND, ELSE_FOUND) if stage in one):
        try:
            return _Sentence().format(words, **metrics)
        except KeyError:
            continue
    return numbers


class _Sentence(string.Formatter):
    """Numbers in words; what could not be measured is `-`."""

    def format_field(self, value: Any, format_spec: str) -> str:
        return "-" if value is None else str(super().format_field(value, format_spec))


if __name__ == "__main__":
    main()
