import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from inspection.curation.box_reviews import BOX_REVIEW_COLUMNS
from inspection.dataset.checks import Report
from inspection.errors import InspectionError
from samples.draw import draw_line
from stages import clean_labels, validate
from tests.pictures import encoded, flat_line, part, put
from tests.stages.test_validate import OTHER_SECTIONS, PARAMS

ROOT = Path(__file__).parents[2]
HEADER = "image_sha256,label,reviewer,note\n"
BOXES = ",".join(BOX_REVIEW_COLUMNS) + "\n"
Run = Callable[..., pd.DataFrame]


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A validated drawn line with one part whose two views disagree."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(validate, "check", lambda table, wanted: Report({}, (), {}))
    images = flat_line(tmp_path / "data", classes=["정상", "찍힘"], n_parts=5) / "images"
    (images / "C0_000_정상_1.png").rename(images / "C0_000_찍힘_1.png")
    (tmp_path / "reviews.csv").write_text(HEADER, encoding="utf-8")
    (tmp_path / "boxes.csv").write_text(BOXES, encoding="utf-8")
    dump(tmp_path, {})
    argue(monkeypatch, "validate", data="data", out="manifest", metrics="m.json")
    validate.main()
    return tmp_path


@pytest.fixture
def run(line: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the stage with these parameters; returns the clean manifest by path."""

    def run(**changes: Any) -> pd.DataFrame:
        dump(line, changes)
        clean(monkeypatch)
        return pd.read_parquet("out/manifest.parquet").set_index("path")

    return run


def dump(folder: Path, changes: dict[str, Any]) -> None:
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        YAML().dump({**OTHER_SECTIONS, **PARAMS, "clean_labels": changes}, file)


def argue(monkeypatch: pytest.MonkeyPatch, stage: str, **paths: str) -> None:
    words = [word for name, path in paths.items() for word in (f"--{name}", path)]
    monkeypatch.setattr(sys, "argv", [stage, *words])


def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    argue(
        monkeypatch,
        "clean_labels",
        data="data",
        manifest="manifest/manifest.parquet",
        reviews="reviews.csv",
        boxes="boxes.csv",
        out="out",
        metrics="metrics.json",
    )
    clean_labels.main()


def sha_of(path: str) -> str:
    table = pd.read_parquet("manifest/manifest.parquet").set_index("path")
    return str(table.loc[path, "image_sha256"])


ONE, OTHER = "images/C0_000_정상_0.png", "images/C0_000_찍힘_1.png"


def test_a_part_that_disagrees_is_held_and_listed(run: Run) -> None:
    table = run()
    assert list(table.index[table["held"]]) == [ONE, OTHER]
    issues = pd.read_csv("out/issues.csv")
    assert set(issues.loc[:1, "path"]) == {ONE, OTHER}
    changes = pd.read_csv("out/changes.csv")
    assert list(changes["what"]) == ["held", "held"]
    metrics = json.loads(Path("metrics.json").read_text(encoding="utf-8"))
    assert (metrics["n_views"], metrics["n_held"]) == (20, 2)


def test_what_holds_a_whole_class_is_listed_before_the_stage_stops(run: Run) -> None:
    table = pd.read_parquet("manifest/manifest.parquet")
    table.loc[table["label"] == "dent", "part_id"] = table.loc[0, "part_id"]
    table.to_parquet("manifest/manifest.parquet")
    with pytest.raises(InspectionError, match=r"views are held \(\d+ by part_disagreement\)"):
        run()
    assert "held" in set(pd.read_csv("out/changes.csv")["what"])


def test_a_rule_that_reports_holds_nobody(run: Run) -> None:
    assert not run(rules={"part_disagreement": "report"})["held"].any()
    assert len(pd.read_csv("out/issues.csv")) >= 2
    run(rules={"part_disagreement": "off"}, n_issues=0)
    assert len(pd.read_csv("out/issues.csv")) == 0


def test_a_review_settles_the_part(run: Run, line: Path) -> None:
    review = f"{sha_of(OTHER)},정상,kim,no dent to be seen\n"
    (line / "reviews.csv").write_text(HEADER + review, encoding="utf-8")
    table = run()
    assert table.loc[OTHER, ["label", "label_source", "held"]].tolist() == [
        "normal",
        "review",
        False,
    ]
    assert not table["held"].any()
    change = pd.read_csv("out/changes.csv").iloc[0]
    assert (change["before"], change["after"]) == ("dent", "normal")
    assert change["reason"] == "kim: no dent to be seen"


def test_boxes_that_a_person_drew_replace_those_of_the_data_and_count_as_evidence(
    run: Run, line: Path
) -> None:
    other, left_out = "images/C0_001_정상_0.png", "images/C0_001_정상_1.png"
    before = run()
    drawn = (
        f"{sha_of(OTHER)},찍힘,1,2,3,4,kim,a scratch\n"
        f"{sha_of(other)},찍힘,5,6,7,8,kim,\n"
        f"{sha_of(left_out)},-,,,,,kim,\n"
    )
    (line / "boxes.csv").write_text(BOXES + drawn, encoding="utf-8")
    review = f"{sha_of(left_out)},-,kim,blurred\n"
    (line / "reviews.csv").write_text(HEADER + review, encoding="utf-8")
    table = run()

    assert json.loads(table.loc[OTHER, "boxes"]) == [
        {"category": "dent", "x_px": 1.0, "y_px": 2.0, "width_px": 3.0, "height_px": 4.0,
         "source": "review"}
    ]  # fmt: skip
    assert table.loc[other, "held_reason"] == "box_conflict: boxed as dent, labelled normal"
    rest = table.index.difference([OTHER, other])
    assert (table.loc[rest, "boxes"] == before.loc[rest, "boxes"]).all()

    changes = pd.read_csv("out/changes.csv").set_index(["path", "what"])
    assert changes.loc[(OTHER, "boxes"), "after"] == "dent at 1 2 3 4"
    assert changes.loc[(OTHER, "boxes"), "reason"] == "kim: a scratch"
    assert (left_out, "boxes") not in changes.index
    assert json.loads(Path("metrics.json").read_text())["n_boxes_reviewed"] == 2


def test_boxes_of_an_unknown_image_and_a_missing_table_are_errors(run: Run, line: Path) -> None:
    (line / "boxes.csv").write_text(BOXES + "nowhere,dent,1,2,3,4,kim,\n", encoding="utf-8")
    with pytest.raises(InspectionError, match="boxes: 1 image_sha256 are not in the manifest"):
        run()
    (line / "boxes.csv").unlink()
    with pytest.raises(InspectionError, match=r"boxes\.csv: not found; .*image_sha256,category"):
        run()


def test_a_copy_under_another_part_number_is_joined_to_its_original(
    run: Run, line: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = part(10)
    copy = line / "data/images/C0_900_정상_0.png"
    copy.write_bytes(encoded((original * 1.05).astype("uint8")))
    shutil.copy(line / "params.yaml", line / "kept.yaml")
    argue(monkeypatch, "validate", data="data", out="manifest", metrics="m.json")
    validate.main()
    table = run()
    pair = table.loc[["images/C0_001_정상_0.png", "images/C0_900_정상_0.png"]]
    assert pair["near_duplicate_group"].nunique() == 1
    assert pair["group_id"].nunique() == 1
    assert len(pd.read_csv("out/duplicates.csv")) == 2


def test_near_duplicates_that_disagree_are_listed_last_and_held_only_where_that_is_asked_for(
    run: Run, line: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, copy = "images/C0_001_정상_0.png", "images/C0_900_찍힘_0.png"
    (line / "data" / copy).write_bytes(encoded((part(10) * 1.05).astype("uint8")))
    argue(monkeypatch, "validate", data="data", out="manifest", metrics="m.json")
    validate.main()
    table = run()
    assert table.loc[original, "group_id"] == table.loc[copy, "group_id"]
    assert not table.loc[[original, copy], "held"].any()
    reasons = pd.read_csv("out/issues.csv").set_index("path")["reason"]
    of_pair = f"near_duplicate_group {table.loc[original, 'near_duplicate_group']}: 1 x dent"
    assert of_pair in reasons[original]
    assert of_pair in reasons[copy]
    n_last = sum(one.startswith(f"only_near_duplicates: {of_pair}") for one in reasons)
    assert n_last >= 1
    assert all(one.startswith("only_near_duplicates: ") for one in reasons.iloc[-n_last:])
    metrics = json.loads(Path("metrics.json").read_text(encoding="utf-8"))
    assert metrics["n_issues"] == len(reasons) - n_last
    assert metrics["conflicts"]["near_duplicate_conflict"] == 2

    table = run(rules={"near_duplicate_conflict": "hold"})
    assert table.loc[[original, copy], "held"].all()
    reasons = pd.read_csv("out/issues.csv").set_index("path")["reason"]
    assert reasons[original].startswith(f"near_duplicate_conflict: {of_pair}")


def test_an_exact_copy_under_another_part_number_joins_both_numbers(
    run: Run, line: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = line / "data/images"
    shutil.copy(images / "C0_003_정상_0.png", images / "C0_001_정상_7.png")
    argue(monkeypatch, "validate", data="data", out="manifest", metrics="m.json")
    validate.main()
    table = run()
    assert "images/C0_003_정상_0.png" not in table.index
    assert table.loc["images/C0_003_정상_1.png", "group_id"] == "001"
    assert (table["group_id"] == "001").sum() == 4


def test_an_exact_copy_with_another_label_holds_the_view_until_it_is_reviewed(
    run: Run, line: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, copy = "images/C0_007_정상_9.png", "images/C0_007_찍힘_0.png"
    shutil.copy(line / "data" / copy, line / "data" / kept)
    argue(monkeypatch, "validate", data="data", out="manifest", metrics="m.json")
    validate.main()
    quarantine = pd.read_csv("manifest/quarantine.csv").set_index("path")
    assert quarantine.loc[copy, "reason"] == "duplicate_conflict"
    rules = {"part_disagreement": "off"}
    table = run(rules=rules)
    reported = f"duplicate_conflict: same bytes as {copy!r}, labelled dent"
    assert table.loc[table["held"], "held_reason"].to_dict() == {kept: reported}
    issues = pd.read_csv("out/issues.csv").set_index("path")
    assert issues.loc[kept, "reason"].startswith(reported)
    assert issues.loc[kept, "suggested"] == "dent"
    assert issues.loc[kept, "score"] >= 0.5
    assert list(pd.read_csv("out/changes.csv")["source"]) == ["rule:duplicate_conflict"]
    assert not run(rules={**rules, "duplicate_conflict": "report"})["held"].any()
    assert kept in set(pd.read_csv("out/issues.csv")["path"])
    review = f"{sha_of(kept)},찍힘,kim,a dent\n"
    (line / "reviews.csv").write_text(HEADER + review, encoding="utf-8")
    table = run(rules=rules)
    assert table.loc[kept, ["label", "held"]].tolist() == ["dent", False]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [8, 16])
def test_views_drawn_of_one_part_of_the_sample_line_lie_in_one_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(validate, "check", lambda table, wanted: Report({}, (), {}))
    truth = tmp_path / "truth"
    draw_line(out=tmp_path / "data", truth=truth, n_parts=30, size=(308, 257), seed=seed, workers=1)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    (tmp_path / "reviews.csv").write_text(HEADER, encoding="utf-8")
    (tmp_path / "boxes.csv").write_text(BOXES, encoding="utf-8")
    argue(monkeypatch, "validate", data="data", out="manifest", metrics="m.json")
    validate.main()
    clean(monkeypatch)
    table = pd.read_parquet("out/manifest.parquet")
    views = json.loads((truth / "truth.json").read_text(encoding="utf-8"))["views"]
    drawn = table["path"].map(lambda path: views[Path(path).name]["drawn_part"])
    assert "duplicate" in set(pd.read_csv("manifest/quarantine.csv")["reason"])
    assert table.groupby(drawn)["group_id"].nunique().max() == 1
    assert table.assign(drawn=drawn).groupby("group_id")["drawn"].nunique().max() == 1


def test_a_frame_as_large_as_validate_was_reported_to_take_is_cleaned_as_well(
    run: Run, line: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(line / "data/images/C1_800_정상_0.jpg", np.zeros((7200, 9600), np.uint8))
    larger = {**OTHER_SECTIONS, **PARAMS, "line": {**PARAMS["line"], "max_pixels": 70_000_000}}
    with (line / "params.yaml").open("w", encoding="utf-8") as file:
        YAML().dump(larger, file)
    argue(monkeypatch, "validate", data="data", out="manifest", metrics="m.json")
    validate.main()
    assert "images/C1_800_정상_0.jpg" in run().index


def test_the_same_data_gives_the_same_bytes(run: Run) -> None:
    run()
    first = {path.name: path.read_bytes() for path in Path("out").iterdir()}
    run()
    assert {path.name: path.read_bytes() for path in Path("out").iterdir()} == first


def test_wrong_reviews_and_a_missing_file_are_errors(run: Run, line: Path) -> None:
    (line / "reviews.csv").write_text(HEADER + "nowhere,dent,kim,\n", encoding="utf-8")
    with pytest.raises(InspectionError, match="1 image_sha256 are not in the manifest"):
        run()
    (line / "reviews.csv").unlink()
    with pytest.raises(InspectionError, match="make it with the one line"):
        run()


def test_reviews_may_come_from_korean_excel_and_a_broken_table_is_reported(
    run: Run, line: Path
) -> None:
    header = HEADER.encode()
    (line / "reviews.csv").write_bytes(header + "nowhere,dent,김,메모\n".encode("cp949"))
    with pytest.raises(InspectionError, match="1 image_sha256 are not in the manifest"):
        run()
    good, bad = b"a,dent,kim,one\n", b"a,dent,kim,one, two\n"
    for content, reported in (
        (header + good + bad, "is no such table .*line 3"),
        (header + bad, "has more fields in a row than in its header"),
        (b"", "is no such table .No columns"),
    ):
        (line / "reviews.csv").write_bytes(content)
        with pytest.raises(InspectionError, match=rf"reviews\.csv: {reported}"):
            run()


def test_unknown_settings_are_reported(run: Run) -> None:
    with pytest.raises(InspectionError, match=r"clean_labels.rules.box_conflict"):
        run(rules={"box_conflict": "delete"})
    with pytest.raises(InspectionError, match=r"clean_labels.min_corelation: unknown key"):
        run(min_corelation=0.5)
