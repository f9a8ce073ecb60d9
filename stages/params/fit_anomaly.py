"""The section `fit_anomaly` of params.yaml."""

from typing import Literal

from pydantic import Field

from stages import sections

# A spread needs two, and with two of them one that looks odd is half of what is known.
MIN_NORMALS = 3


class FitAnomalyParams(sections.Params):
    """How the anomaly model is fitted on normal crops."""

    features: Literal["auto", "filters", "classifier"] = "auto"
    """What is compared: `filters` (a fixed bank of Gaussian derivatives), the `classifier`'s
    backbone, or `auto`: the one of the higher AUROC on parts that were not fitted, the filters
    where these hold no defect of the region."""

    n_features: int = Field(default=60, ge=1, le=2000)
    """Features at each place. Where there are more channels, as many directions drawn at random;
    the model grows with the square."""

    shrinkage: float = Field(default=0.1, gt=0)
    """Ridge on the covariance of features of unit variance; more with few normals."""

    score_fraction: float = Field(default=0.05, gt=0, le=1)
    """The score is the mean of this share of the hottest places: one speck of dust is not all."""

    max_normals: int = Field(default=400, ge=MIN_NORMALS)
    """Normal crops that are fitted at most, drawn at random: their features lie in memory."""

    false_reject_rate: float = Field(default=0.05, gt=0, lt=1)
    """For the evidence that is shown; the verdict's thresholds follow the costs."""

    seed: int = 0
    """Another one draws other normals, jitters and directions."""
