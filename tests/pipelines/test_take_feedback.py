"""From POST /feedback to the manifest of the next run, and back."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from ruamel.yaml import YAML
from starlette.testclient import TestClient

from inspection.errors import InspectionError
from inspection.runtime.pictures import picture_path
from inspection.runtime.verdict_log import WITHDRAWN, Feedback, VerdictLog
from pipelines.take_feedback import DATA, MANIFEST, REVIEWS, TAKEN, planned, take, undo
from serving.api import create_app
from serving.champion import Champion
from serving.recorder import KeepingPolicy, Recorder
from stages import sections, validate
from tests.bundles import draw_jpeg, make_bundle, sample_line
from tests.lines import run_stage
from tests.pipelines.test_watch import VERDICTS

# what great_expectations imports
pytestmark = pytest.mark.filterwarnings("default")

FLAT = {
    "layout": "flat",
    "images": ["images/*"],
    "pattern": "(?P<camera>[^_]+)_(?P<part>[^_]+)_(?P<label>.+)_(?P<view>[^_]+)",
    "part_from": {"rule": "pattern", "group": "part"},
}
FOLDERS = {"layout": "class_folders", "images": ["*/*"]}
N_PARTS = 9


def validated(
    folder: Path, monkeypatch: pytest.MonkeyPatch, layout: dict[str, Any]
) -> pd.DataFrame:
    """The manifest as the real stage makes it."""
    line = sample_line().model_dump(mode="json", exclude_defaults=True)
    line |= {"bit_depth": 16, "max_pixels": 64_000_000}
    params = {name: {} for name in sections.SECTIONS} | {"line": line, "validate": layout}
    run_stage(
        validate, folder, monkeypatch, params=params,
        data="data", out="artifacts/manifest", metrics="metrics/validate.json",
    )  # fmt: skip
    return pd.read_parquet(MANIFEST)


@pytest.fixture(params=["flat", "class_folders"])
def layout(request: pytest.FixtureRequest) -> dict[str, Any]:
    return FLAT if request.param == "flat" else FOLDERS


@pytest.fixture
def client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: dict[str, Any]
) -> Iterator[TestClient]:
    """A project with data of every class, and a service that judges parts."""
    monkeypatch.chdir(tmp_path)
    for number in range(N_PARTS):
        label = ("normal", "dent", "slide", "under_press")[number % 4]
        flat = f"images/Ch00_{number}_{label}_1.jpg"
        path = DATA / (flat if layout is FLAT else f"{label}/{number}.jpg")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(draw_jpeg(label, seed=number))
    REVIEWS.parent.mkdir()
    REVIEWS.write_text("image_sha256,label,reviewer,note\n")
    validated(tmp_path, monkeypatch, layout)

    make_releases(tmp_path)
    champion, recorder = (
        Champion(Path("models/releases")),
        Recorder(VERDICTS, KeepingPolicy(0, 10**8)),
    )
    champion.start()
    with TestClient(create_app(champion, recorder=recorder)) as client:
        yield client
    recorder.close()
    champion.stop()


def make_releases(folder: Path) -> None:
    from inspection.runtime.releases import promote, release

    make_bundle(folder / "models/bundle")
    release(folder / "models/bundle", folder / "models/releases", "1")
    promote(folder / "models/releases", "1")


def judged(
    client: TestClient, content: bytes, *, part: str, label: str, reviewer: str = "Kim"
) -> str:
    """Inspect a picture and say what it really was; returns its hash."""
    texts, files = {"part_id": part, "camera": "Ch01"}, {"views": ("a.jpg", content)}
    client.post("/inspect", data=texts, files=files).raise_for_status()
    words = {"part_id": part, "label": label, "reviewer": reviewer}
    client.post("/feedback", json=words).raise_for_status()
    return hashlib.sha256(content).hexdigest()


def test_a_picture_and_its_label_stand_in_the_next_manifest_and_can_be_taken_back(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: dict[str, Any]
) -> None:
    before = sorted(DATA.rglob("*.jpg"))
    digest = judged(client, draw_jpeg("dent", seed=77), part="A_17", label="slide")
    said = take(planned())
    assert said.startswith("1 pictures into data, 1 rows into reviews/labels.csv; now `dvc repro`")

    table = validated(tmp_path, monkeypatch, layout)
    (row,) = table[table["image_sha256"] == digest].to_dict("records")
    assert row["label"] == "slide"
    if layout is FLAT:
        assert row["camera"] == "Ch01"
    assert list(table["part_id"]).count(row["part_id"]) == 1
    assert f"{digest},slide,Kim,feedback on request" in REVIEWS.read_text()
    assert planned().pictures == []  # taken once

    undo()
    assert sorted(DATA.rglob("*.jpg")) == before
    assert REVIEWS.read_text() == "image_sha256,label,reviewer,note\n"
    with pytest.raises(InspectionError, match=r"reviews/taken: holds no step to take back"):
        undo()


def test_the_last_word_counts_also_where_the_clock_was_set_back(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Said of the part at twelve, and then of the request, by a clock that shows eleven."""
    content = draw_jpeg("dent", seed=77)
    monkeypatch.setattr("serving.feedback.now", lambda: "2026-11-25T12:00:00.000+00:00")
    digest = judged(client, content, part="A_17", label="slide")
    monkeypatch.setattr("serving.feedback.now", lambda: "2026-11-25T11:00:00.000+00:00")
    words = {"request_id": request_of(client, "A_17"), "label": "dent", "reviewer": "Kim"}
    client.post("/feedback", json=words).raise_for_status()

    assert [one.row[:2] for one in planned().pictures] == [(digest, "dent")]


def test_what_was_withdrawn_is_not_taken(client: TestClient) -> None:
    """As the review desk withdraws: the same word without a label. What was said before counts."""
    digest = judged(client, draw_jpeg("dent", seed=77), part="A_17", label="slide")
    said = Feedback(
        given_at="2026-11-25T12:00:00.000+00:00",
        request_id=request_of(client, "A_17"),
        part_id=None,
        label="dent",
        reviewer="Grace",
    )
    log = VerdictLog(VERDICTS)
    log.add_feedback(said)
    assert [one.row[:2] for one in planned().pictures] == [(digest, "dent")]
    log.add_feedback(said.model_copy(update={"label": WITHDRAWN}))
    log.close()
    assert [one.row[:2] for one in planned().pictures] == [(digest, "slide")]


def request_of(client: TestClient, part: str) -> str:
    (verdict,) = client.get(f"/parts/{part}").json()["verdicts"]
    return str(verdict["request_id"])


def test_a_reviewer_whose_name_is_a_formula_is_text_in_the_reviews(client: TestClient) -> None:
    """Whoever can send feedback to the service names himself, and people open the table."""
    name = "=HYPERLINK(A1)"
    digest = judged(client, draw_jpeg("dent", seed=77), part="A1", label="slide", reviewer=name)
    take(planned())

    assert f"{digest},slide,'{name}," in REVIEWS.read_text()


def test_a_label_of_a_picture_that_is_in_the_data_is_only_reviewed(client: TestClient) -> None:
    inside = next(iter(DATA.rglob("*dent*")))
    content = (inside if inside.is_file() else next(inside.iterdir())).read_bytes()
    n_files = len(list(DATA.rglob("*.jpg")))
    judged(client, content, part="A1", label="slide")
    take(planned())

    assert len(list(DATA.rglob("*.jpg"))) == n_files
    assert ",slide,Kim," in REVIEWS.read_text()


def test_two_who_take_the_same_at_once_take_it_once(client: TestClient) -> None:
    judged(client, draw_jpeg("dent", seed=77), part="A1", label="slide")
    mine, theirs = planned(), planned()

    assert take(mine).startswith("1 pictures into data")
    assert take(theirs) == "nothing new to take"
    assert REVIEWS.read_text().count(",slide,Kim,") == 1


def test_a_part_that_is_inspected_again_does_not_replace_its_picture(client: TestClient) -> None:
    """Twice before a run has read the first: its manifest does not name that picture yet."""
    first = judged(client, draw_jpeg("dent", seed=77), part="A1", label="slide")
    take(planned())
    second = judged(client, draw_jpeg("dent", seed=78), part="A1", label="slide")
    take(planned())

    held = {hashlib.sha256(path.read_bytes()).hexdigest() for path in DATA.rglob("*.jpg")}
    assert {first, second} <= held


def test_a_picture_that_is_not_the_one_that_was_judged_is_refused_before_anything_is_taken(
    client: TestClient,
) -> None:
    judged(client, draw_jpeg("dent", seed=76), part="A1", label="slide")
    digest = judged(client, draw_jpeg("dent", seed=77), part="A2", label="slide")
    picture_path(VERDICTS, digest).write_bytes(b"another")
    before = sorted(DATA.rglob("*"))
    with pytest.raises(InspectionError, match="is not the picture that was judged"):
        take(planned())

    assert sorted(DATA.rglob("*")) == before
    assert not TAKEN.exists()


def test_what_cannot_be_taken_is_said(client: TestClient) -> None:
    judged(client, draw_jpeg("dent", seed=78), part="A1", label="anomaly")
    judged(client, draw_jpeg("normal", seed=79), part="A2", label="normal")  # passed: not kept
    plan = planned()

    assert plan.pictures == []
    assert len(plan.left) == 2
    assert "1 x said to be 'anomaly', which is no class of the line" in plan.left
    assert any("the picture was not kept" in reason for reason in plan.left)


def test_a_layout_whose_labels_stand_in_files_is_refused(client: TestClient) -> None:
    params = YAML(typ="safe").load(Path("params.yaml").read_text())
    params["validate"] = {"layout": "coco", "coco": ["a.json"]}
    with Path("params.yaml").open("w") as file:
        YAML().dump(params, file)

    with pytest.raises(InspectionError, match=r"validate.layout: coco: labels stand in files"):
        planned()


def test_a_picture_that_was_judged_twice_is_taken_once(client: TestClient) -> None:
    picture = draw_jpeg("dent", seed=80)
    for part in ("A1", "A2"):
        judged(client, picture, part=part, label="slide")
    plan = planned()

    assert len(plan.pictures) == 1
    assert plan.left == ["1 x the same picture as one above"]
