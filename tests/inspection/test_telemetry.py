"""Each library is imported and run in a process of its own, with an empty home and no resolver.

So is the service.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from benchmarks.apps.servers import Server, bentoml_command, free_port, running
from inspection.runtime.releases import promote, release
from tests.architecture import ROOT
from tests.bundles import draw_jpeg, make_bundle
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


# Read by every Python that begins with its folder on the path, so by all processes of the service.
NOTES_WHAT_GOES_OUT = """
import os, sys
OWN = {"localhost", "127.0.0.1", "::1", "0.0.0.0", "", None}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
INSIDE = tuple(os.environ["INSIDE"].split(os.pathsep))
notes = os.open(os.environ["NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def note(event, about):
    if event in ("socket.getaddrinfo", "socket.gethostbyname") and about[0] not in OWN:
        os.write(notes, f"looked up {about[0]}\\n".encode())
        raise OSError("no resolver here")
    if event == "open" and isinstance(about[0], str) and about[2] & WRITES:
        path = os.path.abspath(about[0])
        if not path.startswith(INSIDE):
            os.write(notes, f"wrote {path}\\n".encode())

sys.addaudithook(note)
"""


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """`make serve` with an empty home; what it looks up or writes elsewhere is in `notes`."""
    make_bundle(tmp_path / "bundle")
    release(tmp_path / "bundle", tmp_path / "releases", "1")
    promote(tmp_path / "releases", "1")
    for name in ("home", "tmp", "watch"):
        (tmp_path / name).mkdir()
    (tmp_path / "watch/sitecustomize.py").write_text(NOTES_WHAT_GOES_OUT)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    # Python tries the folder for temporary files out; none is to stay there
    inside = [str(tmp_path / name) for name in ("service", "verdicts", "tmp")]
    variables = project_environment() | {
        "HOME": str(tmp_path / "home"),
        "BENTOML_HOME": str(tmp_path / "service/bentoml"),
        "TMPDIR": str(tmp_path / "tmp"),
        "NOTES": str(tmp_path / "notes"),
        "INSIDE": os.pathsep.join([*inside, "/dev/", "/proc/"]),
        "PYTHONPATH": str(tmp_path / "watch"),
        # what Python compiles lies beside its sources, wherever these are
        "PYTHONDONTWRITEBYTECODE": "1",
        "KNURL_RELEASES": str(tmp_path / "releases"),
        "KNURL_VERDICTS": str(tmp_path / "verdicts"),
        "KNURL_TOKEN": "",
    }
    port = free_port()
    command = bentoml_command("serving.service:Inspection", port)
    with running(command, port, tmp_path / "service", variables, cwd=ROOT) as server:
        yield server


@pytest.mark.slow
def test_the_service_at_work_looks_nothing_up_and_writes_nothing_outside_the_project(
    tmp_path: Path, served: Server
) -> None:
    part = {"part_id": "A-17"}
    files = {"views": ("a.jpg", draw_jpeg("dent"))}
    asked = f"{served.address}/inspect?heatmap=true"
    verdict = httpx.post(asked, data=part, files=files, timeout=60).raise_for_status().json()
    said = part | {"label": "dent", "reviewer": "Kim"}
    httpx.post(f"{served.address}/feedback", json=said).raise_for_status()
    known = httpx.get(f"{served.address}/parts/A-17").raise_for_status().json()

    assert verdict["views"][0]["heatmaps"]
    assert len(known["verdicts"]) == 1
    assert (tmp_path / "notes").read_text() == ""
    for outside in ("home", "tmp"):
        assert [path for path in (tmp_path / outside).rglob("*") if path.is_file()] == []
    # it did write, and where it was told to
    assert any(path.is_file() for path in (tmp_path / "verdicts").rglob("*"))
