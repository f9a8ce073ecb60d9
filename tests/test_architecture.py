"""The laws of the rooms, held against the source and dvc.yaml."""

import ast
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from stages.dependencies import files_of, written
from tests.architecture import ROOT, closure, imports

SHELLS = ("stages", "pipelines", "serving", "dashboard")
NEVER_IN_DOMAIN = ("mlflow", "prefect", "bentoml", "streamlit")
STAGES = ("validate", "clean_labels", "split", "crop", "train", "evaluate_cam", "fit_anomaly",
          "assemble", "report", "register")  # fmt: skip
ALL_ROOMS = ("inspection", "samples", "benchmarks", *SHELLS)


GROUND = "ground"
MAY_IMPORT = {
    GROUND: set(),
    "dataset": {GROUND},
    "curation": {GROUND},
    "runtime": {GROUND},
    "models": {GROUND, "runtime"},
    "evaluation": {GROUND, "models", "runtime"},
    "adoption": {GROUND, "dataset"},
    "promotion": {GROUND, "evaluation"},
    "monitoring": {GROUND, "evaluation", "runtime"},
}
SHARED_ROOMS = {"pipelines": {"stages"}}
NEVER_WHERE_IT_SERVES = {"torch", "sklearn", "mlflow"}
MAX_MODULES = 20


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def package_of(path: Path) -> str:
    parts = path.relative_to(ROOT / "inspection").parts
    return parts[0] if len(parts) > 1 else GROUND


def direct_files(path: Path) -> set[str]:
    files = {file for name in imports(path) for file in files_of(name, ROOT)}
    return {name_of(file) for file in files if "inspection" in file.relative_to(ROOT).parts}


def pipeline() -> dict:
    return YAML(typ="safe").load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))


def sources(*rooms: str) -> list[Path]:
    return [path for room in rooms for path in sorted((ROOT / room).rglob("*.py"))]


def paths_of(entries: list) -> list[str]:
    return [next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries]


@pytest.mark.parametrize("path", sources(*SHELLS), ids=name_of)
def test_a_shell_imports_the_domain_and_itself_only(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0]
    reached = {name.split(".")[0] for name in imports(path)}

    assert reached & set(ALL_ROOMS) <= {"inspection", room} | SHARED_ROOMS.get(room, set())


@pytest.mark.parametrize("path", sources("pipelines"), ids=name_of)
def test_of_the_stages_a_flow_imports_only_the_store_and_the_params(path: Path) -> None:
    files = {file for name in imports(path) for file in files_of(name, ROOT)}
    reached = {name_of(file) for file in files} - {"stages/__init__.py"}

    assert {name for name in reached if name.startswith("stages/")} <= {
        "stages/sections.py",
        "stages/tracking.py",
    }


@pytest.mark.parametrize("path", sources("inspection"), ids=name_of)
def test_a_package_of_the_domain_imports_only_what_lies_below_it(path: Path) -> None:
    package = package_of(path)
    reached = {package_of(ROOT / file) for file in direct_files(path)}

    assert reached <= {package, *MAY_IMPORT[package]}


@pytest.mark.parametrize("path", sources(*ALL_ROOMS), ids=name_of)
def test_only_pipelines_import_adoption(path: Path) -> None:
    rooms = path.relative_to(ROOT).parts
    uses_it = any(name.startswith("inspection.adoption") for name in imports(path))

    assert not uses_it or rooms[0] == "pipelines" or rooms[:2] == ("inspection", "adoption")


@pytest.mark.parametrize("path", sources(*ALL_ROOMS), ids=name_of)
@pytest.mark.parametrize("room", ["promotion", "monitoring"])
def test_only_pipelines_import_promotion_and_monitoring(path: Path, room: str) -> None:
    uses_it = any(name.startswith(f"inspection.{room}") for name in imports(path))
    rooms = path.relative_to(ROOT).parts

    assert not uses_it or rooms[0] == "pipelines" or rooms[:2] == ("inspection", room)


@pytest.mark.parametrize("path", sources("inspection/runtime"), ids=name_of)
def test_what_serves_reaches_no_training_library(path: Path) -> None:
    reached = {name.split(".")[0] for file in closure(path) for name in imports(ROOT / file)}

    assert not reached & NEVER_WHERE_IT_SERVES


def test_no_folder_holds_more_modules_than_a_reader_can_overlook() -> None:
    counts = Counter(path.parent for path in sources(*ALL_ROOMS) if path.stem != "__init__")
    crowded = {str(folder): n for folder, n in counts.items() if n > MAX_MODULES}

    assert crowded == {}


@pytest.mark.parametrize("path", sources("inspection"), ids=name_of)
def test_a_module_of_the_domain_has_tests_by_its_name(path: Path) -> None:
    if path.name != "__init__.py":
        assert (ROOT / "tests" / path.relative_to(ROOT).with_name(f"test_{path.name}")).is_file()


# What Streamlit shows with a button that downloads it as CSV.
TABLES = {"dataframe", "data_editor"}


@pytest.mark.parametrize("path", sources("dashboard"), ids=name_of)
def test_a_page_shows_tables_by_show_table_alone(path: Path) -> None:
    """It leaves no formula in what people download."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    named = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    allowed = {"dataframe"} if path == ROOT / "dashboard/tables.py" else set()
    assert named & TABLES == allowed


@pytest.mark.parametrize("path", sources("inspection"), ids=name_of)
def test_the_domain_imports_no_shell_and_no_server(path: Path) -> None:
    reached = {name.split(".")[0] for name in imports(path)}

    assert not reached & {*SHELLS, "samples", "benchmarks", *NEVER_IN_DOMAIN}


def test_no_room_is_a_drawer_for_odds_and_ends() -> None:
    names = {path.stem for path in sources(*ALL_ROOMS)}

    assert not names & {"utils", "helpers", "common", "misc"}


def test_the_stages_are_those_of_the_design_in_order() -> None:
    assert tuple(pipeline()["stages"]) == STAGES


def test_dvc_yaml_and_libraries_yaml_are_as_the_sources_of_the_stages_have_them() -> None:
    stale = [path.name for path, text in written(ROOT).items() if path.read_text("utf-8") != text]

    assert stale == []


@pytest.mark.parametrize("name", STAGES)
def test_every_path_on_a_command_line_is_tracked(name: str) -> None:
    stage = pipeline()["stages"][name]
    words = shlex.split(stage["cmd"])
    given = {word for word in words[4:] if not word.startswith("--")}
    known = [*stage["deps"], *paths_of(stage.get("outs", [])), *paths_of(stage.get("metrics", []))]

    assert {path for path in given if path not in known} <= {"data.dvc"}
    # exec: a shell in between would be the parent with which the stage dies
    assert words[:4] == ["exec", "python", "-m", f"stages.{name}"]


def test_no_command_is_filled_in_by_a_parameter() -> None:
    assert all("${" not in stage["cmd"] for stage in pipeline()["stages"].values())


def test_every_section_of_params_belongs_to_a_stage_and_every_stage_has_its_own() -> None:
    sections = set(YAML(typ="safe").load((ROOT / "params.yaml").read_text(encoding="utf-8")))
    stages = pipeline()["stages"].values()
    entries = [entry for stage in stages for entry in stage.get("params", [])]
    asked = {entry.partition(".")[0] for entry in entries if isinstance(entry, str)}

    assert sections - {"gate"} == asked  # pipelines/promote reads it
    assert set(STAGES) - sections <= {"report", "register"}


def test_train_has_cached_outputs_only_so_that_dvc_restores_it() -> None:
    stage = pipeline()["stages"]["train"]

    assert all(isinstance(entry, str) for entry in [*stage["outs"], *stage["metrics"]])


def test_what_every_stage_shares_imports_nothing_heavy() -> None:
    heavy = {"torch", "mlflow", "great_expectations", "anomalib", "lightning", "pandas"}
    code = f"import sys, stages.program; print(sorted(sys.modules.keys() & {heavy}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)

    assert done.stdout.strip() == "[]"


def test_the_project_speaks_of_no_machine() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout
    texts = [ROOT / name for name in listed.splitlines() if not name.endswith((".jpg", ".png"))]
    found = [p.name for p in texts if p.is_file() and "/work/" + "main" in p.read_text("utf-8")]

    assert found == []
