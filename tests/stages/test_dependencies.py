from pathlib import Path

import pytest

from inspection.errors import InspectionError
from stages.dependencies import imported_names, sources_of, with_sources, written

PIPELINE = """\
stages:
  train:
    cmd: exec python -m stages.train --out models
    deps:
      - data/crops
      - stages/gone.py
    outs:
      - models
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for folder in ("stages", "inspection/models"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "__init__.py").write_text('"""Only words."""\n')
    (tmp_path / "inspection/errors.py").write_text("")
    (tmp_path / "inspection/models/net.py").write_text("from ..errors import Oops\n")
    (tmp_path / "stages/train.py").write_text("def main():\n    import inspection.models.net\n")
    return tmp_path


def test_imports_within_functions_and_relative_ones_are_followed(project: Path) -> None:
    assert sources_of(project / "stages/train.py", project) == {
        "stages/train.py",
        "inspection/models/net.py",
        "inspection/errors.py",
    }


def test_a_package_marker_counts_once_it_holds_code(project: Path) -> None:
    (project / "inspection/models/__init__.py").write_text("from . import hidden\n")
    (project / "inspection/models/hidden.py").write_text("")

    reached = sources_of(project / "stages/train.py", project)

    assert {"inspection/models/__init__.py", "inspection/models/hidden.py"} <= reached


def test_a_sibling_that_is_opened_by_name_is_reached(project: Path) -> None:
    (project / "stages/page.html.j2").write_text("")
    (project / "stages/train.py").write_text("x = Path(__file__).with_name('page.html.j2')\n")

    assert "stages/page.html.j2" in sources_of(project / "stages/train.py", project)


def test_data_that_is_opened_by_name_is_listed_once_however_often_the_lists_are_written(
    project: Path,
) -> None:
    (project / "stages/study.json").write_text("{}")
    (project / "stages/train.py").write_text("x = Path(__file__).with_name('study.json')\n")

    once = with_sources(PIPELINE, project)

    assert once.count("stages/study.json") == 1
    assert with_sources(once, project) == once


def test_a_name_taken_from_a_package_may_be_a_module(project: Path) -> None:
    (project / "stages/train.py").write_text("from inspection.models import net\n")

    assert imported_names(project / "stages/train.py", project) == {
        "inspection.models",
        "inspection.models.net",
    }


def test_sources_are_written_anew_and_data_stays(project: Path) -> None:
    written = with_sources(PIPELINE, project)

    assert "      - data/crops\n      - inspection/errors.py\n" in written
    assert "stages/gone.py" not in written
    assert with_sources(written, project) == written


def test_a_command_that_runs_no_module_is_refused(project: Path) -> None:
    with pytest.raises(InspectionError, match="run a stage as"):
        with_sources(PIPELINE.replace("python -m stages.train", "bash run.sh"), project)


def test_a_line_of_its_own_has_the_stages_of_the_root_with_their_sources_above(
    project: Path,
) -> None:
    (project / "dvc.yaml").write_text("# Paths.\n" + PIPELINE)
    for name in ("requirements.in", "requirements.txt"):
        (project / name).write_text("")
    for name in ("tiles", "of-no-line"):
        (project / "lines" / name).mkdir(parents=True)
    (project / "lines/tiles/params.yaml").write_text("")

    texts = written(project)

    assert set(texts) == {
        project / name for name in ("dvc.yaml", "libraries.yaml", "lines/tiles/dvc.yaml")
    }
    text = texts[project / "lines/tiles/dvc.yaml"]
    assert "cmd: exec env PYTHONPATH=../../ python -m stages.train --out models\n" in text
    listed = [line.strip(" -") for line in text.splitlines() if line.startswith("      - ")]
    assert listed == [
        "data/crops",
        "../../inspection/errors.py",
        "../../inspection/models/net.py",
        "../../stages/train.py",
        "models",
    ]
