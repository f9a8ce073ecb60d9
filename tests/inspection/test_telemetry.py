"""Each library is imported and run in a process of its own, with an empty home and no resolver."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture import ROOT
from tests.bundles import make_bundle
from tests.surroundings import plain_environment

WITHOUT_RESOLVER = """
import socket, sys, time
from pathlib import Path

def refused(*about, **more):
    print("looked up", about[:1])
    raise OSError("no resolver here")

socket.getaddrinfo = socket.gethostbyname = refused
"""
ONNX_RUNTIME = """
import numpy as np
from inspection.runtime.inspector import Inspector
Inspector(Path(sys.argv[1])).self_check()
"""
OPENVINO = """
import numpy as np
from inspection.evaluation.runtimes import outputs_in
crops = np.zeros((1, 80, 160, 1), np.uint8)
print(len(outputs_in("openvino", Path(sys.argv[1]) / "classifier.onnx", crops)))
# what it sends it sends from a thread
time.sleep(1)
"""
SERVICE = """
from serving.api import create_app
import bentoml
"""


@pytest.mark.parametrize(
    ("code", "printed"),
    [(ONNX_RUNTIME, ""), (OPENVINO, "2"), (SERVICE, "")],
    ids=["onnxruntime", "openvino", "service"],
)
def test_nothing_is_looked_up_and_nothing_written_at_home(
    tmp_path: Path, code: str, printed: str
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    make_bundle(tmp_path / "bundle")
    names = ("ORT_DISABLE_TELEMETRY", "DO_NOT_TRACK", "BENTOML_DO_NOT_TRACK", "XDG_CACHE_HOME")
    environment = plain_environment() | {"HOME": str(home), "BENTOML_HOME": str(tmp_path / "b")}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_RESOLVER + code, str(tmp_path / "bundle")],
        cwd=ROOT,
        env={name: value for name, value in environment.items() if name not in names},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == printed
    assert [path for _, _, files in os.walk(home) for path in files] == []
