import os
from pathlib import Path

import pytest

from inspection.errors import InspectionError
from pipelines.lots.arrivals import Arrivals, Arrived
from pipelines.lots.lot import Naming
from tests.lots import LAYOUT

SETTLE_S = 5.0


@pytest.fixture
def arrivals(tmp_path: Path) -> Arrivals:
    return Arrivals(tmp_path, Naming.model_validate(LAYOUT), SETTLE_S)


def names(found: list[Arrived]) -> dict[str, list[str]]:
    return {one.part.part_id: [frame.name for frame in one.part.frames] for one in found}


def test_a_part_is_whole_when_no_file_of_it_has_come_for_the_settle_time(
    tmp_path: Path, arrivals: Arrivals
) -> None:
    (tmp_path / "C0_7_a.jpg").write_bytes(b"1")
    assert arrivals.look(0.0, {}) == []
    (tmp_path / "C1_7_a.jpg").write_bytes(b"2")
    (tmp_path / "C0_8_a.jpg").write_bytes(b"3")
    assert arrivals.look(4.0, {}) == []
    assert arrivals.look(8.9, {}) == []
    assert names(arrivals.look(9.0, {})) == {"7": ["C0_7_a.jpg", "C1_7_a.jpg"],
                                             "8": ["C0_8_a.jpg"]}  # fmt: skip


def test_a_file_that_is_still_written_to_holds_its_part_back_and_no_other(
    tmp_path: Path, arrivals: Arrivals
) -> None:
    (tmp_path / "C0_7_a.jpg").write_bytes(b"half")
    (tmp_path / "C0_8_a.jpg").write_bytes(b"whole")
    arrivals.look(0.0, {})
    (tmp_path / "C0_7_a.jpg").write_bytes(b"half and half")

    assert names(arrivals.look(5.0, {})) == {"8": ["C0_8_a.jpg"]}
    assert list(names(arrivals.look(10.0, {}))) == ["7", "8"]


def test_what_was_handled_comes_again_only_when_it_changes(
    tmp_path: Path, arrivals: Arrivals
) -> None:
    path = tmp_path / "C0_7_a.jpg"
    path.write_bytes(b"1")
    arrivals.look(0.0, {})
    (found,) = arrivals.look(5.0, {})
    assert arrivals.look(6.0, found.stamps) == []
    assert arrivals.n_waiting(found.stamps) == 0

    os.utime(path, ns=(0, 1))
    assert arrivals.look(7.0, found.stamps) == []
    assert arrivals.n_waiting(found.stamps) == 1
    assert names(arrivals.look(12.0, found.stamps)) == {"7": ["C0_7_a.jpg"]}


def test_a_part_with_a_new_file_comes_with_all_of_its_files(
    tmp_path: Path, arrivals: Arrivals
) -> None:
    (tmp_path / "C0_7_a.jpg").write_bytes(b"1")
    arrivals.look(0.0, {})
    (found,) = arrivals.look(5.0, {})
    (tmp_path / "C1_7_a.jpg").write_bytes(b"2")
    arrivals.look(6.0, found.stamps)

    assert names(arrivals.look(11.0, found.stamps)) == {"7": ["C0_7_a.jpg", "C1_7_a.jpg"]}


def test_a_file_that_is_gone_is_forgotten(tmp_path: Path, arrivals: Arrivals) -> None:
    (tmp_path / "C0_7_a.jpg").write_bytes(b"1")
    arrivals.look(0.0, {})
    (tmp_path / "C0_7_a.jpg").unlink()

    assert arrivals.look(5.0, {}) == []
    assert arrivals.n_waiting({}) == 0


def test_each_file_without_a_part_comes_alone_with_the_reason(
    tmp_path: Path, arrivals: Arrivals
) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"1")
    arrivals.look(0.0, {})
    found = arrivals.look(5.0, {})

    assert [one.part.error for one in found] == ["name_not_understood"] * 2
    assert [list(one.stamps) for one in found] == [["a.jpg"], ["b.jpg"]]


def test_what_is_no_image_is_noted_and_hidden_files_are_somebody_elses(
    tmp_path: Path, arrivals: Arrivals
) -> None:
    for name in ("notes.txt", ".C0_7_a.jpg.part", ".C0_7_a.jpg"):
        (tmp_path / name).write_bytes(b"1")

    assert arrivals.look(0.0, {}) == []
    assert arrivals.ignored == {"notes.txt"}


def test_a_rule_by_which_no_part_is_ever_whole_is_refused(tmp_path: Path) -> None:
    rule = {"rule": "consecutive", "group": "part", "max_gap": 1}
    naming = Naming.model_validate(LAYOUT | {"part_from": rule})
    with pytest.raises(InspectionError, match=r"rule consecutive .* give --part-per-file"):
        Arrivals(tmp_path, naming, SETTLE_S)


def test_a_folder_that_is_away_for_a_while_has_lost_nothing(
    tmp_path: Path,
) -> None:
    folder, away = tmp_path / "shots", tmp_path / "away"
    folder.mkdir()
    (folder / "C0_7_a.jpg").write_bytes(b"1")
    arrivals = Arrivals(folder, Naming.model_validate(LAYOUT), SETTLE_S)
    arrivals.look(0.0, {})
    folder.rename(away)
    with pytest.raises(FileNotFoundError):
        arrivals.look(3.0, {})
    away.rename(folder)

    assert names(arrivals.look(5.0, {})) == {"7": ["C0_7_a.jpg"]}


def test_files_in_folders_below_are_called_by_their_place(
    tmp_path: Path, arrivals: Arrivals
) -> None:
    (tmp_path / "monday/.trash").mkdir(parents=True)
    (tmp_path / "monday/C0_7_a.jpg").write_bytes(b"1")
    (tmp_path / "monday/.trash/C0_8_a.jpg").write_bytes(b"1")
    (tmp_path / "C0_9_a.jpg").mkdir()
    arrivals.look(0.0, {})

    assert names(arrivals.look(5.0, {})) == {"7": ["monday/C0_7_a.jpg"]}
