from pathlib import Path

import pytest

from inspection.runtime.releases import promote, release
from tests.architecture import ROOT
from tests.bundles import make_bundle
from tests.pipelines.conftest import empty_project

PIPELINE = """\
stages:
  draw:
    cmd: exec python draw.py draw in.txt drawn.bin
    deps: [draw.py, in.txt]
    outs: [drawn.bin]
  double:
    cmd: exec python draw.py double drawn.bin doubled.bin
    deps: [draw.py, drawn.bin]
    outs: [doubled.bin]
"""
# A stage as ours are. It writes half a megabyte, and takes a while, so that a fault can hit it.
STAGE = """\
import sys, time
from pathlib import Path

from inspection.storage import write_bytes
from stages import program

stage, source, target = sys.argv[1:]


def main():
    time.sleep(0.5)
    write_bytes(Path(target), bytes(400_000) + 2 * Path(source).read_bytes())


program.run(stage, main)
"""


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of two quick stages, run by the real programs, and a champion that serves."""
    project = empty_project(tmp_path, monkeypatch)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", ".state/dvc")
    (project / "dvc.yaml").write_text(PIPELINE)
    (project / "draw.py").write_text(STAGE)
    (project / "in.txt").write_text("7\n")
    for room in ("inspection", "stages", "pipelines"):
        (project / room).symlink_to(ROOT / room)
    make_bundle(project / "bundle")
    release(project / "bundle", project / "models/releases", "1")
    promote(project / "models/releases", "1")
    return project
