"""The section `split` of params.yaml."""

from typing import Self

from pydantic import Field, model_validator

from stages import sections


class SplitParams(sections.Params):
    """How parts are divided into folds, and how the price of a careless split is measured."""

    val_fraction: float = Field(default=0.2, gt=0, lt=0.5)
    """Share of the parts on which everything is chosen: epochs, thresholds, the CAM."""

    test_fraction: float = Field(default=0.25, gt=0, lt=0.5)
    """Share of the parts that are read once, at the end. What bounds on escapes can claim depends
    on how many defective parts are in it."""

    cv_folds: int = Field(default=5, ge=2, le=20)
    """Folds of cross-validation, of which val is one, where the backbone is frozen: thresholds then
    rest on scores out of fold. More train longer; five leave four fifths of the parts to learn."""

    outer_fold: int | None = Field(default=None, ge=0)
    """Null draws test by `test_fraction`. A number makes test that one of `outer_folds` folds: over
    all of them every part is tested once, as `make evidence` does."""

    outer_folds: int = Field(default=5, ge=2, le=20)
    """Into how many folds `make evidence` deals all parts: more leave more to learn, and take
    longer."""

    unseen: str | None = None
    """A class that is kept from the line, and judged at the end like test: what becomes of a defect
    that nobody has shown? `make drill` asks it for one class after the other."""

    audit_folds: int = Field(default=5, ge=2, le=20)
    """Folds of the leakage price and the shortcut audit. More are more exact and take longer."""

    audit_max_views: int = Field(default=1500, ge=50)
    """Views that the audit's baseline classifier is trained on at most, drawn at random: HOG
    features of 1500 take seconds."""

    seed: int = 0
    """Another one deals the parts anew."""

    @model_validator(mode="after")
    def _is_one_of_the_outer_folds(self) -> Self:
        if self.outer_fold is not None and self.outer_fold >= self.outer_folds:
            raise ValueError(
                f"outer_fold: should be < outer_folds, {self.outer_folds}, or null, got "
                f"{self.outer_fold}"
            )
        return self
