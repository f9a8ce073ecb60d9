"""Where a bundle comes from: data, code, run, params and library versions."""

import subprocess
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from inspection.models.classifier import Architecture
from inspection.models.weights import PACKAGED, packaged_weights
from inspection.storage import read_json
from stages import sections

LIBRARIES = (
    "torch",
    "timm",
    "anomalib",
    "onnxruntime",
    "albumentations",
    "grad-cam",
    "mlflow",
)
WRITTEN_BY_A_RUN = ("dvc.lock", "metrics", "data.dvc")
ROOT = Path(__file__).resolve().parents[1]
# Lines of their own, each in a folder; what the root's line has that is not code.
LINES = "lines"
OF_THE_ROOT = ("params.yaml", "reviews", *WRITTEN_BY_A_RUN)


def lineage(*, data_dvc: Path, run: Path) -> dict[str, Any]:
    """The trace back from a bundle; the git revision is None outside of a repository."""
    return {
        "data": data_dvc.read_text(encoding="utf-8"),
        "git_revision": _git("rev-parse", "HEAD"),
        "git_clean": git_clean(),
        "mlflow_run": read_json(run)["run_id"],
        "params": sections.PARAMS_FILE.read_text(encoding="utf-8"),
        "versions": {name: version(name) for name in LIBRARIES},
    }


def origin_of(architecture: Architecture) -> dict[str, str]:
    """The backbone of a classifier: its name, and whose weights it started from, if any."""
    origin = {"name": architecture.backbone, "weights": architecture.weights}
    if architecture.weights != PACKAGED:
        return origin

    known = packaged_weights(architecture.backbone)
    return origin | {
        "source": known.source,
        "licence": known.licence,
        "package": known.package,
        "sha256": known.sha256,
    }


def git_clean() -> bool | None:
    """Whether every tracked file that a run reads is as in the git revision; None outside of git.

    What the run itself writes does not count: `dvc.lock` and `metrics/`, and `data.dvc`, whose
    hash the lineage holds in full. A changed `params.yaml`, by `make adopt` too, does count, and
    so do the code and `reviews/`. Files that git does not track do not count, nor do other lines.
    """
    changed = _changed(Path(), (*WRITTEN_BY_A_RUN, LINES))
    # in the folder of a line the code lies above
    if changed == "" and Path.cwd().parent == ROOT / LINES:
        changed = _changed(ROOT, (*OF_THE_ROOT, LINES))
    return None if changed is None else changed == ""


def _changed(folder: Path, without: Iterable[str]) -> str | None:
    """What git says of the tracked files in a folder that are changed; None outside of git."""
    left_out = [f":(exclude){path}" for path in without]
    ask = ("status", "--porcelain", "--untracked-files=no", "--", ".")
    return _git("-C", str(folder), *ask, *left_out)


def _git(*arguments: str) -> str | None:
    done = subprocess.run(
        ["git", *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else None
