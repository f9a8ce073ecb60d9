from pathlib import Path

import pytest

from inspection.models.epochs import (
    KeepEpoch,
    epoch_file,
    keeping_in_memory,
    keeping_on_disk,
    kept_epochs,
)


def keep_five(keep: KeepEpoch | None) -> None:
    assert keep is not None
    for number in range(5):
        keep(number, bytes([number]))


@pytest.mark.parametrize(("n", "numbers"), [(1, [4]), (2, [3, 4]), (9, [0, 1, 2, 3, 4])])
def test_the_last_epochs_stay_on_the_disk(tmp_path: Path, n: int, numbers: list[int]) -> None:
    assert kept_epochs(tmp_path) == []
    keep_five(keeping_on_disk(tmp_path, n))
    assert kept_epochs(tmp_path) == numbers
    assert len(list((tmp_path / "epochs").iterdir())) == len(numbers)
    assert epoch_file(tmp_path, 4).read_bytes() == b"\4"


@pytest.mark.parametrize(("n", "numbers"), [(1, [4]), (2, [3, 4]), (9, [0, 1, 2, 3, 4])])
def test_the_last_epochs_stay_in_memory(n: int, numbers: list[int]) -> None:
    kept: dict[int, bytes] = {}
    keep_five(keeping_in_memory(kept, n))
    assert kept == {number: bytes([number]) for number in numbers}


def test_where_none_is_wanted_none_is_handed_on(tmp_path: Path) -> None:
    assert keeping_on_disk(tmp_path, 0) is None
    assert keeping_in_memory({}, 0) is None


def test_a_file_is_named_by_four_digits(tmp_path: Path) -> None:
    assert epoch_file(tmp_path, 7) == tmp_path / "epochs" / "0007.safetensors"
