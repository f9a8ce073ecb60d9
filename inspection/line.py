"""A production line: its classes, the regions of its part, and what can be seen where."""

import unicodedata
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Pixels = Annotated[int, Field(ge=32, le=2048)]

MAX_PIXELS = 64_000_000
CEILING_PIXELS = 256_000_000


class Frozen(BaseModel):
    """Base of all configuration: immutable, and unknown keys are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PartClass(Frozen):
    """One class of part: the names it goes by in files."""

    aliases: tuple[str, ...] = ()


class Region(Frozen):
    """A region of the part that is cropped: `size_px` is (width, height) of the crop.

    `shows` names the defects that can be seen in it. `whole_frame` takes the frame itself as the
    region; otherwise it is located. `margin_fraction` is added on each side of the region's box,
    as a fraction of the box.
    """

    size_px: tuple[Pixels, Pixels]
    shows: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    whole_frame: bool = False
    margin_fraction: float = Field(default=0.0, ge=0, le=2)


class Line(Frozen):
    """The `line` section of params.yaml: the one enumeration of class and region names.

    `classify` names the region whose defects the classifier tells apart; `detect_anomalies` the
    region on which the anomaly model, which knows only normal parts, is fitted. `orient` names two
    regions, the second of which is to lie right of the first: parts that lie the other way round
    are turned by 180 degrees, all crops of them alike. `causes` says by class what in the process
    makes such parts; it is shown with a verdict and decides nothing. `bit_depth` is how many bits
    of a 16-bit file the camera uses, from the lowest on; files of 8 bits are not touched by it. An
    image of more than `max_pixels` is refused before it is decoded, by stage validate and by the
    service.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")
    normal: str
    classes: dict[str, PartClass] = Field(min_length=1)
    regions: dict[str, Region] = Field(min_length=1)
    classify: str
    detect_anomalies: str
    orient: tuple[str, str] | None = None
    causes: dict[str, str] = Field(default_factory=dict)
    channels: int = Field(default=1, description="1 for grey crops, 3 for colour (RGB)")
    bit_depth: int = Field(default=16, ge=9, le=16)
    max_pixels: int = Field(default=MAX_PIXELS, ge=1024, le=CEILING_PIXELS)

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        problems = []
        if self.normal not in self.classes:
            problems.append(
                f"normal: {self.normal!r} is not among classes {sorted(self.classes)}"
            )
        unknown = sorted(set(self.causes) - set(self.classes))
        if unknown:
            problems.append(
                f"causes: {unknown} are not among classes {sorted(self.classes)}"
            )
        if self.channels not in (1, 3):
            problems.append(f"channels: should be 1 or 3, got {self.channels}")
        for key in ("classify", "detect_anomalies"):
            if getattr(self, key) not in self.regions:
                problems.append(
                    f"{key}: {getattr(self, key)!r} is not among the regions"
                )
        if self.orient is not None and not set(self.orient) <= set(self.regions):
            problems.append(
                f"orient: {list(self.orient)} are not both among the regions"
            )
        for name, region in self.regions.items():
            unknown = sorted(set(region.shows) - set(self.defects))
            if unknown:
                problems.append(
                    f"regions.{name}.shows: {unknown} are not defect classes"
                )
            if len(set(region.shows)) < len(region.shows):
                problems.append(
                    f"regions.{name}.shows: {list(region.shows)} names a class twice"
                )
        shown = {name for region in self.regions.values() for name in region.shows}
        for name in sorted(set(self.defects) - shown):
            problems.append(
                f"classes.{name}: shows in no region; name it in one region's shows"
            )
        if self.classify in self.regions and not self.regions[self.classify].shows:
            problems.append(
                f"regions.{self.classify}.shows: empty, and this region is classified"
            )
        problems += _ambiguous_aliases(self)
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @cached_property
    def defects(self) -> tuple[str, ...]:
        """The class names without the normal one, in the order of the configuration."""
        return tuple(name for name in self.classes if name != self.normal)

    @cached_property
    def classifier_classes(self) -> tuple[str, ...]:
        """What the classifier tells apart: normal first, then the defects its region shows."""
        return (self.normal, *self.regions[self.classify].shows)

    @cached_property
    def class_by_alias(self) -> dict[str, str]:
        """Every name and alias of a class, folded as by `fold_name`, to the class's name."""
        return _by_alias(self.classes)

    @cached_property
    def region_by_alias(self) -> dict[str, str]:
        """Every name and alias of a region, folded as by `fold_name`, to the region's name."""
        return _by_alias(self.regions)

    def label_in(self, region: str, label: str) -> str:
        """The label of a view as seen in `region`: a defect that cannot show there is normal."""
        return label if label in self.regions[region].shows else self.normal


def fold_name(name: str) -> str:
    """NFC, no surrounding blanks, case folded: names that spell the same compare equal."""
    return unicodedata.normalize("NFC", name).strip().casefold()


def _by_alias(entries: Mapping[str, PartClass | Region]) -> dict[str, str]:
    return {
        fold_name(alias): name
        for name, entry in entries.items()
        for alias in (name, *entry.aliases)
    }


def _ambiguous_aliases(line: Line) -> list[str]:
    owners: dict[str, set[str]] = {}
    for name, entry in line.classes.items():
        for alias in (name, *entry.aliases):
            owners.setdefault(fold_name(alias), set()).add(name)
    return [
        f"classes: alias {alias!r} stands for {sorted(names)}; give it to one class"
        for alias, names in owners.items()
        if len(names) > 1
    ]
