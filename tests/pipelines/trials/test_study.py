from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from ruamel.yaml import YAML

from inspection.errors import InspectionError
from inspection.runtime.bundle import read_card, write_card
from inspection.storage import read_json, write_json
from pipelines.trials import study
from pipelines.trials import trial as trials
from pipelines.trials.trial import Trial, judged

METRICS = {
    "classifier": {"macro_f1": 0.9, "macro_f1_lower_bound": 0.8, "n_parts": 10},
    "cam": {"n": 4, "pointing": 0.75, "pointing_lower_bound": 0.3},
}
DRAWN = """
from PIL import Image
gallery = pathlib.Path("artifacts/cam/gallery")
gallery.mkdir(parents=True, exist_ok=True)
colour = {"basic": "red"}.get(params["train"]["augmentation"], "blue")
Image.new("RGB", (64, 64), colour).save(gallery / "a.png")
entry = {"file": "a.png", "label": "dent", "path": "a.jpg"}
(gallery / "index.json").write_text(json.dumps([entry]))
"""


def heat_of_twelve_parts() -> pd.DataFrame:
    """With recipe `basic` a tenth of the heat lies on the edge, with others none."""
    recipe = YAML(typ="safe").load(Path("params.yaml"))["train"]["augmentation"]
    edge = 0.1 if recipe == "basic" else 0.0
    part_ids = [f"part-{number}" for number in range(12)]
    shares = {"n_views": 2, "energy": 0.7, "edge": edge, "elsewhere": 0.3 - edge}
    return pd.DataFrame({"part_id": part_ids}).assign(**shares)


@pytest.mark.slow
def test_classes_and_heat_of_each_recipe_stand_side_by_side(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = read_card(project / "made")
    write_card(project / "made", made.model_copy(update={"metrics": METRICS}))
    source, pipeline = project / "judging.py", project / "dvc.yaml"
    source.write_text(source.read_text() + DRAWN)
    pipeline.write_text(pipeline.read_text().replace("[split]", "[split, train]"))
    monkeypatch.setattr(study, "heat_by_part", heat_of_twelve_parts)
    monkeypatch.setattr("sys.argv", ["study", "basic", "noise"])
    study.main()

    found = read_json(Path("metrics/study.json"))
    recipes = found["recipes"]
    assert list(recipes) == ["basic", "noise"]
    assert recipes["noise"]["macro_f1"] == 0.9
    assert (recipes["noise"]["n_views"], recipes["noise"]["n_parts_with_heat"]) == (24, 12)
    assert list(recipes["basic"]["edge"].values()) == pytest.approx([0.1, 0.1, 0.1])
    assert (found["first"], list(found["changes"])) == ("basic", ["noise"])
    changes = found["changes"]["noise"]
    assert changes["edge"]["value"] == pytest.approx(-0.1)
    assert changes["elsewhere"]["high"] == pytest.approx(0.1)
    assert changes["macro_f1"] == {"value": 0, "low": 0, "high": 0}

    printed = capsys.readouterr().out
    assert [line.split()[0] for line in printed.splitlines() if "0.900" in line] == [
        "basic", "noise",
    ]  # fmt: skip
    assert "against basic, on the same parts" in printed
    assert "-0.100 (-0.100 to -0.100)" in printed
    with Image.open(study.SHEET) as paper:
        red, _, blue = paper.getpixel((study.NAME_PX + 30, 30))
        assert red > 200 > 60 > blue
        red, _, blue = paper.getpixel((study.NAME_PX + 30, study.PICTURE_PX + 30))
        assert blue > 200 > 60 > red


@pytest.mark.slow
def test_a_trial_of_before_that_lacks_the_heat_is_run_again(project: Path) -> None:
    trial = Trial("plain", ())
    (before,) = judged([trial])
    assert before.tables == {}
    table = pd.DataFrame({"part_id": ["007"], "edge": [0.5]})
    for _ in range(2):
        (again,) = judged([trial], {"heat": table.copy})
        assert again.tables["heat"].to_dict("list") == {"part_id": ["007"], "edge": [0.5]}
    assert (project / trials.KEPT / trials.key(trial) / "heat.csv").is_file()


def test_the_backbone_learns_where_that_is_asked_for_and_no_crop_is_mirrored() -> None:
    (frozen,) = study.by_recipe(["noise"])
    (learning,) = study.by_recipe(["noise"], learns=True)
    assert "++train.mirror_average=false" in frozen.overrides
    assert {*learning.overrides} - {*frozen.overrides} == {"++train.freeze_backbone=false"}


def test_of_recipes_that_a_frozen_backbone_cannot_tell_apart_one_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("train: {freeze_backbone: true}")
    assert study.alike_when_frozen(study.RECIPES) == {
        "noise": "basic",
        "noise_centre": "basic_centre",
    }
    assert study.alike_when_frozen(["basic", "flip", "heavy"]) == {"heavy": "flip"}

    Path("params.yaml").write_text("train: {freeze_backbone: false}")
    assert study.alike_when_frozen(study.RECIPES) == {}


def test_the_sheet_shows_views_that_every_recipe_has_a_picture_of(tmp_path: Path) -> None:
    for name, paths in (("a", "zyx"), ("b", "xwz")):
        entries = [{"file": f"{path}.png", "label": "dent", "path": path} for path in paths]
        write_json(tmp_path / name / "index.json", entries)
    galleries = [tmp_path / "a", tmp_path / "b"]
    found = study.same_pictures(galleries)
    assert found == [[gallery / "x.png", gallery / "z.png"] for gallery in galleries]
    assert study.same_pictures([*galleries, tmp_path / "missing"]) == [[], [], []]


def test_a_recipe_that_is_not_known_is_named_with_those_that_are() -> None:
    with pytest.raises(InspectionError, match="wobble: is no recipe; there are basic, flip"):
        study.by_recipe(["basic", "wobble"])
