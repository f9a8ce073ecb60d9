import unicodedata
from pathlib import Path

import pandas as pd
import pytest

from benchmarks.label_issues import (
    answered,
    composed,
    listed,
    of_the_desk,
    recall,
    spoiled,
)
from inspection.evaluation.part_scores import OUT_OF_FOLD
from inspection.storage import write_json, write_table
from tests.dashboard.conftest import line_folder as line_folder


def view(spoiled: str = "", broken: str = "", boxes: str = "truth") -> dict[str, str]:
    return {"spoiled": spoiled, "broken": broken, "boxes_follow": boxes}


def test_recall_counts_spoiled_views_among_as_many_suspects() -> None:
    truth = {"a": view("part"), "b": view("view", boxes="name"), "c": view(), "d": view("part")}
    wrong = spoiled(truth)
    rows = recall(["a", "c", "b", "d"], wrong)
    assert rows == [
        ("all", 2, 3),
        ("part, boxes follow truth", 1, 2),
        ("view, boxes follow name", 1, 1),
    ]


def test_of_twice_as_many_suspects_more_are_found() -> None:
    wrong = spoiled({"a": view("part"), "b": view("part")})
    assert recall(["x", "y", "a", "b"], wrong, times=2)[0] == ("all", 2, 2)
    assert recall(["x", "y", "a", "b"], wrong)[0] == ("all", 0, 2)


@pytest.mark.usefixtures("line_folder")
def test_the_desk_asks_about_what_the_models_doubt_besides_what_is_listed() -> None:
    tables = pd.read_parquet("artifacts/labels/manifest.parquet")
    rows = tables[["view_id", "path", "part_id"]]
    for name, n in (("classifier", 3), ("anomaly/rivet", 1)):
        folder = Path("artifacts", name)
        folder.mkdir(parents=True)
        values = rows.assign(**{f"value_{i}": 9.0 if i == 2 else -9.0 for i in range(n)})
        values.to_parquet(folder / OUT_OF_FOLD)
    before = listed(Path("artifacts/labels/issues.csv"))
    normal = tables[tables["view_id"] == "11"]
    write_table(Path("artifacts/anomaly/rivet/suspects.csv"), normal.assign(score=3.0))
    evidence = {"threshold": 2.5, "false_rejects": 1, "n_val_normals": 20}
    write_json(Path("artifacts/anomaly/rivet/calibration.json"), {"evidence": evidence})
    asked = of_the_desk()
    told = [item.path.name for item in asked if "normal views in rivet" in item.reason]
    assert told == ["1_1.jpg"]
    found = [composed(str(item.path)) for item in asked]
    assert set(before) < set(found)
    assert len(found) == len(set(found))

    truth = {str(name): {"true_class": "slide"} for name in found}
    rows = answered(asked[:2], truth)
    assert rows["image_sha256"].tolist() == [item.image_sha256 for item in asked[:2]]
    assert set(rows["label"]) == {"slide"}


def test_broken_views_do_not_count_and_names_agree_in_either_unicode_form() -> None:
    name = unicodedata.normalize("NFD", "찍힘.jpg")
    assert list(spoiled({name: view("part"), "x": view("part", broken="empty")})) == ["찍힘.jpg"]
