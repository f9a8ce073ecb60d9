from pathlib import Path

import pandas as pd
import pytest

from dashboard.evidence import measure, stored
from inspection.evaluation.part_scores import OUT_OF_FOLD
from inspection.runtime.bundle import read_card
from inspection.runtime.inspector import Inspector
from inspection.runtime.views import View
from tests.dashboard.conftest import PARTS

pytestmark = pytest.mark.usefixtures("line_folder")
FOLDERS = {name: Path(f"artifacts/{name}") for name in ("classifier", "anomaly")}


def views() -> pd.DataFrame:
    manifest = pd.read_parquet("artifacts/labels/manifest.parquet")
    return manifest.merge(pd.read_parquet("artifacts/folds/folds.parquet"), on="view_id")


def test_val_is_measured_once_and_judged_as_the_inspector_judges() -> None:
    inspector = Inspector(Path("models/bundle"))
    card, kept = inspector.card, Path(".state/dashboard")
    assert stored(views(), card, FOLDERS, kept, card.version) is None

    shares: list[float] = []
    measure(inspector, views(), Path("data"), kept, shares.append)
    found = stored(views(), card, FOLDERS, kept, card.version)
    assert found is not None
    assert shares[-1] == 1.0
    assert found.source == "val"
    of_val = [part for part, (_, _, fold) in PARTS.items() if fold == "val"]
    assert list(found.parts) == of_val

    table = views()
    for part, verdict in zip(found.parts, found.verdicts(card), strict=True):
        paths = table.loc[table["part_id"] == part, "path"]
        said = inspector.inspect([View(p, (Path("data") / p).read_bytes()) for p in paths])
        assert verdict == said.verdict
        if verdict == "reject":
            assert found.deciding_view(part, card) == said.worst_view


def test_scores_out_of_fold_go_before_and_test_is_never_among_them() -> None:
    card = read_card(Path("models/bundle"))
    table = views()
    for name, n in (("classifier", 3), ("anomaly", 1)):
        rows = table[["view_id", "path", "part_id"]].assign(**{f"value_{i}": 0.5 for i in range(n)})
        FOLDERS[name].mkdir(parents=True)
        rows.to_parquet(FOLDERS[name] / OUT_OF_FOLD)
    found = stored(table, card, FOLDERS, Path("kept"), card.version)
    assert found is not None
    assert found.source == "out_of_fold"
    assert set(found.parts) == {part for part, (_, _, fold) in PARTS.items() if fold != "test"}


def test_what_was_measured_of_other_images_or_by_another_model_does_not_count() -> None:
    inspector = Inspector(Path("models/bundle"))
    card, kept = inspector.card, Path(".state/dashboard")
    measure(inspector, views(), Path("data"), kept)
    assert stored(views(), card, FOLDERS, kept, "another") is None
    changed = views()
    changed.loc[0, "image_sha256"] = "0" * 64
    assert stored(changed, card, FOLDERS, kept, card.version) is None
