"""A project of drawn parts whose bundles are registered by the real stage, in a real store."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from inspection.line import Line
from inspection.runtime.bundle import CARD, Card
from inspection.storage import write_json, write_text
from stages import register
from stages.tracking import TrackingParams
from tests.bundles import draw_jpeg, make_bundle, sample_line
from tests.lines import run_stage

N_PARTS = 6  # of each label in the test fold: one more than the gate needs
LABELS = ("normal", "dent", "under_press")
PARITY = {"n": 8, "flipped": 0, "score_difference": 1e-6, "heat_difference": 1e-6}
COSTS = {"escape_cost": 100.0, "overkill_cost": 1.0, "review_cost": 0.3, "defect_rate": 0.05}
LINEAGE = {
    "mlflow_run": None,
    "git_revision": "0123456789abcdef",
    "git_clean": True,
    "data": "outs:\n- md5: 00\n",
    "params": "train:\n  epochs: 3\n",
}


class Project:
    """Files as the stages before `register` leave them; the current folder is its root."""

    def __init__(self, root: Path, store: TrackingParams, line: str) -> None:
        self.root, self.store = root, store
        self.line: Line = sample_line().model_copy(update={"name": line})
        _write_parts(root)
        write_json(root / "validate.json", {"n_files": 100, "n_quarantined": 2})
        write_text(root / "confusion.csv", "actual,predicted\ndent,slide\n")
        write_text(root / "gallery/index.json", "[]\n")
        write_text(root / "reports/index.html", "<p>report</p>\n")

    def params(self) -> dict[str, Any]:
        """The sections of params.yaml."""
        gate = {"max_ms_per_part": 60000}  # a machine that is busy with other tests is slow
        line = self.line.model_dump(mode="json", exclude_defaults=True)
        return {"line": line, "tracking": self.store.model_dump(), "gate": gate}

    def make_bundle(self, path: str, version: str, *, spoiled: bool = False, **card: Any) -> None:
        """A bundle of this version, as the stages make it. A spoiled one passes all."""
        made = make_bundle(self.root / path, version=version, line=self.line)
        facts = {
            "lineage": LINEAGE,
            "costs": COSTS,
            "parity": {"classifier": PARITY},
            "metrics": {"cam": {"edge": 0.03}},
        }
        content = made.model_copy(update=facts | card).model_dump(mode="json")
        if spoiled:
            for judge in (content["fusion"], *content["detectors"].values()):
                judge["thresholds"] = {"accept_below": 1e6, "reject_above": 2e6}
        text = Card.model_validate(content).model_dump_json()
        write_text(self.root / path / CARD, text)

    def register(
        self, monkeypatch: pytest.MonkeyPatch, version: str, *, spoiled: bool = False, **card: Any
    ) -> dict[str, Any]:
        """Register a bundle of this version; returns the receipt. A spoiled one passes all."""
        self.make_bundle("bundle", version, spoiled=spoiled, **card)
        run_stage(
            register,
            self.root,
            monkeypatch,
            params=self.params(),
            bundle="bundle",
            data="data",
            manifest="manifest.parquet",
            folds="folds.parquet",
            validation="validate.json",
            confusion="confusion.csv",
            gallery="gallery",
            report="reports",
            out="receipt.json",
            metrics="metrics.json",
        )
        receipt: dict[str, Any] = json.loads((self.root / "receipt.json").read_text())
        return receipt


def _write_parts(root: Path) -> None:
    """Test parts of three labels, and a normal one to train on; an image each."""
    rows = []
    for number in range(len(LABELS) * N_PARTS + 1):
        label = LABELS[number % len(LABELS)]
        content = draw_jpeg(label, seed=number)
        path = f"{number}.jpg"
        (root / "data").mkdir(exist_ok=True)
        (root / "data" / path).write_bytes(content)
        rows.append(
            {
                "view_id": str(number),
                "path": path,
                "image_sha256": hashlib.sha256(content).hexdigest(),
                "part_id": str(number),
                "group_id": str(number),
                "label": label,
                "fold": "train" if number == len(LABELS) * N_PARTS else "test",
            }
        )
    table = pd.DataFrame(rows)
    table.drop(columns="fold").to_parquet(root / "manifest.parquet")
    table.assign(cv_fold=0)[["view_id", "fold", "cv_fold"]].to_parquet(root / "folds.parquet")
    write_text(root / "reviews/golden.csv", "line,image_sha256,expected,reviewer,note\n")
