import os
import unicodedata
from pathlib import Path

import pandas as pd
import pytest

from inspection.errors import InspectionError
from pipelines.lots.lot import Lot, TableColumns, find_lot
from tests.lots import make_project


def put(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def ids(lot: Lot) -> dict[str, list[str]]:
    return {part.part_id: [frame.name for frame in part.frames] for part in lot.parts}


def test_names_say_by_the_rule_of_params_which_part_a_file_shows(project: Path) -> None:
    put(project / "shots", "Ch01_7_a.jpg", "Ch00_7_a.jpg", "day/Ch00_12_b.PNG")
    lot = find_lot("shots")

    assert ids(lot) == {"12": ["day/Ch00_12_b.PNG"], "7": ["Ch00_7_a.jpg", "Ch01_7_a.jpg"]}
    assert lot.rule == "the part by validate.part_from of params.yaml, rule pattern, group 'part'"
    assert lot.n_frames == 3


def test_a_file_without_a_part_is_kept_with_the_reason(project: Path) -> None:
    put(project / "shots", "Ch00_7_a.jpg", "stranger.jpg")
    strange = find_lot("shots").parts[0]

    assert (strange.part_id, strange.error) == ("", "name_not_understood")
    assert [frame.name for frame in strange.frames] == ["stranger.jpg"]


def test_what_is_no_image_or_hidden_is_listed_and_no_frame(project: Path) -> None:
    put(project / "shots", "Ch00_7_a.jpg", "notes.txt", ".Ch00_8_a.jpg", ".trash/Ch00_9_a.jpg")
    lot = find_lot("shots")

    assert ids(lot) == {"7": ["Ch00_7_a.jpg"]}
    assert sorted(lot.ignored) == [".Ch00_8_a.jpg", ".trash/Ch00_9_a.jpg", "notes.txt"]


def test_each_file_is_a_part_where_that_is_asked_for(project: Path) -> None:
    put(project / "shots", "a.jpg", "a.png", "b/a.jpg")
    lot = find_lot("shots", part_per_file=True)

    assert list(ids(lot)) == ["a.jpg", "a.png", "b/a.jpg"]
    assert lot.rule == "each file is a part"


def test_a_glob_names_its_frames_from_the_first_wildcard_on(project: Path) -> None:
    put(project / "shots", "mon/Ch00_7_a.jpg", "tue/Ch00_7_b.jpg", "tue/Ch00_8_b.jpg")
    lot = find_lot("shots/*/Ch00_7*")

    assert ids(lot) == {"7": ["mon/Ch00_7_a.jpg", "tue/Ch00_7_b.jpg"]}
    assert [frame.path for frame in lot.parts[0].frames] == [
        Path("shots/mon/Ch00_7_a.jpg"),
        Path("shots/tue/Ch00_7_b.jpg"),
    ]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_says_which_part_a_file_shows(project: Path, suffix: str) -> None:
    table = pd.DataFrame({"path": ["x/1.jpg", "x/2.jpg", "x/1.jpg", "y.jpg"],
                          "part_id": ["B", "A", "B", "B"]})  # fmt: skip
    put(project, "lists/x")
    save = table.to_csv if suffix == ".csv" else table.to_parquet
    save(project / f"lists/lot{suffix}", index=False)
    lot = find_lot(f"lists/lot{suffix}")

    assert ids(lot) == {"A": ["x/2.jpg"], "B": ["x/1.jpg", "y.jpg"]}
    assert lot.parts[0].frames[0].path == Path("lists/x/2.jpg")
    assert find_lot(f"lists/lot{suffix}", root=Path("data")).parts[0].frames[0].path == Path(
        "data/x/2.jpg"
    )


@pytest.mark.parametrize("on_disk", ["NFC", "NFD"])
@pytest.mark.parametrize("in_table", ["NFC", "NFD"])
def test_a_table_finds_a_hangul_name_however_it_is_composed(
    project: Path, on_disk: str, in_table: str
) -> None:
    put(project, unicodedata.normalize(on_disk, "찍힘.jpg"))
    text = f"path,part_id\n{unicodedata.normalize(in_table, '찍힘.jpg')},A\n"
    Path("lot.csv").write_text(text, encoding="utf-8")

    assert find_lot("lot.csv").parts[0].frames[0].path.is_file()


def test_a_row_without_part_or_path_is_kept_with_the_reason(project: Path) -> None:
    Path("lot.csv").write_text("image,part\na.jpg,A\nb.jpg,\n,C\n")
    lot = find_lot("lot.csv", columns=TableColumns("image", "part"))

    assert ids(lot)["A"] == ["a.jpg"]
    assert [(part.error, part.reason) for part in lot.parts[:2]] == [
        ("no_part", "row 2 of lot.csv: path 'b.jpg', part id ''"),
        ("no_part", "row 3 of lot.csv: path '', part id 'C'"),
    ]


def test_a_table_without_the_columns_says_which_there_are(project: Path) -> None:
    Path("lot.csv").write_text("image,part\na.jpg,A\n")
    with pytest.raises(InspectionError, match=r"no column 'path', 'part_id', only \['image'"):
        find_lot("lot.csv")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("nowhere", "nowhere: no folder, no table"),
        ("empty", "empty: holds no image"),
        ("strangers", r"of 1 files none fits: 'a.jpg'; correct validate.pattern, or give --part-"),
    ],
)
def test_a_lot_without_a_part_is_refused_with_the_remedy(
    project: Path, source: str, said: str
) -> None:
    put(project, "empty/notes.txt", "strangers/a.jpg")
    with pytest.raises(InspectionError, match=said):
        find_lot(source)


def test_a_name_that_is_no_utf8_is_shown_and_found(project: Path) -> None:
    raw = os.fsencode("shots/Ch00_7_") + b"\xff.jpg"
    Path("shots").mkdir()
    with open(raw, "wb") as file:
        file.write(b"frame")
    (part,) = find_lot("shots").parts

    assert part.frames[0].name == "Ch00_7_\\xff.jpg"
    assert part.frames[0].path.read_bytes() == b"frame"


def test_two_lots_are_told_apart_by_their_paths_and_parts(tmp_path: Path) -> None:
    for name in ("a", "b"):
        put(tmp_path / name, "Ch00_7_a.jpg", "Ch01_7_a.jpg")
    lots = [find_lot(str(tmp_path / name), part_per_file=True) for name in "ab"]

    assert lots[0].sha256() == find_lot(f"{tmp_path}/a/", part_per_file=True).sha256()
    assert lots[0].sha256() != lots[1].sha256()


def test_the_rule_of_runs_joins_numbers_that_follow_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rule = {"rule": "consecutive", "group": "part", "max_gap": 1}
    make_project(tmp_path, part_from=rule)
    put(tmp_path / "shots", "C_7_a.jpg", "C_8_a.jpg", "C_11_a.jpg")

    assert ids(find_lot("shots")) == {"07": ["C_7_a.jpg", "C_8_a.jpg"], "11": ["C_11_a.jpg"]}
