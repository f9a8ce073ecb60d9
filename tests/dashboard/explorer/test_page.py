from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from inspection.models.classifier import save_classifier, weights_of_epoch
from inspection.models.epochs import epoch_file
from inspection.runtime.bundle import read_card, write_card
from inspection.runtime.detectors import HeatScale
from inspection.runtime.inspector import Inspector
from inspection.runtime.releases import promote, release
from inspection.runtime.views import View, ViewOutputs
from inspection.storage import write_bytes, write_json, write_text
from tests.bundles import changed_detector, changed_thresholds, draw_jpeg, make_bundle
from tests.networks import tiny_classifier

pytestmark = pytest.mark.filterwarnings("default")

APP = Path(__file__).parents[3] / "dashboard/app.py"


@pytest.fixture
def app(line_folder: Path) -> AppTest:
    import streamlit as st

    st.cache_data.clear()
    st.cache_resource.clear()
    return AppTest.from_file(str(APP), default_timeout=60)


def write_recipes(folder: Path) -> None:
    """The table that stage evaluate_cam leaves, of one recipe."""
    text = "method,layer,cold,hot,score\ngradcam,stage2,0,1,0.5\n"
    write_text(folder / "artifacts/cam/table.csv", text)


def keep_epochs(folder: Path) -> None:
    """Two epochs of the last training, which are nothing like each other, and their recipe."""
    classifier = folder / "artifacts/classifier"
    card = read_card(folder / "models/bundle")
    size_px = card.line.regions["rod"].size_px
    classes = tuple(card.classifier.classes)
    save_classifier(tiny_classifier(classes=classes, size_px=size_px), classifier)
    for number in (7, 8):
        model = tiny_classifier(seed=number, classes=classes, size_px=size_px)
        write_bytes(epoch_file(classifier, number), weights_of_epoch(model.head))
    recipe = {"method": "gradcam", "layer": "fused", "cold": 0.0, "hot": 1.0}
    write_json(folder / "artifacts/cam/recipe.json", recipe)


def headline(app: AppTest) -> str:
    assert not app.exception
    assert not app.error
    return str(app.subheader[0].value)


def parts(app: AppTest) -> list[str]:
    """The parts on offer, as they are called."""
    return list(app.selectbox(key="part").options)


def test_it_opens_on_the_val_fold_and_shows_a_verdict(app: AppTest) -> None:
    app.run()
    assert app.selectbox(key="fold").value == "val"
    assert headline(app) == ":green[pass]: normal; labelled normal"
    assert not app.warning


def test_class_part_and_view_can_be_chosen(app: AppTest) -> None:
    app.run()
    app.selectbox(key="label").select("dent").run()
    assert app.selectbox(key="part").options == ["2", "6"]
    app.selectbox(key="view").select("images/2_2.jpg").run()
    assert headline(app) == ":red[reject]: dent (the part fell in transfer); labelled dent"
    (scores,) = [t.value for t in app.dataframe if "score of" in t.value]
    assert list(scores["verdict"]) == ["reject", "-", "pass"]


def test_the_test_fold_is_shown_as_such(app: AppTest) -> None:
    app.run()
    app.selectbox(key="fold").select("test").run()
    assert "choose nothing by it" in app.warning[0].value
    assert app.selectbox(key="part").options == ["9"]
    headline(app)


def test_only_errors_are_shown_the_worst_first_and_a_link_restores_it(app: AppTest) -> None:
    app.run()
    app.selectbox(key="only").select("only errors").run()
    assert parts(app) == [
        "6: dent, passed",
        "5: normal, rejected as dent",
        "7: slide, said dent",
    ]
    assert app.query_params["only"] == "only errors"
    assert headline(app) == ":green[pass]: normal; labelled dent"

    next(one for one in app.button if one.label == "Next").click().run()
    assert app.query_params["part"] == "5"
    app.selectbox(key="label").select("slide").run()
    assert parts(app) == ["7: slide, said dent"]
    assert headline(app) == ":red[reject]: dent (the part fell in transfer); labelled slide"


def test_where_no_part_is_right_for_the_wrong_reason_it_says_what_to_choose(app: AppTest) -> None:
    app.query_params["only"] = "only right for the wrong reason"
    app.run()
    assert not app.exception
    assert "Choose *every part*" in app.success[0].value


def test_a_part_has_the_label_that_the_numbers_count_it_by(app: AppTest, line_folder: Path) -> None:
    """Two views say slide and one says dent: as in the metrics, the most frequent defect."""
    manifest = line_folder / "artifacts/labels/manifest.parquet"
    folds = line_folder / "artifacts/folds/folds.parquet"
    views = pd.read_parquet(manifest)
    third = views[views["view_id"] == "71"].assign(view_id="73", label="dent")
    pd.concat([views, third]).to_parquet(manifest, index=False)
    fold = pd.DataFrame({"view_id": ["73"], "fold": ["val"]})
    pd.concat([pd.read_parquet(folds), fold]).to_parquet(folds, index=False)
    app.query_params["only"] = "only errors"
    app.run()
    assert "7: slide, said dent" in parts(app)


@pytest.mark.parametrize(
    "missing", ["models/bundle/card.json", "artifacts/folds/folds.parquet", "data/images/1_1.jpg"]
)
def test_what_is_missing_is_named_with_its_remedy(
    app: AppTest, line_folder: Path, missing: str
) -> None:
    (line_folder / missing).unlink()
    app.run()
    assert not app.exception
    assert missing in app.error[0].value
    assert "not found" in app.error[0].value


def test_the_verdict_is_the_parts_whichever_of_its_views_is_shown(
    app: AppTest, line_folder: Path
) -> None:
    """Of part 2 one view is replaced by one that shows no defect."""
    (line_folder / "data/images/2_1.jpg").write_bytes(draw_jpeg("normal", seed=1))
    app.query_params["part"] = "2"
    app.run()
    assert app.selectbox(key="view").value == "images/2_2.jpg"
    assert "decided by 2_2.jpg" in app.caption[0].value
    app.selectbox(key="view").select("images/2_1.jpg").run()
    assert headline(app).startswith(":red[reject]: dent")
    (scores,) = [t.value for t in app.dataframe if "score of" in t.value]
    assert list(scores["verdict"]) == ["pass", "-", "pass"]


def test_a_picture_that_is_replaced_is_measured_anew(app: AppTest, line_folder: Path) -> None:
    app.query_params["part"] = "2"
    app.run()
    assert headline(app).startswith(":red[reject]: dent")
    for number in (1, 2):
        picture = line_folder / f"data/images/2_{number}.jpg"
        picture.write_bytes(draw_jpeg("normal", seed=number))
    app.run()
    assert headline(app) == ":green[pass]: normal; labelled dent"


def test_the_buttons_end_with_the_views_of_a_part(app: AppTest) -> None:
    def is_off(label: str) -> bool:
        (button,) = [one for one in app.button if one.label == label]
        return bool(button.disabled)

    app.query_params.update({"part": "2", "view": "images/2_1.jpg"})
    app.run()
    assert (is_off("Up"), is_off("Down")) == (True, False)
    next(one for one in app.button if one.label == "Down").click().run()
    assert app.selectbox(key="view").value == "images/2_2.jpg"
    assert (is_off("Up"), is_off("Down")) == (False, True)


def test_the_recipes_of_the_last_run_stand_beside_its_model_alone(
    app: AppTest, line_folder: Path
) -> None:
    write_recipes(line_folder)
    app.run()
    assert app.selectbox(key="heat").options == ["test-1, as deployed", "gradcam on stage2"]
    make_bundle(line_folder / "other", version="other")
    release(line_folder / "other", line_folder / "models/releases", "test-line-1")
    app.run()
    app.selectbox(key="model").select("test-line-1").run()
    assert "gradcam on stage2" not in app.selectbox(key="heat").options


def test_a_line_whose_defects_nobody_has_placed_is_shown_by_the_deployed_heat(
    app: AppTest, line_folder: Path
) -> None:
    table = line_folder / "artifacts/cam/table.csv"
    table.parent.mkdir(parents=True)
    table.write_text("\n")
    app.run()
    headline(app)
    assert app.selectbox(key="heat").options == ["test-1, as deployed"]


def test_the_champion_judges_unless_another_version_is_chosen(
    app: AppTest, line_folder: Path
) -> None:
    """The champion rejects nothing; the bundle that was assembled last does."""
    releases, bundle = line_folder / "models/releases", line_folder / "models/bundle"
    card = make_bundle(line_folder / "mild", version="mild")
    write_card(line_folder / "mild", changed_thresholds(card, 2.0, 3.0))
    release(line_folder / "mild", releases, "test-line-1")
    promote(releases, "test-line-1")
    app.query_params["part"] = "2"
    app.run()
    assert headline(app) == ":green[pass]: normal; labelled dent"
    assert "test-line-1 (champion)" in app.caption[0].value
    app.selectbox(key="model").select(read_card(bundle).version).run()
    assert headline(app).startswith(":red[reject]: dent")


def test_two_models_stand_side_by_side_with_what_changed(app: AppTest, line_folder: Path) -> None:
    """The other model's scale of heat is twice as wide, so its heat is lower at the same place."""
    releases = line_folder / "models/releases"
    card = make_bundle(line_folder / "other", version="other")
    wide = HeatScale(cold=-2.0, hot=8.0, box_threshold=0.5)
    write_card(line_folder / "other", changed_detector(card, "classifier", heat=wide))
    release(line_folder / "other", releases, "test-line-1")
    app.query_params["part"] = "2"
    app.run()
    assert app.selectbox(key="heat").value == "test-1, as deployed"
    assert app.selectbox(key="beside").value == "test-line-1, as deployed"
    (change,) = [one.value for one in app.markdown if one.value.startswith("From left to right")]
    assert "moves by 0 px" in change
    assert "the peak changes by -0.4" in change
    app.selectbox(key="beside").select("test-1, as deployed").run()
    assert not [one for one in app.markdown if one.value.startswith("From left to right")]


def change_of(app: AppTest) -> str:
    (change,) = [one.value for one in app.markdown if one.value.startswith("From left to right")]
    return str(change)


def test_a_crop_stands_beside_itself_altered_with_what_changed(app: AppTest) -> None:
    """Made darker by 51, the spot of 250 is that of a slide; mirrored it is the same dent.

    Its heat is even over some cells, of which the first one counts.
    """
    app.query_params["part"] = "2"
    app.run()
    assert not [one for one in app.markdown if one.value.startswith("From left to right")]
    app.selectbox(key="crop_beside").select("darker").run()
    headline(app)
    assert "the verdict on the view becomes review instead of reject" in change_of(app)
    app.selectbox(key="crop_beside").select("mirrored").run()
    assert "the verdict on the view stays reject" in change_of(app)
    assert "moves by 12 px of the crop as it is" in change_of(app)


def test_an_alteration_stands_in_the_address_and_is_the_same_from_there(app: AppTest) -> None:
    state = {"part": "2", "crop": "noise", "crop_beside": "drawn: noise", "draw": "7"}
    app.query_params.update(state)
    app.run()
    headline(app)
    assert app.selectbox(key="crop").value == "noise"
    assert app.number_input(key="draw").value == 7
    first = change_of(app)
    app.number_input(key="draw").set_value(8).run()
    assert app.query_params["draw"] in ("8", ["8"])
    assert change_of(app) != first
    app.number_input(key="draw").set_value(7).run()
    assert change_of(app) == first
    app.selectbox(key="crop_beside").select("as it is").run()
    assert not app.number_input
    assert "draw" not in app.query_params


def test_each_kind_of_box_can_be_hidden_and_the_address_says_which(app: AppTest) -> None:
    def of(app: AppTest) -> list[str]:
        return list(app.pills(key="kinds").value)

    app.query_params["hidden"] = "crops"
    app.run()
    headline(app)
    assert of(app) == ["labelled defect", "labelled region", "found defect"]
    app.pills(key="kinds").set_value(["found defect", "crops"]).run()
    headline(app)
    found = app.query_params["hidden"]
    assert "".join(found) == "labelled defect,labelled region"


def test_the_threshold_stands_in_the_address_once_it_is_moved(app: AppTest) -> None:
    app.run()
    assert "boxed" not in app.query_params
    app.slider[0].set_value(0.75).run()
    assert app.query_params["boxed"] in ("0.75", ["0.75"])

    again = AppTest.from_file(str(APP), default_timeout=60)
    again.query_params["boxed"] = "0.75"
    assert again.run().slider[0].value == 0.75
    for nonsense in ("7", "hot", "nan"):
        other = AppTest.from_file(str(APP), default_timeout=60)
        other.query_params["boxed"] = nonsense
        assert other.run().slider[0].value == 0.5


def test_the_threshold_says_what_is_boxed(app: AppTest) -> None:
    def n_boxes() -> set[str]:
        return {c.value.split(", ")[1] for c in app.caption if c.value.startswith("peak")}

    app.query_params["part"] = "2"
    app.run()
    assert n_boxes() == {"1 boxes"}
    app.selectbox(key="of").select("slide").run()
    app.slider[0].set_value(1.0).run()
    assert n_boxes() == {"0 boxes"}


def test_the_address_holds_what_is_shown(app: AppTest) -> None:
    app.query_params.update({"fold": "test", "part": "9", "view": "images/9_2.jpg"})
    app.run()
    assert app.selectbox(key="view").value == "images/9_2.jpg"
    assert app.query_params["fold"] in ("test", ["test"])


def test_a_bundle_that_changes_is_loaded_anew(app: AppTest, line_folder: Path) -> None:
    app.run()
    headline(app)
    (line_folder / "models/bundle/anomaly.onnx").write_bytes(b"broken")
    (line_folder / "models/bundle/card.json").touch()
    app.run()
    assert "its hash is not the one on the card" in app.error[0].value


@pytest.fixture
def with_epochs(line_folder: Path) -> Path:
    """A line whose last training kept two epochs."""
    keep_epochs(line_folder)
    return line_folder


def captions_of(app: AppTest) -> list[str]:
    return [one.value for one in app.caption if one.value.startswith("peak")]


def test_an_epoch_of_the_last_training_stands_beside_its_model(
    app: AppTest, with_epochs: Path
) -> None:
    app.query_params["part"] = "2"
    app.run()
    epochs = ["epoch 7, gradcam on fused", "epoch 8, gradcam on fused"]
    assert app.selectbox(key="heat").options == ["test-1, as deployed", *epochs]
    (deployed,) = set(captions_of(app))
    app.selectbox(key="beside").select(epochs[0]).run()
    headline(app)
    left, right = captions_of(app)
    assert left == deployed
    assert right != deployed
    (told,) = [one.value for one in app.caption if "epoch's classifier" in one.value]
    assert told.endswith("by the calibration and thresholds of test-1.")
    assert app.query_params["beside"] in (epochs[0], [epochs[0]])

    app.selectbox(key="heat").select(epochs[1]).run()
    headline(app)
    assert len(set(captions_of(app))) == 2
    assert "the classifier's score goes from" in change_of(app)


def test_an_epoch_that_is_learned_anew_is_looked_at_anew(app: AppTest, with_epochs: Path) -> None:
    app.query_params.update({"part": "2", "beside": "epoch 7, gradcam on fused"})
    app.run()
    assert app.selectbox(key="beside").value == "epoch 7, gradcam on fused"
    _, before = captions_of(app)
    kept = with_epochs / "artifacts/classifier/epochs"
    write_bytes(kept / "0007.safetensors", (kept / "0008.safetensors").read_bytes())
    app.run()
    headline(app)
    _, after = captions_of(app)
    assert after != before


def test_another_model_has_no_epochs(app: AppTest, with_epochs: Path) -> None:
    make_bundle(with_epochs / "other", version="other")
    release(with_epochs / "other", with_epochs / "models/releases", "test-line-1")
    app.run()
    app.selectbox(key="model").select("test-line-1").run()
    assert not [name for name in app.selectbox(key="heat").options if "epoch" in name]


def test_the_parts_beside_the_one_that_is_shown_are_measured_ahead(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dashboard import loading

    app.run()
    part_ids = parts(app)
    loading.ahead().wait()
    measured: list[str] = []
    measure = Inspector.measure

    def noting(self: Inspector, view: View) -> ViewOutputs:
        measured.append(view.name)
        return measure(self, view)

    monkeypatch.setattr(Inspector, "measure", noting)
    shown = app.selectbox(key="part")
    shown.select(part_ids[part_ids.index(shown.value) + 1]).run()
    headline(app)
    ahead = loading.ahead()
    ahead.wait()
    # the part itself was there already, and the one after it is there now
    manifest = loading.views().set_index("path")["part_id"]
    of_parts = {manifest[name] for name in measured}
    assert of_parts == {part_ids[part_ids.index(app.selectbox(key="part").value) + 1]}
