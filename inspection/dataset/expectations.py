"""What must hold of a manifest: what the line expects, and what the manifest promises."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from inspection.line import Frozen, Line

NEVER_EMPTY = (
    "view_id",
    "path",
    "image_sha256",
    "part_id",
    "label",
    "boxes",
    "copies",
)


def _in_order(extent: tuple[int, int]) -> tuple[int, int]:
    if extent[0] > extent[1]:
        raise ValueError("should be [minimum, maximum], the smaller first")
    return extent


# pixels: JPEG and most cameras end at 65535 a side
Pixels = Annotated[
    int,
    Field(
        ge=1,
        le=65535,
    ),
]
Extent = Annotated[tuple[Pixels, Pixels], AfterValidator(_in_order)]


class Expected(Frozen):
    """What the line expects of its data."""

    width_px: Extent = (32, 16384)
    """Minimum and maximum width of a frame: from the smallest crop up to a line-scan camera's
    longest line."""

    height_px: Extent = (32, 16384)
    """Minimum and maximum height of a frame, likewise."""

    max_quarantined_fraction: float = Field(
        default=0.1,
        ge=0,
        le=1,
    )
    """Share of image files that may be set aside. Some broken or misnamed files are usual; more
    than a tenth means a wrong copy or configuration."""


@dataclass(frozen=True)
class Expectation:
    """One expectation by the library's name for it; a critical one that fails stops the stage."""

    name: str
    arguments: Mapping[str, Any]
    severity: Literal["critical", "warning"] = "critical"


def of_manifest(
    line: Line,
    expected: Expected,
    *,
    columns: Sequence[str],
    n_images: int,
) -> list[Expectation]:
    """The expectations on the manifest of `n_images` image files."""
    n_kept = math.ceil((1 - expected.max_quarantined_fraction) * n_images)
    checks = [
        Expectation(
            "ExpectTableColumnsToMatchOrderedList", {"column_list": list(columns)}
        ),
        Expectation("ExpectTableRowCountToBeBetween", {"min_value": max(1, n_kept)}),
        Expectation(
            "ExpectColumnValuesToMatchRegex",
            _on("image_sha256", regex="^[0-9a-f]{64}$"),
        ),
        Expectation("ExpectColumnValuesToBeJsonParseable", _on("boxes")),
        Expectation("ExpectColumnValuesToBeJsonParseable", _on("copies")),
    ]

    for column in NEVER_EMPTY:
        filled = _on(column, min_value=1)
        checks.append(Expectation("ExpectColumnValuesToNotBeNull", _on(column)))
        checks.append(Expectation("ExpectColumnValueLengthsToBeBetween", filled))
    for column in ("view_id", "path"):
        checks.append(Expectation("ExpectColumnValuesToBeUnique", _on(column)))

    ranges = {"width_px": expected.width_px, "height_px": expected.height_px}
    for column, (low, high) in ranges.items():
        within = _on(
            column,
            min_value=low,
            max_value=high,
        )
        checks.append(Expectation("ExpectColumnValuesToBeBetween", within))

    sets = {"label": list(line.classes), "channels": [1, 3], "bit_depth": [8, 16]}
    for column, values in sets.items():
        among = _on(column, value_set=values)
        checks.append(Expectation("ExpectColumnValuesToBeInSet", among))

    # a warning: a line may well have two views of one name that are distinguished by their folder
    together = {"column_list": ["camera", "part_id", "view", "label"]}
    checks.append(Expectation("ExpectCompoundColumnsToBeUnique", together, "warning"))
    return checks


def _on(column: str, **arguments: Any) -> dict[str, Any]:
    return {"column": column, **arguments}
