"""What becomes of a defect that nobody has shown the line: `make drill`.

For each class of defects the whole line is trained, calibrated and assembled without its parts, and
then judges them. Stopped, it goes on where it was.
"""

import sys
from collections.abc import Sequence
from typing import Any

import pandas as pd

from inspection.errors import InspectionError
from inspection.evaluation.auroc import score_auroc
from inspection.evaluation.rates import percent, rate
from inspection.line import Line
from inspection.plant import LineErrors
from inspection.runtime.detectors import score_names
from inspection.runtime.verdict import VERDICTS
from inspection.storage import write_json
from pipelines.summary import aligned
from pipelines.trials.arguments import parser
from pipelines.trials.beside import DRILL
from pipelines.trials.trial import Judged, Trial, judged, put_back, state
from stages import sections

HEAD = ("never shown", "parts", *VERDICTS, "escapes at most")


def main() -> None:
    """Run the drill for each class, save and print what it shows."""
    asked = parser(__doc__)
    asked.add_argument(
        "classes", nargs="*", metavar="CLASS", help="only these; else every defect"
    )
    wanted = asked.parse_args().classes
    with LineErrors("drill"):
        put_back()
        line = sections.read(sections.section("line", Line))
        found = drill(list(judged(one_by_one(line, wanted))))
        write_json(DRILL, found)
        sys.stdout.write(told(found, line.name))


def one_by_one(line: Line, wanted: Sequence[str] = ()) -> list[Trial]:
    """A trial for each of the wanted defects, all without any; raises InspectionError."""
    defects = [name for name in line.classes if name != line.normal]
    unknown = [name for name in wanted if name not in defects]
    if unknown:
        raise InspectionError(
            f"{unknown[0]}: is no defect of the line; it has {', '.join(defects)}"
        )
    return [
        Trial(f"without {name}", (f"++split.unseen={name}",))
        for name in wanted or defects
    ]


def drill(trials: Sequence[Judged]) -> dict[str, Any]:
    """Of each class what became of its parts, and how well its scores stand out from normals'."""
    classes = {}
    for one in trials:
        name = one.trial.name.removeprefix("without ")
        classes[name] = never_shown(one.table, name, one.card.line)
    return {**state(), "classes": classes}


def never_shown(table: pd.DataFrame, name: str, line: Line) -> dict[str, Any]:
    """The verdicts on the parts of a class, the bound on its escapes, and AUROC by score."""
    verdicts = table.loc[table["label"] == name, "verdict"]
    counts = {verdict: int((verdicts == verdict).sum()) for verdict in VERDICTS}
    escapes = rate(counts["pass"], len(verdicts))
    return {
        "n_parts": len(verdicts),
        **counts,
        "escape_rate": escapes.value,
        "escape_upper_bound": escapes.upper_bound,
        "auroc": {
            score: score_auroc(table, name, score, line.normal)
            for score in score_names(line)
        },
    }


def told(found: dict[str, Any], line: str) -> str:
    """What the drill shows, as text."""
    scores = next(iter(found["classes"].values()))["auroc"]
    rows = [(*HEAD, *(f"AUROC {score}" for score in scores))]
    for name, one in found["classes"].items():
        counts = [str(one[key]) for key in ("n_parts", *VERDICTS)]
        aurocs = [
            "-" if value is None else f"{value:.3f}" for value in one["auroc"].values()
        ]
        rows.append((name, *counts, percent(one["escape_upper_bound"]), *aurocs))

    title = f"{line}: each defect judged by a line that was never shown it"
    return "\n".join(["", title, "", *aligned(rows), ""])


if __name__ == "__main__":
    main()
