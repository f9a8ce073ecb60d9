"""The bundle: everything that serving loads, and the card that says what it is and can do."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from inspection.errors import InspectionError, raise_all
from inspection.line import Line
from inspection.storage import sha256_of

SCHEMA_VERSION = 1
CARD = "card.json"
BEYOND = 1e9  # no score lies further out, and JSON can hold it


class _Card(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Thresholds(_Card):
    """A score below `accept_below` passes, one above `reject_above` is rejected, else review."""

    accept_below: float
    reject_above: float

    def verdict(self, score: float) -> str:
        """The verdict on one score; a score that is not a number goes to review."""
        if score < self.accept_below:
            return "pass"
        return "reject" if score > self.reject_above else "review"


class LocatorCard(_Card):
    """The locator: frames (N, h, w) uint8 in, `size_px` = (width, height), probability maps out."""

    file: str
    regions: tuple[str, ...]
    size_px: tuple[int, int]


class HeatScale(_Card):
    """The absolute scale of a heatmap: raw `cold` and below is 0, raw `hot` and above is 1.

    Both are calibrated on val. Heat from `box_threshold` on is boxed.
    """

    cold: float
    hot: float
    box_threshold: float


class ClassifierCard(_Card):
    """The classifier: crops (N, H, W, C) uint8 in; logits and raw heatmaps per defect out."""

    file: str
    classes: tuple[str, ...]
    temperature: float
    thresholds: Thresholds
    heat: HeatScale
    recipe: dict[str, Any]


class AnomalyCard(_Card):
    """The anomaly model: crops in; raw score and raw anomaly map out.

    The score counts in units of the normals of val: (raw - mean) / std.
    """

    file: str
    mean: float
    std: float
    thresholds: Thresholds
    heat: HeatScale
    evidence: dict[str, Any]


class Card(_Card):
    """What a bundle is: enough to run it, to defend its verdicts, and to trace it back."""

    schema_version: int
    version: str
    line: Line
    locator: LocatorCard | None
    classifier: ClassifierCard
    anomaly: AnomalyCard
    costs: dict[str, Any]
    metrics: dict[str, Any]
    parity: dict[str, Any]
    lineage: dict[str, Any]
    files: dict[str, str]


def read_card(folder: Path) -> Card:
    """Read the card of a bundle; one that is missing or not of this schema is refused."""
    path = folder / CARD
    try:
        card = Card.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InspectionError(
            f"{path}: not found; run `dvc repro` to assemble a bundle"
        ) from error
    except (ValidationError, UnicodeDecodeError) as error:
        raise InspectionError(
            f"{path}: is not a card of this schema: {error}"
        ) from error
    if card.schema_version != SCHEMA_VERSION:
        raise InspectionError(
            f"{path}: schema version {card.schema_version}, this software reads {SCHEMA_VERSION}; "
            "assemble the bundle anew"
        )
    return card


def verified(folder: Path) -> Card:
    """The card of a bundle whose every graph is there, with the hash that the card names."""
    card = read_card(folder)
    graphs = {
        card.classifier.file,
        card.anomaly.file,
        *([card.locator.file] if card.locator else []),
    }
    problems = [
        f"{folder / CARD}: gives no hash of {name!r}; fetch the bundle again"
        for name in sorted(graphs - card.files.keys())
    ]
    for name, digest in sorted(card.files.items()):
        path = folder / name
        if Path(name).name != name or not path.is_file():
            problems.append(f"{path}: missing; fetch the bundle again")
        elif sha256_of(path) != digest:
            problems.append(
                f"{path}: its hash is not the one on the card; fetch the bundle again"
            )
    raise_all(problems)
    return card
