import pytest

from inspection.adoption.training import EPOCHS, epochs_for, patience_for, steps_of


@pytest.mark.parametrize("n_views", [400, 1000, 1344, 2000])
def test_training_takes_some_1500_steps_however_many_views_there_are(n_views: int) -> None:
    assert 1400 <= steps_of(n_views, epochs_for(n_views)) <= 1600


@pytest.mark.parametrize("n_views", [1, 10, 100_000])
def test_the_length_stays_within_reason(n_views: int) -> None:
    least, most = EPOCHS
    assert least <= epochs_for(n_views) <= most


def test_patience_is_half_of_the_epochs_and_never_short() -> None:
    assert [patience_for(epochs) for epochs in (8, 40, 80)] == [8, 20, 40]
