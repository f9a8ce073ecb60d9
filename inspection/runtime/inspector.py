"""The inspector: a bundle at work. Frames of one part in, its verdict out; no torch."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inspection.errors import InspectionError
from inspection.geometry import Box, Image, locator_input
from inspection.images import decode
from inspection.runtime.bundle import verified
from inspection.runtime.framing import crop_windows, cut_crops, find_regions
from inspection.runtime.verdict import PartVerdict, judge_part
from inspection.runtime.views import View, ViewOutputs


class Inspector:
    """Runs a bundle whose hashes have been checked. Thread-safe: no state between calls."""

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        self.card = verified(folder)
        card = self.card
        self._locator = (
            _session(folder, card.locator.file, threads) if card.locator else None
        )
        self._classifier = _session(folder, card.classifier.file, threads)
        self._anomaly = _session(folder, card.anomaly.file, threads)

    def inspect(self, views: Sequence[View]) -> PartVerdict:
        """The verdict on the views of one part. Raises ImageError on a view it cannot decode."""
        if not views:
            raise InspectionError(
                "views: none given; send at least one view of the part"
            )
        return judge_part([self.see(view) for view in views], self.card)

    def see(self, view: View) -> ViewOutputs:
        """Decode, locate, cut and measure one view."""
        line = self.card.line
        frame = decode(
            view.content,
            channels=line.channels,
            bit_depth=line.bit_depth,
            max_pixels=line.max_pixels,
        )
        size = (frame.shape[1], frame.shape[0])
        boxes = self._boxes(frame)
        windows = crop_windows(boxes, size, regions=line.regions, orient=line.orient)
        crops = cut_crops(frame, windows)
        logits, heat = self._run(self._classifier, crops.get(line.classify))
        score, anomaly_map = self._run(self._anomaly, crops.get(line.detect_anomalies))
        return ViewOutputs(
            name=view.name,
            sha256=hashlib.sha256(view.content).hexdigest(),
            frame_size_px=size,
            windows=windows,
            crops=crops,
            logits=logits,
            raw_heat=heat,
            raw_anomaly=None if score is None else float(score),
            raw_map=anomaly_map,
        )

    def _boxes(self, frame: Image) -> dict[str, Box]:
        locator = self.card.locator
        if locator is None or self._locator is None:
            return {}
        size = (frame.shape[1], frame.shape[0])
        shrunk = locator_input(frame, locator.size_px)
        (maps,) = self._locator.run(None, {"frames": shrunk[None]})
        by_region = dict(zip(locator.regions, maps[0], strict=True))
        located = find_regions(by_region, size)
        return {name: found.box for name, found in located.items()}

    def _run(self, session: Any, crop: Image | None) -> tuple[Any, Any]:
        if crop is None:
            return None, None
        first, second = session.run(None, {"crops": crop[None]})
        return first[0], second[0]


def _session(folder: Path, name: str, threads: int) -> Any:
    import onnxruntime as ort
    from onnxruntime.capi import onnxruntime_pybind11_state as told

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(
            folder / name, options, providers=["CPUExecutionProvider"]
        )
    except (
        told.Fail,
        told.InvalidGraph,
        told.InvalidProtobuf,
        told.NotImplemented,
    ) as error:
        raise InspectionError(
            f"{folder / name}: ONNX Runtime {ort.__version__} cannot load it ({error}); fetch the "
            "bundle again, or assemble it with these libraries"
        ) from error
