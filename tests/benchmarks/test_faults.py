from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML

from benchmarks.drills.intake import IntakeDrill
from benchmarks.drills.kills import Commands, Outcome, table
from benchmarks.faults import WATCHED, campaign
from stages import sections
from stages.tracking import TrackingParams
from tests.architecture import ROOT
from tests.bundles import draw_jpeg
from tests.pipelines.test_inbox import LAYOUT
from tests.registering import Project

# what MLflow imports
pytestmark = pytest.mark.filterwarnings("default")

REGISTER = (
    "exec python -m stages.register --bundle models/bundle --data data "
    "--manifest manifest.parquet --folds folds.parquet --validation validate.json "
    "--confusion confusion.csv --gallery gallery --report reports --out receipt.json "
    "--metrics metrics.json"
)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project of drawn parts, and the code beside it."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    made = Project(tmp_path, TrackingParams(store="mlruns", experiment="drill"), "drill-line")
    name_images_by_their_labels(tmp_path)
    write_params(made)
    (tmp_path / "reviews/labels.csv").write_text("image_sha256,label,reviewer,note\n")
    for room in ("inspection", "stages", "pipelines"):
        (tmp_path / room).symlink_to(ROOT / room)
    return made


@pytest.fixture
def project(made: Project, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project with a bundle that was registered once."""
    made.register(monkeypatch, "a")
    write_params(made)
    (made.root / "models").mkdir()
    (made.root / "bundle").rename(made.root / "models/bundle")
    with (made.root / "dvc.yaml").open("w") as file:
        YAML().dump({"stages": {"register": {"cmd": REGISTER}}}, file)
    return made.root


def write_params(made: Project) -> None:
    """Every section, as the stages want them."""
    params = {name: {} for name in sections.SECTIONS} | made.params() | {"validate": LAYOUT}
    params["line"] |= {"bit_depth": 16, "max_pixels": 64_000_000}
    with (made.root / "params.yaml").open("w") as file:
        YAML().dump(params, file)


def name_images_by_their_labels(root: Path) -> None:
    """As stage validate found them, and two of the class that the project does not have."""
    views = pd.read_parquet(root / "manifest.parquet")
    (root / "data/images").mkdir()
    names = [f"images/Ch00_{number}_{label}_1.jpg" for number, label in enumerate(views["label"])]
    for old, new in zip(views["path"], names, strict=True):
        (root / "data" / old).rename(root / "data" / new)
    for number in (90, 91):
        content = draw_jpeg("slide", seed=number)
        (root / f"data/images/Ch00_{number}_slide_1.jpg").write_bytes(content)

    views["path"] = names
    views.to_parquet(root / "manifest.parquet")
    (root / "artifacts/manifest").mkdir(parents=True)
    views.to_parquet(root / "artifacts/manifest/manifest.parquet")


@pytest.mark.slow
def test_nothing_is_lost_by_kills_at_random_moments(project: Path) -> None:
    outcomes = campaign(project, ["register", "promote", "rollback"], runs=1, seed=1)

    assert [one.lost for one in outcomes] == [Counter()] * 3, table(outcomes)
    assert sum(one.n_killed for one in outcomes) > 0


@pytest.mark.slow
def test_nothing_is_lost_by_kills_while_files_come_into_the_data(made: Project) -> None:
    """Every second kill comes soon after the first write, so of two one does."""
    drill = IntakeDrill(Commands(made.root, WATCHED, seed=1))
    feedback, inbox = Outcome("take_feedback"), Outcome("inbox")
    for _ in range(2):
        drill.take_feedback(feedback)
    drill.inbox(inbox)

    assert [feedback.lost, inbox.lost] == [Counter()] * 2, table([feedback, inbox])
    assert feedback.n_killed + inbox.n_killed > 0


def test_a_lost_file_and_a_half_one_are_told(made: Project) -> None:
    drill = IntakeDrill(Commands(made.root, WATCHED, seed=1))
    before, outcome = drill._data(), Outcome("inbox")
    images = made.root / "data/images"
    (images / "Ch00_90_slide_1.jpg").unlink()
    (images / "Ch00_92_slide_1.jpg").write_bytes(b"half")
    drill._check_data(before, set(), outcome)
    drill._check_kept({"ab" * 32}, outcome)

    assert outcome.lost == {
        "a file of the data is gone or changed": 1,
        "a file in the data is not whole": 1,
        "a file of the inbox is gone": 1,
    }


def test_the_table_names_what_was_lost() -> None:
    kept, gone = Outcome("register", 3, 1), Outcome("promote", 4, 0, Counter({"the pointer": 2}))

    assert table([kept, gone]).splitlines()[1:] == [
        "register          3        1  nothing",
        "promote           4        0  2",
        "  2 x the pointer",
    ]
