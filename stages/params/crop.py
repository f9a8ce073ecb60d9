"""The section `crop` of params.yaml."""

from typing import Literal

from pydantic import Field

from stages import sections


class CropParams(sections.Params):
    """How regions are found."""

    framing: Literal["located", "boxes"] = "located"
    """`located` frames every crop as the service will, by the locator, which labelled boxes only
    train and check. `boxes` prefers a labelled box where there is one: where only some classes
    have boxes, the framing gives the class away."""

    locator_size_px: tuple[int, int] = (160, 128)
    """Width and height to which frames are reduced for the locator: a region of a tenth of the
    frame is still 16 pixels wide."""

    locator_epochs: int = Field(default=30, ge=1, le=1000)
    """Passes over the frames with a labelled box."""

    locator_max_frames: int = Field(default=400, ge=1)
    """Frames that the locator is trained on at most, drawn at random."""

    locator_learning_rate: float = Field(default=0.01, gt=0, lt=1)
    """The highest rate of the locator's one-cycle schedule."""

    seed: int = 0
    """Of the locator's weights and of the frames that are drawn."""
