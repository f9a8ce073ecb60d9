"""The inspector: a bundle at work. Frames of one part in, its verdict out; no torch."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from inspection.errors import InspectionError
from inspection.geometry import Box, Floats, Image, locator_input
from inspection.images import decode
from inspection.runtime.bundle import ModelSet, verified
from inspection.runtime.framing import crop_windows, cut_crops, find_regions
from inspection.runtime.sessions import OnnxSession, onnx_errors
from inspection.runtime.verdict import PartVerdict, judge_part
from inspection.runtime.views import DetectorOutput, View, ViewOutputs

# Side of the blank frame that a self-check locates regions in. no outcome: any will do.
BLANK_PX = 64

Answer = TypeVar("Answer")


class Measurement:
    """The exported models at work: they measure views, and judge nothing.

    Thread-safe: no state between calls. `hashes` are the SHA-256 by file name that the models must
    have, where they come with a card.
    """

    def __init__(
        self,
        folder: Path,
        models: ModelSet,
        *,
        threads: int = 1,
        hashes: Mapping[str, str] | None = None,
    ) -> None:
        def opened(file: str) -> OnnxSession:
            sha256 = hashes[file] if hashes is not None else None
            return OnnxSession(folder / file, threads=threads, sha256=sha256)

        self.models = models
        self._locator = opened(models.locator.file) if models.locator else None
        files = {detector.file for detector in models.detectors.values()}
        self._sessions = {file: opened(file) for file in sorted(files)}

    def measure(self, view: View) -> ViewOutputs:
        """Decode, locate, cut and measure one view. Raises ImageError where it is no image."""
        line = self.models.line
        frame = decode(
            view.content,
            channels=line.channels,
            bit_depth=line.bit_depth,
            max_pixels=line.max_pixels,
        )
        size = (frame.shape[1], frame.shape[0])
        boxes = self._boxes(frame)
        windows = crop_windows(boxes, size, regions=line.regions, orient=line.orient)
        crops = cut_crops(frame, windows, line.regions)
        return ViewOutputs(
            name=view.name,
            sha256=hashlib.sha256(view.content).hexdigest(),
            frame_size_px=size,
            windows=windows,
            crops=crops,
            detectors=self._outputs(crops),
        )

    def self_check(self) -> None:
        """Run each model once on a blank image, so that one that cannot work is never put to work.

        Raises InspectionError where a model fails, or answers in another form than it should.
        """
        line = self.models.line
        # a model that two detectors share runs once
        answers: dict[str, Sequence[Any]] = {}
        for name, detector in self.models.detectors.items():
            if detector.file not in answers:
                width, height = line.regions[detector.region].size_px
                blank = np.zeros((height, width, line.channels), np.uint8)
                session = self._sessions[detector.file]
                answers[detector.file] = _checked(name, partial(session.run, blank))

            output = _checked(name, partial(detector.output, answers[detector.file]))
            _check_values(name, output.values, max(1, len(detector.classes)))

        frame = np.zeros((BLANK_PX, BLANK_PX, line.channels), np.uint8).squeeze()
        _checked("locator", partial(self._boxes, frame))

    def _boxes(self, frame: Image) -> dict[str, Box]:
        locator = self.models.locator
        if locator is None or self._locator is None:
            return {}

        size = (frame.shape[1], frame.shape[0])
        (maps,) = self._locator.run(locator_input(frame, locator.size_px))
        by_region = dict(zip(locator.regions, maps, strict=True))
        located = find_regions(by_region, size)
        return {name: found.box for name, found in located.items()}

    def _outputs(self, crops: Mapping[str, Image]) -> dict[str, DetectorOutput]:
        """What each detector says of its region's crop; a model that two share runs once."""
        detectors = {
            name: detector
            for name, detector in self.models.detectors.items()
            if detector.region in crops
        }
        region_of = {one.file: one.region for one in detectors.values()}
        answers = {
            file: self._sessions[file].run(crops[region])
            for file, region in region_of.items()
        }
        return {
            name: detector.output(answers[detector.file])
            for name, detector in detectors.items()
        }


class Inspector:
    """Judges parts by a bundle whose hashes have been checked. Thread-safe.

    Each model is made of the bytes that were hashed, whatever becomes of its file meanwhile.
    """

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        # first every file, so that all that is wrong with a bundle is told at once
        self.card = verified(folder)
        self._models = Measurement(
            folder, self.card.models, threads=threads, hashes=self.card.files
        )

    def inspect(self, views: Sequence[View]) -> PartVerdict:
        """The verdict on the views of one part. Raises ImageError on a view it cannot decode."""
        if not views:
            raise InspectionError(
                "views: none given; send at least one view of the part"
            )

        return judge_part([self.measure(view) for view in views], self.card)

    def measure(self, view: View) -> ViewOutputs:
        """What the models say of one view, before any threshold."""
        return self._models.measure(view)

    def self_check(self) -> None:
        """Run each model once; raises InspectionError where one cannot work."""
        self._models.self_check()


def _checked(name: str, run: Callable[[], Answer]) -> Answer:
    """The answer of a model; one that fails is an InspectionError."""
    # ValueError: numpy cannot read an answer of another form.
    errors: tuple[type[Exception], ...] = (*onnx_errors(), ValueError)
    try:
        return run()
    except errors as error:
        raise InspectionError(
            f"model of {name}: fails on a blank image ({error}); assemble the bundle again"
        ) from error


def _check_values(name: str, values: Floats, n_expected: int) -> None:
    if np.size(values) != n_expected or not np.isfinite(values).all():
        raise InspectionError(
            f"model of {name}: answers {np.ravel(values)[:3]}, the card says {n_expected} "
            "finite numbers; assemble the bundle again"
        )
