from contextlib import suppress
from pathlib import Path

import pytest

from inspection.errors import InspectionError
from inspection.texts import decoded, read_text


def test_utf8_comes_before_cp949_and_a_byte_order_mark_is_no_text() -> None:
    assert decoded("\ufeff찍힘".encode()) == ("찍힘", "utf-8")
    assert decoded("찍힘".encode("cp949")) == ("찍힘", "cp949")


@pytest.mark.parametrize("text", ["Größe;Kratzer", "Ätzfehler", "n.i.O. – Öl", "pièce d'été"])
def test_western_windows_is_told_from_korean(text: str) -> None:
    assert decoded(text.encode("cp1252")) == (text, "cp1252")


@pytest.mark.parametrize("text", ["널링찍힘", "찍힘,정상", "a 버 b", "똠방각하 정상"])
def test_korean_windows_is_told_from_western(text: str) -> None:
    assert decoded(text.encode("cp949")) == (text, "cp949")


def test_a_spreadsheets_unicode_text_is_read() -> None:
    assert decoded("Größe\t찍힘".encode("utf-16")) == ("Größe\t찍힘", "utf-16")


@pytest.mark.parametrize("text", ["好的零件划痕", "正常な部品"])
def test_other_scripts_are_not_taken_for_western(text: str) -> None:
    content = text.encode("gbk" if "的" in text else "shift_jis")
    with suppress(UnicodeDecodeError):  # or as cp949, which takes most of their characters
        assert decoded(content)[1] == "cp949"


def test_a_file_in_no_known_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("찍힘".encode("cp949"))
    assert read_text(tmp_path / "a.txt") == "찍힘"
    (tmp_path / "b.txt").write_bytes(b"\xff\xff\x00")
    with pytest.raises(InspectionError, match=r"b\.txt: is neither UTF-8 nor as Windows saves it"):
        read_text(tmp_path / "b.txt")
