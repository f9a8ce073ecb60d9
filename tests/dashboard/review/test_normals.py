from pathlib import Path

import pandas as pd

from dashboard.review.normals import from_least_normal
from inspection.curation.least_normal import LeastNormal, least_normal
from tests.bundles import sample_line
from tests.dashboard.review.test_queue import manifest_of

LINE = sample_line(detect_anomalies=["rod", "rivet"])


def listed(*scores: float) -> dict[str, LeastNormal]:
    """What is listed of a rivet whose limit is 2.5: of the views 007, 008, ..."""
    ids = [f"{7 + i:03d}" for i in range(len(scores))]
    table = pd.DataFrame({"view_id": ids, "path": ids, "part_id": ids, "score": scores})
    evidence = {"threshold": 2.5, "false_rejects": 1, "n_val_normals": 20}
    return {"rivet": least_normal(table, evidence)}


def test_views_beyond_the_limit_of_their_region_wait_and_say_how_far() -> None:
    manifest = manifest_of("007", "008", "009").assign(label="normal")
    found = from_least_normal(listed(4.0, 3.0, 2.0), LINE, manifest, Path("data"))
    assert [(one.image_sha256, one.kind, one.beyond) for one in found] == [
        ("007", "least_normal", 1.5), ("008", "least_normal", 0.5),
    ]  # fmt: skip
    assert found[0].reason == (
        "number 1 of 3 normal views in rivet by how little it looks like the others: 4.00 "
        "standard deviations, listed from 2.50 on"
    )


def test_of_what_has_another_label_by_now_or_is_gone_nothing_is_asked() -> None:
    manifest = manifest_of("007").assign(label="dent")
    assert from_least_normal(listed(4.0, 3.0), LINE, manifest, Path("data")) == []
