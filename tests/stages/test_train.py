import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from inspection.errors import InspectionError
from inspection.evaluation.part_scores import read_out_of_fold
from inspection.models.classifier import (
    load_classifier,
    load_classifier_before_val,
    load_classifier_of_epoch,
)
from inspection.models.crops import Crops, save_crops
from inspection.models.epochs import EPOCHS, kept_epochs
from inspection.workers import PROCESSES
from stages import train
from stages.params.train import TrainParams
from stages.tracking import TrackingParams
from tests.architecture import ROOT
from tests.lines import run_stage
from tests.networks import TINY, tiny_classifier
from tests.squares import draw_crops, joined
from tests.stages.conftest import statuses

# A machine that is busy with other tests, on which processes take their time to begin.
PATIENCE_S = 300.0
PARAMS: dict[str, Any] = {
    "train": {
        "backbone_args": TINY,
        "augmentation": "flip",
        "epochs": 3,
        "batch_size": 12,
        "learning_rate": 0.02,
        "track": False,
    },
    "tracking": {"store": "mlruns", "experiment": "drawn"},
}


def squares() -> Crops:
    return joined(draw_crops(8, seed=1), draw_crops(2, fold="val", seed=2))


def run(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    crops: Crops,
    *,
    store: TrackingParams | None = None,
    **changes: Any,
) -> dict[str, Any]:
    """Run the stage on these crops; returns its metrics."""
    monkeypatch.setenv(PROCESSES, "1")
    save_crops(folder / "crops", "part", crops)
    run_stage(
        train,
        folder,
        monkeypatch,
        params={
            "train": PARAMS["train"] | changes,
            "tracking": store.model_dump() if store else PARAMS["tracking"],
        },
        crops="crops",
        out="classifier",
        run="run.json",
        metrics="train.json",
    )
    return json.loads((folder / "train.json").read_text())


def test_what_the_stage_saves_is_the_classifier_of_its_metrics(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = run(tmp_path, monkeypatch, squares())
    model = load_classifier(tmp_path / "classifier")
    val = squares().in_fold("val")
    classes = model.architecture.classes
    labels = torch.tensor([classes.index(label) for label in val.index["label"]])
    with torch.no_grad():
        logits = model(torch.from_numpy(val.images).permute(0, 3, 1, 2))
    loss = float(torch.nn.functional.cross_entropy(logits, labels))
    assert loss == pytest.approx(metrics["val_loss"], rel=1e-3)
    assert (metrics["n_train_crops"], metrics["n_val_crops"]) == (48, 12)
    assert metrics["n_parameters"] == sum(p.numel() for p in model.parameters())


def test_brightness_is_that_of_the_train_fold_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crops = squares()
    crops.images[48:] = 255
    run(tmp_path, monkeypatch, crops, epochs=1)
    architecture = load_classifier(tmp_path / "classifier").architecture
    pixels = crops.images[:48].astype(float)
    assert architecture.mean == pytest.approx([pixels.mean()], abs=1e-3)
    assert architecture.std == pytest.approx([pixels.std()], abs=2e-3)


def test_the_curves_have_a_row_per_epoch_and_no_run_is_made_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = run(tmp_path, monkeypatch, squares(), epochs=2)
    curves = pd.read_csv(tmp_path / "classifier" / "curves.csv")
    assert curves["epoch"].tolist() == [0, 1]
    assert np.isfinite(curves).all(axis=None)
    assert metrics["epochs"] == 2
    assert json.loads((tmp_path / "run.json").read_text()) == {"run_id": None}
    assert not (tmp_path / "mlruns").exists()


def test_the_same_seed_trains_the_same_classifier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        folder = tmp_path / name
        folder.mkdir()
        losses.append(run(folder, monkeypatch, squares(), epochs=1, seed=seed)["val_loss"])
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


def test_classes_without_crops_and_a_val_fold_without_any_are_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InspectionError) as caught:
        run(tmp_path, monkeypatch, draw_crops(2, classes=("normal",)))
    bright, dark, val = str(caught.value).splitlines()
    assert bright.startswith("train: no crop of class 'bright' in region 'part'; add parts, or")
    assert dark.startswith("train: no crop of class 'dark'")
    assert val == "val: no crops; raise split.val_fraction or add parts"
    assert not (tmp_path / "classifier").exists()


def test_a_class_that_is_kept_unseen_is_not_missed_and_never_learned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = ("normal", "bright")
    crops = joined(
        draw_crops(8, seed=1, classes=seen),
        draw_crops(2, seed=2, classes=seen, fold="val"),
        draw_crops(8, seed=3, classes=("dark",), fold="unseen"),
    )
    metrics = run(tmp_path, monkeypatch, crops, epochs=1)
    assert metrics["n_train_crops"] == 2 * 2 * 8  # two views of eight parts of two classes
    assert load_classifier(tmp_path / "classifier").architecture.classes == (*seen, "dark")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"augmentation": "mirror"}, "train.augmentation: should be one of .*'basic'.*'mirror'"),
        ({"balance": "even"}, "train.balance: should be 'sampler', 'weights' or 'none'"),
        ({"epochs": 0}, "train.epochs: should be >= 1, got 0"),
        ({"lr": 0.1}, "train.lr: unknown key"),
        ({"backbone": "resnet10x"}, "train.backbone: timm knows no 'resnet10x'"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_setting_that_cannot_be_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(InspectionError, match=told):
        run(tmp_path, monkeypatch, squares(), **changes)


@pytest.mark.parametrize("balance", ["weights", "none"])
def test_a_rare_class_can_be_balanced_in_other_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, balance: str
) -> None:
    crops = squares()
    rare = crops.rows(np.flatnonzero(~crops.index["part_id"].isin(["train1-2", "train1-5"])))
    assert run(tmp_path, monkeypatch, rare, epochs=1, balance=balance)["epochs"] == 1


@pytest.mark.parametrize(
    ("stopped_by", "status"),
    [
        (RuntimeError("the disk is full"), "FAILED"),
        (KeyboardInterrupt(), "KILLED"),
        (SystemExit(1), "KILLED"),
    ],
)
@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_training_that_was_stopped_is_not_finished_in_the_registry(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tracked: TrackingParams,
    stopped_by: BaseException,
    status: str,
) -> None:
    def stop(*_: Any, on_epoch: Callable[[int, dict[str, float]], None], **__: Any) -> None:
        on_epoch(0, {"val_loss": 1.0})
        raise stopped_by

    monkeypatch.setattr(train, "fit_classifier", stop)
    with pytest.raises(type(stopped_by)):
        run(tmp_path, monkeypatch, squares(), store=tracked, track=True)
    assert statuses(tracked) == [status]
    assert not (tmp_path / "run.json").exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_training_that_ended_well_is_finished_and_its_run_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tracked: TrackingParams
) -> None:
    run(tmp_path, monkeypatch, squares(), store=tracked, epochs=1, track=True)
    assert statuses(tracked) == ["FINISHED"]
    assert json.loads((tmp_path / "run.json").read_text())["run_id"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"freeze_backbone": True, "weights": "hub"}, "are trained side by side already"),
        ({"batch_size": 13}, "batch_size: 13 crops do not make 2 equal shares"),
        ({"batch_size": 2}, "of 2 or more"),
    ],
)
def test_devices_that_have_nothing_to_share_are_refused(
    changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        TrainParams(devices=2, **changes)
    assert TrainParams(devices=2, batch_size=4).devices == 2


@pytest.mark.slow
def test_two_processes_learn_what_one_does_in_one_run_of_mlflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tracked: TrackingParams
) -> None:
    """As a program, under the lock of the stage, which the second process must not take."""
    (tmp_path / "one").mkdir()
    alone = run(tmp_path / "one", monkeypatch, squares(), epochs=8)

    (folder := tmp_path / "two").mkdir()
    monkeypatch.setattr(train, "main", lambda: None)
    run_settings = {"store": tracked, "track": True, "epochs": 8, "devices": 2}
    with pytest.raises(FileNotFoundError):  # nothing was trained: the program is to do so
        run(folder, monkeypatch, squares(), **run_settings)
    words = {"crops": "crops", "out": "classifier", "run": "run.json", "metrics": "train.json"}
    flags = [word for name, path in words.items() for word in (f"--{name}", path)]
    done = subprocess.run(
        [sys.executable, "-m", "stages.train", *flags], cwd=folder, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr

    curves = pd.read_csv(folder / "classifier" / "curves.csv")
    together = json.loads((folder / "train.json").read_text())
    assert np.isfinite(curves).all(axis=None)
    assert curves["epoch"].tolist() == list(range(together["epochs"]))
    assert together["val_macro_f1"] == pytest.approx(alone["val_macro_f1"], abs=0.05)
    assert statuses(tracked) == ["FINISHED"]
    assert done.stderr.count("epoch 0: ") == 1


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the head was trained on the frozen backbone of a local file."""
    folder = tmp_path_factory.mktemp("frozen")
    save_file(tiny_classifier(seed=5).backbone.state_dict(), folder / "backbone.safetensors")
    with pytest.MonkeyPatch.context() as monkeypatch:
        run(
            folder, monkeypatch, three_folds(),
            weights="backbone.safetensors", freeze_backbone=True, epochs=8,
        )  # fmt: skip
    return folder


def three_folds() -> Crops:
    return joined(squares(), draw_crops(2, fold="test", seed=3))


def test_a_frozen_backbone_stays_what_it_was_and_its_head_learns(frozen: Path) -> None:
    model = load_classifier(frozen / "classifier")
    for name, value in tiny_classifier(seed=5).backbone.state_dict().items():
        assert torch.equal(model.backbone.state_dict()[name], value)
    metrics = json.loads((frozen / "train.json").read_text())
    assert metrics["out_of_fold_macro_f1"] > 0.6
    assert metrics["n_out_of_fold_crops"] == len(squares())
    assert model.architecture.weights == "file"


def test_every_crop_but_those_of_test_has_logits_of_a_head_that_has_not_seen_it(
    frozen: Path,
) -> None:
    table = read_out_of_fold(frozen / "classifier")
    assert table is not None
    assert table["view_id"].tolist() == squares().index["view_id"].tolist()

    before_val = load_classifier_before_val(frozen / "classifier")
    val = squares().in_fold("val")
    with torch.no_grad():
        logits = before_val(torch.from_numpy(val.images).permute(0, 3, 1, 2)).numpy()
    of_val = table[table["view_id"].isin(val.index["view_id"])].filter(like="value_")
    np.testing.assert_allclose(of_val.to_numpy(), logits, atol=0.05)

    deployed = load_classifier(frozen / "classifier")
    assert not torch.equal(deployed.head.evidence.weight, before_val.head.evidence.weight)


def test_the_parts_of_test_change_nothing_that_a_frozen_training_gives(
    frozen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crops = three_folds()
    crops.images[len(squares()) :] = 0
    (tmp_path / "backbone.safetensors").write_bytes((frozen / "backbone.safetensors").read_bytes())
    run(
        tmp_path, monkeypatch, crops,
        weights="backbone.safetensors", freeze_backbone=True, epochs=8,
    )  # fmt: skip
    for name in ("weights.safetensors", "before_val/weights.safetensors"):
        one, other = (load_file(at / "classifier" / name) for at in (frozen, tmp_path))
        assert all(torch.equal(value, other[key]) for key, value in one.items())


def test_heads_wait_for_the_others_until_all_are_saved_and_no_longer(
    frozen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "backbone.safetensors").write_bytes((frozen / "backbone.safetensors").read_bytes())
    (tmp_path / "dvc.yaml").write_text("stages: {train: {deps: [crops], params: [train]}}\n")
    asked = {
        "weights": "backbone.safetensors",
        "freeze_backbone": True,
        "epochs": 1,
        "keep_epochs": 1,
    }
    saved = train._save
    monkeypatch.setattr(train, "_save", lambda *_: pytest.fail("killed"))
    with pytest.raises(pytest.fail.Exception):
        run(tmp_path, monkeypatch, three_folds(), **asked)
    (kept,) = (tmp_path / train.KEPT_HEADS).iterdir()
    assert len(list(kept.iterdir())) == 5 + 1

    monkeypatch.setattr(train, "_save", saved)
    run(tmp_path, monkeypatch, three_folds(), **asked)
    assert not (tmp_path / train.KEPT_HEADS).exists()
    assert kept_epochs(tmp_path / "classifier") == [0]


def unmarked(crops: Crops, of: str, n: int | None = None) -> Crops:
    """The crops, of which the first n of a class, or all of it, do not say where the defect is."""
    index = crops.index.copy()
    rows = index.index[index["label"] == of][:n]
    index.loc[rows, "target"] = "unknown"
    return replace(crops, index=index)


def test_of_windows_crops_are_left_out_whose_defect_nobody_has_marked(
    frozen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "backbone.safetensors").write_bytes((frozen / "backbone.safetensors").read_bytes())
    asked = {"weights": "backbone.safetensors", "freeze_backbone": True, "epochs": 1}
    crops = unmarked(three_folds(), "dark", 1)
    run(tmp_path, monkeypatch, crops, window_px=[16, 16], **asked)
    assert f"train: 1 of {len(crops)} crops are not learned from" in caplog.text

    with pytest.raises(InspectionError, match=r"where the defects of \['dark'\] lie; set "):
        run(tmp_path, monkeypatch, unmarked(crops, "dark"), window_px=[16, 16], **asked)


def test_only_a_head_on_a_frozen_backbone_learns_from_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InspectionError, match="window_px: only the head on a frozen backbone"):
        run(tmp_path, monkeypatch, squares(), window_px=[16, 16])


def test_packaged_weights_of_a_backbone_that_no_package_has_are_refused_before_anything_runs() -> (
    None
):
    with pytest.raises(ValueError, match="weights: no package has those of 'resnet18', only of"):
        TrainParams(backbone="resnet18", weights="packaged")


def test_evidence_is_read_from_64_channels_where_nothing_else_is_said() -> None:
    assert TrainParams().head_dim == 64


def test_windows_are_not_learned_from_where_only_the_centre_is_looked_at() -> None:
    lite = {"backbone": "tf_efficientnet_lite0", "weights": "packaged"}
    settings = lite | {"freeze_backbone": True, "window_px": (64, 64)}
    with pytest.raises(ValueError, match="window_px: augmentation 'line_centre' looks at the"):
        TrainParams(**settings, augmentation="line_centre")

    assert TrainParams(**settings, augmentation="line").window_px == (64, 64)


def test_a_mirror_image_that_was_never_shown_is_not_judged_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InspectionError, match=r"mirror_average: augmentation 'noise' never shows"):
        run(tmp_path, monkeypatch, squares(), augmentation="noise", mirror_average=True)


def test_the_head_has_the_width_and_the_ways_that_were_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path, monkeypatch, squares(), epochs=1, head_dim=16, mirror_average=True)
    architecture = load_classifier(tmp_path / "classifier").architecture
    assert (architecture.dim, architecture.mirror_average) == (16, True)


def test_an_untrained_backbone_is_not_frozen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InspectionError, match=r"freeze_backbone: an untrained backbone"):
        run(tmp_path, monkeypatch, squares(), freeze_backbone=True)


def test_a_network_that_cannot_be_built_opens_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InspectionError, match="timm knows no"):
        run(tmp_path, monkeypatch, squares(), backbone="resnet10x", track=True)
    assert not (tmp_path / "mlruns").exists()


def test_the_last_epochs_of_a_whole_network_are_kept_and_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, n in (("none", 0), ("two", 2)):
        folder = tmp_path / name
        folder.mkdir()
        run(folder, monkeypatch, squares(), keep_epochs=n)

    none, two = tmp_path / "none/classifier", tmp_path / "two/classifier"
    assert not (none / EPOCHS).exists()
    assert [one.name for one in sorted((two / EPOCHS).iterdir())] == [
        "0001.safetensors",
        "0002.safetensors",
    ]
    for name in ("weights.safetensors", "architecture.json", "curves.csv"):
        assert (none / name).read_bytes() == (two / name).read_bytes()

    metrics = json.loads((tmp_path / "two/train.json").read_text())
    deployed = load_classifier(two).state_dict()
    for number in kept_epochs(two):
        weights = load_classifier_of_epoch(two, number).state_dict()
        is_best = number == metrics["best_epoch"]
        assert is_best == all(torch.equal(value, deployed[key]) for key, value in weights.items())


def test_the_last_epoch_of_a_head_on_a_frozen_backbone_is_the_head_that_is_deployed(
    frozen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "backbone.safetensors").write_bytes((frozen / "backbone.safetensors").read_bytes())
    run(
        tmp_path, monkeypatch, three_folds(),
        weights="backbone.safetensors", freeze_backbone=True, epochs=8, keep_epochs=3,
    )  # fmt: skip
    classifier = tmp_path / "classifier"
    assert not (frozen / "classifier" / EPOCHS).exists()
    assert kept_epochs(classifier) == [5, 6, 7]
    for name in ("weights.safetensors", "curves.csv", "before_val/weights.safetensors"):
        assert (classifier / name).read_bytes() == (frozen / "classifier" / name).read_bytes()
    deployed = load_file(classifier / "weights.safetensors")
    of_head = {name for name in deployed if name.startswith("head.")}
    last = load_file(classifier / EPOCHS / "0007.safetensors")
    assert set(last) == of_head
    assert all(torch.equal(value, deployed[name]) for name, value in last.items())
