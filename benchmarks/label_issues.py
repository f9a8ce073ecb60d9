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
    with arguments.issues.open(encoding="utf-8", newline="") as file:
        suspects = [composed(row["path"]) for row in csv.DictReader(file)]
    truth = json.loads(arguments.truth.read_text(encoding="utf-8"))["views"]
    for name, found, wanted in recall(suspects, spoiled(truth)):
        share = found / wanted if wanted else float("nan")
        sys.stdout.write(f"{name:24} {found:4} of {wanted:4}   recall {share:.2f}\n")


def spoiled(truth: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """How each readable view with a wrong label was spoiled, by its composed file name."""
    found = {}
    for name, view in truth.items():
        if view["spoiled"] and not view["broken"]:
            how = f"{view['spoiled']}, boxes follow {view['boxes_follow']}"
            found[composed(name)] = how
    return found


def recall(
    suspects: Sequence[str], wrong: Mapping[str, str]
) -> list[tuple[str, int, int]]:
    """(name, found, wanted) among the first K suspects, K the number of wrong labels."""
    top = set(suspects[: len(wrong)])
    kinds = sorted(set(wrong.values()))
    rows = [("all", len(top & set(wrong)), len(wrong))]
    for kind in kinds:
        of_kind = {name for name, how in wrong.items() if how == kind}
        rows.append((kind, len(top & of_kind), len(of_kind)))
    return rows


def composed(path: str) -> str:
    """The file name of a path, with Hangul composed: by this, truth and manifest agree."""
    return unicodedata.normalize("NFC", PurePosixPath(path).name)


if __name__ == "__main__":
    main()
