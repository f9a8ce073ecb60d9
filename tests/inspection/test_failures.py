import errno
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from inspection.errors import InspectionError
from inspection.failures import explained


def test_a_full_disk_is_seen_through_the_error_of_a_library() -> None:
    error = RuntimeError("the writer failed")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device", "crops.npy")

    assert explained(error) == (
        "crops.npy: no space left; free some and run it again: what was finished before is kept"
    )


@pytest.mark.parametrize(
    "error",
    [
        sqlite3.OperationalError("database or disk is full"),
        RuntimeError("I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_is_known_by_its_words(error: Exception) -> None:
    assert (explained(error) or "").startswith("disk: no space left")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is full")
def test_an_array_that_finds_no_room_is_known_by_what_numpy_says() -> None:
    with open("/dev/full", "wb") as full, pytest.raises(OSError, match="written") as raised:
        np.arange(100_000).tofile(full)

    assert raised.value.errno is None
    assert (explained(raised.value) or "").startswith("disk: no space left")


def test_a_known_error_says_what_it_says() -> None:
    assert explained(InspectionError("a: b; c")) == "a: b; c"


@pytest.mark.parametrize(
    "error", [ValueError("x"), OSError(errno.EIO, "Input/output error"), KeyboardInterrupt()]
)
def test_what_the_user_cannot_fix_is_left_alone(error: BaseException) -> None:
    assert explained(error) is None
