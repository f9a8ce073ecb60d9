"""The exported models in each runtime that they may be deployed with."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inspection.geometry import Image
from inspection.models.compiled import in_full_precision
from inspection.runtime.sessions import OnnxSession

Run = Callable[[Image], Sequence[Any]]


def outputs_in(runtime: str, path: Path, images: Image) -> list[Any]:
    """The outputs (N, ...) of a model on images (N, ...), one at a time as the service does."""
    run = RUNTIMES[runtime](path)
    rows = [run(image) for image in images]
    return [np.stack(column) for column in zip(*rows, strict=True)]


def _onnxruntime(path: Path) -> Run:
    return OnnxSession(path).run


def _openvino(path: Path) -> Run:
    compiled = in_full_precision(path)

    def run(image: Image) -> Sequence[Any]:
        return [np.array(output[0]) for output in compiled(image[None]).values()]

    return run


RUNTIMES: dict[str, Callable[[Path], Run]] = {
    "onnxruntime": _onnxruntime,
    "openvino": _openvino,
}
