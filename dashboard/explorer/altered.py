"""What the detectors of a bundle say of crops that were altered after they were cut."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from dashboard.explorer.alterations import Alteration
from inspection.geometry import Image
from inspection.runtime.bundle import Card
from inspection.runtime.sessions import OnnxSession
from inspection.runtime.views import DetectorOutput, ViewOutputs


class CropDetectors:
    """The detectors of a bundle at work on crops: no frame is read, and no region located.

    Thread-safe. Each model must have the hash that the card says; raises InspectionError where
    it has another.
    """

    def __init__(self, folder: Path, card: Card, *, threads: int = 1) -> None:
        self._detectors = card.detectors
        files = {detector.file for detector in card.detectors.values()}
        self._sessions = {
            file: OnnxSession(folder / file, threads=threads, sha256=card.files[file])
            for file in sorted(files)
        }

    def measure(self, crops: Mapping[str, Image]) -> dict[str, DetectorOutput]:
        """What each detector says of its region's crop (H, W, C); crops are by region."""
        answers = {}
        found = {}
        for name, detector in self._detectors.items():
            if detector.region not in crops:
                continue

            # detectors of one region may share a model, which runs once
            if detector.file not in answers:
                session = self._sessions[detector.file]
                answers[detector.file] = session.run(crops[detector.region])
            found[name] = detector.output(answers[detector.file])
        return found


def altered_outputs(
    outputs: ViewOutputs, alteration: Alteration, region: str, detectors: CropDetectors
) -> ViewOutputs:
    """What was measured in a view, had the crop of a region come out altered; others stay."""
    altered = {region: alteration.of_crop(outputs.crops[region])}
    found = detectors.measure(altered)
    return replace(
        outputs,
        crops=outputs.crops | altered,
        detectors=outputs.detectors | found,
    )
