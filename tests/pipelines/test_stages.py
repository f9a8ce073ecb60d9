"""A registry that does not have what DVC has brought, on a real project of two stages."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from inspection.runtime.bundle import CARD
from inspection.storage import read_json, sha256_of
from pipelines.champions import BUNDLE
from pipelines.repro import Screen, repro
from pipelines.runs.store import opened
from stages.tracking import TrackingParams
from tests.architecture import ROOT
from tests.pipelines.conftest import empty_project
from tests.registering import Project

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]
RECEIPT = "receipt.json"
# Another name than that of other tests: MLflow keeps a connection to it, wherever it then leads.
STORE = "registry-of-stages"
PIPELINE = """\
stages:
  assemble:
    cmd: mkdir -p models && cp -r "made/$(cat which.txt)" models/bundle
    deps: [made, which.txt]
    outs: [models/bundle]
  register:
    cmd: >-
      exec python -m stages.register --bundle models/bundle --data data
      --manifest manifest.parquet --folds folds.parquet --validation validate.json
      --confusion confusion.csv --gallery gallery --report reports
      --out receipt.json --metrics metrics.json
    deps: [models/bundle]
    outs: [receipt.json]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Bundle `a` of two is the one that is made and registered, in a registry of its own."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    folder = empty_project(tmp_path, monkeypatch)
    made = Project(folder, TrackingParams(store=STORE), "a-line")
    for version in ("a", "b"):
        made.make_bundle(f"made/{version}", version)
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        YAML().dump(made.params(), file)
    (folder / "which.txt").write_text("a")
    (folder / "dvc.yaml").write_text(PIPELINE)
    ignored = f"/models\n/receipt.json\n/metrics.json\n/{STORE}\n/.state\n"
    (folder / ".gitignore").write_text(ignored)
    run_repro()
    run("git", "config", "user.name", "Ada")
    run("git", "config", "user.email", "ada@knurl.example")
    run("git", "add", ".")
    run("git", "commit", "--quiet", "--message", "begun")
    return folder


def run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def run_repro() -> list[str]:
    """`make repro`; the lines that it prints."""
    out = io.StringIO()
    repro(Screen(out, io.StringIO()))
    return out.getvalue().splitlines()


def is_registered() -> bool:
    """Whether receipt, registry and bundle agree."""
    receipt, registry = read_json(Path(RECEIPT)), opened()[2]
    digest = sha256_of(BUNDLE / CARD)
    number = registry.aliases().get("challenger")
    return (
        receipt["card_sha256"] == digest and receipt["version"] == number and registry.holds(digest)
    )


def test_what_was_applied_of_a_temporary_run_is_registered_by_the_next_make_repro(
    project: Path,
) -> None:
    (project / "which.txt").write_text("b")
    run(sys.executable, "-m", "dvc", "exp", "run", "--temp", "--name", "there")
    (project / "which.txt").write_text("a")
    run(sys.executable, "-m", "dvc", "exp", "apply", "there")
    assert (project / "which.txt").read_text() == "b"
    assert not is_registered()

    said = run_repro()
    assert is_registered()
    assert ["up to date" in line for line in said] == [True, False]
    assert all("up to date" in line for line in run_repro())
