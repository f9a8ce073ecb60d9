"""The section `train` of params.yaml."""

from typing import Any, Literal, Self

from pydantic import Field, PositiveInt, field_validator, model_validator

from inspection.models.augmentations import AUGMENTATIONS
from inspection.models.weights import NONE, PACKAGED, PACKAGES
from stages import sections

# Crops of a process in a step: the statistics of a batch need two.
MIN_SHARE = 2


class TrainParams(sections.Params):
    """How the classifier is made and trained."""

    backbone: str = "resnet10t"
    """Any name that timm knows; `packaged` weights exist for tf_efficientnet_lite0 to 2."""

    backbone_args: dict[str, Any] | None = None
    """Arguments of timm's backbone, to make it narrower for instance; null for those of its name.
    Weights fit no other widths than their own."""

    weights: str = NONE
    """What the backbone starts from. `packaged`: ImageNet weights, Lite0's come with `make setup`;
    `hub`: timm's, from the internet, or none where that is away; the path of a safetensors file; or
    `none`."""

    freeze_backbone: bool = False
    """The backbone keeps its weights and only the head learns, on features that are computed once.
    Thresholds then rest on scores out of fold (see split.cv_folds), and all parts but test are
    learned from in the end. Photographs of few parts are told apart best so, on a CPU in minutes.
    Of the augmentation only mirroring applies, and nothing is pasted."""

    head_dim: int = Field(default=64, ge=8, le=512)
    """Channels of the features from which evidence is read; a head on a frozen backbone has nothing
    else to learn with and takes more. On the frozen Lite0, after 2000 steps each, 32, 64 and 128
    gave an AUROC of 0.936, 0.945 and 0.953 on the magnetic tiles (out of fold, test held back,
    three deals of five folds) and cost 0.307, 0.285 and 0.253 a part."""

    head_groups: int = Field(default=1, ge=1, le=64)
    """Groups of these channels that the last 3 x 3 convolution sees, each by itself: a step of 64
    channels in 4 groups takes two thirds of the time of one group. Of 128 channels 8 groups were as
    good as one on the tiles (AUROC 0.947 and 0.948, cost 0.255 and 0.266, one deal of folds)."""

    window_px: tuple[PositiveInt, PositiveInt] | None = None
    """Width and height of the windows, in crop pixels, that a head on a frozen backbone learns
    from; null for whole crops. A step then takes the time of a small crop. Crops are judged whole.
    Defective crops whose place is unknown are not learned from, since a window may miss it."""

    mirror_average: bool = False
    """Judge each crop together with its left-right mirror image, by the mean of both, at twice the
    time. On the magnetic tiles that gave AUROC 0.946 instead of 0.935; it needs an augmentation
    that mirrors."""

    augmentation: str = "line"
    """The random changes of crops while they are learned from: a name in
    inspection/models/augmentations.py."""

    epochs: int = Field(default=20, ge=1, le=1000)
    """How often all crops are shown."""

    patience: int = Field(default=8, ge=1)
    """Epochs without a better one after which training ends. A frozen backbone's head learns for
    all epochs: to choose one by held-out parts would spoil the scores out of fold."""

    batch_size: int = Field(default=32, ge=2)
    """Crops a step."""

    learning_rate: float = Field(default=0.003, gt=0, lt=1)
    """The highest of the cycle. Halve it where training diverges."""

    weight_decay: float = Field(default=0.02, ge=0)
    """Of AdamW, on all weights that learn."""

    label_smoothing: float = Field(default=0.05, ge=0, lt=1)
    """Share of the target that is spread over all classes: labels are sometimes wrong."""

    place_weight: float = Field(default=0.5, ge=0)
    """Weight of the loss on where the defect is, next to what it is. 0 learns from labels alone."""

    paste_probability: float = Field(default=0.5, ge=0, le=1)
    """How often a defect is shown on another, normal part, so that the part tells nothing."""

    balance: Literal["sampler", "weights", "none"] = "sampler"
    """How rare classes are made up for: drawn as often as the others, weighted in the loss, or
    not at all."""

    keep_epochs: int = Field(default=0, ge=0, le=1000)
    """Of how many last epochs the weights are kept beside the classifier, for the CAM explorer. An
    epoch takes 0.2 MB where the head on a frozen Lite0 learns, and 12 MB where the whole network
    does. Nothing that is deployed depends on it. The best epoch of a whole network is deployed, and
    may lie before the last ones."""

    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    """Of Lightning. On a GPU bf16-mixed is faster."""

    devices: int = Field(default=1, ge=1, le=16)
    """Processes that train one network together, where the whole of it learns (Lightning DDP): each
    on a GPU of its own, or all on the CPU where there are not so many. A step still has batch_size
    crops in all, and each process holds the crops of train and val. Heads on a frozen backbone are
    trained side by side already: there it must be 1."""

    run_name: str | None = None
    """Of the MLflow run; null lets MLflow name it."""

    track: bool = True
    """Whether epochs go live to an MLflow run."""

    seed: int = 0
    """Another one starts from other weights of the head, and draws crops in another order."""

    @model_validator(mode="after")
    def _packaged_is_known(self) -> Self:
        if self.weights == PACKAGED and self.backbone not in PACKAGES:
            raise ValueError(
                f"weights: no package has those of {self.backbone!r}, only of "
                f"{', '.join(PACKAGES)}; set weights to hub, a safetensors file or none"
            )
        return self

    @model_validator(mode="after")
    def _frozen_has_weights(self) -> Self:
        if self.freeze_backbone and self.weights == NONE:
            raise ValueError(
                "freeze_backbone: an untrained backbone that never learns tells nothing; set "
                "weights to packaged, hub or a safetensors file, or freeze_backbone to false"
            )
        return self

    @model_validator(mode="after")
    def _devices_share_a_network(self) -> Self:
        if self.devices > 1 and self.freeze_backbone:
            raise ValueError(
                "devices: heads on a frozen backbone are trained side by side already, one for "
                "each fold (KNURL_PROCESSES); set it to 1, or freeze_backbone to false"
            )
        return self

    @model_validator(mode="after")
    def _devices_have_equal_shares(self) -> Self:
        share, rest = divmod(self.batch_size, self.devices)
        if rest or share < MIN_SHARE:
            raise ValueError(
                f"batch_size: {self.batch_size} crops do not make {self.devices} equal shares "
                f"(devices) of {MIN_SHARE} or more; take a multiple"
            )
        return self

    @model_validator(mode="after")
    def _windows_are_of_features(self) -> Self:
        if self.window_px is not None and not self.freeze_backbone:
            raise ValueError(
                "window_px: only the head on a frozen backbone learns from windows; set it to "
                "null, or freeze_backbone to true"
            )
        return self

    @model_validator(mode="after")
    def _windows_or_the_centre(self) -> Self:
        if self.window_px is not None and not AUGMENTATIONS[self.augmentation].sees_all:
            raise ValueError(
                f"window_px: augmentation {self.augmentation!r} looks at the centre of a crop "
                "alone, and a window is no crop; set it to null, or take an augmentation that "
                "sees whole crops"
            )
        return self

    @model_validator(mode="after")
    def _groups_are_equal(self) -> Self:
        if self.head_dim % self.head_groups:
            raise ValueError(
                f"head_groups: {self.head_dim} channels (head_dim) do not make {self.head_groups} "
                "equal groups; take a divisor"
            )
        return self

    @model_validator(mode="after")
    def _mirrors_what_it_averages(self) -> Self:
        if self.mirror_average and not AUGMENTATIONS[self.augmentation].mirrors:
            raise ValueError(
                f"mirror_average: augmentation {self.augmentation!r} never shows the mirror image "
                "of a crop, so what it looks like is not learned; take one with flip, or set "
                "mirror_average to false"
            )
        return self

    @field_validator("augmentation")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in AUGMENTATIONS:
            raise ValueError(f"should be one of {sorted(AUGMENTATIONS)}")
        return name
