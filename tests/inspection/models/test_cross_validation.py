from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from safetensors.torch import load

from inspection.errors import InspectionError
from inspection.models import cross_validation
from inspection.models.cross_validation import CrossValidation, FrozenTraining, cross_validate
from inspection.models.frozen import frozen_features, head_logits
from inspection.workers import PROCESSES
from tests.networks import SCHEDULE, tiny_classifier
from tests.squares import draw_crops, joined

# Nothing is held out from the head that is deployed, and Lightning finds that odd.
pytestmark = pytest.mark.filterwarnings("ignore:You defined a `validation_step`")

CROPS = joined(draw_crops(4, seed=1), draw_crops(2, fold="val", seed=2))
FOLDS = [0, 1, 2, 3, 4]


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> FrozenTraining:
    model = tiny_classifier(seed=5)
    features = frozen_features(
        model, CROPS.images, tmp_path_factory.mktemp("features"), mirrored=True, show_progress=False
    )
    return FrozenTraining(model, CROPS, features, replace(SCHEDULE, epochs=2), seed=0)


def trained(training: FrozenTraining, epochs: list[Any] | None = None) -> CrossValidation:
    def note(*epoch: Any) -> None:
        if epochs is not None:
            epochs.append(epoch[:2])

    return cross_validate(training, on_epoch=note, show_progress=False)


def test_each_crop_is_judged_by_the_head_without_its_fold(
    training: FrozenTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PROCESSES, "1")
    n_threads = torch.get_num_threads()
    epochs: list[Any] = []
    found = trained(training, epochs)

    assert sorted(found.without) == FOLDS
    fold_of = CROPS.index["cv_fold"].to_numpy()
    for fold, model in found.without.items():
        held_out = np.flatnonzero(fold_of == fold)
        wanted = head_logits(model.head, training.features, held_out)
        np.testing.assert_allclose(found.logits[held_out], wanted, atol=1e-5)
    assert not torch.equal(found.deployed.head.evidence.weight,
                           found.without[0].head.evidence.weight)  # fmt: skip
    assert epochs == [(fold, number) for fold in [*FOLDS, None] for number in (0, 1)]
    assert len(found.history) == 2
    assert torch.get_num_threads() == n_threads


def test_a_training_that_was_killed_goes_on_with_the_heads_that_are_not_done(
    training: FrozenTraining, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PROCESSES, "1")
    wanted = trained(training)
    keeping = replace(training, kept=tmp_path / "kept")

    def killed(fold: int | None, *_: Any) -> None:
        if fold == 3:
            raise KeyboardInterrupt

    with pytest.raises(SystemExit):  # which Lightning makes of it
        cross_validate(keeping, on_epoch=killed, show_progress=False)

    fitted: list[int | None] = []
    anew = cross_validation._fit_anew
    monkeypatch.setattr(
        cross_validation, "_fit_anew", lambda *of: fitted.append(of[1]) or anew(*of)
    )
    epochs: list[Any] = []
    found = trained(keeping, epochs)
    assert fitted == [3, 4, None]
    assert len(epochs) == 2 * 6
    np.testing.assert_array_equal(found.logits, wanted.logits)
    assert found.history == wanted.history
    for one, other in ((found.without[1], wanted.without[1]), (found.deployed, wanted.deployed)):
        weights = other.state_dict()
        assert all(torch.equal(value, weights[name]) for name, value in one.state_dict().items())


def weights_of(epoch: bytes) -> dict[str, torch.Tensor]:
    return {name.removeprefix("head."): value for name, value in load(epoch).items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    assert one.keys() == other.keys()
    return all(torch.equal(value, other[name]) for name, value in one.items())


def test_the_last_epochs_of_the_deployed_head_are_handed_on(
    training: FrozenTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PROCESSES, "1")
    none = trained(training)
    assert none.epochs == {}
    last = trained(replace(training, keep_epochs=1))
    both = trained(replace(training, keep_epochs=5))
    assert list(last.epochs) == [1]
    assert list(both.epochs) == [0, 1]
    assert last.epochs[1] == both.epochs[1]
    deployed = both.deployed.head.state_dict()
    assert same(weights_of(both.epochs[1]), deployed)
    assert not same(weights_of(both.epochs[0]), deployed)
    assert same(none.deployed.state_dict(), both.deployed.state_dict())
    np.testing.assert_array_equal(none.logits, both.logits)


def test_a_training_that_goes_on_has_the_epochs_of_the_head_that_was_done(
    training: FrozenTraining, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PROCESSES, "1")
    keeping = replace(training, kept=tmp_path / "kept", keep_epochs=2)
    wanted = trained(keeping)
    monkeypatch.setattr(cross_validation, "_fit_anew", lambda *_: pytest.fail("fitted anew"))
    found = trained(keeping)
    assert list(found.epochs) == [0, 1]
    assert found.epochs == wanted.epochs
    assert same(found.deployed.head.state_dict(), wanted.deployed.head.state_dict())


@pytest.mark.slow
def test_heads_that_are_trained_side_by_side_are_those_that_are_trained_one_by_one(
    training: FrozenTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    training = replace(training, keep_epochs=2)
    for n in ("1", "2"):
        monkeypatch.setenv(PROCESSES, n)
        epochs: list[Any] = []
        found.append(trained(training, epochs))
        assert sorted(epochs, key=str) == sorted(
            ((fold, number) for fold in [*FOLDS, None] for number in (0, 1)), key=str
        )

    one, other = found
    np.testing.assert_array_equal(one.logits, other.logits)
    assert one.history == other.history
    assert one.epochs == other.epochs
    for a, b in ((one.deployed, other.deployed), (one.without[3], other.without[3])):
        weights = b.state_dict()
        assert all(torch.equal(value, weights[name]) for name, value in a.state_dict().items())


@pytest.mark.slow
def test_a_head_whose_process_is_killed_ends_the_training_with_a_line(
    training: FrozenTraining,
) -> None:
    def kill(*_: Any) -> None:
        for child in psutil.Process().children():
            # what another test has killed may still be there, and has no command any more
            is_at_work = child.status() != psutil.STATUS_ZOMBIE
            if is_at_work and "spawn_main" in " ".join(child.cmdline()):
                child.kill()

    # so many that it is surely at work when its first epoch is reported
    endless = replace(training, schedule=replace(training.schedule, epochs=10_000))
    with pytest.raises(InspectionError, match=f"was killed; .*{PROCESSES}=1"):
        cross_validation._side_by_side(endless, [0], kill, 1)


def test_pictures_are_not_sent_to_other_processes_nor_features_read_twice(
    training: FrozenTraining, tmp_path: Path
) -> None:
    import pickle

    small = training.crops.without_images()
    assert small.images.nbytes == 0
    assert len(pickle.dumps(training.features)) < 1000
    again = pickle.loads(pickle.dumps(training.features))
    for one, other in zip(training.features.stages, again.stages, strict=True):
        np.testing.assert_array_equal(one, other)


def test_of_windows_those_crops_are_learned_from_whose_defect_is_marked(
    training: FrozenTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PROCESSES, "1")
    shown: list[Any] = []
    fit = cross_validation.fit_head
    monkeypatch.setattr(
        cross_validation, "fit_head", lambda *of, **named: shown.append(of) or fit(*of, **named)
    )
    crops = replace(CROPS, index=CROPS.index.assign(target=CROPS.index["target"].to_numpy()))
    unknown = int(np.flatnonzero(crops.index["label"] != "normal")[0])
    crops.index.loc[unknown, "target"] = "unknown"
    schedule = replace(training.schedule, epochs=1, window_px=(16, 16))
    found = trained(replace(training, crops=crops, schedule=schedule))

    _, train, held_out, _ = shown[-1]
    assert held_out is None
    assert unknown not in train.rows
    assert len(train.rows) == len(crops) - 1
    assert train.windows is not None
    assert np.isfinite(found.logits).all()
    assert not np.array_equal(found.logits, trained(training).logits)
