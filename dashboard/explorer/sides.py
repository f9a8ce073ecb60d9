"""What a configuration makes of a view, and how two of them differ, in words."""

from dataclasses import dataclass

from dashboard.explorer.alterations import Alteration, Place
from dashboard.explorer.heats import Shown, hottest_place_px, shown
from inspection.geometry import Floats
from inspection.runtime.bundle import Card
from inspection.runtime.detectors import CLASSIFIER
from inspection.runtime.verdict import ViewVerdict, judge_view
from inspection.runtime.views import ViewOutputs


@dataclass(frozen=True)
class Configuration:
    """What one side shows: a model or CAM recipe by its name, and what is done to the crop."""

    name: str
    alteration: Alteration


@dataclass(frozen=True)
class Side:
    """What a configuration comes to: heat over the crop, and the verdict on the view alone.

    `place` is where the crop is hottest, in pixels of the crop as it is; None where nothing is
    hot, or where that place lies outside of it.
    """

    shown: Shown
    verdict: ViewVerdict
    place: Place | None

    @property
    def score(self) -> float:
        """The classifier's score, 0..1."""
        return self.verdict.scores[CLASSIFIER]

    def __str__(self) -> str:
        return (
            f"peak {self.shown.peak:.2f}, {self.shown.n_boxes} boxes, classifier's score "
            f"{self.score:.4f}; the view alone: {self.verdict.verdict}"
        )


def side_of(
    as_it_is: ViewOutputs,
    seen: ViewOutputs,
    heat: Floats,
    *,
    alteration: Alteration,
    threshold: float,
    card: Card,
) -> Side:
    """The side that shows heat (h, w), 0..1, boxed from a threshold on.

    `as_it_is` and `seen` are what was measured before and after the alteration.
    """
    region = card.classifier.region
    one = shown(seen.crops[region], heat, threshold)

    place = None
    if one.peak > 0:
        crop = as_it_is.crops[region]
        height_px, width_px = crop.shape[:2]
        hottest = hottest_place_px(heat, (width_px, height_px))
        place = alteration.origin_px(crop, hottest)
    return Side(one, judge_view(seen, card), place)


def difference(before: Side, after: Side) -> str:
    """What is different to the right of what is left, in words."""
    hotter = after.shown.peak - before.shown.peak
    more_boxes = after.shown.n_boxes - before.shown.n_boxes
    return (
        f"From left to right the classifier's score goes from {before.score:.4f} to "
        f"{after.score:.4f} ({after.score - before.score:+.4f}); {_verdicts(before, after)}; "
        f"{_way(before.place, after.place)}; the peak changes by {hotter:+.2f}, the boxes by "
        f"{more_boxes:+d}."
    )


def _verdicts(before: Side, after: Side) -> str:
    first, second = before.verdict.verdict, after.verdict.verdict
    if first == second:
        return f"the verdict on the view stays {first}"
    return f"the verdict on the view becomes {second} instead of {first}"


def _way(before: Place | None, after: Place | None) -> str:
    """How far the hottest place moves; what was mirrored or turned is turned back for that."""
    if before is None or after is None:
        return "there are no two hottest places to compare"
    distance_px = before.distance_px(after)
    return f"the hottest place moves by {distance_px:.0f} px of the crop as it is"
