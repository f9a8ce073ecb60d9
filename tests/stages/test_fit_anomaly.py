import dataclasses
import json
from itertools import chain
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from inspection.errors import InspectionError
from inspection.evaluation.part_scores import OUT_OF_FOLD, out_of_fold_table, read_out_of_fold
from inspection.models.anomaly import MODELS, anomalies, load_anomaly_model
from inspection.models.classifier import load_classifier, save_classifier
from inspection.models.crops import Crops, save_crops
from inspection.storage import write_table
from stages import fit_anomaly
from stages.params.fit_anomaly import MODELS as NAMED
from stages.params.fit_anomaly import NEEDS, FitAnomalyParams
from tests.lines import run_stage, squares_line
from tests.networks import tiny_classifier
from tests.squares import draw_crops, joined

LINE = squares_line()


def squares() -> Crops:
    return joined(draw_crops(8, seed=1), draw_crops(5, fold="val", seed=2))


def run(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    crops: Crops,
    line: dict[str, Any] | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """Run the stage on these crops and an untrained classifier; returns the region's metrics."""
    save_crops(folder / "crops", "part", crops)
    save_classifier(tiny_classifier(), folder / "classifier")
    run_stage(
        fit_anomaly,
        folder,
        monkeypatch,
        params={"fit_anomaly": {"features": "filters", "n_features": 12} | changes}
        | ({} if line is None else {"line": line}),
        crops="crops",
        classifier="classifier",
        out="anomaly",
        metrics="fit_anomaly.json",
    )
    return json.loads((folder / "fit_anomaly.json").read_text())["regions"]["part"]


def module_paths(module: ModuleType) -> list[str]:
    return list(module.__path__)


def parts(normals: list[float], defects: list[float]) -> pd.DataFrame:
    labels = ["normal"] * len(normals) + ["dark"] * len(defects)
    return pd.DataFrame({"label": labels, "part_label": labels, "score": normals + defects})


def test_squares_are_told_from_normals_and_the_saved_model_says_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = run(tmp_path, monkeypatch, squares())
    assert metrics["val_auroc"] > 0.9
    assert metrics["n_fitted"] == 16
    model = load_anomaly_model(tmp_path / "anomaly/part", load_classifier(tmp_path / "classifier"))
    val = squares().in_fold("val")
    saved = json.loads((tmp_path / "anomaly/part/calibration.json").read_text())
    scores, _ = anomalies(model, val.images)
    scores = (scores - saved["mean"]) / saved["std"]
    written = pd.read_csv(tmp_path / "anomaly/part/val_scores.csv")
    assert written["score"].max() == pytest.approx(scores.max(), rel=1e-4)
    normal = scores[(val.index["label"] == "normal").to_numpy()]
    assert (normal.mean(), normal.std(ddof=1)) == (
        pytest.approx(0, abs=1e-3), pytest.approx(1, abs=1e-3)
    )  # fmt: skip


def test_each_region_has_a_model_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    region = LINE.regions["part"].model_dump()
    line = LINE.model_dump(mode="json") | {
        "regions": {"part": region, "back": region}, "detect_anomalies": ["part", "back"],
    }  # fmt: skip
    brighter = squares()
    darker = dataclasses.replace(brighter, images=brighter.images // 2)
    save_crops(tmp_path / "crops", "back", darker)
    run(tmp_path, monkeypatch, brighter, line=line)

    found = json.loads((tmp_path / "fit_anomaly.json").read_text())["regions"]
    assert list(found) == ["back", "part"]
    classifier = load_classifier(tmp_path / "classifier")
    scores = {
        region: anomalies(load_anomaly_model(tmp_path / "anomaly" / region, classifier), images)[0]
        for region, images in {"part": brighter.images, "back": darker.images}.items()
    }
    # each knows the light of its own region
    assert scores["part"] == pytest.approx(scores["back"], rel=0.2)
    other = load_anomaly_model(tmp_path / "anomaly/part", classifier)
    normal = (brighter.index["label"] == "normal").to_numpy()
    too_dark, _ = anomalies(other, darker.images[normal])
    assert too_dark.mean() > 2 * scores["back"][normal].mean()


def test_of_both_kinds_of_features_the_better_one_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = run(tmp_path, monkeypatch, squares(), features="auto")
    tried = metrics["val_auroc_by_features"]
    assert set(tried) == {"filters", "classifier"}
    assert metrics["features"] == max(tried, key=lambda kind: tried[kind])
    settings = json.loads((tmp_path / "anomaly/part/settings.json").read_text())
    assert settings["kind"] == metrics["features"]


def test_of_all_models_the_better_one_is_kept_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = run(tmp_path, monkeypatch, squares(), model="auto", features="auto", bank_size=100)
    tried = metrics["val_auroc_by_model"]
    assert list(tried) == sorted(MODELS)
    # PaDiM on all features, the others on those on which it tells defects best
    padim = tried["padim"]
    assert set(padim) == {"filters", "classifier"}
    best_features = max(padim, key=lambda kind: padim[kind])
    assert set(tried["patchcore"]) == set(tried["dfm"]) == {best_features}

    settings = json.loads((tmp_path / "anomaly/part/settings.json").read_text())
    chosen = settings.get("model", "padim")
    best = max(max(by_features.values()) for by_features in tried.values())
    assert metrics["val_auroc"] == best == tried[chosen][settings["kind"]]
    assert metrics.get("model", "padim") == chosen


@pytest.mark.parametrize("name", MODELS)
def test_a_model_by_its_name_is_fitted_and_its_evidence_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    metrics = run(tmp_path, monkeypatch, squares(), model=name)
    assert metrics["val_auroc"] > 0.9
    assert metrics["val_auroc_by_features"] == {"filters": metrics["val_auroc"]}
    saved = json.loads((tmp_path / "anomaly/part/calibration.json").read_text())
    # PaDiM goes without saying
    assert saved["evidence"].get("model") == (None if name == "padim" else name)


def test_a_fit_that_takes_more_memory_than_allowed_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InspectionError, match=r"max_memory_mib is 1; fit fewer"):
        run(tmp_path, monkeypatch, squares(), max_memory_mib=1)
    assert not (tmp_path / "anomaly").exists()


def test_normals_that_look_least_normal_are_listed_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crops = squares()
    dark_in_val = (crops.index["label"] == "dark") & (crops.index["fold"] == "val")
    wrong = crops.index["view_id"][dark_in_val]
    called_normal = crops.index["view_id"].isin(wrong[:2])
    index = crops.index.mask(called_normal, crops.index.assign(label="normal", part_label="normal"))
    run(tmp_path, monkeypatch, dataclasses.replace(crops, index=index))

    listed = pd.read_csv(tmp_path / "anomaly/part/suspects.csv")
    assert set(listed["view_id"][:2]) == set(wrong[:2])
    assert listed.columns.tolist() == ["view_id", "path", "part_id", "score"]
    normal = (index["part_label"] == "normal") & (index["fold"] == "val")
    assert len(listed) == normal.sum()
    assert listed["score"].is_monotonic_decreasing


@pytest.mark.parametrize("name", ["padim", "patchcore", "dfm", "auto"])
def test_a_model_that_runs_here_is_taken(name: str) -> None:
    assert FitAnomalyParams(model=name).model == name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("efficient_ad", "does not run here: it needs the weights of its teacher and pictures"),
        ("stfpm", "does not run here: it trains a network"),
        ("winclip", "does not run here: it needs the weights of a model of pictures and words"),
        ("padimm", "should be auto, padim, patchcore or dfm"),
    ],
)
def test_a_model_that_does_not_run_here_is_refused_with_what_it_needs(name: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        FitAnomalyParams(model=name)


def test_every_model_of_anomalib_either_runs_here_or_is_refused_with_a_reason() -> None:
    from anomalib.models import image, video

    folders = chain.from_iterable(module_paths(module) for module in (image, video))
    known = {found.name for found in iter_modules(folders) if found.ispkg}
    refused = list(chain.from_iterable(NEEDS.values()))
    assert len(refused) == len(set(refused))
    assert known == {*MODELS, *refused}
    assert set(NAMED) == {"auto", *MODELS}


def test_without_normals_enough_nothing_is_fitted_and_both_folds_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = joined(draw_crops(1, seed=1), draw_crops(2, classes=("bright",), fold="val", seed=2))
    with pytest.raises(InspectionError) as caught:
        run(tmp_path, monkeypatch, few)
    train, val = str(caught.value).splitlines()
    assert train.startswith("part, train: 2 normal views, and at least 3 are needed")
    assert val.startswith("part, val: 0 normal views")
    assert not (tmp_path / "anomaly").exists()


def test_a_part_has_the_score_of_its_worst_view() -> None:
    crops = draw_crops(1)
    table = fit_anomaly.part_scores(
        crops, np.array([0.1, 0.2, 3.0, 0.3, 0.4, 0.5], np.float32), "normal"
    )
    assert table["part_label"].tolist() == ["bright", "dark", "normal"]
    assert table["score"].tolist() == pytest.approx([3.0, 0.5, 0.2])


def test_evidence_counted_by_hand() -> None:
    normals = [float(score) for score in range(20)]
    evidence = fit_anomaly.threshold_evidence(parts(normals, [17.5, 30.0, 40.0]), LINE, 0.1)
    assert evidence["threshold"] == 18.0
    assert (evidence["n_val_normals"], evidence["false_rejects"]) == (20, 1)
    assert evidence["false_reject_upper_bound"] == pytest.approx(0.2161, abs=1e-4)
    assert evidence["val_detected_rate"] == pytest.approx(2 / 3)
    assert evidence["val_auroc"] == pytest.approx((18 + 20 + 20) / 60)


def test_without_defects_there_is_no_evidence_rather_than_a_good_one() -> None:
    evidence = fit_anomaly.threshold_evidence(parts([0.0, 1.0], []), LINE, 0.05)
    assert (evidence["val_auroc"], evidence["val_detected_rate"]) == (None, None)


def test_the_scale_of_the_map_is_cold_at_normals_and_hot_at_defects() -> None:
    val = draw_crops(3, fold="val")
    maps = np.full((len(val), 8, 16), 1.0, np.float32)
    maps[val.targets > 0] = 9.0
    normal = (val.index["part_label"] == "normal").to_numpy()
    scale = fit_anomaly.heat_scale(val, maps, normal, LINE)
    assert (scale["cold"], scale["hot"]) == (1.0, 9.0)
    only_normals = val.rows(np.flatnonzero(normal))
    bare = fit_anomaly.heat_scale(only_normals, maps[normal], normal[normal], LINE)
    assert (bare["cold"], bare["box_threshold"]) == (1.0, 0.5)


def test_beside_a_classifier_with_scores_out_of_fold_every_part_is_judged_by_a_fit_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crops = joined(squares(), draw_crops(2, fold="test", seed=3))
    table = out_of_fold_table(crops.index, np.zeros((len(crops), 3)))
    write_table(tmp_path / "classifier" / OUT_OF_FOLD, table)
    metrics = run(tmp_path, monkeypatch, crops)
    n_normal = int((squares().index["label"] == "normal").sum())
    assert metrics["n_fitted"] == n_normal
    assert metrics["n_val_normals"] == n_normal // 2

    scores = read_out_of_fold(tmp_path / "anomaly/part")
    assert scores is not None
    assert scores["view_id"].tolist() == squares().index["view_id"].tolist()
    model = load_anomaly_model(tmp_path / "anomaly/part", load_classifier(tmp_path / "classifier"))
    seen, _ = anomalies(model, squares().images)
    normal = (squares().index["label"] == "normal").to_numpy()
    # a fit that has seen a normal finds it more normal than one that has not
    assert seen[normal].mean() < scores["value_0"][normal].mean()
