import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field
from ruamel.yaml import YAML

from inspection.errors import InspectionError
from inspection.line import Line
from stages import sections
from tests.lines import SQUARES, squares_line

ROOT = Path(__file__).parents[2]


class SplitParams(sections.Params):
    val_fraction: float = Field(default=0.2, gt=0, lt=1)
    mode: Literal["by_part", "by_group"] = "by_part"
    seed: int


SPLIT = sections.section("split", SplitParams)
CROP = sections.section("crop", sections.Params)


def write_params(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (folder / "params.yaml").write_text(text, "utf-8")


def test_a_section_is_read_by_its_model_and_one_section_comes_bare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_params(tmp_path, "split: {val_fraction: 0.1, seed: 3}\ncrop: {}\n", monkeypatch)
    assert sections.read(SPLIT) == SplitParams(val_fraction=0.1, seed=3)
    both = sections.read(SPLIT, CROP)
    assert both == (SplitParams(val_fraction=0.1, seed=3), sections.Params())


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("{val_fraction: 20, seed: 1}", "split.val_fraction: should be < 1, got 20"),
        ("{val_fraction: 0, seed: 1}", "split.val_fraction: should be > 0, got 0"),
        ("{seed: 4294967296}", "split.seed: should be a whole number from 0 to 4294967295"),
        ("{seed: -1}", "split.seed: should be a whole number from 0 to 4294967295"),
        ("{val_fraktion: 0.1, seed: 1}", "split.val_fraktion: unknown key; remove it or fix"),
        ("{}", "split.seed: missing; add it"),
        ("{seed: many}", "split.seed: should be an integer, unable to parse"),
        (
            "{seed: 1, mode: by_view}",
            "split.mode: should be 'by_part' or 'by_group', got",
        ),
        ("[1, 2]", "split: should be a dictionary or instance of SplitParams, got [1, 2]"),
    ],
)
def test_a_wrong_value_is_reported_by_key_value_and_what_was_expected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, section: str, expected: str
) -> None:
    write_params(tmp_path, f"split: {section}\n", monkeypatch)
    with pytest.raises(InspectionError) as caught:
        sections.read(SPLIT)
    assert str(caught.value).startswith(f"params.yaml: {expected}")


def test_problems_of_all_sections_are_reported_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_params(tmp_path, "split: {val_fraction: 20}\ncrop: {key: 1}\n", monkeypatch)
    with pytest.raises(InspectionError) as caught:
        sections.read(SPLIT, CROP)
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("crop: {}\n", ["split: missing; add the section"]),
        ("split:\n", ["split: missing; add the section"]),
        (
            "spilt: {seed: 1}\n",
            [
                "spilt: unknown section; remove it or fix its spelling to 'split'",
                "split: missing; add the section",
            ],
        ),
        (
            "split: {seed: 1}\ntrackings: {}\n3: {}\n",
            [
                "trackings: unknown section; remove it or fix its spelling to 'tracking'",
                f"3: unknown section; remove it or use one of {', '.join(sections.SECTIONS)}",
            ],
        ),
        ("split: []\n", ["split: should be a dictionary or instance of SplitParams, got []"]),
    ],
)
def test_an_unknown_section_and_one_that_is_missing_are_reported_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: list[str]
) -> None:
    write_params(tmp_path, text, monkeypatch)
    with pytest.raises(InspectionError) as caught:
        sections.read(SPLIT)
    assert str(caught.value).splitlines() == [f"params.yaml: {line}" for line in expected]


def test_the_known_sections_are_those_of_the_projects_params() -> None:
    content = YAML(typ="safe").load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    assert sorted(content) == sorted(sections.SECTIONS)


def test_the_first_stage_sees_what_is_wrong_in_any_section(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = (ROOT / "params.yaml").read_text(encoding="utf-8")
    write_params(tmp_path, content, monkeypatch)
    sections.check_all()

    wrong = content.replace("  patience:", "  patients:").replace("alpha: 0.05", "alpha: 2")
    write_params(tmp_path, wrong.replace("\ntracking:", "\nstore:"), monkeypatch)
    with pytest.raises(InspectionError) as caught:
        sections.check_all()

    problems = str(caught.value).splitlines()
    assert any("train.patients: unknown key" in problem for problem in problems)
    assert any("gate.alpha: should be <= 0.5, got 2" in problem for problem in problems)
    assert any("store: unknown section" in problem for problem in problems)
    assert any("tracking: missing; add the section" in problem for problem in problems)


@pytest.mark.parametrize("name", sorted({*sections.SECTIONS} - {"gate", "tracking", "line"}))
def test_a_section_is_checked_by_the_model_that_its_stage_reads_it_with(name: str) -> None:
    module, _, model = sections.MODELS[name].partition(":")
    source = (ROOT / f"stages/{name}.py").read_text(encoding="utf-8")

    assert module == f"stages.params.{name}"
    assert f'sections.section("{name}", {model})' in source


def test_all_sections_are_checked_without_the_libraries_of_the_stages() -> None:
    """They take ten seconds to import, and the first stage waits for them."""
    code = (
        "import sys; from stages import sections; sections.check_all();"
        "print({'torch', 'lightning', 'anomalib', 'mlflow', 'sklearn'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)

    assert done.stdout.strip() == "set()", done.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, r"params\.yaml: not found; run from the project's root"),
        ("split: {", r"params\.yaml: is not YAML"),
        ("- split", r"params\.yaml: should hold sections, got (list|CommentedSeq)"),
    ],
)
def test_a_params_file_that_is_none_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if text is not None:
        write_params(tmp_path, text, monkeypatch)
    with pytest.raises(InspectionError, match=expected):
        sections.read(SPLIT)


def write_line(folder: Path, monkeypatch: pytest.MonkeyPatch, line: dict[str, object]) -> None:
    monkeypatch.chdir(folder)
    with (folder / "params.yaml").open("w", encoding="utf-8") as file:
        YAML().dump({"line": line}, file)


def test_a_key_of_the_line_that_a_stage_has_not_asked_for_is_out_of_its_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_line(tmp_path, monkeypatch, SQUARES)
    line = sections.read(sections.line("classes", "normal"))

    assert (line.normal, line.classes) == ("normal", squares_line().classes)
    assert line.defects == ("bright", "dark")
    with pytest.raises(sections.UndeclaredKeyError, match=r"line\.regions.*make deps"):
        _ = line.regions
    with pytest.raises(sections.UndeclaredKeyError, match=r"line\.regions"):
        _ = line.classifier_classes
    with pytest.raises(sections.UndeclaredKeyError, match=r"line\.bit_depth"):
        _ = line.bit_depth
    assert line.model_dump().keys() == {"classes", "normal"}


def test_the_whole_line_is_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_line(tmp_path, monkeypatch, SQUARES)

    assert sections.read(sections.section("line", Line)) == squares_line()


def test_a_key_that_dvc_is_to_track_must_be_written_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = {key: value for key, value in SQUARES.items() if key not in ("orient", "bit_depth")}
    write_line(tmp_path, monkeypatch, without)

    with pytest.raises(InspectionError) as caught:
        sections.read(sections.line("bit_depth", "normal", "orient"))
    assert str(caught.value).splitlines() == [
        "params.yaml: line.bit_depth: missing; add it, the default is 16",
        "params.yaml: line.orient: missing; add it, the default is null",
    ]


def test_the_largest_seed_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_params(tmp_path, "split: {seed: 4294967295}\n", monkeypatch)

    assert sections.read(SPLIT).seed == 2**32 - 1
