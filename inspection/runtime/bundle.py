"""The bundle: everything that serving loads, and the card that says what it is and can do."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import (
    BaseModel,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from inspection.errors import InspectionError, raise_all
from inspection.line import Frozen, Line
from inspection.runtime.detectors import (
    CLASSIFIER,
    FUSED,
    Calibration,
    DetectorCard,
    DetectorModel,
    HeatScale,
    Thresholds,
    detector_names,
)
from inspection.runtime.fusion import Fusion
from inspection.storage import sha256_of, write_json

# 4: beyond the frame a crop shows its mirror image; up to 3 it repeated the frame's edge, and what
# has learned from such crops must not judge others. 3: one fused score decides; 2 had thresholds on
# the score of each detector, 1 a field for each.
SCHEMA_VERSION = 4
CARD = "card.json"
# Hex digits of the SHA-256 that make a version: 48 bits, so that among a million
# versions two are the same with a probability of 0.2 %.
VERSION_DIGITS = 12


class LocatorCard(Frozen):
    """The locator: frames (N, h, w) uint8 in, `size_px` = (width, height), probability maps out."""

    file: str
    regions: tuple[str, ...]
    size_px: tuple[int, int]


class ModelSet(Frozen):
    """The exported models of a line: enough to measure views, not yet to judge them."""

    line: Line
    locator: LocatorCard | None
    detectors: dict[str, DetectorModel]

    @model_validator(mode="after")
    def _a_file_reads_one_region(self) -> Self:
        read = {
            (detector.file, detector.region) for detector in self.detectors.values()
        }
        if len(read) > len({file for file, _ in read}):
            raise ValueError(
                "detectors: two that share a file should read the same region"
            )
        return self

    @property
    def files(self) -> set[str]:
        """The names of the models' files."""
        files = {detector.file for detector in self.detectors.values()}
        return files if self.locator is None else files | {self.locator.file}


class Settings(Frozen):
    """All that a verdict follows from, beside the models' files: line, locator, detectors, and
    how their scores make one."""

    line: Line
    locator: LocatorCard | None
    detectors: dict[str, DetectorCard]
    fusion: Fusion

    @field_validator("detectors")
    @classmethod
    def _are_those_of_the_line(
        cls, found: dict[str, DetectorCard], info: ValidationInfo
    ) -> dict[str, DetectorCard]:
        """The detectors in the order of the line; JSON sorts them by name."""
        if "line" not in info.data:  # what is wrong with it is told by its own error
            return found

        wanted = detector_names(info.data["line"])
        if set(found) != set(wanted):
            raise ValueError(f"should be {sorted(wanted)}, got {sorted(found)}")

        return {name: found[name] for name in wanted}

    @classmethod
    def of(
        cls,
        models: ModelSet,
        *,
        calibrations: Mapping[str, Calibration],
        fusion: Fusion,
        thresholds: Mapping[str, Thresholds],
        heat: Mapping[str, HeatScale],
        evidence: Mapping[str, dict[str, Any]],
    ) -> Self:
        """Models with what judges their outputs, by detector; a detector without thresholds
        decides nothing on its own."""
        detectors = {
            name: DetectorCard(
                **model.model_dump(),
                calibration=calibrations[name],
                thresholds=thresholds.get(name),
                heat=heat[name],
                evidence=evidence[name],
            )
            for name, model in models.detectors.items()
        }
        return cls(
            line=models.line,
            locator=models.locator,
            detectors=detectors,
            fusion=fusion,
        )

    @property
    def thresholds(self) -> dict[str, Thresholds]:
        """What decides: the thresholds of each score that has some, the fused one first."""
        own = {
            name: one.thresholds
            for name, one in self.detectors.items()
            if one.thresholds is not None
        }
        return {FUSED: self.fusion.thresholds} | own

    @property
    def classifier(self) -> DetectorCard:
        """The detector that names defects."""
        return self.detectors[CLASSIFIER]

    @property
    def models(self) -> ModelSet:
        """The models alone, without what judges their outputs."""
        models = {
            name: DetectorModel(
                **{
                    field: getattr(detector, field)
                    for field in DetectorModel.model_fields
                }
            )
            for name, detector in self.detectors.items()
        }
        return ModelSet(line=self.line, locator=self.locator, detectors=models)


class Card(Settings):
    """What a bundle is: enough to run it, to defend its verdicts, and to trace it back."""

    schema_version: int
    version: str
    costs: dict[str, Any]
    metrics: dict[str, Any]
    parity: dict[str, Any]
    lineage: dict[str, Any]
    files: dict[str, str]

    @classmethod
    def of_settings(
        cls,
        settings: Settings,
        *,
        files: dict[str, str],
        costs: dict[str, Any],
        metrics: dict[str, Any],
        parity: dict[str, Any],
        lineage: dict[str, Any],
    ) -> Self:
        """The card of settled settings and the SHA-256 of each model file; its version follows."""
        return cls(
            schema_version=SCHEMA_VERSION,
            version=version_of(settings, files),
            line=settings.line,
            locator=settings.locator,
            detectors=settings.detectors,
            fusion=settings.fusion,
            files=files,
            costs=costs,
            metrics=metrics,
            parity=parity,
            lineage=lineage,
        )


def version_of(settings: Settings, files: dict[str, str]) -> str:
    """The version of a bundle: it names what decides, that is models, geometry and settings.

    The same decisions have the same version, whenever and from whichever revision they were made.
    `files` are the SHA-256 of the models by file name.
    """
    described = settings.model_dump_json(include=set(Settings.model_fields))
    hashes = "".join(f"{name} {digest}\n" for name, digest in sorted(files.items()))
    digest = hashlib.sha256((described + hashes).encode("utf-8"))
    return digest.hexdigest()[:VERSION_DIGITS]


def write_card(folder: Path, card: Card) -> None:
    """Write the card beside the models that it names."""
    write_json(folder / CARD, card.model_dump(mode="json"))


def read_card(folder: Path) -> Card:
    """Read the card of a bundle; one that is missing or not of this schema is refused."""
    path = folder / CARD
    try:
        text = path.read_text(encoding="utf-8")
        found = _Schema.model_validate_json(text).schema_version
        if found != SCHEMA_VERSION:
            raise InspectionError(
                f"{path}: schema version {found}, this software reads {SCHEMA_VERSION}; "
                "assemble the bundle anew"
            )
        return Card.model_validate_json(text)
    except FileNotFoundError as error:
        raise InspectionError(
            f"{path}: not found; run `dvc repro` to assemble a bundle"
        ) from error
    except (ValidationError, UnicodeDecodeError) as error:
        raise InspectionError(
            f"{path}: is not a card of this schema ({error}); assemble the bundle anew"
        ) from error


def verified(folder: Path) -> Card:
    """The card of a bundle whose models are all there, with the hashes that the card names."""
    card = read_card(folder)
    problems = [
        f"{folder / CARD}: gives no hash of {name!r}; fetch the bundle again"
        for name in sorted(card.models.files - card.files.keys())
    ]
    for name, digest in sorted(card.files.items()):
        problems += _file_problems(folder / name, name, digest)

    raise_all(problems)
    return card


class _Schema(BaseModel):
    """The one field that is read before the rest is known to be readable."""

    schema_version: int


def _file_problems(path: Path, name: str, digest: str) -> list[str]:
    is_beside_the_card = Path(name).name == name
    if not is_beside_the_card or not path.is_file():
        return [f"{path}: missing; fetch the bundle again"]

    if sha256_of(path) != digest:
        return [f"{path}: its hash is not the one on the card; fetch the bundle again"]

    return []
