"""How long to train on data that nobody has trained on: by steps, since epochs are of any size."""

WANTED_STEPS = 1500
CROPS_A_STEP = 16
TRAIN_SHARE = 0.6
EPOCHS = (10, 200)


def epochs_for(n_views: int) -> int:
    """Enough epochs for some 1500 steps of 16 crops, where six of ten views are trained on.

    >>> [epochs_for(n) for n in (50, 400, 1344, 20000)]
    [200, 100, 30, 10]
    """
    least, most = EPOCHS
    return min(most, max(least, round(WANTED_STEPS / _steps_an_epoch(n_views))))


def steps_of(n_views: int, epochs: int) -> int:
    """How many steps that is, of 16 crops each."""
    return round(epochs * _steps_an_epoch(n_views))


def patience_for(epochs: int) -> int:
    """Half of the epochs: under one cycle of the learning rate the best ones come late."""
    return max(8, epochs // 2)


def _steps_an_epoch(n_views: int) -> float:
    return max(1.0, n_views * TRAIN_SHARE / CROPS_A_STEP)
