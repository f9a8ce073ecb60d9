from pathlib import Path

import pytest

from inspection.errors import InspectionError
from inspection.plant import check_name, lines_in


def test_the_lines_of_a_folder_are_its_folders_whose_names_are_words_of_a_url(
    tmp_path: Path,
) -> None:
    for name in ("tiles", "rods-2", ".cache", "Tiles", "two words", "ziegel_ä"):
        (tmp_path / name).mkdir()
    (tmp_path / "readme").write_text("a file")

    assert lines_in(tmp_path) == {
        "rods-2": tmp_path / "rods-2",
        "tiles": tmp_path / "tiles",
    }


def test_without_the_folder_there_are_none(tmp_path: Path) -> None:
    assert lines_in(tmp_path / "lines") == {}


@pytest.mark.parametrize("name", ["", "..", "a/b", "A", "-a", "a" * 41, "a\n"])
def test_a_name_that_would_have_to_be_escaped_is_refused(name: str) -> None:
    with pytest.raises(InspectionError, match="no name for one"):
        check_name(name)


def test_a_name_of_40_letters_is_one() -> None:
    check_name("a" * 40)
