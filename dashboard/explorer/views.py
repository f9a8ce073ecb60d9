"""What the CAM explorer shows, without the screen: views, pictures with boxes, worst errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from dashboard.explorer.heats import hottest_place_px
from inspection.boxes import boxes_of, defect_boxes, parse_boxes
from inspection.errors import InspectionError
from inspection.evaluation.cam_scores import EDGE_FRACTION
from inspection.geometry import Box
from inspection.line import Region
from inspection.runtime.bundle import Card
from inspection.runtime.detectors import BEYOND, CLASSIFIER, FUSED
from inspection.runtime.framing import inside_outline
from inspection.runtime.heat import GRID_PX
from inspection.runtime.verdict import PartVerdict, ViewVerdict

FOLDS = ("val", "train", "test")
ALL = "all"
KINDS = ("escape", "overkill", "wrong defect", "wrong reason")
# Which parts can be asked for: all of them, or those of some kinds of mistakes, the worst first.
EVERY_PART = "every part"
ONLY: Mapping[str, Sequence[str]] = {
    EVERY_PART: (),
    "only errors": ("escape", "overkill", "wrong defect"),
    "only right for the wrong reason": ("wrong reason",),
}
# Crop pixels by which the hottest place may miss a labelled box or the part's outline: the grid
# that heat lies on.
MISS_PX = GRID_PX


@dataclass(frozen=True)
class Mistake:
    """A part on which label and verdict disagree, or agree for the wrong reason.

    `kind` is one of KINDS. The reason is wrong where the classifier's heat in the deciding view
    peaks off every box of a labelled defect, or, where none is boxed, on the edge of the crop, or
    outside of the part's outline.

    `suspicion` is the highest fused score among the views, 0..1.
    """

    kind: str
    part_id: str
    label: str
    said: str
    verdict: str
    worst_view: str
    suspicion: float

    def __str__(self) -> str:
        """Short, as it stands in the sidebar."""
        what = {
            "escape": "passed",
            "overkill": f"rejected as {self.said}",
            "wrong defect": f"said {self.said}",
            "wrong reason": "hottest elsewhere",
        }[self.kind]
        return f"{self.part_id}: {self.label}, {what}"


def views_of(manifest: pd.DataFrame, folds: pd.DataFrame) -> pd.DataFrame:
    """One row per view that has a fold, in the order of parts and paths."""
    views = views_in_order(manifest, folds)
    return views.sort_values(["part_id", "path"], ignore_index=True)


def views_in_order(manifest: pd.DataFrame, folds: pd.DataFrame) -> pd.DataFrame:
    """One row per view that has a fold, in the order of the manifest."""
    fold_of_view = folds[["view_id", "fold"]]
    views = manifest.merge(fold_of_view, on="view_id", validate="1:1")
    if views.empty:
        raise InspectionError(
            "folds: no view of the manifest has a fold; run `dvc repro split`"
        )
    return views


def neighbours(options: Sequence[str], chosen: str) -> list[str]:
    """The option after the chosen one, then the one before it; fewer at the ends.

    >>> neighbours(["a", "b", "c"], "b"), neighbours(["a", "b", "c"], "a")
    (['c', 'a'], ['b'])
    """
    place = list(options).index(chosen)
    before = options[max(0, place - 1) : place]
    return [*options[place + 1 : place + 2], *before]


def selected(views: pd.DataFrame, *, fold: str, label: str) -> pd.DataFrame:
    """The views of a fold whose label is `label`, or all of them."""
    in_fold = views[views["fold"] == fold]
    if label == ALL:
        return in_fold
    return in_fold[in_fold["label"] == label]


def labels_in(views: pd.DataFrame, card: Card) -> list[str]:
    """`all`, and the labels that occur, in the order of the card's classes."""
    found = set(views["label"])
    known = [label for label in card.line.classes if label in found]
    unknown = found.difference(known)
    return [ALL, *known, *sorted(unknown)]


def score_table(view: ViewVerdict, card: Card) -> pd.DataFrame:
    """Score, thresholds and verdict; a row for the fused score and one for each detector.

    What decides nothing on its own has no thresholds, and what never rejects no upper one.
    """
    rows = []
    for name, score in view.scores.items():
        low = high = None
        limits = card.thresholds.get(name)
        if limits is not None:
            low = within(limits.accept_below)
            high = within(limits.reject_above)
        row = {
            "score of": name,
            "score": score,
            "passes below": low,
            "rejected above": high,
            "verdict": view.verdicts.get(name, "-"),
        }
        rows.append(row)
    return pd.DataFrame(rows)


def within(threshold: float) -> float | None:
    """A threshold, or None for one that no score reaches."""
    return threshold if abs(threshold) < BEYOND else None


def mistakes(
    parts: Sequence[tuple[str, str, PartVerdict]],
    card: Card,
    boxes: Mapping[str, str] | None = None,
) -> list[Mistake]:
    """The mistakes among parts (part_id, label, verdict): escapes first, the worst of a kind first.

    The worst escape is the least suspicious one, the worst overkill the most suspicious one.
    `boxes` holds the manifest's list of boxes by view, for what is right for the wrong reason.
    """
    found = []
    for part_id, label, verdict in parts:
        kind = _kind(label, verdict, card)
        is_defect = label != card.line.normal
        if is_defect and not kind and looks_elsewhere(verdict, card, boxes or {}):
            kind = "wrong reason"
        if not kind:
            continue

        mistake = Mistake(
            kind=kind,
            part_id=part_id,
            label=label,
            said=verdict.label,
            verdict=verdict.verdict,
            worst_view=verdict.worst_view,
            suspicion=_suspicion(verdict),
        )
        found.append(mistake)
    return sorted(found, key=_rank)


def looks_elsewhere(verdict: PartVerdict, card: Card, boxes: Mapping[str, str]) -> bool:
    """Whether the classifier's heat in the deciding view peaks where the defect cannot be.

    That is off every labelled box; where no defect is boxed, on the edge of the crop or outside of
    the region's outline, if the verdict names a defect that shows there. Only where the view is
    held back and its region found.
    """
    if verdict.verdict == "pass":
        return False

    view = next(one for one in verdict.views if one.name == verdict.worst_view)
    region = card.classifier.region
    window = view.windows.get(region)
    heat = view.heat.get(CLASSIFIER)
    if window is None or heat is None:
        return False

    labelled = parse_boxes(boxes.get(view.name, "[]"))
    defects = defect_boxes(labelled, card.line)
    of_line = card.line.regions[region]
    classes_shown = of_line.shows
    places = boxes_of(defects, classes_shown)
    x, y = hottest_place_px(heat, window.size_px)
    if not places:
        is_warm = heat.max() > 0
        is_named = view.label in classes_shown
        is_off = _on_edge(x, y, window.size_px) or _off_outline(x, y, of_line)
        return is_warm and is_named and is_off

    places_in_crop = [window.to_crop(place) for place in places]
    return not any(_holds(place, x, y) for place in places_in_crop)


def _holds(box: Box, x: float, y: float) -> bool:
    """Whether a place (crop pixels) lies in a box, or misses it by no more than the grid."""
    left, right = box.x_px - MISS_PX, box.right_px + MISS_PX
    top, bottom = box.y_px - MISS_PX, box.bottom_px + MISS_PX
    in_width = left <= x <= right
    in_height = top <= y <= bottom
    return in_width and in_height


def _off_outline(x: float, y: float, region: Region) -> bool:
    """Whether a place (crop pixels) misses the part by more than the grid, by its outline."""
    inside = inside_outline(region)
    left, top = max(int(x) - MISS_PX, 0), max(int(y) - MISS_PX, 0)
    right, bottom = int(x) + MISS_PX + 1, int(y) + MISS_PX + 1
    return not inside[top:bottom, left:right].any()


def _on_edge(x: float, y: float, size_px: Sequence[int]) -> bool:
    """Whether a place (crop pixels) lies on the edge, as stage evaluate_cam counts it."""
    width_px, height_px = size_px
    margin_x, margin_y = EDGE_FRACTION * width_px, EDGE_FRACTION * height_px
    in_width = margin_x <= x <= width_px - margin_x
    in_height = margin_y <= y <= height_px - margin_y
    return not (in_width and in_height)


def _rank(mistake: Mistake) -> tuple[int, float]:
    kind = KINDS.index(mistake.kind)
    if mistake.kind == "escape":
        return kind, mistake.suspicion
    return kind, -mistake.suspicion


def _kind(label: str, verdict: PartVerdict, card: Card) -> str:
    """What kind of mistake a verdict is; empty where it is none."""
    said = verdict.verdict
    if label == card.line.normal:
        return "overkill" if said == "reject" else ""

    if said == "pass":
        return "escape"

    return "wrong defect" if verdict.label != label else ""


def _suspicion(verdict: PartVerdict) -> float:
    """The fused score of the worst view; 0 where no view has one."""
    scores = [view.scores.get(FUSED, 0.0) for view in verdict.views]
    return max(scores, default=0.0)
