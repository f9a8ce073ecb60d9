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


# All that we install and that speaks to its maker, writes settings, or keeps a cache by itself; and
# those that bring most others with them.
EVERYTHING = (
    "great_expectations", "cleanlab", "dvc.repo", "mlflow.pyfunc", "prefect", "streamlit.web.cli",
    "timm", "lightning", "albumentations", "anomalib.models", "pytorch_grad_cam",
    "matplotlib.pyplot", "onnxruntime", "openvino", "bentoml",
)  # fmt: skip
# Every look-up, by whatever library of Python; those of this machine by its own names are none.
NOTES_LOOK_UPS = """
import importlib, sys, time
OWN = {"localhost", "127.0.0.1", "::1", "0.0.0.0", "", None}

def note(event, about):
    if event in ("socket.getaddrinfo", "socket.gethostbyname") and about[0] not in OWN:
        print("looked up", about[0])
        raise OSError("no resolver here")

sys.addaudithook(note)
from inspection.telemetry import telemetry_off
telemetry_off()
for name in sys.argv[1:]:
    importlib.import_module(name)
# what is sent is sent from a thread
time.sleep(2)
"""


def project_environment() -> dict[str, str]:
    """What every command of the Makefile has (project.env)."""
    lines = (ROOT / "project.env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


@pytest.mark.slow
def test_everything_is_imported_without_a_look_up_or_a_file_outside_the_project(
    tmp_path: Path,
) -> None:
    outside = {"HOME": tmp_path / "home", "TMPDIR": tmp_path / "tmp"}
    own = {name: str(tmp_path / name) for name in ("BENTOML_HOME", "PREFECT_HOME")}
    for folder in outside.values():
        folder.mkdir()
    environment = plain_environment() | project_environment() | own
    environment.pop("XDG_CACHE_HOME", None)
    done = subprocess.run(
        [sys.executable, "-c", NOTES_LOOK_UPS, *EVERYTHING],
        cwd=ROOT,
        env=environment | {name: str(place) for name, place in outside.items()},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout == ""
    assert [path for place in outside.values() for path in place.rglob("*") if path.is_file()] == []
