"""Where a bundle comes from: data, code, run, params and library versions."""

import subprocess
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
    so do the code and `reviews/`. Files that git does not track do not count.
    """
    left_out = [f":(exclude){path}" for path in WRITTEN_BY_A_RUN]
    changed = _git(
        "status", "--porcelain", "--untracked-files=no", "--", ".", *left_out
    )
    return None if changed is None else changed == ""


def _git(*arguments: str) -> str | None:
    done = subprocess.run(
        ["git", *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else None
