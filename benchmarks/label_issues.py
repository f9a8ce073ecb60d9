"""How many spoiled labels are among the first suspects, of a drawn line, whose truth is known.

Asked of stage clean_labels, or with --desk of the review desk, which adds what the trained models
say of parts that they have not seen. With --answers it writes down what a person who always sees
the truth would answer to the desk's first questions, twice as many as labels are wrong, so that one
can see what answers are worth. Run it from the root of a project whose stages have run.
"""

import argparse
import csv
import json
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from dashboard.evidence import stored
from dashboard.explorer.views import views_of
from dashboard.places import (
    ANOMALY,
    BUNDLE,
    CLASSIFIER,
    DATA,
    FOLDS,
    ISSUES,
    KEPT,
    MANIFEST,
)
from dashboard.review.normals import from_least_normal
from dashboard.review.queue import Item, from_issues, merged, read_issues
from dashboard.review.unseen import from_unseen
from inspection.curation.least_normal import read_least_normal
from inspection.curation.reviews import REVIEW_COLUMNS
from inspection.runtime.bundle import read_card
from inspection.runtime.detectors import detector_folders
from inspection.storage import read_table, write_table

TRUTH = Path("samples/truth/truth.json")
# As many suspects as labels are wrong, and twice as many.
TIMES = (1, 2)
# Who has answered, in reviews/labels.csv.
REVIEWER = "truth"


def main() -> None:
    """Print recall over all suspects, and by the way in which labels were spoiled."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--issues", type=Path, default=ISSUES, help="issues.csv of clean_labels"
    )
    parser.add_argument(
        "--truth", type=Path, default=TRUTH, help="truth.json of the drawn line"
    )
    parser.add_argument(
        "--desk", action="store_true", help="in the order of the review desk"
    )
    parser.add_argument(
        "--answers", type=Path, help="file for the answers, such as reviews/labels.csv"
    )
    arguments = parser.parse_args()
    text = arguments.truth.read_text(encoding="utf-8")
    truth = json.loads(text)["views"]
    wrong = spoiled(truth)
    if arguments.desk or arguments.answers:
        asked = of_the_desk()
        suspects = [composed(str(item.path)) for item in asked]
    else:
        suspects = listed(arguments.issues)

    for times in TIMES:
        sys.stdout.write(
            f"among the first {times * len(wrong)} of {len(suspects)} suspects\n"
        )
        for name, found, wanted in recall(suspects, wrong, times=times):
            share = found / wanted if wanted else float("nan")
            sys.stdout.write(
                f"  {name:24} {found:4} of {wanted:4}   recall {share:.2f}\n"
            )

    if arguments.answers:
        first = asked[: max(TIMES) * len(wrong)]
        write_table(arguments.answers, answered(first, truth))


def answered(
    asked: Sequence[Item], truth: Mapping[str, Mapping[str, Any]]
) -> pd.DataFrame:
    """The rows of reviews/labels.csv with the true class of each view that is asked about."""
    classes = {composed(name): view["true_class"] for name, view in truth.items()}
    rows = []
    for item in asked:
        label = classes[composed(str(item.path))]
        rows.append((item.image_sha256, label, REVIEWER, item.reason))
    return pd.DataFrame(rows, columns=list(REVIEW_COLUMNS))


def listed(issues: Path) -> list[str]:
    """The names of the files that clean_labels suspects, the likeliest first."""
    with issues.open(encoding="utf-8", newline="") as file:
        return [composed(row["path"]) for row in csv.DictReader(file)]


def of_the_desk() -> list[Item]:
    """The views that the review desk asks about, in its order."""
    card = read_card(BUNDLE)
    manifest = read_table(MANIFEST)
    found = from_issues(read_issues(ISSUES), manifest, DATA)
    views = views_of(manifest, read_table(FOLDS))
    folders = detector_folders(card.line, classifier=CLASSIFIER, anomaly=ANOMALY)
    evidence = stored(views, card, folders, KEPT, card.version)
    if evidence is not None:
        found += from_unseen(evidence, card, manifest, DATA)

    regions = card.line.detect_anomalies
    listed = {region: read_least_normal(ANOMALY / region) for region in regions}
    found += from_least_normal(listed, card.line, manifest, DATA)
    return merged(found)


def spoiled(truth: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """How each readable view with a wrong label was spoiled, by its composed file name."""
    found = {}
    for name, view in truth.items():
        how = view["spoiled"]
        if how and not view["broken"]:
            boxes = f"boxes follow {view['boxes_follow']}"
            found[composed(name)] = f"{how}, {boxes}"
    return found


def recall(
    suspects: Sequence[str], wrong: Mapping[str, str], *, times: int = 1
) -> list[tuple[str, int, int]]:
    """(name, found, wanted) among so many times as many suspects as labels are wrong."""
    of_kind: dict[str, set[str]] = {}
    for name, how in wrong.items():
        of_kind.setdefault(how, set()).add(name)

    n_wrong = len(wrong)
    top = set(suspects[: times * n_wrong])
    n_found = len(top & set(wrong))
    rows = [("all", n_found, n_wrong)]
    for kind in sorted(of_kind):
        names = of_kind[kind]
        n_found = len(top & names)
        rows.append((kind, n_found, len(names)))
    return rows


def composed(path: str) -> str:
    """The file name of a path, with Hangul composed: by this, truth and manifest agree."""
    name = PurePosixPath(path).name
    return unicodedata.normalize("NFC", name)


if __name__ == "__main__":
    main()
