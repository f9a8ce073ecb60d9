import json

import pytest

from inspection.adoption.training import ANOMALY, EPOCHS, TRANSFER, epochs_for, steps_of
from stages.params.fit_anomaly import FitAnomalyParams
from stages.params.train import TrainParams


@pytest.mark.parametrize("n_views", [900, 1344, 2000, 6000])
def test_training_takes_some_1200_steps_however_many_views_there_are(n_views: int) -> None:
    assert 1100 <= steps_of(n_views, epochs_for(n_views)) <= 1300


@pytest.mark.parametrize("n_views", [1, 10, 100_000])
def test_the_length_stays_within_reason(n_views: int) -> None:
    least, most = EPOCHS
    assert least <= epochs_for(n_views) <= most


@pytest.mark.parametrize(("n_views", "epochs"), [(3047, 11), (3048, 10), (50, 60), (20_000, 5)])
def test_as_many_epochs_as_come_nearest_to_1200_steps_of_16_crops(
    n_views: int, epochs: int
) -> None:
    """Six of ten views are trained on: 3047 make 114 steps an epoch, 1200 of them 10.502 epochs."""
    assert epochs_for(n_views) == epochs


def test_what_is_proposed_is_what_the_training_takes() -> None:
    read = TrainParams.model_validate(
        {key: {"null": None, "true": True}.get(value, value) for key, value in TRANSFER.items()}
    )
    assert (read.weights, read.freeze_backbone) == ("packaged", True)


def test_so_is_what_is_proposed_for_anomalies() -> None:
    read = FitAnomalyParams.model_validate(
        {key: json.loads(value) for key, value in ANOMALY.items()}
    )
    assert {key: str(getattr(read, key)) for key in ANOMALY} == ANOMALY
