"""The Bento of the champion: what it holds, and that it serves where nothing else is."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from benchmarks.apps.servers import free_port, running
from inspection.errors import InspectionError
from inspection.runtime.inspector import Inspector
from inspection.runtime.releases import champion, promote, release
from inspection.runtime.signatures import make_keys, read_private_key, read_public_key
from inspection.runtime.views import View
from inspection.storage import write_bytes
from pipelines.shipping import bento
from stages.pipeline import tracked
from tests.architecture import ROOT, closure, imports
from tests.bundles import draw_jpeg, make_bundle

CARD = "# test-line\n\nTest fold: 0 escapes.\n"
# What the service imports by another name than its package's.
PACKAGES = {"PIL": "pillow", "cv2": "opencv-python-headless"}
# Read by the watch and by people, never by the service (tests/serving/test_service.py).
NOT_WHERE_IT_SERVES = {"pandas"}
DEFECTS = ("normal", "dent", "slide", "under_press")
SEES = "import importlib.util as u; print([n for n in {names} if u.find_spec(n)])"


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two releases, of which the second serves."""
    folder = tmp_path_factory.mktemp("models")
    for version in ("line-1", "line-2"):
        make_bundle(folder / version, version=version)
        release(folder / version, folder / "releases", version)
    promote(folder / "releases", "line-2")
    return folder / "releases"


@pytest.fixture
def staged(releases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(ROOT)
    assert bento.stage(tmp_path / "staged", releases, CARD) == "line-2"
    return tmp_path / "staged"


def names_in(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_it_holds_all_that_the_service_imports_and_no_other_room(staged: Path) -> None:
    held = names_in(staged)

    assert closure(ROOT / "serving/service.py") <= held
    assert {name.split("/")[0] for name in held} == {
        "LICENSE", "README.md", "bentofile.yaml", "inspection", "models", "serving",
    }  # fmt: skip
    assert {Path(name).parts[1] for name in held if name.startswith("inspection/")} == {
        "runtime",
        *(path.name for path in (ROOT / "inspection").glob("*.py")),
    }


def test_of_the_releases_it_holds_the_champions_alone(staged: Path, releases: Path) -> None:
    held = champion(staged / "models/releases")

    assert held.name == "line-2"
    assert not (held.parent / "line-1").exists()
    assert names_in(held) == names_in(champion(releases))
    assert (staged / "README.md").read_text().startswith(CARD)


def test_a_signed_release_is_still_signed_in_it(
    releases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(releases, tmp_path / "releases")
    public = make_keys(tmp_path / "line.key")
    promote(tmp_path / "releases", "line-2", read_private_key(tmp_path / "line.key"))
    monkeypatch.chdir(ROOT)
    bento.stage(tmp_path / "staged", tmp_path / "releases", CARD)

    held = champion(tmp_path / "staged/models/releases", read_public_key(public))
    assert held.name == "line-2"


def test_the_digest_names_the_content(staged: Path) -> None:
    before = bento.digest_of(staged)
    assert bento.digest_of(staged) == before

    write_bytes(staged / "LICENSE", b"another")
    assert bento.digest_of(staged) != before


def packages(path: str) -> list[str]:
    return tracked.required_in((ROOT / path).read_text("utf-8"))


def test_what_the_service_imports_is_required_and_nothing_that_trains() -> None:
    service = closure(ROOT / "serving/service.py")
    reached = {name.split(".")[0] for file in service if file.endswith(".py")
               for name in imports(ROOT / file)}  # fmt: skip
    libraries = reached - set(sys.stdlib_module_names) - {"serving", "inspection"}
    wanted = {PACKAGES.get(name, name.replace("_", "-")) for name in libraries}

    assert wanted - NOT_WHERE_IT_SERVES == set(packages("serving/requirements.in"))
    assert not {"torch", "mlflow", "scikit-learn", "pandas"} & set(
        tracked.pinned_in((ROOT / "serving/requirements.txt").read_text("utf-8"))
    )


def test_what_it_requires_is_pinned_as_in_the_project_and_hashed() -> None:
    text = (ROOT / "serving/requirements.txt").read_text("utf-8")
    pinned = tracked.pinned_in(text)
    entries = re.split(r"(?m)^(?=[\w.-]+==)", text)[1:]

    assert pinned.items() <= tracked.pinned_in((ROOT / "requirements.txt").read_text()).items()
    assert len(entries) == len(pinned) > 50
    assert all("--hash=sha256:" in entry for entry in entries)


@pytest.fixture(scope="module")
def built(releases: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Bento, moved out of the store that it was built in."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        (home / "building-that-was-killed").mkdir()
        folder = bento.build(releases, CARD, os.environ | {"BENTOML_HOME": str(home)})
        latest = folder.parent / "latest"
        assert bento.tag_of(folder) == f"knurl:{latest.read_text()}"
        assert folder.name.startswith("line-2-")

        # what is there already is not built again: another text in it would be lost
        write_bytes(folder / "kept", b"")
        assert bento.build(releases, CARD, os.environ | {"BENTOML_HOME": str(home)}) == folder
        assert (folder / "kept").is_file()
    assert sorted(path.name for path in home.iterdir()) == ["bentos", "build.lock"]
    return folder.rename(tmp_path_factory.mktemp("elsewhere") / "bento")


@pytest.fixture(scope="module")
def bare(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of its own with what the Bento requires; its programs."""
    folder = tmp_path_factory.mktemp("bare") / "venv"
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    requirements = built / "src/serving/requirements.txt"
    install = [*uv, "pip", "install", "--quiet", "--python", folder / "bin/python"]
    subprocess.run([*install, "--require-hashes", "-r", requirements], check=True)
    return folder / "bin"


@pytest.mark.slow
def test_it_is_small_and_its_readme_is_the_model_card(built: Path) -> None:
    assert bento.megabytes(built) < bento.MAX_MB
    assert (built / "README.md").read_text().startswith(CARD)
    assert {path.name for path in (built / "src/models/releases").iterdir()} == {
        "champion.json", "line-2",
    }  # fmt: skip


@pytest.mark.slow
def test_its_dockerfile_installs_what_is_pinned_and_serves_as_an_ordinary_user(
    built: Path,
) -> None:
    """Rendered by BentoML as `bentoml containerize` builds it; no container is run here."""
    lines = (built / "env/docker/Dockerfile").read_text().splitlines()
    starts = [line.split()[0] for line in lines if line and line[0].isupper()]
    environment = dict(line.removeprefix("ARG ").split("=", 1) for line in lines
                       if line.startswith("ARG ") and "=" in line)  # fmt: skip
    required = (built / "env/python/requirements.txt").read_text()

    assert (starts[0], starts[-1]) == ("FROM", "ENTRYPOINT")
    assert "FROM python:3.11-slim AS base-container" in lines
    assert [line for line in lines if line.startswith("USER ")] == ["USER bentoml"]
    assert any(line.endswith("pip install -r $BENTO_PATH/env/python/requirements.txt")
               for line in lines)  # fmt: skip
    assert environment["BENTOML_HOST"] == "0.0.0.0"
    assert environment["KNURL_VERDICTS"] == "/home/bentoml/verdicts"
    assert environment["ORT_DISABLE_TELEMETRY"] == "1"
    in_the_image = set(re.findall(r"(?m)^([\w.-]+==\S+)", required))
    assert in_the_image == set(
        re.findall(r"(?m)^([\w.-]+==\S+)", (ROOT / "serving/requirements.txt").read_text())
    )
    assert not re.search(r"(?m)^ *-(-index-url|e |f )", required)


@pytest.mark.slow
def test_it_serves_in_a_bare_environment_with_the_verdicts_of_the_project(
    built: Path, bare: Path, releases: Path, tmp_path: Path
) -> None:
    served_by = Inspector(champion(releases))
    variables = {
        "PATH": f"{bare}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": "",
        "KNURL_RELEASES": "",
        "KNURL_TOKEN": "",
        "KNURL_VERDICTS": str(tmp_path / "verdicts"),
    }
    names = ("torch", "mlflow", "pandas", "sklearn", "prefect", "stages")
    code = SEES.format(names=names)
    python = [bare / "python", "-c", code]
    found = subprocess.run(python, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"

    port = free_port()
    serve = [str(bare / "bentoml"), "serve", str(built), "--port", str(port)]
    with running(serve, port, tmp_path / "work", variables, cwd=tmp_path) as server:
        model = httpx.get(f"{server.address}/readyz").json()
        for number, defect in enumerate(DEFECTS * 3):
            views = [View("a.jpg", draw_jpeg(defect, seed=number))]
            files = [("views", (view.name, view.content)) for view in views]
            answer = httpx.post(f"{server.address}/inspect", files=files).json()
            wanted = served_by.inspect(views)

            assert (answer["verdict"], answer["label"]) == (wanted.verdict, wanted.label)
            assert answer["views"][0]["scores"] == pytest.approx(wanted.views[0].scores)
    assert model["release"] == "line-2"
    assert (tmp_path / "verdicts/verdicts.db").is_file()
    assert not (built / "src/verdicts").exists()


@pytest.mark.slow
def test_bentoml_alone_packs_the_project_as_it_is_committed(releases: Path, tmp_path: Path) -> None:
    """With what git does not have beside it: both releases, and a folder that is in no Bento."""
    project, home = tmp_path / "project", tmp_path / "home"
    project.mkdir()
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, capture_output=True, check=True)
    subprocess.run(["tar", "-x"], cwd=project, input=archive.stdout, check=True)
    shutil.copytree(releases, project / "models/releases")
    write_bytes(project / "data/1.jpg", b"a picture")

    environment = os.environ | {"BENTOML_HOME": str(home), "PYTHONPATH": ""}
    command = [sys.executable, "-m", "bentoml", "build", "--output", "tag"]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

    (source,) = home.glob("bentos/knurl/*/src")
    assert champion(source / "models/releases").name == "line-2"
    held = names_in(source)
    assert closure(ROOT / "serving/service.py") <= held
    rooms = {name.split("/")[0] for name in held}
    assert rooms == {"LICENSE", "bentofile.yaml", "inspection", "models", "serving"}
    assert (source / "models/releases/line-1/card.json").is_file()


def test_a_bento_that_is_too_large_is_said_to_be(
    releases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    made = bento.stage(tmp_path / "staged", releases, CARD)
    version = f"{made}-{bento.digest_of(tmp_path / 'staged')[:8]}"
    write_bytes(tmp_path / "home/bentos/knurl" / version / "large", bytes(61_000_000))

    with pytest.raises(InspectionError, match="holds 61 MB, 60 are allowed"):
        bento.build(releases, CARD, {"BENTOML_HOME": str(tmp_path / "home")})


def test_the_bento_of_a_line_is_called_after_it_so_that_none_is_the_latest_of_another(
    releases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = bento.stage(tmp_path / "staged", releases, CARD)
    version = f"{made}-{bento.digest_of(tmp_path / 'staged')[:8]}"
    for folder in ("checkout/.dvc", "checkout/lines/tiles", "home/bentos/knurl-tiles/" + version):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "checkout/lines/tiles")

    # it is there already, so nothing is built
    folder = bento.build(releases, CARD, {"BENTOML_HOME": str(tmp_path / "home")})
    assert bento.tag_of(folder) == f"knurl-tiles:{version}"
    assert (folder.parent / "latest").read_text() == version
    assert [path.name for path in (tmp_path / "home/bentos").iterdir()] == ["knurl-tiles"]
