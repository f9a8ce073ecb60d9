"""What must hold when feedback or the inbox is killed while it brings files into the data."""

import os
import shutil
import time
import uuid
from collections import Counter
from pathlib import Path

import cv2
import pandas as pd

from benchmarks.drills.kills import Commands, Outcome
from inspection.dataset.layouts import FROM_FILES, Layout
from inspection.images import SUFFIXES, decode
from inspection.line import Line
from inspection.runtime.pictures import now, picture_path
from inspection.runtime.verdict_log import (
    Feedback,
    LoggedPart,
    LoggedView,
    VerdictLog,
)
from inspection.storage import sha256_of, write_bytes
from pipelines import take_feedback
from pipelines.intake import inbox
from pipelines.intake.steps import steps_in
from pipelines.take_feedback import LayoutOfData, Names
from stages.sections import read_yaml

TAKE = "python -m pipelines.take_feedback"
BRING = "python -m pipelines.intake.inbox"
# Several, so that a kill can hit between two of them; each costs a decode and an encode.
N_FILES = 4
# Longer than the inbox waits for a file that is still being written.
AN_HOUR_S = 3600.0


class IntakeDrill:
    """Feedback and inbox of a project: new pictures come in, and are taken back in the end."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands
        self._project = commands.project
        params = read_yaml(self._project / "params.yaml")
        self._line = Line.model_validate(params["line"])
        self._layout: Layout = LayoutOfData.model_validate(params["validate"])
        self._manifest = pd.read_parquet(self._project / take_feedback.MANIFEST)

    @property
    def fits(self) -> bool:
        """Whether both can name new images on this line: where names or folders say the label."""
        layout = self._layout
        if layout.layout in FROM_FILES:
            return False
        return layout.part_from.rule in ("pattern", "file")

    def take_feedback(self, outcome: Outcome) -> None:
        """Pictures that somebody has spoken about, and their rows in the reviews."""
        before = self._data()
        rows = self._reviews()
        n_steps = self._n_steps(take_feedback.TAKEN)
        wanted = {self._spoken_about(number) for number in range(N_FILES)}

        self._commands.killed(TAKE, outcome)
        self._check_data(before, wanted, outcome)
        self._commands.repeated(TAKE, outcome)
        self._check_data(before, wanted, outcome)
        self._check_taken(wanted, rows, outcome)

        self._undo(TAKE, take_feedback.TAKEN, n_steps)
        if self._data() != before or self._reviews() != rows:
            outcome.lost["not as before when it is taken back"] += 1
        shutil.rmtree(self._project / take_feedback.VERDICTS)

    def _check_taken(
        self, wanted: set[str], rows_before: list[str], outcome: Outcome
    ) -> None:
        """Each picture is in the data once, its label in the reviews once, beside what was there.

        A row of the reviews begins with the hash of its picture.
        """
        held = Counter(self._data().values())
        if not _each_once(wanted, held):
            outcome.lost["a picture is not in the data, or twice"] += 1

        rows = self._reviews()
        if not set(rows_before) <= set(rows):
            outcome.lost["a row of the reviews is gone"] += 1

        said = Counter(row.partition(",")[0] for row in rows)
        if not _each_once(wanted, said):
            outcome.lost["a label is not in the reviews, or twice"] += 1

    def inbox(self, outcome: Outcome) -> None:
        """Files of the factory, the last of which is cut off."""
        before = self._data()
        n_steps = self._n_steps(inbox.STEPS)

        paths = [self._arrived(number) for number in range(N_FILES)]
        cut_off = self._inbox / paths[-1]
        _cut_off(cut_off)
        arrived = {sha256_of(self._inbox / path) for path in paths}
        good = arrived - {sha256_of(cut_off)}

        self._commands.killed(BRING, outcome)
        self._check_data(before, good, outcome)
        self._check_kept(arrived, outcome)
        self._commands.repeated(BRING, outcome)
        self._check_data(before, good, outcome)
        self._check_kept(arrived, outcome)

        if not good <= set(self._data().values()):
            outcome.lost["a good file is not in the data"] += 1
        if paths[-1] not in self._refused():
            outcome.lost["a refused file has no reason"] += 1

        self._undo(BRING, inbox.STEPS, n_steps)
        if self._data() != before:
            outcome.lost["not as before when it is taken back"] += 1
        shutil.rmtree(self._inbox)

    def _refused(self) -> set[str]:
        """The paths of the files of the inbox that were refused with a reason."""
        paths: set[str] = set()
        for reasons in self._inbox.rglob(inbox.REASONS):
            table = pd.read_csv(reasons)
            paths.update(table["path"])
        return paths

    def _undo(self, command: str, steps: Path, n_before: int) -> None:
        """Take back step after step, until there are as many as before."""
        while self._n_steps(steps) > n_before:
            self._commands.run(f"{command} --undo")

    def _n_steps(self, steps: Path) -> int:
        return len(steps_in(self._project / steps))

    def _check_data(
        self, before: dict[str, str], new: set[str], outcome: Outcome
    ) -> None:
        """What was in the data is as it was, and what came is whole."""
        found = self._data()
        if not before.items() <= found.items():
            outcome.lost["a file of the data is gone or changed"] += 1

        came = found.keys() - before.keys()
        if any(found[path] not in new for path in came):
            outcome.lost["a file in the data is not whole"] += 1

    def _check_kept(self, files: set[str], outcome: Outcome) -> None:
        """Every file that arrived is somewhere, whole."""
        in_data = set(self._data().values())
        in_inbox = set(_hashes(self._inbox).values())
        if not files <= in_data | in_inbox:
            outcome.lost["a file of the inbox is gone"] += 1

    def _data(self) -> dict[str, str]:
        """The hash of every image of the data, by its path."""
        folder = self._project / take_feedback.DATA
        return _hashes(folder)

    @property
    def _inbox(self) -> Path:
        return self._project / inbox.INBOX

    def _reviews(self) -> list[str]:
        """The rows of the reviews of labels, the head among them."""
        path = self._project / take_feedback.REVIEWS
        text = path.read_text(encoding="utf-8")
        return text.splitlines()

    def _spoken_about(self, number: int) -> str:
        """Log a new picture as judged, with what somebody found of it; returns its hash."""
        label, content = self._new_picture(number)
        folder = self._project / take_feedback.VERDICTS
        part, digest = self._judged(label, content, folder)
        feedback = Feedback(
            given_at=now(),
            request_id=part.request_id,
            part_id=None,
            label=label,
            reviewer="drill",
        )
        log = VerdictLog(folder)
        log.record(part)
        log.add_feedback(feedback)
        log.close()
        return digest

    def _arrived(self, number: int) -> str:
        """Put a new picture into the inbox, named as one of its class; returns its path there."""
        label, content = self._new_picture(number)
        kept = self._inbox / "content"
        write_bytes(kept, content)

        names = Names(self._manifest, self._layout, self._line)
        digest = sha256_of(kept)
        part = self._part(label, digest)
        path = names.for_view(part, label, number + 1, kept)

        place = self._inbox / path
        place.parent.mkdir(parents=True, exist_ok=True)
        kept.rename(place)
        _date_back(place)
        return path

    def _judged(
        self, label: str, content: bytes, folder: Path
    ) -> tuple[LoggedPart, str]:
        """A verdict on a picture, which is kept."""
        partial = folder / "content"
        write_bytes(partial, content)
        digest = sha256_of(partial)
        place = picture_path(folder, digest)
        place.parent.mkdir(parents=True, exist_ok=True)
        partial.rename(place)
        return self._part(label, digest), digest

    def _part(self, label: str, digest: str) -> LoggedPart:
        view = LoggedView(
            name="drill.png",
            sha256=digest,
            width_px=1,
            height_px=1,
            verdict="review",
            label=label,
            scores={},
            thresholds={},
            probabilities={},
            regions={},
            embedding=[],
        )
        return LoggedPart(
            request_id=uuid.uuid4().hex,
            part_id=None,
            camera=None,
            taken_at=None,
            answered_at=now(),
            latency_ms=1.0,
            line=self._line.name,
            release="drill",
            card_sha256="",
            verdict="review",
            label=label,
            worst_view=view.name,
            views=[view],
        )

    def _new_picture(self, number: int) -> tuple[str, bytes]:
        """The label of an image of the data, and a PNG of it that the data do not hold."""
        n_rows = len(self._manifest)
        row = self._manifest.iloc[number % n_rows]
        path = self._project / take_feedback.DATA / row["path"]
        pixels = decode(
            path.read_bytes(),
            channels=1,
            bit_depth=self._line.bit_depth,
        )

        # where no defect is, and other bytes each time
        new_bytes = uuid.uuid4().bytes
        pixels[0, : len(new_bytes)] = list(new_bytes)
        _, encoded = cv2.imencode(".png", pixels)
        return str(row["label"]), encoded.tobytes()


def _each_once(wanted: set[str], counts: Counter[str]) -> bool:
    return all(counts[one] == 1 for one in wanted)


def _hashes(folder: Path) -> dict[str, str]:
    """The hash of every image below a folder, by its path in it."""
    found = {}
    for path in folder.rglob("*"):
        if path.suffix.lower() in SUFFIXES:
            name = path.relative_to(folder)
            found[str(name)] = sha256_of(path)
    return found


def _cut_off(path: Path) -> None:
    """Leave the first half of a file, as if it had come like this a while ago.

    A younger one would be left alone, as one that is still being written.
    """
    content = path.read_bytes()
    n_kept = len(content) // 2
    path.write_bytes(content[:n_kept])
    _date_back(path)


def _date_back(path: Path) -> None:
    """Make a file as old as one that nobody writes any longer."""
    an_hour_ago_s = time.time() - AN_HOUR_S
    os.utime(path, (an_hour_ago_s, an_hour_ago_s))
