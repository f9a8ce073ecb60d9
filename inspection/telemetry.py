"""No library of ours speaks to its maker: what is to be done before one of them is imported."""

import os
import sys

# What ONNX Runtime and BentoML ask; DO_NOT_TRACK is asked by several.
SWITCHES = {
    "ORT_DISABLE_TELEMETRY": "1",
    "BENTOML_DO_NOT_TRACK": "True",
    "DO_NOT_TRACK": "true",
}


def telemetry_off() -> None:
    """Call before importing onnxruntime, openvino or bentoml; what a user has set stays.

    OpenVINO has no switch but a file under the home folder. It does without its telemetry package
    where that cannot be imported, so its import is made to fail.
    """
    for name, value in SWITCHES.items():
        os.environ.setdefault(name, value)
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
