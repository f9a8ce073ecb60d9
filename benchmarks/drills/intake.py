"""What must hold when feedback or the inbox is killed while it brings files into the data."""

import os
import shutil
import time
import uuid
from collections import Counter
from pathlib import Path

import cv2
import pandas as pd

from benchmarks.kills import Commands, Outcome
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
        names_say = self._layout.layout not in FROM_FILES
        return names_say and self._layout.part_from.rule in ("pattern", "file")

    def take_feedback(self, outcome: Outcome) -> None:
        """Pictures that somebody has spoken about, and their rows in the reviews."""
        before, rows = self._data(), self._reviews()
        n_steps = self._n_steps(take_feedback.TAKEN)
        wanted = {self._spoken_about(number) for number in range(N_FILES)}
        self._commands.killed(TAKE, outcome)
        self._check_data(before, wanted, outcome)
        self._commands.repeated(TAKE, outcome)
        self._check_data(before, wanted, outcome)

        held = Counter(self._data().values())
        if any(held[one] != 1 for one in wanted):
            outcome.lost["a picture is not in the data, or twice"] += 1
        if not set(rows) <= set(self._reviews()):
            outcome.lost["a row of the reviews is gone"] += 1
        said = Counter(row.partition(",")[0] for row in self._reviews())
        if any(said[one] != 1 for one in wanted):
            outcome.lost["a label is not in the reviews, or twice"] += 1

        self._undo(TAKE, take_feedback.TAKEN, n_steps)
        if (self._data(), self._reviews()) != (before, rows):
            outcome.lost["not as before when it is taken back"] += 1
        shutil.rmtree(self._project / take_feedback.VERDICTS)

    def inbox(self, outcome: Outcome) -> None:
        """Files of the factory, the last of which is cut off."""
        before = self._data()
        n_steps = self._n_steps(inbox.STEPS)

        folder = self._project / inbox.INBOX
        paths = [self._arrived(number) for number in range(N_FILES)]
        cut_off = folder / paths[-1]
        content = cut_off.read_bytes()
        cut_off.write_bytes(content[: len(content) // 2])
        # as if it had come a while ago: what is still being written is left alone
        _date_back(cut_off)
        arrived = {sha256_of(folder / path) for path in paths}
        good = arrived - {sha256_of(cut_off)}

        self._commands.killed(BRING, outcome)
        self._check_data(before, good, outcome)
        self._check_kept(arrived, outcome)
        self._commands.repeated(BRING, outcome)
        self._check_data(before, good, outcome)
        self._check_kept(arrived, outcome)

        if not good <= set(self._data().values()):
            outcome.lost["a good file is not in the data"] += 1
        tables = [pd.read_csv(path) for path in folder.rglob(inbox.REASONS)]
        if not any(paths[-1] in set(table["path"]) for table in tables):
            outcome.lost["a refused file has no reason"] += 1

        self._undo(BRING, inbox.STEPS, n_steps)
        if self._data() != before:
            outcome.lost["not as before when it is taken back"] += 1
        shutil.rmtree(folder)

    def _undo(self, command: str, steps: Path, n_before: int) -> None:
        while self._n_steps(steps) > n_before:
            self._commands.run(f"{command} --undo")

    def _n_steps(self, steps: Path) -> int:
        return len(steps_in(self._project / steps))

    def _check_data(
        self, before: dict[str, str], new: set[str], outcome: Outcome
    ) -> None:
        """What was in the data is as it was, and what came is whole."""
        found = self._data()
        if any(found.get(path) != digest for path, digest in before.items()):
            outcome.lost["a file of the data is gone or changed"] += 1
        if any(found[path] not in new for path in found.keys() - before.keys()):
            outcome.lost["a file in the data is not whole"] += 1

    def _check_kept(self, files: set[str], outcome: Outcome) -> None:
        """Every file that arrived is somewhere, whole."""
        there = self._hashes(self._project / inbox.INBOX)
        if not files <= {*self._data().values(), *there.values()}:
            outcome.lost["a file of the inbox is gone"] += 1

    def _data(self) -> dict[str, str]:
        return self._hashes(self._project / take_feedback.DATA)

    def _hashes(self, folder: Path) -> dict[str, str]:
        """The hash of every image below a folder, by its path in it."""
        images = (p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
        return {str(path.relative_to(folder)): sha256_of(path) for path in images}

    def _reviews(self) -> list[str]:
        text = (self._project / take_feedback.REVIEWS).read_text(encoding="utf-8")
        return text.splitlines()

    def _spoken_about(self, number: int) -> str:
        """Log a new picture as judged, with what somebody found of it; returns its hash."""
        label, content = self._new_picture(number)
        folder = self._project / take_feedback.VERDICTS
        part, digest = self._judged(label, content, folder)
        log = VerdictLog(folder)
        log.record(part)
        log.add_feedback(
            Feedback(
                given_at=now(),
                request_id=part.request_id,
                part_id=None,
                label=label,
                reviewer="drill",
            )
        )
        log.close()
        return digest

    def _arrived(self, number: int) -> str:
        """Put a new picture into the inbox, named as one of its class; returns its path there."""
        label, content = self._new_picture(number)
        kept = self._project / inbox.INBOX / "content"
        write_bytes(kept, content)
        names = Names(self._manifest, self._layout, self._line)
        part = self._part(label, sha256_of(kept))
        path = names.for_view(part, label, number + 1, kept)
        place = self._project / inbox.INBOX / path
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
        row = self._manifest.iloc[number % len(self._manifest)]
        path = self._project / take_feedback.DATA / row["path"]
        pixels = decode(path.read_bytes(), channels=1, bit_depth=self._line.bit_depth)
        # where no defect is, and other bytes each time
        pixels[0, :16] = list(uuid.uuid4().bytes)
        _, encoded = cv2.imencode(".png", pixels)
        return str(row["label"]), encoded.tobytes()


def _date_back(path: Path) -> None:
    """Make a file as old as one that nobody writes any longer."""
    an_hour_ago_s = time.time() - AN_HOUR_S
    os.utime(path, (an_hour_ago_s, an_hour_ago_s))
