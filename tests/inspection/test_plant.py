import re
from pathlib import Path

import pytest

from inspection.errors import InspectionError
from inspection.plant import VERBS, LineErrors, as_typed, check_name, line_of, lines_in
from tests.architecture import ROOT


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


@pytest.fixture
def tiles(tmp_path: Path) -> Path:
    """The folder of a line in a checkout."""
    (tmp_path / ".dvc").mkdir()
    folder = tmp_path / "lines/tiles"
    folder.mkdir(parents=True)
    return folder


def test_a_folder_is_that_of_a_line_where_a_checkout_lies_above_it(
    tiles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert line_of(tiles) == "tiles"
    monkeypatch.chdir(tiles)
    assert line_of(Path()) == "tiles"

    # a checkout that somebody keeps in a folder of this name
    (tmp_path / "elsewhere/lines/knurl").mkdir(parents=True)
    others = (tmp_path, tiles.parent, tiles / "data", tmp_path / "elsewhere/lines/knurl", Path("/"))
    assert [line_of(one) for one in others] == [""] * 5


def test_the_verbs_that_get_a_line_are_those_of_the_makefile_that_take_one() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (listed,) = re.findall(r"(?m)^OF_A_LINE := (.*)$", makefile)

    assert sorted(VERBS) == sorted(listed.split())


@pytest.mark.parametrize(
    ("said", "typed"),
    [
        ("`make adopt DATA=<folder>`", "`make adopt LINE=tiles DATA=<folder>`"),
        ("`make promote`, `dvc push`", "`make promote LINE=tiles`, `dvc --cd lines/tiles push`"),
        ("`git checkout dvc.lock`", "`git -C lines/tiles checkout dvc.lock`"),
        # of the whole checkout, of a line already, and no command of this project
        *(
            (one, one)
            for one in (
                "`make schedule`",
                "`make adopt LINE=rods DATA=a`",
                "`dvc --cd lines/rods repro`",
                "`python -m dask scheduler`",
                "`make`",
                "a dvc repro that is no command",
            )
        ),
    ],
)
def test_a_command_acts_on_the_line_that_a_message_is_about(said: str, typed: str) -> None:
    assert as_typed(said, "tiles") == typed
    assert as_typed(typed, "tiles") == typed
    assert as_typed(said, "") == said


def test_an_error_in_the_folder_of_a_line_names_the_commands_of_that_line(
    tiles: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tiles)
    with pytest.raises(SystemExit) as ended, LineErrors("split"):
        raise InspectionError("folds: missing; run `dvc repro`")

    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said == "split: failed\nfolds: missing; run `dvc --cd lines/tiles repro`\n"
    with pytest.raises(ZeroDivisionError), LineErrors("split"):
        raise ZeroDivisionError
