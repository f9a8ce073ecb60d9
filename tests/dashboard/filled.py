"""A line on which every page of the dashboard has something to show: two releases, val measured,
an atlas, a study, trials, a log of the service, and all that the last training leaves."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from starlette.testclient import TestClient

from dashboard.embedding.atlas import atlas_of, atlas_path, save_atlas
from dashboard.evidence import measure
from dashboard.explorer.views import views_of
from dashboard.places import KEPT
from inspection.monitoring.outcomes import Checked
from inspection.monitoring.watching import Alarm
from inspection.runtime.inspector import Inspector
from inspection.runtime.verdict import VERDICTS
from inspection.storage import write_json
from pipelines.watch import Watched, keep
from serving.api import create_app
from serving.champion import Champion
from serving.recorder import KeepingPolicy, Recorder
from tests.bundles import draw_jpeg
from tests.dashboard.conftest import make_line_folder, save
from tests.dashboard.explorer.test_page import keep_epochs, write_recipes
from tests.dashboard.models.test_page import serve_a_mild_one
from tests.dashboard.operating.test_trials import drill, evidence
from tests.dashboard.study.test_tables import study

BUNDLE, RELEASES = Path("models/bundle"), Path("models/releases")
MANIFEST = Path("artifacts/labels/manifest.parquet")
AT = "2026-11-25T10:42:07+00:00"
# Of the parts that the service judges, what is drawn on each.
LOGGED = ("normal", "dent", "slide", "under_press")


def make_filled_folder(folder: Path) -> None:
    """Write all that the dashboard can show of a line into a folder."""
    make_line_folder(folder)
    _write_promotion(folder)
    _write_findings(folder)
    _write_trials(folder)
    _write_training(folder)
    _measure(folder)
    _log_parts(folder)


def _write_promotion(folder: Path) -> None:
    """A champion beside the bundle that was assembled last, and what the gate said of it."""
    serve_a_mild_one(folder)
    rule = {"name": "parity", "passed": True, "found": "0 flipped", "limit": "none flips"}
    entry = {
        "when": AT, "outcome": "promoted", "from": None, "to": "1", "who": "Ada Lovelace",
        "why": "", "rules": [rule, rule | {"name": "heat on the crop's edge"}],
    }  # fmt: skip
    history = folder / RELEASES / "history.jsonl"
    history.write_text(f"{json.dumps(entry)}\n", encoding="utf-8")


def _write_findings(folder: Path) -> None:
    labels = {"n_issues": 2, "n_held": 0, "n_views": 18, "n_reviewed": 0}
    split = {
        "leakage": {"random_macro_f1": 0.9, "grouped_macro_f1": 0.8, "price": 0.1},
        "shortcuts": {"camera": 0.9},
        "shortcut_classes": {"camera": "dent"},
    }
    write_json(folder / "metrics/clean_labels.json", labels)
    write_json(folder / "metrics/split.json", split)

    views = pd.read_parquet(folder / MANIFEST)
    is_dent = views["label"] == "dent"
    cameras = is_dent.map({True: "left", False: "right"})
    audit = pd.DataFrame({"path": views["path"], "camera": cameras})
    save(folder / "artifacts/folds/shortcuts.parquet", audit)


def _write_trials(folder: Path) -> None:
    write_json(folder / "metrics/evidence.json", evidence() | {"beside": "test-1"})
    write_json(folder / "metrics/drill.json", drill())
    write_json(folder / "metrics/study.json", study())
    noise = np.random.default_rng(0).integers(0, 255, (300, 900, 3), np.uint8)
    sheet = folder / "artifacts/study/sheet.jpg"
    sheet.parent.mkdir(parents=True)
    Image.fromarray(noise).save(sheet)


def _write_training(folder: Path) -> None:
    """The recipes of stage evaluate_cam, and epochs of the last training."""
    write_recipes(folder)
    keep_epochs(folder)


def _measure(folder: Path) -> None:
    """Val by the bundle, and every view by each model: what the pages' buttons do."""
    manifest = pd.read_parquet(folder / MANIFEST)
    folds = pd.read_parquet(folder / "artifacts/folds/folds.parquet")
    views = views_of(manifest, folds)
    data, kept = folder / "data", folder / KEPT
    assembled = Inspector(folder / BUNDLE)
    measure(assembled, views, data, kept)
    for model in (folder / BUNDLE, folder / RELEASES / "test-line-1"):
        path = atlas_path(kept, model, manifest)
        save_atlas(path, atlas_of(Inspector(model), manifest, data))


def _log_parts(folder: Path) -> None:
    """A part of each kind that the service has judged, a word against one, and what the watch
    found."""
    verdicts = folder / "verdicts"
    champion = Champion(folder / RELEASES)
    recorder = Recorder(verdicts, KeepingPolicy(pass_fraction=1.0, max_bytes=10**8))
    champion.start()
    with TestClient(create_app(champion, recorder=recorder)) as client:
        for number, drawn in enumerate(LOGGED):
            texts = {"part_id": f"A-{number}", "camera": "Ch00"}
            files = {"views": (f"{drawn}.jpg", draw_jpeg(drawn, seed=900 + number))}
            client.post("/inspect", data=texts, files=files).raise_for_status()
        said = {"part_id": "A-1", "label": "dent", "reviewer": "Ada Lovelace"}
        client.post("/feedback", json=said).raise_for_status()
    recorder.close()
    champion.stop()

    alarm = Alarm("1", "Ch00", "", "brightness of rod", 120.0, 84.0, AT, AT, 300)
    checked = {name: Checked(10, 10, int(name == "reject")) for name in VERDICTS}
    keep(verdicts, Watched(n_parts=30, since="", alarms=[alarm], checked=checked))
