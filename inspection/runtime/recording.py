"""What is kept of a verdict, by whoever judges: the rows of the verdict log, and which pictures.

KNURL_VERDICTS           the folder of the verdict log and the pictures (verdicts)
KNURL_KEEP_PASS_PERCENT  how many of the passed pictures are kept (2); of the others all are
KNURL_PICTURES_MB        how much room the pictures may take, the oldest leave first (2048)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspection.errors import InspectionError
from inspection.geometry import Box
from inspection.runtime.appearance import brightness, focus
from inspection.runtime.bundle import Card
from inspection.runtime.defect_boxes import DefectBox
from inspection.runtime.detectors import CLASSIFIER
from inspection.runtime.pictures import Pictures
from inspection.runtime.verdict import PartVerdict, ViewVerdict
from inspection.runtime.verdict_log import LoggedBox, LoggedView, RegionLook, VerdictLog
from inspection.runtime.views import ViewOutputs

VERDICTS = "verdicts"
# One passed part in fifty: on a line of 5,000 parts a day a hundred a day, enough to see drift.
KEEP_PASS_PERCENT = 2.0
# Some 10,000 pictures of 200 kB: weeks of rejects, and little beside a disk of today.
PICTURES_MB = 2048.0


@dataclass(frozen=True)
class KeepingPolicy:
    """Which pictures stay: all that were not passed, a share of the passed, up to so many bytes."""

    pass_fraction: float
    max_bytes: int


def verdicts_folder(variables: Mapping[str, str]) -> str:
    """The folder of the log as the environment names it, from the project's root on."""
    return variables.get("KNURL_VERDICTS") or VERDICTS


def keeping_policy(variables: Mapping[str, str]) -> KeepingPolicy:
    """Which pictures stay by the environment. Raises InspectionError."""
    percent = _number(variables, "KNURL_KEEP_PASS_PERCENT", KEEP_PASS_PERCENT, 100.0)
    megabytes = _number(variables, "KNURL_PICTURES_MB", PICTURES_MB, float("inf"))
    return KeepingPolicy(percent / 100, round(megabytes * 1e6))


def open_log(folder: Path, policy: KeepingPolicy) -> tuple[VerdictLog, Pictures]:
    """The verdict log in a folder, and its pictures. Raises OSError, sqlite3.Error."""
    log = VerdictLog(folder)
    pictures = Pictures(
        folder,
        log,
        pass_fraction=policy.pass_fraction,
        max_bytes=policy.max_bytes,
    )
    return log, pictures


def logged_views(
    seen: Sequence[ViewOutputs], part: PartVerdict, card: Card
) -> list[LoggedView]:
    """What the log keeps of the views of a part: the verdict on each, and all it rests on."""
    pairs = zip(seen, part.views, strict=True)
    return [_logged_view(outputs, view, card) for outputs, view in pairs]


def _logged_view(seen: ViewOutputs, view: ViewVerdict, card: Card) -> LoggedView:
    width_px, height_px = seen.frame_size_px
    thresholds = {
        name: limits for name, limits in card.thresholds.items() if name in view.scores
    }
    return LoggedView(
        name=view.name,
        sha256=view.sha256,
        width_px=width_px,
        height_px=height_px,
        verdict=view.verdict,
        label=view.label,
        scores=view.scores,
        thresholds=thresholds,
        probabilities=view.probabilities,
        regions={region: _look(seen, region) for region in seen.windows},
        embedding=_embedding(seen),
        boxes=[LoggedBox(**box_fields(found)) for found in view.boxes],
        reasons=view.reasons,
    )


def box_fields(found: DefectBox) -> dict[str, Any]:
    """What answers, log and tables of lots say of a box: the fields of `LoggedBox`."""
    return {
        **found.box.rounded(),
        "region": found.region,
        "found_by": found.found_by,
        "heat": found.heat,
    }


def _look(seen: ViewOutputs, region: str) -> RegionLook:
    window, crop = seen.windows[region], seen.crops[region]
    whole = Box(0.0, 0.0, float(window.size_px[0]), float(window.size_px[1]))
    return RegionLook(
        **window.to_frame(whole).rounded(),
        brightness=round(brightness(crop), 2),
        focus=round(focus(crop), 4),
    )


def _embedding(seen: ViewOutputs) -> list[float]:
    output = seen.detectors.get(CLASSIFIER)
    if output is None:
        return []
    means = output.heat.mean(axis=(1, 2))
    return [round(float(value), 4) for value in (*output.values, *means)]


def _number(
    variables: Mapping[str, str], name: str, default: float, highest: float
) -> float:
    text = variables.get(name) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= highest or value == float("inf"):
        raise InspectionError(
            f"{name}: got {text!r}; give a number from 0 to {highest:g}"
        )
    return value
