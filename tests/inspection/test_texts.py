from pathlib import Path

import pytest

from inspection.errors import InspectionError
from inspection.texts import decoded, read_text


def test_utf8_comes_before_cp949_and_a_byte_order_mark_is_no_text() -> None:
    assert decoded("\ufeff찍힘".encode()) == ("찍힘", "utf-8")
    assert decoded("찍힘".encode("cp949")) == ("찍힘", "cp949")


def test_a_file_in_no_known_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("찍힘".encode("cp949"))
    assert read_text(tmp_path / "a.txt") == "찍힘"
    (tmp_path / "b.txt").write_bytes(b"\xff\xff\x00")
    with pytest.raises(InspectionError, match=r"b\.txt: is neither UTF-8 nor cp949"):
        read_text(tmp_path / "b.txt")
