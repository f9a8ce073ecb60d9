"""The champion's verdict on one part of a lot, as a row of a table."""

import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2

from inspection.errors import InspectionError
from inspection.images import ImageError
from inspection.line import Line
from inspection.runtime.bundle import CARD, Card
from inspection.runtime.detectors import FUSED
from inspection.runtime.inspector import Inspector
from inspection.runtime.recording import box_fields, logged_views
from inspection.runtime.releases import champion_card
from inspection.runtime.signatures import read_public_key
from inspection.runtime.verdict import PartVerdict, ViewVerdict, judge_part
from inspection.runtime.verdict_log import LoggedView
from inspection.runtime.views import View, ViewOutputs
from pipelines.champions import RELEASES
from pipelines.lots.part import Frame, LotPart

PUBLIC_KEY = "KNURL_PUBLIC_KEY"
# Bytes of a pixel of the deepest files that are read: three channels of 16 bits. A file that is
# larger than its frame would be uncompressed holds something else, and is refused unread.
MAX_PIXEL_BYTES = 6
# Room beside the pixels for what cameras write into a file: previews, profiles, their own notes.
HEADER_BYTES = 2**20
UNREADABLE = "unreadable"
LATE = "late_view"
WORKER_LOST = "worker_lost"

Row = dict[str, Any]


@dataclass(frozen=True)
class Release:
    """The release that judges: its folder, and the hash of the card that was promoted."""

    folder: Path
    card_sha256: str


def current_release(
    releases: Path = RELEASES, variables: Mapping[str, str] = os.environ
) -> Release:
    """The champion; where KNURL_PUBLIC_KEY names a key, only one that its owner has signed.

    Raises InspectionError.
    """
    path = variables.get(PUBLIC_KEY)
    key = read_public_key(Path(path)) if path else None
    folder, card = champion_card(releases, key)
    return Release(folder, hashlib.sha256(card).hexdigest())


@dataclass(frozen=True)
class Judged:
    """A part as it was judged: its row, and what the verdict log keeps of it.

    `views` is empty where there is no verdict.
    """

    row: Row
    camera: str | None = None
    line: str = ""
    views: Sequence[LoggedView] = ()
    latency_ms: float = 0.0
    taken_at: str | None = None


@lru_cache(maxsize=1)
def inspector_of(release: Release) -> Inspector:
    """The inspector of a release, loaded and checked once in a process; models on one thread."""
    # the workers share the cores, and more threads would only change places on them
    cv2.setNumThreads(1)
    inspector = Inspector(release.folder, threads=1)
    card = (release.folder / CARD).read_bytes()
    if hashlib.sha256(card).hexdigest() != release.card_sha256:
        raise InspectionError(
            f"{release.folder / CARD}: is not the card that was promoted; promote a release again"
        )
    inspector.self_check()
    return inspector


def judge(part: LotPart, release: Release) -> Judged:
    """The verdict on a part, or why there is none.

    As by the service, a part has no verdict where one of its views cannot be read: the defect may
    be in that one. Views are read one after the other, so that one frame is held at a time.
    """
    if part.error:
        return Judged(refused(part, release, part.error, [part.reason]))

    began_s = time.monotonic()
    inspector = inspector_of(release)
    seen: list[ViewOutputs] = []
    hashes: dict[str, str] = {}
    problems: list[tuple[str, str]] = []
    for frame in part.frames:
        try:
            content = _content(frame, inspector.card.line)
            hashes[frame.name] = hashlib.sha256(content).hexdigest()
            seen.append(inspector.measure(View(frame.name, content)))
        except ImageError as error:
            problems.append((error.code, f"{frame.name}: {error}"))
        except OSError as error:
            problems.append((UNREADABLE, f"{frame.name}: {error.strerror}"))

    if problems:
        reasons = [reason for _, reason in problems]
        return Judged(refused(part, release, problems[0][0], reasons, hashes))
    found = judge_part(seen, inspector.card)
    return Judged(
        row=_row(part, release, found, inspector.card, hashes),
        camera=part.camera,
        line=inspector.card.line.name,
        views=logged_views(seen, found, inspector.card),
        latency_ms=round(1000 * (time.monotonic() - began_s), 1),
        taken_at=part.taken_at,
    )


def refused(
    part: LotPart,
    release: Release,
    error: str,
    reasons: list[str],
    hashes: Mapping[str, str] | None = None,
) -> Row:
    """The row of a part without a verdict. `hashes` are of the views that could be read."""
    return {
        **_head(part, release, hashes or {}),
        "verdict": "",
        "label": "",
        "region": "",
        "fused": None,
        "scores": {},
        "thresholds": {},
        "worst_view": "",
        "boxes": [],
        "reasons": reasons,
        "error": error,
    }


def lost(part: LotPart, release: Release) -> Row:
    """The row of a part that ended its worker."""
    reason = "the process that read it ended twice; look at its files, and at the memory there is"
    return refused(part, release, WORKER_LOST, [reason])


def said(row: Row) -> str:
    """A row in a line, for people."""
    name = row["part_id"] or ", ".join(view["name"] for view in row["views"])
    if row["error"]:
        return f"{name}: refused, {row['error']}"
    return f"{name}: {row['verdict']}, {row['label']}"


def _content(frame: Frame, line: Line) -> bytes:
    """The bytes of a frame. Raises ImageError, OSError."""
    n_bytes = frame.n_bytes()
    most = line.max_pixels * MAX_PIXEL_BYTES + HEADER_BYTES
    if n_bytes > most:
        raise ImageError(
            "too_large",
            f"{n_bytes} bytes are more than {most}, which no frame of line.max_pixels has",
        )
    return frame.read()


def _row(
    part: LotPart,
    release: Release,
    found: PartVerdict,
    card: Card,
    hashes: Mapping[str, str],
) -> Row:
    view = next(one for one in found.views if one.name == found.worst_view)
    return {
        **_head(part, release, hashes),
        "verdict": found.verdict,
        "label": found.label,
        "region": _region(view, card.line),
        "fused": view.scores.get(FUSED),
        "scores": view.scores,
        "thresholds": {
            name: limits.model_dump()
            for name, limits in card.thresholds.items()
            if name in view.scores
        },
        "worst_view": view.name,
        "boxes": [
            {"view": one.name, **box_fields(box)}
            for one in found.views
            for box in one.boxes
        ],
        "reasons": [f"{one.name}: {why}" for one in found.views for why in one.reasons],
        "error": "",
    }


def _head(part: LotPart, release: Release, hashes: Mapping[str, str]) -> Row:
    """What stands in every row, with a verdict or without."""
    return {
        "part_id": part.part_id,
        "n_views": len(part.frames),
        "views": [
            {"name": frame.name, "sha256": hashes.get(frame.name, "")}
            for frame in part.frames
        ],
        "release": release.folder.name,
        "card_sha256": release.card_sha256,
    }


def _region(view: ViewVerdict, line: Line) -> str:
    """Where the defect is that a view shows: the region in which its class shows, else that of the
    first box; '' for what has no place."""
    showing = [name for name, one in line.regions.items() if view.label in one.shows]
    return showing[0] if showing else next((box.region for box in view.boxes), "")
