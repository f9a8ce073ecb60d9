"""How many spoiled labels are among the first suspects: recall at K = number of spoiled views."""

import argparse
import csv
import json
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any


def main() -> None:
    """Print recall over all suspects, and by the way in which labels were spoiled."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--issues", type=Path, required=True, help="issues.csv of clean_labels"
    )
    parser.add_argument(
        "--truth", type=Path, required=True, help="truth.json of the drawn line"
    )
    arguments = parser.parse_args()
    suspects = []
    with arguments.issues.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            suspects.append(composed(row["path"]))

    text = arguments.truth.read_text(encoding="utf-8")
    views = json.loads(text)["views"]
    wrong = spoiled(views)
    for name, found, wanted in recall(suspects, wrong):
        share = found / wanted if wanted else float("nan")
        sys.stdout.write(f"{name:24} {found:4} of {wanted:4}   recall {share:.2f}\n")


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
    suspects: Sequence[str], wrong: Mapping[str, str]
) -> list[tuple[str, int, int]]:
    """(name, found, wanted) among the first K suspects, K the number of wrong labels."""
    of_kind: dict[str, set[str]] = {}
    for name, how in wrong.items():
        of_kind.setdefault(how, set()).add(name)

    n_wrong = len(wrong)
    top = set(suspects[:n_wrong])
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
