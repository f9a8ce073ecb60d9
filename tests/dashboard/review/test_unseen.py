from pathlib import Path

import pandas as pd
import pytest

from dashboard.evidence import measure, stored
from dashboard.review.queue import merged
from dashboard.review.unseen import from_unseen
from inspection.runtime.inspector import Inspector

FOLDERS = {name: Path(f"artifacts/{name}") for name in ("classifier", "anomaly")}


@pytest.mark.usefixtures("line_folder")
def test_what_holds_a_threshold_comes_before_errors_and_these_before_doubts() -> None:
    """Part 3 holds the threshold by the card; 5 and 6 are drawn as what they are not labelled."""
    inspector = Inspector(Path("models/bundle"))
    manifest = pd.read_parquet("artifacts/labels/manifest.parquet")
    views = manifest.merge(pd.read_parquet("artifacts/folds/folds.parquet"), on="view_id")
    measure(inspector, views, Path("data"), Path("kept"))
    named = {"part_id": "3", "labels": ["slide"], "score": 0.4, "good_passed_without": 0.9}
    hardest = {"parts": [named], "good_passed": 0.5, "sentence": "look at 3"}
    card = inspector.card.model_copy(update={"metrics": {"limit": {"hardest": hardest}}})
    evidence = stored(views, card, FOLDERS, Path("kept"), card.version)
    assert evidence is not None

    found = merged(from_unseen(evidence, card, manifest, Path("data")))
    assert [one.part_id for one in found[:3]] == ["3", "6", "5"]
    assert [one.kind for one in found[:3]] == ["hardest", "escape", "overkill"]
    # of part 7, a dent that is labelled slide, both views are doubted
    assert [one.kind for one in found if one.part_id == "7"] == ["suspect", "suspect"]
