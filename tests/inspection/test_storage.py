import csv
import resource
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from inspection.errors import InspectionError
from inspection.storage import (
    array_on_disk,
    locked,
    plain_cell,
    plain_table,
    read_json,
    read_table,
    replace_folder,
    replacing,
    sha256_of,
    write_json,
    write_table,
    write_text,
)


def broken_off(path: Path) -> None:
    """Begin to replace a file, and fail halfway."""
    with replacing(path) as temporary:
        temporary.write_text("half of i")
        raise KeyboardInterrupt


def test_a_write_that_fails_halfway_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "kept.txt"
    write_text(path, "old")
    with pytest.raises(KeyboardInterrupt):
        broken_off(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_is_not_there_before_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file.txt"
    with replacing(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"


def test_what_is_written_can_be_read_by_others_than_the_owner(tmp_path: Path) -> None:
    write_text(tmp_path / "open.txt", "")
    assert (tmp_path / "open.txt").stat().st_mode & 0o777 == 0o644


def test_json_has_sorted_keys_and_readable_text(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"b": 1, "a": "찍힘"})
    assert (tmp_path / "a.json").read_text("utf-8") == '{\n  "a": "찍힘",\n  "b": 1\n}\n'


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_that_no_other_program_could_read_is_refused(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"rate": value})
    assert not (tmp_path / "a.json").exists()


def test_a_missing_or_broken_json_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    with pytest.raises(InspectionError, match=r"card\.json: not found; run the stage"):
        read_json(path)
    path.write_text('{"half": ')
    with pytest.raises(InspectionError, match=r"card\.json: is not JSON .*; write it again"):
        read_json(path)


@pytest.mark.parametrize(
    ("name", "read"), [("t.parquet", read_table), ("t.csv", pd.read_csv)], ids=["parquet", "csv"]
)
def test_a_table_is_read_back_as_it_was_written(
    tmp_path: Path, name: str, read: Callable[[Path], pd.DataFrame]
) -> None:
    table = pd.DataFrame({"part_id": ["a", "찍힘"], "score": [0.25, 1.0]})
    write_table(tmp_path / name, table)
    pd.testing.assert_frame_equal(read(tmp_path / name), table)


def test_a_missing_table_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(InspectionError, match=r"t\.parquet: not found; run `dvc repro`"):
        read_table(tmp_path / "t.parquet")


def test_the_hash_is_the_published_one_of_abc(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of(tmp_path / "abc") == expected


def test_a_second_holder_of_a_lock_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "train.lock"
    with (
        locked(path, holder="stage train"),
        pytest.raises(InspectionError, match="stage train is running already; wait"),
        locked(path, holder="stage train"),
    ):
        pytest.fail("two held the lock")


def test_a_lock_is_free_again_after_an_error(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with pytest.raises(ZeroDivisionError), locked(path, holder="one"):
        raise ZeroDivisionError
    with locked(path, holder="other"):
        pass


def test_a_lock_can_be_waited_for(tmp_path: Path) -> None:
    path, taken = tmp_path / "lock", threading.Event()

    def hold() -> None:
        with locked(path, holder="first"):
            taken.set()
            time.sleep(0.2)

    first = threading.Thread(target=hold)
    first.start()
    taken.wait()
    with locked(path, holder="second", wait_s=20):
        pass
    first.join()


def test_a_finished_folder_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    for name in ("bundle", "incoming"):
        write_text(tmp_path / name / f"from_{name}", name)
    for _ in range(2):
        replace_folder(tmp_path / "incoming", tmp_path / "bundle")
        assert [path.name for path in (tmp_path / "bundle").iterdir()] == ["from_incoming"]
        assert [path.name for path in tmp_path.iterdir()] == ["bundle"]
        (tmp_path / "bundle").rename(tmp_path / "incoming")
    replace_folder(tmp_path / "incoming", tmp_path / "new" / "bundle")
    assert (tmp_path / "new" / "bundle" / "from_incoming").is_file()


@pytest.mark.parametrize(
    "cell", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "＝1+1", "=", "-", "＠"]
)
def test_a_cell_of_a_csv_begins_no_formula(tmp_path: Path, cell: str) -> None:
    write_table(tmp_path / "a.csv", pd.DataFrame({"path": [cell]}))
    lines = (tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()
    (row,) = list(csv.reader(lines))[1:]

    assert row == [cell if len(cell) == 1 else f"'{cell}"]


@pytest.mark.parametrize(
    ("cell", "plain"),
    [
        (" =1+1", " '=1+1"),
        ('"=1+1', "\"'=1+1"),
        ("a;=1+1", "a;'=1+1"),
        ("a; -2+3;b", "a; '-2+3;b"),
        ("dent; -3.5", "dent; -3.5"),
        ("a=b; c-d", "a=b; c-d"),
    ],
)
def test_a_formula_behind_blanks_or_a_semicolon_is_found(cell: str, plain: str) -> None:
    """Where commas are decimal, a spreadsheet begins a new cell at each semicolon."""
    assert plain_cell(cell) == plain
    assert plain_cell(plain) == plain


def test_a_plain_table_is_another_one(tmp_path: Path) -> None:
    table = pd.DataFrame({"part": ["=1+1", "A-17"], "who": ["a\x1b[2J", None], "n": [-1, 2]})
    shown = plain_table(table)

    assert list(shown["part"]) == ["'=1+1", "A-17"]
    assert shown["who"].isna()[1]
    assert list(shown["n"]) == [-1, 2]
    assert table["part"][0] == "=1+1"


def test_numbers_and_names_stand_in_a_csv_as_they_are(tmp_path: Path) -> None:
    table = pd.DataFrame({"score": [-1.5, 2.0], "name": ["-3.5", "C0_찍힘-1.png"]})
    write_table(tmp_path / "a.csv", table)

    assert (tmp_path / "a.csv").read_text() == "score,name\n-1.5,-3.5\n2.0,C0_찍힘-1.png\n"


def test_a_csv_holds_no_escape_sequence_not_even_in_its_heading(tmp_path: Path) -> None:
    table = pd.DataFrame({"=a\x1b[2J": ["b\x1b]0;title\x07", "\t=1", "\x9b31m"]})
    write_table(tmp_path / "a.csv", table)
    text = (tmp_path / "a.csv").read_text(encoding="utf-8")

    assert text == "'=a\\x1b[2J\nb\\x1b]0;title\\x07\n\\t=1\n\\x9b31m\n"


def test_a_table_that_was_cut_off_is_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "manifest.parquet"
    write_table(path, pd.DataFrame({"a": range(1000)}))
    whole = path.read_bytes()
    for kept in (0, 3, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:kept])
        with pytest.raises(InspectionError, match="is no whole table") as caught:
            read_table(path)
        assert len(str(caught.value).splitlines()) == 1


def test_an_array_on_disk_has_no_file_that_could_be_left_behind(tmp_path: Path) -> None:
    array = array_on_disk((3, 4, 5), tmp_path / "new")
    assert array.shape == (3, 4, 5)
    assert not array.any()
    array[1] = 7
    assert array.sum() == 7 * 20
    assert list((tmp_path / "new").iterdir()) == []


def test_an_array_that_the_disk_has_no_room_for_is_refused_before_it_is_written(
    tmp_path: Path,
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            array_on_disk((2**21,), tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []
