"""How to train on data that nobody has trained on."""

# Values of the section `train` in params.yaml: a head on the frozen features of a network that has
# seen a million photographs, which some hundred parts cannot teach a network of their own.
TRANSFER = {
    "backbone": "tf_efficientnet_lite0",
    "backbone_args": "null",
    "weights": "packaged",
    "freeze_backbone": "true",
    "head_dim": "128",
    "head_groups": "8",
    "mirror_average": "true",
    "augmentation": "flip",
}

# By steps, since epochs are of any size. Of heads of 128 channels 1000 steps take six minutes on
# two cores, and cost the magnetic tiles some 0.27 a part; 2000 take twice as long, and cost 0.25
# (mean of three deals of five folds). Who has more time, or a GPU, doubles `train.epochs`.
WANTED_STEPS = 1000
CROPS_A_STEP = 16

# Of the views, what is trained on while a fold is held out: test takes a quarter, and each of five
# folds a fifth of the rest.
TRAIN_SHARE = 0.6

# Every crop is shown some times, and those of a few parts not until they are known by heart.
EPOCHS = (5, 60)


def epochs_for(n_views: int) -> int:
    """Enough epochs for some 1000 steps of 16 crops, where six of ten views are trained on.

    >>> [epochs_for(n) for n in (50, 400, 1344, 20000)]
    [60, 60, 20, 5]
    """
    least, most = EPOCHS
    return min(most, max(least, round(WANTED_STEPS / _steps_an_epoch(n_views))))


def steps_of(n_views: int, epochs: int) -> int:
    """How many steps that is, of 16 crops each."""
    return round(epochs * _steps_an_epoch(n_views))


def _steps_an_epoch(n_views: int) -> float:
    return max(1.0, n_views * TRAIN_SHARE / CROPS_A_STEP)
