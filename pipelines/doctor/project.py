"""This checkout, and each of its lines: parameters, data, state of DVC, the release that serves."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from inspection.errors import InspectionError, first_three
from inspection.plant import line_of
from inspection.runtime.bundle import verified
from inspection.runtime.releases import POINTER, champion
from inspection.runtime.signatures import read_public_key
from pipelines.champions import RELEASES
from pipelines.doctor.finding import FAULT, OK, WARNING, Finding
from pipelines.runs.overrides import KEPT
from stages import sections

ENVIRONMENT = Path("project.env")
DATA = Path("data")


def checks() -> Iterator[Finding]:
    """All that can be said of the checkout, and of the line in its root."""
    yield git()
    yield environment(ENVIRONMENT)
    yield from of_line()


def of_line() -> Iterator[Finding]:
    """All that can be said of the line of this folder."""
    yield parameters()
    yield data()
    yield dvc_lock()
    yield overridden()
    yield release(RELEASES)


def git() -> Finding:
    """Whether results can name the revision that made them."""
    done = subprocess.run(
        ["git", "status", "--porcelain"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        text = "no git repository: results name no revision, and no run is committed"
        return Finding(WARNING, "git", text, "`git clone` the project")

    changed = len(done.stdout.splitlines())
    text = (
        f"{changed} files differ from the last commit"
        if changed
        else "all is committed"
    )
    return Finding(OK, "git", text)


def environment(path: Path) -> Finding:
    """Whether the variables are set that keep libraries quiet and their homes in the project."""
    wanted = _variables(path)
    missing = [name for name in wanted if not os.environ.get(name)]
    if wanted and not missing:
        return Finding(OK, "environment", f"all of {path}")
    text = f"of {path}, not set: {first_three(missing)}" if wanted else f"no {path}"
    return Finding(WARNING, "environment", text, "run it as `make doctor`")


def _variables(path: Path) -> list[str]:
    """The names that an environment file gives a value; none where there is no such file."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    pairs = [line.partition("=") for line in lines if line and line[0] != "#"]
    return [name for name, _, value in pairs if value]


def parameters() -> Finding:
    """Whether params.yaml can be read, every section of it."""
    try:
        sections.check_all()
    except InspectionError as error:
        first, *others = str(error).splitlines()
        more = f", and {len(others)} more" if others else ""
        return Finding(FAULT, "params.yaml", f"{first}{more}", "see docs/params.md")
    return Finding(OK, "params.yaml", "every section is understood")


def data() -> Finding:
    """Whether the data is there that data.dvc names."""
    if not Path(f"{DATA}.dvc").is_file():
        # the sample line is drawn in the root alone
        drawn = "" if line_of(Path()) else "`make demo`, or "
        remedy = f"{drawn}`make adopt DATA=<folder>`"
        return Finding(WARNING, "data", "nothing is tracked yet", remedy)
    if not DATA.is_dir():
        text = "missing, though data.dvc names it"
        drawn = "" if line_of(Path()) else "`make data`, "
        remedy = f"`dvc pull`, {drawn}or `make adopt DATA=<folder>`"
        return Finding(FAULT, "data", text, remedy)
    n_files = sum(len(files) for _, _, files in os.walk(DATA))
    return Finding(OK, "data", f"{n_files} files")


def dvc_lock() -> Finding:
    """Whether dvc.lock can be read; a power cut may leave it empty."""
    path = Path("dvc.lock")
    if not path.is_file():
        return Finding(WARNING, "dvc.lock", "no run yet", "`dvc repro`")
    try:
        stages = sections.read_yaml(path).get("stages", {})
    except InspectionError as error:
        return Finding(FAULT, "dvc.lock", str(error), "`git checkout dvc.lock`")
    return Finding(OK, "dvc.lock", f"{len(stages)} stages")


def overridden() -> Finding:
    """Whether a run with other parameters was cut off, and left them in params.yaml."""
    if not KEPT.exists():
        return Finding(OK, "parameters", "none of a run that was cut off")
    text = "a run with other parameters is at work, or was cut off"
    return Finding(WARNING, "parameters", text, "`make repro` puts them back")


def release(releases: Path) -> Finding:
    """The release that serves: whole, and signed where signatures are asked for."""
    if not (releases / POINTER).is_file():
        return Finding(WARNING, "champion", "none yet", "`python -m pipelines.promote`")

    key = os.environ.get("KNURL_PUBLIC_KEY")
    try:
        folder = champion(releases, read_public_key(Path(key)) if key else None)
        card = verified(folder)
    except InspectionError as error:
        return Finding(FAULT, "champion", str(error), "`python -m pipelines.promote`")
    signed = ", signed" if key else ""
    return Finding(
        OK, "champion", f"{card.line.name} {card.version} in {folder}{signed}"
    )
