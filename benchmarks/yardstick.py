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
    train, test = crops.in_fold("train"), crops.in_fold("test")
    yardstick = hog_macro_f1(train, test, network["classes"])
    sys.stdout.write(
        f"macro-F1 by part on test: network {network['macro_f1']:.3f}, HOG + linear SVM "
        f"{yardstick:.3f}, ratio {network['macro_f1'] / yardstick:.2f} "
        f"({network['n_parts']} parts)\n"
    )


def hog_macro_f1(train: Crops, test: Crops, classes: list[str]) -> float:
    """Macro-F1 of the baseline at its best: whole crops, margins averaged over views."""
    model = fit_svm(_features(train), train.index["label"].to_numpy(object))
    margins = model.decision_function(_features(test))
    # of two classes scikit-learn gives the margin of the second alone
    if margins.ndim == 1:
        margins = np.stack([-margins, margins], axis=1)

    normal = classes[0]
    labels, guesses = [], []
    for rows in test.index.groupby("part_id").indices.values():
        of_views = list(test.index["label"].iloc[rows])
        labels.append(part_label(of_views, normal))
        likeliest = margins[rows].mean(axis=0).argmax()
        guesses.append(str(model.classes_[likeliest]))
    return macro_f1(labels, guesses, classes)


def _features(crops: Crops) -> object:
    height, width = crops.images.shape[1:3]
    return stack(
        hog_features(image.squeeze(-1), (width, height)) for image in crops.images
    )


if __name__ == "__main__":
    main()
