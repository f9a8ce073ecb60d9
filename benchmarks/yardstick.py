"""The network against HOG + linear SVM, side by side on the test fold, by part."""

import argparse
import sys
from pathlib import Path

import numpy as np

from inspection.curation.baselines import fit_svm, hog_features, stack
from inspection.models.crops import Crops, load_crops
from inspection.parts import macro_f1, part_label
from inspection.storage import read_json


def main() -> None:
    """Print macro-F1 of both, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--crops", type=Path, default=Path("artifacts/crops"), metavar="PATH"
    )
    parser.add_argument("--region", default="knurling")
    parser.add_argument(
        "--metrics", type=Path, default=Path("metrics/assemble.json"), metavar="PATH"
    )
    given = parser.parse_args()

    network = read_json(given.metrics)["classifier"]
    crops = load_crops(given.crops, given.region)
    train = crops.in_fold("train")
    test = crops.in_fold("test")
    yardstick = hog_macro_f1(train, test, network["classes"])

    of_network = network["macro_f1"]
    ratio = of_network / yardstick
    sys.stdout.write(
        f"macro-F1 by part on test: network {of_network:.3f}, "
        f"HOG + linear SVM {yardstick:.3f}, "
        f"ratio {ratio:.2f} "
        f"({network['n_parts']} parts)\n"
    )


def hog_macro_f1(train: Crops, test: Crops, classes: list[str]) -> float:
    """Macro-F1 of the baseline at its best: whole crops, margins averaged over views."""
    learnt = train.index["label"].to_numpy(object)
    model = fit_svm(_features(train), learnt)
    margins = model.decision_function(_features(test))
    # of two classes scikit-learn gives the margin of the second alone
    if margins.ndim == 1:
        margins = np.stack([-margins, margins], axis=1)

    normal = classes[0]
    labels = []
    guesses = []
    by_part = test.index.groupby("part_id")
    for rows in by_part.indices.values():
        of_views = test.index["label"].iloc[rows]
        label = part_label(list(of_views), normal)
        labels.append(label)

        margin = margins[rows].mean(axis=0)
        likeliest = margin.argmax()
        guess = model.classes_[likeliest]
        guesses.append(str(guess))
    return macro_f1(labels, guesses, classes)


def _features(crops: Crops) -> object:
    """The HOG features (crops, features), each of a whole crop."""
    height, width = crops.images.shape[1:3]
    size_px = (width, height)
    rows = (hog_features(image.squeeze(-1), size_px) for image in crops.images)
    return stack(rows)


if __name__ == "__main__":
    main()
