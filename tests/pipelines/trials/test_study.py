from pathlib import Path

import pytest
from PIL import Image

from inspection.errors import InspectionError
from inspection.runtime.bundle import read_card, write_card
from inspection.storage import read_json
from pipelines.trials import study

METRICS = {
    "classifier": {"macro_f1": 0.9, "macro_f1_lower_bound": 0.8, "n_parts": 10},
    "cam": {"n": 4, "pointing": 0.75, "pointing_lower_bound": 0.3, "energy": 0.6, "edge": 0.05},
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


@pytest.mark.slow
def test_classes_and_heat_of_each_recipe_stand_side_by_side(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = read_card(project / "made")
    write_card(project / "made", made.model_copy(update={"metrics": METRICS}))
    source, pipeline = project / "judging.py", project / "dvc.yaml"
    source.write_text(source.read_text() + DRAWN)
    pipeline.write_text(pipeline.read_text().replace("[split]", "[split, train]"))
    monkeypatch.setattr("sys.argv", ["study", "basic", "noise"])
    study.main()

    recipes = read_json(Path("metrics/study.json"))["recipes"]
    assert list(recipes) == ["basic", "noise"]
    assert (recipes["noise"]["macro_f1"], recipes["noise"]["edge"]) == (0.9, 0.05)
    printed = capsys.readouterr().out
    assert [line.split()[0] for line in printed.splitlines() if "0.900" in line] == [
        "basic", "noise",
    ]  # fmt: skip
    with Image.open(study.SHEET) as paper:
        red, _, blue = paper.getpixel((study.NAME_PX + 30, 30))
        assert red > 200 > 60 > blue
        red, _, blue = paper.getpixel((study.NAME_PX + 30, study.PICTURE_PX + 30))
        assert blue > 200 > 60 > red


def test_a_recipe_that_is_not_known_is_named_with_those_that_are() -> None:
    with pytest.raises(InspectionError, match="wobble: is no recipe; there are basic, flip"):
        study.by_recipe(["basic", "wobble"])
