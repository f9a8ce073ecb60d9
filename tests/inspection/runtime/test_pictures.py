import hashlib
import os
from pathlib import Path

import pytest

from inspection.runtime.pictures import Pictures, drawn, picture_path
from inspection.runtime.verdict_log import VerdictLog
from inspection.runtime.views import View


@pytest.fixture
def log(tmp_path: Path) -> VerdictLog:
    return VerdictLog(tmp_path)


def view(number: int, n_bytes: int = 100) -> tuple[str, View]:
    content = number.to_bytes(4, "big") * (n_bytes // 4)
    return hashlib.sha256(content).hexdigest(), View(f"{number}.jpg", content)


def kept_files(folder: Path) -> set[str]:
    return {path.name for path in (folder / "pictures").rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("verdict", "fraction", "kept"),
    [("reject", 0.0, True), ("review", 0.0, True), ("pass", 0.0, False), ("pass", 1.0, True)],
)
def test_what_was_not_passed_is_kept_and_of_the_passed_a_share(
    log: VerdictLog, tmp_path: Path, verdict: str, fraction: float, kept: bool
) -> None:
    pictures = Pictures(tmp_path, log, pass_fraction=fraction, max_bytes=10**6)
    sha256, one = view(1)

    assert pictures.keep(verdict, sha256, one) is kept
    assert picture_path(tmp_path, sha256).is_file() is kept
    assert log.kept() == ([(sha256, 100)] if kept else [])
    if kept:
        assert picture_path(tmp_path, sha256).read_bytes() == one.content


def test_the_share_is_about_as_large_as_it_says_and_always_the_same() -> None:
    hashes = [view(number)[0] for number in range(5000)]
    n_drawn = sum(drawn(sha256, 0.02) for sha256 in hashes)

    # 100 expected, three standard deviations are 30
    assert 70 <= n_drawn <= 130
    assert all(drawn(sha256, 0.1) for sha256 in hashes if drawn(sha256, 0.02))


def test_the_oldest_pictures_make_room_and_that_is_logged(log: VerdictLog, tmp_path: Path) -> None:
    pictures = Pictures(tmp_path, log, pass_fraction=0, max_bytes=250)
    names = []
    for number in range(4):
        sha256, one = view(number)
        pictures.keep("reject", sha256, one)
        names.append(sha256)

    assert kept_files(tmp_path) == set(names[2:])
    assert [sha256 for sha256, _ in log.kept()] == names[2:]
    rows = log._connection.execute("SELECT sha256, n_bytes FROM evictions").fetchall()
    assert [tuple(row) for row in rows] == [(names[0], 100), (names[1], 100)]
    assert pictures.n_evicted == 2


def test_with_a_clock_that_is_set_back_the_first_kept_still_leave_first(
    log: VerdictLog, tmp_path: Path
) -> None:
    first, second, third = view(1), view(2), view(3)
    for (sha256, one), at in ((first, "2026-11-25T12:00"), (second, "2026-11-25T11:00")):
        path = picture_path(tmp_path, sha256)
        path.parent.mkdir(parents=True)
        path.write_bytes(one.content)
        log.note_picture(sha256, at, "reject", len(one.content))
    Pictures(tmp_path, log, pass_fraction=0, max_bytes=250).keep("reject", *third)

    assert kept_files(tmp_path) == {second[0], third[0]}


@pytest.mark.parametrize(("max_bytes", "kept"), [(100, True), (99, False)])
def test_a_picture_larger_than_all_the_room_is_not_kept(
    log: VerdictLog, tmp_path: Path, max_bytes: int, kept: bool
) -> None:
    pictures = Pictures(tmp_path, log, pass_fraction=0, max_bytes=max_bytes)

    assert pictures.keep("reject", *view(1)) is kept


def test_the_room_is_known_after_a_restart(log: VerdictLog, tmp_path: Path) -> None:
    first, second = view(1), view(2)
    Pictures(tmp_path, log, pass_fraction=0, max_bytes=150).keep("reject", *first)
    Pictures(tmp_path, log, pass_fraction=0, max_bytes=150).keep("reject", *second)

    assert kept_files(tmp_path) == {second[0]}


def test_a_picture_is_kept_once(log: VerdictLog, tmp_path: Path) -> None:
    pictures = Pictures(tmp_path, log, pass_fraction=0, max_bytes=1000)

    assert [pictures.keep("reject", *view(1)) for _ in range(2)] == [True, False]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_an_os_error(log: VerdictLog, tmp_path: Path) -> None:
    pictures = Pictures(tmp_path, log, pass_fraction=0, max_bytes=1000)
    tmp_path.chmod(0o500)

    with pytest.raises(OSError, match="Permission"):
        pictures.keep("reject", *view(1))
