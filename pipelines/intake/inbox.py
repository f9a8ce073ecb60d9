"""Take new files from the inbox into the data that the next run trains on.

    python -m pipelines.intake.inbox [--dry-run | --undo]

A file's place under `inbox/` is its place under `data/`. Stage `validate` reads the data with the
new files first, on the side. What it sets aside, or stops at, goes to `inbox/refused/` with the
reason; the others go into the data. `--undo` brings those of the last step back into the inbox.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from inspection.errors import InspectionError
from inspection.plant import LineErrors, as_typed
from inspection.storage import (
    locked,
    read_json,
    sha256_of,
    write_json,
    write_table,
)
from pipelines.intake import steps

INBOX = Path("inbox")
DATA = Path("data")
STEPS = Path("reviews/inbox")
LOCK = Path(".state/locks/inbox.lock")
TRIALS, TRIAL = Path(".state"), "inbox-"
REFUSED = "refused"
REASONS = "reasons.csv"
# A file that is being copied was changed just now; cameras and network shares pause for seconds.
SETTLED_S = 60.0
# A retraining, or a step whose stage `validate` reads all the data: an hour where they are many.
PATIENCE_S = 3600.0
# What a stage says that finds another run of itself: the files are not to blame.
BUSY = "is running already"
# How it names what is wrong with the parameters: neither are they then.
OF_PARAMS = "params.yaml:"


@dataclass(frozen=True)
class Sorted:
    """What the inbox holds: files to take, files that are refused with the reason of each."""

    accepted: list[str]
    refused: dict[str, str] = field(default_factory=dict)


def main() -> None:
    """Take, or show what would be taken, or take the last step back."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--inbox", type=Path, default=INBOX, metavar="PATH")
    parser.add_argument("--dry-run", action="store_true", help="only show")
    parser.add_argument("--undo", action="store_true", help="take the last step back")
    given = parser.parse_args()
    with LineErrors("inbox"):
        if given.undo:
            said = undo(given.inbox)
        elif given.dry_run:
            said = text_of(sorted_out(given.inbox)).rstrip("\n")
        else:
            found, done = take_new(given.inbox)
            said = text_of(found) + done
    sys.stdout.write(as_typed(said) + "\n")


def arrived(inbox: Path, *, at_s: float | None = None) -> list[str]:
    """The files of the inbox that nobody writes any longer, as sorted relative posix paths.

    Hidden files, links, and what was refused before, do not count. `at_s` is now, in s since 1970.
    """
    settled_s = (time.time() if at_s is None else at_s) - SETTLED_S
    found = []
    for path in sorted(inbox.rglob("*")):
        name = path.relative_to(inbox)
        is_hidden = any(part.startswith(".") for part in name.parts)
        if is_hidden or name.parts[0] == REFUSED or path.is_symlink():
            continue
        if path.is_file() and path.stat().st_mtime <= settled_s:
            found.append(name.as_posix())
    return found


def sorted_out(inbox: Path = INBOX) -> Sorted:
    """What of the inbox may enter the data, by stage `validate`. Raises InspectionError."""
    refused = {}
    new = []
    for name in arrived(inbox):
        reason = _taken_name(inbox / name, DATA / name)
        if reason:
            refused[name] = reason
        else:
            new.append(name)
    if not new:
        return Sorted([], refused)

    found = _tried(inbox, new)
    return Sorted([one for one in new if one not in found], refused | found)


def take_new(inbox: Path = INBOX, *, wait_s: float = 0.0) -> tuple[Sorted, str]:
    """Take what has arrived; returns what that was, and what was done, in a line.

    Raises InspectionError: two such steps never overlap, the stage may be at work elsewhere, and a
    retraining may last longer than `wait_s`.
    """
    with locked(LOCK, holder="the inbox"):
        for left in TRIALS.glob(f"{TRIAL}*"):  # of a step that was killed
            shutil.rmtree(left)
        found = sorted_out(inbox)
        return found, take(inbox, found, wait_s=wait_s)


def take(inbox: Path, found: Sorted, *, wait_s: float = 0.0) -> str:
    """Move the files to where they belong; returns what was done and how to go on, in a line.

    The caller sees to it that no other step is under way.
    """
    if not found.accepted and not found.refused:
        return "nothing new"

    step = steps.new_step(STEPS)
    _refuse(inbox, found.refused, step.stem)
    files = {name: sha256_of(inbox / name) for name in found.accepted}
    if files:
        with steps.changing_data(wait_s):
            # first what undoes it: a step that was cut short can be taken back as a whole one
            write_json(step, {"files": files, "trained": False})
            for name in files:
                steps.move_whole(inbox / name, DATA / name)
    return (
        f"{len(files)} files into {DATA}, {len(found.refused)} into {inbox / REFUSED}; now "
        "`dvc repro`. To take it back: `python -m pipelines.intake.inbox --undo`"
    )


def undo(inbox: Path = INBOX) -> str:
    """Bring the files of the last step back into the inbox, where they are still its own."""
    with locked(LOCK, holder="the inbox"), steps.changing_data():
        last = steps.last_step(STEPS)
        files: dict[str, str] = read_json(last)["files"]
        mine = [
            name
            for name, digest in files.items()
            if (DATA / name).is_file() and sha256_of(DATA / name) == digest
        ]
        for name in mine:
            steps.move_whole(DATA / name, inbox / name)
        last.unlink()
    return (
        f"taken back: {len(mine)} of {len(files)} files, into {inbox}; now `dvc repro`"
    )


def waiting() -> int:
    """How many files have been taken that no run has trained on since."""
    return sum(len(step["files"]) for step in untrained().values())


def untrained() -> dict[Path, dict[str, Any]]:
    """The steps that no run has trained on since, by their files."""
    found = {path: read_json(path) for path in steps.steps_in(STEPS)}
    return {path: step for path, step in found.items() if not step["trained"]}


def mark_trained(before: Mapping[Path, dict[str, Any]]) -> None:
    """Note that a run has trained on what had been taken before it; what came since still waits."""
    with locked(LOCK, holder="the inbox", wait_s=PATIENCE_S):
        for path, step in before.items():
            if path.is_file():  # it may have been taken back meanwhile
                write_json(path, step | {"trained": True})


def text_of(found: Sorted) -> str:
    """A line for each file, for people."""
    lines = [f"take     {name}\n" for name in found.accepted]
    lines += [
        f"refuse   {name}: {why}\n" for name, why in sorted(found.refused.items())
    ]
    return "".join(lines)


def _taken_name(new: Path, there: Path) -> str:
    """Why a file cannot have its name in the data; '' where it can."""
    if not there.exists():
        return ""
    if there.is_file() and sha256_of(there) == sha256_of(new):
        return "is in the data already"
    return f"{there} is another file; give it another name, or merge the two by hand"


def _tried(inbox: Path, new: Sequence[str]) -> dict[str, str]:
    """What stage `validate` does not take of the new files, read together with the data.

    Where it stops, what it has set aside may be why: it is tried again without that.
    """
    # on the disk of the data, mostly: there a second name for each file costs next to nothing
    TRIALS.mkdir(parents=True, exist_ok=True)
    refused: dict[str, str] = {}
    while left := [one for one in new if one not in refused]:
        with tempfile.TemporaryDirectory(prefix=TRIAL, dir=TRIALS) as name:
            stopped, aside = _tried_once(inbox, left, Path(name))
        refused |= aside
        if not stopped:
            break
        if not aside:
            refused |= dict.fromkeys(left, f"stage validate stops with it: {stopped}")
    return refused


def _tried_once(
    inbox: Path, new: Sequence[str], trial: Path
) -> tuple[str, dict[str, str]]:
    """What the stage stops at, '' where it does not, and which new files it has set aside."""
    if DATA.is_dir():
        shutil.copytree(DATA, trial / "data", copy_function=_link, symlinks=True)
    for one in new:
        (trial / "data" / one).parent.mkdir(parents=True, exist_ok=True)
        _link(inbox / one, trial / "data" / one)

    stopped = _validated(trial)
    table = trial / "out/quarantine.csv"
    aside = set_aside(pd.read_csv(table), new) if table.is_file() else {}
    return stopped, aside


def set_aside(quarantine: pd.DataFrame, new: Sequence[str]) -> dict[str, str]:
    """The new files that the data would not use, by the quarantine list, with all reasons of each.

    >>> rows = [["a.jpg", "truncated", "is cut off", False], ["b.jpg", "no_box", "none", True],
    ...         ["c.txt", "ignored", "no image", True]]
    >>> table = pd.DataFrame(rows, columns=["path", "reason", "detail", "view_kept"])
    >>> set_aside(table, ["a.jpg", "b.jpg", "c.txt", "d.jpg"])
    {'a.jpg': 'truncated: is cut off', 'c.txt': 'ignored: no image'}
    """
    unused = ~quarantine["view_kept"] | (quarantine["reason"] == "ignored")
    gone = quarantine[unused & quarantine["path"].isin(new)]
    reasons: dict[str, list[str]] = {}
    for path, reason, detail in gone[["path", "reason", "detail"]].itertuples(
        index=False
    ):
        reasons.setdefault(str(path), []).append(f"{reason}: {detail}")
    return {path: "; ".join(said) for path, said in reasons.items()}


def _validated(trial: Path) -> str:
    """Run the stage's program on the side, where DVC does not look; what it stops at, or ''."""
    command = [sys.executable, "-m", "stages.validate", "--data", str(trial / "data")]
    paths = ["--out", str(trial / "out"), "--metrics", str(trial / "metrics.json")]
    done = subprocess.run([*command, *paths], capture_output=True, text=True)
    if done.returncode == 0:
        return ""

    # the data is called by its own name, not by that of the trial
    said = done.stderr.strip().replace(str(trial / "data"), str(DATA))
    if BUSY in said or "Traceback" in said or OF_PARAMS in said:
        raise InspectionError(f"stage validate: {said[-1000:]}")
    return said.removeprefix("validate: failed").strip()


def _link(source: str | Path, target: str | Path) -> None:
    """The same file under another name where the disk is the same, a copy where it is not."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


def _refuse(inbox: Path, refused: Mapping[str, str], stamp: str) -> None:
    """Move files where the inbox does not look, with a table of the reasons."""
    if not refused:
        return
    folder = inbox / REFUSED / stamp
    rows = sorted(refused.items())
    # first why: a step that is cut short leaves no file there without its reason
    write_table(folder / REASONS, pd.DataFrame(rows, columns=["path", "reason"]))
    for name in refused:
        steps.move_whole(inbox / name, folder / name)


if __name__ == "__main__":
    main()
