"""The one place that runs ONNX models."""

import hashlib
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

# Where ONNX Runtime seeks weights that are not in the model (by itself in the working folder). The
# card holds no hash of them, so that there are to be none.
WEIGHTS_FOLDER = "session.model_external_initializers_file_folder_path"
NO_FOLDER = "/dev/null"


class OnnxSession:
    """An ONNX model with one input, in memory. Thread-safe.

    Given the hex SHA-256 of its file, it is made of the very bytes that have this hash: a file that
    was exchanged after its check is refused. Weights in files beside it are never read.
    """

    def __init__(
        self, path: Path, *, threads: int = 1, sha256: str | None = None
    ) -> None:
        self._session = _opened(path, _content(path, sha256), threads)
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


def _content(path: Path, sha256: str | None) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InspectionError(
            f"{path}: cannot be read ({error.strerror}); fetch the bundle again"
        ) from error
    if sha256 not in (None, hashlib.sha256(content).hexdigest()):
        raise InspectionError(
            f"{path}: its hash is not the one on the card; fetch the bundle again"
        )
    return content


def _opened(path: Path, content: bytes, threads: int) -> Any:
    telemetry_off()
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = LOG_ERRORS_ONLY
    options.add_session_config_entry(WEIGHTS_FOLDER, NO_FOLDER)
    try:
        return ort.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )
    except onnx_errors() as error:
        raise InspectionError(
            f"{path}: ONNX Runtime {ort.__version__} cannot load it ({error}); fetch the "
            "bundle again, or assemble it with these libraries"
        ) from error
