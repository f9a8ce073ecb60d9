"""Parts that look like another class to models that have not seen them.

Stage clean_labels asks a small model of what can be seen in the frame. The line's own network sees
the crop, and once it is trained its scores out of fold say more.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from dashboard.evidence import Evidence
from dashboard.review.queue import SUSPECT, Item, item_of
from inspection.curation.label_issues import DOUBT
from inspection.geometry import Floats
from inspection.runtime.bundle import Settings
from inspection.runtime.detectors import (
    CLASSIFIER,
    MIN_PROBABILITY,
    TemperatureScaling,
    probabilities_of,
)
from inspection.runtime.views import ViewOutputs


def from_doubts(
    evidence: Evidence, settings: Settings, manifest: pd.DataFrame, data: Path
) -> list[Item]:
    """The views of parts whose label the classifier doubts, by all views of the part together.

    A class that does not show in the classifier's region is not asked about.
    """
    rows = {row.path: row for row in manifest.itertuples()}
    classes = settings.classifier.classes
    found = []
    for part_id, views in evidence.parts.items():
        label = evidence.labels[part_id]
        likely = class_probabilities(views, settings)
        if label not in classes or likely is None:
            continue

        doubt = 1 - likely[classes.index(label)]
        if doubt <= DOUBT:
            continue

        likeliest = int(np.argmax(likely))
        for view in views:
            row = rows.get(view.name)
            if row is None or row.label != label:
                continue
            item = item_of(
                row,
                data,
                kind=SUSPECT,
                reason=f"part {part_id} looks like {classes[likeliest]} {evidence.where} "
                f"({likely[likeliest]:.2f})",
                score=float(doubt),
            )
            found.append(replace(item, suggested=classes[likeliest]))
    return found


def class_probabilities(
    views: Sequence[ViewOutputs], settings: Settings
) -> Floats | None:
    """Probability (classes,) of each class, given all views of a part, which show one and the same.

    Log probabilities are averaged over the views that show the classifier's region. None where no
    view does.
    """
    outputs = [
        view.detectors[CLASSIFIER] for view in views if CLASSIFIER in view.detectors
    ]
    calibration = settings.detectors[CLASSIFIER].calibration
    if not outputs or not isinstance(calibration, TemperatureScaling):
        return None

    logits = np.stack([output.values for output in outputs])
    by_view = probabilities_of(logits, calibration.temperature)
    joint = np.log(np.maximum(by_view, MIN_PROBABILITY)).mean(axis=0)
    return probabilities_of(joint, temperature=1.0)
