from pathlib import Path

import numpy as np
import pandas as pd

from inspection.curation.least_normal import MAX_LISTED, least_normal, read_least_normal
from inspection.storage import write_json, write_table

EVIDENCE = {"threshold": 2.5, "false_rejects": 7, "n_val_normals": 152}


def ranked(*scores: float) -> pd.DataFrame:
    ids = [f"v{i}" for i in range(len(scores))]
    return pd.DataFrame({"view_id": ids, "path": ids, "part_id": ids, "score": scores})


def test_what_lies_beyond_the_limit_is_listed_and_nothing_on_it() -> None:
    found = least_normal(ranked(6.5, 2.51, 2.5, 0.1), EVIDENCE)
    assert list(found.views["view_id"]) == ["v0", "v1"]
    assert str(found) == (
        "2 of 4 views whose score lies beyond 2.50 standard deviations, the limit of the anomaly "
        "model, beyond which 7 of 152 normal parts lie (fit_anomaly.false_reject_rate)"
    )


def test_the_view_that_sets_the_limit_is_not_beyond_it_however_its_score_is_written() -> None:
    limit = float(np.float32(0.7))
    assert limit < 0.7
    found = least_normal(ranked(0.9, 0.7), EVIDENCE | {"threshold": limit})
    assert list(found.views["view_id"]) == ["v0"]


def test_a_person_is_asked_about_a_hundred_views_of_a_region_at_most() -> None:
    assert MAX_LISTED == 100
    found = least_normal(ranked(*[9.0 - i / 100 for i in range(101)]), EVIDENCE)
    assert list(found.views["view_id"]) == [f"v{i}" for i in range(100)]
    assert str(found).startswith("100 of 101 views, the first of 101 whose score")


def test_what_the_stage_wrote_is_read_with_the_zeros_of_its_part_numbers(tmp_path: Path) -> None:
    assert read_least_normal(tmp_path) is None
    views = ranked(4.0).assign(view_id="0012", part_id="007")
    write_table(tmp_path / "suspects.csv", views)
    write_json(tmp_path / "calibration.json", {"evidence": EVIDENCE})
    found = read_least_normal(tmp_path)
    assert found is not None
    assert found.views.loc[0, ["view_id", "part_id", "score"]].tolist() == ["0012", "007", 4.0]
