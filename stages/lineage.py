"""Where a bundle comes from: data, code, run, params and library versions."""

import subprocess
from importlib.metadata import version
from typing import Any

from inspection.storage import read_json
from stages import program

LIBRARIES = ("torch", "timm", "anomalib", "onnxruntime", "albumentations", "grad-cam", "mlflow")


def lineage(paths: Any) -> dict[str, Any]:
    """The trace back from a bundle; the git revision is None outside of a repository."""
    return {
        "data": paths.data_dvc.read_text(encoding="utf-8"),
        "git_revision": _git("rev-parse", "HEAD"),
        "git_clean": _git("status", "--porcelain", "--untracked-files=no") == "",
        "mlflow_run": read_json(paths.run)["run_id"],
        "params": program.PARAMS_FILE.read_text(encoding="utf-8"),
        "versions": {name: version(name) for name in LIBRARIES},
    }


def _git(*arguments: str) -> str | None:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None
