"""What the verdicts on the test fold are worth against the truth, which the pipeline never sees:
`python -m samples.verdicts` after `make demo`.

Parts on which people do not agree, and parts with a wrong label, stand apart: an escape of such a
part is no fault of the model.
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from inspection.evaluation.cost_report import Counts, expected_cost
from inspection.evaluation.costs import Costs
from inspection.runtime.verdict import VERDICTS

# Below this severity, the weakest quarter of the defects, one counts as weak.
WEAK_SEVERITY = 0.25
# In the order of the table: what a part is, from plain to disputable.
GROUPS = (
    "normal",
    "plain defect",
    "weak defect",
    "borderline",
    "wrong label",
)
NORMAL = "normal"
log = logging.getLogger("samples.verdicts")


@dataclass(frozen=True)
class Row:
    """One group of parts, and how many of them got which verdict."""

    group: str
    verdicts: Counter[str]

    @property
    def text(self) -> str:
        """As a line of the table."""
        counts = "".join(f"{self.verdicts[verdict]:>9}" for verdict in VERDICTS)
        return f"{self.group:<14}{self.verdicts.total():>7}{counts}"


def main(argv: list[str] | None = None) -> int:
    """Command line; exit code 1 and one line for what the user can fix."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    args = _parser().parse_args(argv)
    for path in (args.parts, args.truth / "truth.json"):
        if not path.exists():
            log.error("%s: missing; run 'make demo' first", path)
            return 1

    content = json.loads((args.truth / "truth.json").read_text(encoding="utf-8"))
    with args.parts.open(encoding="utf-8", newline="") as file:
        verdicts = {row["part_id"]: row["verdict"] for row in csv.DictReader(file)}

    columns = "".join(f"{verdict:>9}" for verdict in VERDICTS)
    log.info("%-14s%7s%s", "kind", "parts", columns)
    for row in table(verdicts, content["views"]):
        log.info("%s", row.text)
    log.info("%s", against_truth(verdicts, content["views"], _costs(args.params)))
    return 0


def _parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="python -m samples.verdicts", description=__doc__)
    p.add_argument(
        "--parts",
        type=Path,
        default=Path("artifacts/test_fold/parts.csv"),
        help="the verdict on each part: of the test fold by default, or of all parts that "
        "`make evidence` has judged, artifacts/evidence/parts.csv",
    )
    p.add_argument(
        "--truth",
        type=Path,
        default=Path("samples/truth"),
        help="the truth about the drawn line",
    )
    p.add_argument(
        "--params",
        type=Path,
        default=Path("params.yaml"),
        help="where the costs stand",
    )
    return p


def _costs(params: Path) -> Costs:
    content = YAML(typ="safe").load(params.read_text(encoding="utf-8"))
    return Costs(**content["assemble"]["costs"])


def table(verdicts: dict[str, str], views: dict[str, dict[str, Any]]) -> list[Row]:
    """A row for each group, from the verdict on each part and the truth on each view.

    Raises KeyError where a part is not of this line.
    """
    first_views: dict[str, dict[str, Any]] = {}
    for view in views.values():
        first_views.setdefault(view["part_id"], view)

    counted = {group: Counter[str]() for group in GROUPS}
    for part_id, verdict in verdicts.items():
        group = group_of(first_views[part_id])
        counted[group][verdict] += 1
    return [Row(group, found) for group, found in counted.items()]


def against_truth(
    verdicts: dict[str, str], views: dict[str, dict[str, Any]], costs: Costs
) -> str:
    """Escapes, overkill and expected cost as if every label were right, in one sentence."""
    is_defective = dict.fromkeys(verdicts, False)
    for view in views.values():
        if view["part_id"] in verdicts and view["true_class"] != NORMAL:
            is_defective[view["part_id"]] = True

    bad = Counts.of([one for part, one in verdicts.items() if is_defective[part]])
    good = Counts.of([one for part, one in verdicts.items() if not is_defective[part]])
    cost = expected_cost(bad, good, costs)
    escapes = f"escapes {bad.passed} of {bad.n}, overkill {good.rejected} of {good.n}"
    said = f"against the truth: {escapes}"
    if cost.value is None:
        return said
    return f"{said}, cost {cost.value:.3f} a part ({cost.low:.3f} to {cost.high:.3f})"


def group_of(view: dict[str, Any]) -> str:
    """What a part is, by the truth on one of its views."""
    if view["borderline"]:
        return "borderline"
    if view["spoiled"] == "part":
        return "wrong label"
    if view["true_class"] == "normal":
        return "normal"
    return "weak defect" if view["severity"] < WEAK_SEVERITY else "plain defect"


if __name__ == "__main__":
    sys.exit(main())
