"""Print the verdict table of the last bundle, and where to look next."""

import argparse
import signal
import sys
from pathlib import Path
from typing import Any

from inspection.errors import InspectionError
from inspection.runtime.bundle import Card, read_card, verified
from inspection.runtime.releases import POINTER, champion, champion_line

NEXT = """
where to look next
  report      {report}
  registry    make registry    (http://127.0.0.1:5000, model {model})
  dashboard   make dashboard   (http://127.0.0.1:8501)
  service     make serve, then
              curl -F views=@{example} http://127.0.0.1:3000/inspect
  your parts  make adopt DATA=<folder>, then dvc repro
"""


def main() -> None:
    """Read the card and write the table to stdout."""
    signal.signal(
        signal.SIGPIPE, signal.SIG_DFL
    )  # `| head` ends it, without a traceback
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--bundle", type=Path, default=Path("models/bundle"), metavar="PATH"
    )
    parser.add_argument(
        "--report", type=Path, default=Path("reports/index.html"), metavar="PATH"
    )
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="PATH")
    paths = parser.parse_args()
    try:
        card = verified(paths.bundle)
    except InspectionError as error:
        raise SystemExit(f"summary: {error}") from error
    sys.stdout.write(summary(card))
    releases = paths.bundle.parent / "releases"
    sys.stdout.write(champion_beside(card, releases))
    sys.stdout.write(served_beside(card, releases))
    example = next(iter(sorted(paths.data.rglob("*.jpg"))), Path("image.jpg"))
    sys.stdout.write(
        NEXT.format(report=paths.report, model=card.line.name, example=example)
    )


def served_beside(card: Card, releases: Path) -> str:
    """What to mind where the service serves another line than this bundle's; else nothing.

    DVC takes a run that it knows from its cache, and a stage from the cache promotes nothing.
    """
    if not (releases / POINTER).is_file():
        return ""
    line = champion_line(releases)
    if line == card.line.name:
        return ""
    return (
        f"\nmind: the service serves line {line!r}, not {card.line.name!r}; "
        "`dvc repro -f -s register` lets this one serve\n"
    )


def champion_beside(card: Card, releases: Path) -> str:
    """What the champion costs, where another bundle than this one serves; else nothing."""
    if not (releases / POINTER).is_file():
        return ""
    serving = read_card(champion(releases))
    if serving.version == card.version or "cost" not in serving.metrics:
        return ""
    sentence = serving.metrics["cost"]["sentence"]
    return f"\nthe champion, {serving.version}, on its own test fold: {sentence}\n"


def summary(card: Card) -> str:
    """The verdict table as text: test fold, counted by part, bounds one-sided 95 %."""
    metrics = card.metrics
    normal = card.line.normal
    rows: list[tuple[str, ...]] = [
        (
            "class",
            "parts",
            "pass",
            "review",
            "reject",
            "hurts",
            "at most",
            "AUROC",
            "anomaly",
        )
    ]
    rows += [_row(name, row, normal) for name, row in metrics["verdicts"].items()]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        row[0].ljust(widths[0])
        + "".join(
            f"  {cell.rjust(width)}"
            for cell, width in zip(row[1:], widths[1:], strict=True)
        )
        for row in rows
    ]
    found = metrics["totals"]
    classified = metrics["classifier"]
    notes = [
        "hurts: escapes (defective parts passed); for the normal class overkill (rejected)",
        f"escapes {found['escapes']} of {found['n_defective']} defective parts, at most "
        f"{_percent(found['escape_upper_bound'])}; overkill {found['overkill']} of "
        f"{found['n_normal']}, at most {_percent(found['overkill_upper_bound'])}; "
        f"to review {found['reviewed']} of {found['n_parts']}",
        "AUROC: of the classifier, and of the anomaly model, where the defect shows in its region",
        f"macro-F1 {classified['macro_f1']:.3f} over {len(classified['classes'])} classes, "
        f"{classified['n_parts']} parts, at least {classified['macro_f1_lower_bound']:.3f}",
    ]
    notes.append(metrics["limit"]["sentence"])
    costs = cost_lines(metrics["cost"])
    title = f"{card.line.name}: test fold by part, bounds one-sided 95 %, bundle {card.version}"
    if not metrics["cost"]["beats_review_all"]:
        return "\n".join(["", *costs, "", title, "", *lines, "", *notes, ""])
    return "\n".join(["", title, "", *lines, "", *notes, *costs, ""])


def cost_lines(cost: dict[str, Any]) -> list[str]:
    """The expected cost beside that of reviewing, passing or rejecting every part."""
    beside = (
        f"to review all costs {cost['review_all']:.3f}, to pass all "
        f"{cost['pass_all']:.3f}, to reject all {cost['reject_all']:.3f}"
    )
    help_lines = [f"would help: {one}" for one in cost["advice"]]
    return [cost["sentence"], beside, *help_lines]


def _row(name: str, row: dict[str, Any], normal: str) -> tuple[str, ...]:
    hurts = row["overkill"] if name == normal else row["escapes"]
    counts = [str(row[key]) for key in ("n_parts", "pass", "review", "reject")]
    return (
        name,
        *counts,
        f"{hurts} ({_percent(row['rate'])})",
        _percent(row["upper_bound"]),
        _number(row["auroc_by_detector"]["classifier"]),
        _number(row["auroc_by_detector"]["anomaly"]),
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


if __name__ == "__main__":
    main()
