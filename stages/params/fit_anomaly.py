"""The section `fit_anomaly` of params.yaml."""

from typing import Literal

from pydantic import Field, field_validator

from stages import sections

# A spread needs two, and with two of them one that looks odd is half of what is known.
MIN_NORMALS = 3

MODELS = ("auto", "padim", "patchcore", "dfm")

# What anomalib's other models need that a line without a network and a GPU has not got.
NEEDS = {
    "it trains a network anew for every fold, which takes a GPU": (
        "cfa", "cflow", "fastflow", "fre", "ganomaly", "glass", "patchflow",
        "reverse_distillation", "stfpm", "supersimplenet", "uninet",
    ),
    "it needs the weights of a DINO vision transformer, from the hub": (
        "anomaly_dino", "dinomaly", "foundad", "general_ad", "inp_former", "l2bt", "rad",
        "super_add",
    ),
    "it needs a backbone of its own with weights from the hub, and trains on it": (
        "csflow", "uflow",
    ),
    "it needs the weights of its teacher and pictures of ImageNet, by download": ("efficient_ad",),
    "it needs pictures of textures (DTD), by download, and trains two networks": ("draem",),
    "it needs weights of its own, by download": ("anomalyvfm", "dsr"),
    "it needs the weights of a model of pictures and words, from the hub": ("vlm_ad", "winclip"),
    "it needs point clouds beside the pictures": ("cfm",),
    "it gives a crop one score and no map, and a verdict shows where": ("dfkde",),
    "it is a patchcore for normals that do not fit into memory, and here they do": (
        "mh_patchcore",
    ),
    "it looks at videos": ("ai_vad", "fuvas"),
}  # fmt: skip


class FitAnomalyParams(sections.Params):
    """How the anomaly model is fitted on normal crops."""

    model: str = "padim"
    """Which of anomalib's models: `padim` (a Gaussian at each place), `patchcore` (the nearest of
    a memory bank of normal features, wherever it was), `dfm` (what principal components of whole
    normal crops cannot rebuild), or `auto`: the one of the highest AUROC on parts that were not
    fitted, on the features on which `padim`, the soonest fitted, tells them best. anomalib's other
    models are refused by name with what they would need."""

    features: Literal["auto", "filters", "classifier"] = "auto"
    """What is compared: `filters` (a fixed bank of Gaussian derivatives), the `classifier`'s
    backbone, or `auto`: the one of the higher AUROC on parts that were not fitted, the filters
    where these hold no defect of the region."""

    n_features: int = Field(default=60, ge=1, le=2000)
    """Features at each place. Where there are more channels, as many directions drawn at random;
    the model grows with the square."""

    shrinkage: float = Field(default=0.1, gt=0)
    """Ridge on the covariance of features of unit variance, for `padim`; more with few normals."""

    bank_size: int = Field(default=2000, ge=1, le=100_000)
    """Features that `patchcore` keeps of all normal crops, as far apart as can be. The time that a
    crop takes grows with it."""

    score_fraction: float = Field(default=0.05, gt=0, le=1)
    """The score is the mean of this share of the hottest places: one speck of dust is not all."""

    max_normals: int = Field(default=400, ge=MIN_NORMALS)
    """Normal crops that are fitted at most, drawn at random: their features lie in memory."""

    max_memory_mib: int = Field(default=8192, ge=1)
    """Memory that the features of a fit may take, half of a computer with 16 GiB. It is estimated
    first, and a fit that would take more is refused before it starts."""

    false_reject_rate: float = Field(default=0.05, gt=0, lt=1)
    """For the evidence that is shown; the verdict's thresholds follow the costs."""

    seed: int = 0
    """Another one draws other normals, jitters and directions."""

    @field_validator("model")
    @classmethod
    def _runs_here(cls, model: str) -> str:
        if model in MODELS:
            return model
        for reason, names in NEEDS.items():
            if model in names:
                raise ValueError(
                    f"{model} does not run here: {reason}; choose {_listed()}"
                )
        raise ValueError(f"should be {_listed()}")


def _listed() -> str:
    return f"{', '.join(MODELS[:-1])} or {MODELS[-1]}"
