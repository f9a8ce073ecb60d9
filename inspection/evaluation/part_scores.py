"""What was measured, gathered by part: a part is as suspicious as its worst view."""

from collections.abc import Mapping, Sequence

import numpy as np

from inspection.runtime.detectors import Calibration, Scores
from inspection.runtime.views import ViewOutputs

Parts = dict[str, list[ViewOutputs]]


def group_by_part(outputs: Sequence[ViewOutputs], part_ids: Sequence[str]) -> Parts:
    """What was measured, by part, parts in the order of their first view."""
    parts: Parts = {}
    for view, part_id in zip(outputs, part_ids, strict=True):
        parts.setdefault(part_id, []).append(view)
    return parts


def part_scores(parts: Parts, calibrations: Mapping[str, Calibration]) -> Scores:
    """Scores (parts, detectors) of the worst view; NaN where a view lacks the detector's region.

    What was not found in a view may be defective there, so such a part cannot pass, here and in
    the service alike: it goes to review, where nothing else rejects it.
    """
    table = np.full((len(parts), len(calibrations)), np.nan)
    for row, views in enumerate(parts.values()):
        for column, (name, calibration) in enumerate(calibrations.items()):
            outputs = [view.detectors.get(name) for view in views]
            measured = [one for one in outputs if one is not None]
            if len(measured) == len(views):
                scores = [float(calibration.scores(one.values)) for one in measured]
                table[row, column] = max(scores)
    return table
