"""A production line: its classes, the regions of its part, and what can be seen where."""

import unicodedata
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

# pixels along a side of a crop: five halvings, as backbones do, leave one cell of 32, and above
# 2048 one crop takes more memory in training than a graphics card has for a batch
Pixels = Annotated[int, Field(ge=32, le=2048)]

# of a crop's width or height, from its left or its top
Fraction = Annotated[float, Field(ge=0, le=1)]
# of a polygon: two are a line, which has no inside
MIN_CORNERS = 3

# pixels of an image from a stranger: about the largest area sensors (65 MP) while three bytes a
# pixel stay below 200 MB
MAX_PIXELS = 64_000_000
# what a line may raise that to: line-scan frames of 16,000 x 16,000; more does not fit the memory
# of a service that decodes several at a time
CEILING_PIXELS = 256_000_000
# what a line may lower it to: 32 x 32, the smallest crop there is
FLOOR_PIXELS = 32 * 32


def _one_or_several(names: object) -> object:
    """A name alone stands for a list of one."""
    return (names,) if isinstance(names, str) else names


class Frozen(BaseModel):
    """Base of what is read from files: immutable, and unknown keys are an error.

    The text below a field is its entry in docs/params.md, where it is a key of params.yaml.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True
    )


class PartClass(Frozen):
    """One class of part: the names it goes by in files."""

    aliases: tuple[str, ...] = ()
    """What files call this class besides its name: in file names, folders, boxes and tables.
    Upper and lower case, and composed and decomposed Hangul, are the same."""


class Region(Frozen):
    """A region of the part that is cropped."""

    size_px: tuple[Pixels, Pixels]
    """Width and height of the crop in pixels. About as many as the region has in the frame; fewer
    train faster."""

    shows: tuple[str, ...] = ()
    """The defects that can be seen in this region. In its crops all other classes count as
    normal."""

    aliases: tuple[str, ...] = ()
    """What boxes call this region besides its name."""

    whole_frame: bool = False
    """Whether the frame itself is the region. Otherwise it is located in each frame."""

    margin_fraction: float = Field(default=0.0, ge=0, le=2)
    """Added on each side of the region's box, as a fraction of the box: room for a locator that
    is a little off. At 2 the region is a fifth of the crop's side; further off it is not the
    region that is seen."""

    outline: tuple[tuple[Fraction, Fraction], ...] | None = None
    """A polygon around the part in the crop: x and y of three corners or more, as fractions of the
    crop's width and height from its top left; null for all of the crop. What lies outside is
    painted black before any model sees it, so dust beside the part is no defect.
    `artifacts/crops/<region>.png` shows it on some crops."""

    @field_validator("outline")
    @classmethod
    def _has_an_inside(
        cls, outline: tuple[tuple[float, float], ...] | None
    ) -> tuple[tuple[float, float], ...] | None:
        if outline is not None and len(set(outline)) < MIN_CORNERS:
            raise ValueError(
                f"{len(set(outline))} different corners enclose nothing; name three or more as "
                "[x, y], or null for the whole crop"
            )
        return outline


class Line(Frozen):
    """The `line` section of params.yaml: the one enumeration of class and region names."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$")
    """The name of the line: of its model in the registry and of folders, therefore without
    separators and at most 80 characters."""

    normal: str
    """The class of good parts."""

    classes: dict[str, PartClass] = Field(min_length=1)
    """The one enumeration of class names, each with what files call it."""

    regions: dict[str, Region] = Field(min_length=1)
    """The regions of the part, each with its crop."""

    classify: str
    """The region on whose crops the classifier is trained."""

    detect_anomalies: Annotated[
        tuple[str, ...], Field(min_length=1), BeforeValidator(_one_or_several)
    ]
    """The region, or regions, that get an anomaly model each, which knows normal parts only. A
    defect that nobody has shown the line is noticed in these."""

    orient: tuple[str, str] | None = None
    """Two regions, the second of which is to lie right of the first: parts that lie the other way
    round are turned by 180 degrees, with all crops of them. null where all parts lie alike."""

    causes: dict[str, str] = Field(default_factory=dict)
    """By class, what in the process makes such parts. It is shown with a verdict and decides
    nothing."""

    channels: int = 1
    """1 for grey crops, 3 for colour (RGB). Dark-field frames hold no colour."""

    bit_depth: int = Field(default=16, ge=9, le=16)
    """How many bits of a 16-bit file the camera uses, from the lowest on. With 8 or fewer it
    would write 8-bit files, which this does not touch."""

    max_pixels: int = Field(default=MAX_PIXELS, ge=FLOOR_PIXELS, le=CEILING_PIXELS)
    """An image of more is refused before it is decoded, by stage validate and by the service. The
    largest area sensors have 65 million; 256 million are line-scan frames of 16,000 x 16,000."""

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        problems = [
            *_class_problems(self),
            *_region_problems(self),
            *_ambiguous_aliases(self),
        ]
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


def _class_problems(line: Line) -> list[str]:
    """What does not agree about the classes and the kind of image."""
    known = sorted(line.classes)
    problems = []
    if line.normal not in line.classes:
        problems.append(f"normal: {line.normal!r} is not among classes {known}")

    unknown = sorted(set(line.causes) - set(line.classes))
    if unknown:
        problems.append(f"causes: {unknown} are not among classes {known}")

    if line.channels not in (1, 3):
        problems.append(f"channels: should be 1 or 3, got {line.channels}")
    return problems


def _region_problems(line: Line) -> list[str]:
    """What does not agree about the regions, and about what they show."""
    named = [("classify", line.classify)]
    named += [("detect_anomalies", name) for name in line.detect_anomalies]
    problems = [
        f"{key}: {name!r} is not among the regions"
        for key, name in named
        if name not in line.regions
    ]
    if len(set(line.detect_anomalies)) < len(line.detect_anomalies):
        problems.append(
            f"detect_anomalies: {list(line.detect_anomalies)} names a region twice"
        )
    if line.orient is not None and not set(line.orient) <= set(line.regions):
        problems.append(f"orient: {list(line.orient)} are not both among the regions")

    shown: set[str] = set()
    for name, region in line.regions.items():
        problems += _shows_problems(f"regions.{name}.shows", region, line)
        shown.update(region.shows)
    for name in sorted(set(line.defects) - shown):
        problems.append(
            f"classes.{name}: shows in no region; name it in one region's shows"
        )
    return problems


def _shows_problems(where: str, region: Region, line: Line) -> list[str]:
    problems = []
    unknown = sorted(set(region.shows) - set(line.defects))
    if unknown:
        problems.append(f"{where}: {unknown} are not defect classes")
    if len(set(region.shows)) < len(region.shows):
        problems.append(f"{where}: {list(region.shows)} names a class twice")
    if region is line.regions.get(line.classify) and not region.shows:
        problems.append(f"{where}: empty, and this region is classified")
    return problems


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
