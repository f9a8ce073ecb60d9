"""The section `clean_labels` of params.yaml."""

from typing import Literal

from pydantic import Field

from stages import sections

Action = Literal["hold", "report", "off"]


class Rules(sections.Params):
    """What a rule does to a view in conflict: `hold` until it is reviewed, `report` only, `off`."""

    box_conflict: Action = "hold"
    """The view is boxed as one defect and named as another class."""

    part_disagreement: Action = "hold"
    """Views of one part have different labels."""

    duplicate_conflict: Action = "hold"
    """Files of the same bytes have different labels."""

    near_duplicate_conflict: Action = "report"
    """Near-duplicates have different labels. Of a rigid design a part with a small defect looks
    like a near-duplicate of a good one. So such views are learned from, and `report` makes no
    suspect of them: it tells it of a suspect that other evidence names, and lists the rest last."""


class CleanLabelsParams(sections.Params):
    """What happens to labels that contradict each other, and how many suspects are listed."""

    rules: Rules = Rules()
    """What a conflict does."""

    min_correlation: float = Field(default=0.7, gt=0, le=1)
    """Of fine texture, from which on two frames are one shot: copies have 0.8 and more."""

    n_issues: int = Field(default=100, ge=0)
    """Suspects listed besides those in conflict: about what a person reviews in an hour."""

    seed: int = Field(default=0, ge=0)
    """Of the folds by which each view is predicted by a model that has not seen it."""
