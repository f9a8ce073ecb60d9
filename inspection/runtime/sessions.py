"""The one place that runs ONNX models."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inspection.errors import InspectionError
from inspection.geometry import Image
from inspection.telemetry import telemetry_off

# ONNX Runtime's levels: 3 logs errors only. Its warnings speak of graph optimisations
# that did not apply, which nobody on the line can act on. no outcome: it is of what is logged.
LOG_ERRORS_ONLY = 3


class OnnxSession:
    """An ONNX model with one input, in memory. Thread-safe."""

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        self._session = _opened(path, threads)
        self._input = self._session.get_inputs()[0].name

    def run(self, image: Image) -> Sequence[Any]:
        """The outputs for one image (...), each without its batch dimension."""
        outputs = self._session.run(None, {self._input: image[None]})
        return [np.asarray(output)[0] for output in outputs]


def onnx_errors() -> tuple[type[Exception], ...]:
    """What a model that does not fit raises; ONNX Runtime's errors have no base of their own."""
    telemetry_off()
    from onnxruntime.capi import onnxruntime_pybind11_state as raised

    return (
        raised.EPFail,
        raised.Fail,
        raised.InvalidArgument,
        raised.InvalidGraph,
        raised.InvalidProtobuf,
        raised.NoSuchFile,
        raised.NotImplemented,
        raised.RuntimeException,
    )


def _opened(path: Path, threads: int) -> Any:
    telemetry_off()
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = LOG_ERRORS_ONLY
    try:
        return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except onnx_errors() as error:
        raise InspectionError(
            f"{path}: ONNX Runtime {ort.__version__} cannot load it ({error}); fetch the "
            "bundle again, or assemble it with these libraries"
        ) from error
