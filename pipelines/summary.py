"""Print the verdict table of the last bundle, and where to look next."""

import argparse
import shlex
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from inspection.errors import InspectionError
from inspection.evaluation.rates import percent
from inspection.plant import LINES, as_typed, line_of
from inspection.runtime.bundle import Card, read_card, verified
from inspection.runtime.releases import POINTER, champion, champion_line
from pipelines.trials.beside import tried_beside

NEXT = """
where to look next
  report      {report}
  registry    {registry}    (http://127.0.0.1:5000, model {model})
  dashboard   make dashboard   (http://127.0.0.1:8501)
  service     make serve, then
              curl -F {views} http://127.0.0.1:3000{path}/inspect
  your parts  {adopt}, then {repro}
"""

HEAD = ("class", "parts", "pass", "review", "reject", "error", "at most")


def main() -> None:
    """Read the card and write the table to stdout."""
    # `| head` ends it, without a traceback.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--bundle", type=Path, default=Path("models/bundle"), metavar="PATH"
    )
    parser.add_argument(
        "--report", type=Path, default=Path("reports/index.html"), metavar="PATH"
    )
    parser.add_argument("--data", type=Path, default=Path("data"), metavar="PATH")
    parser.add_argument(
        "--manifest",
        type=Path,
        default=Path("artifacts/manifest/manifest.parquet"),
        metavar="PATH",
    )
    paths = parser.parse_args()
    try:
        card = verified(paths.bundle)
    except InspectionError as error:
        raise SystemExit(f"summary: {error}") from error
    sys.stdout.write(summary(card))
    releases = paths.bundle.parent / "releases"
    sys.stdout.write(champion_beside(card, releases))
    sys.stdout.write(as_typed(served_beside(card, releases)))
    sys.stdout.write(tried_beside())
    sys.stdout.write(where_next(card, paths.report, paths.data, paths.manifest))


def where_next(card: Card, report: Path, data: Path, manifest: Path) -> str:
    """Where to look next; files and commands as they are named in the checkout's root."""
    name = line_of(Path())
    here = LINES / name if name else Path()
    return NEXT.format(
        report=here / report,
        model=card.line.name,
        registry=_typed("make registry"),
        views=a_view(data, manifest, here),
        path=f"/lines/{name}" if name else "",
        adopt=_typed("make adopt DATA=<folder>"),
        repro=_typed("dvc repro"),
    )


def _typed(command: str) -> str:
    return as_typed(f"`{command}`").strip("`")


def a_view(data: Path, manifest: Path, here: Path = Path()) -> str:
    """The field of a form that sends the first view of the manifest, quoted for a shell.

    `here` is the current folder, from the one in which the shell is.
    """
    if manifest.is_file():
        paths = pd.read_parquet(manifest, columns=["path"])["path"]
        return shlex.quote(f"views=@{here / data / paths.iloc[0]}")
    return "views=@image.jpg"


def served_beside(card: Card, releases: Path) -> str:
    """A warning where the service serves another line than this bundle's; else nothing.

    DVC takes a run that it knows from its cache, and a stage from the cache promotes nothing.
    """
    if not (releases / POINTER).is_file():
        return ""

    line = champion_line(releases)
    if line == card.line.name:
        return ""

    return (
        f"\nwarning: the service serves line {line!r}, not {card.line.name!r}\n"
        "to fix: `python -m pipelines.promote --sync` lets this one's champion serve\n"
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
    title = f"{card.line.name}: test fold by part, bounds one-sided 95 %, bundle {card.version}"
    metrics = card.metrics
    table = [title, "", *_table(metrics, card), "", *_legend(metrics, card.line.normal)]
    limit = metrics["limit"]
    # cards of before do not tell all of it, and none tells what there was none of
    told = [limit["sentence"], limit.get("rests_on"), limit.get("if_mended")]
    table += [one for one in told if one]

    cost = metrics["cost"]
    costs = [*_costs(cost), *_hardest(limit)]
    if cost["beats_review_all"]:
        return "\n".join(["", *table, *costs, ""])
    return "\n".join(["", *costs, "", *table, ""])


def verdict_lines(metrics: Mapping[str, Any], card: Card) -> list[str]:
    """The verdict table of any parts as text, by the metrics that their verdicts give."""
    return [
        *_table(metrics, card),
        "",
        *_legend(metrics, card.line.normal),
        *_costs(metrics["cost"]),
    ]


def _table(metrics: Mapping[str, Any], card: Card) -> list[str]:
    """The lines of the table, columns aligned."""
    rows = [(*HEAD, "AUROC", *(f"by {name}" for name in card.detectors))]
    rows += [_row(name, row, card) for name, row in metrics["verdicts"].items()]
    return aligned(rows, n_left=1)


def aligned(rows: Sequence[Sequence[str]], n_left: int = 0) -> list[str]:
    """Rows of cells as lines of text: the first `n_left` columns to the left, others to the right.

    >>> aligned([("class", "parts"), ("dent", "7")], n_left=1)
    ['class  parts', 'dent       7']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if column < n_left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells))
    return lines


def _row(name: str, row: dict[str, Any], card: Card) -> tuple[str, ...]:
    """Class, counts of its verdicts, its error with rate and bound, AUROC by detector."""
    error = "overkill" if name == card.line.normal else "escapes"
    counts = [str(row[key]) for key in ("n_parts", "pass", "review", "reject")]
    aurocs = [
        _number(row["auroc_by_detector"][detector]) for detector in card.detectors
    ]
    return (
        name,
        *counts,
        f"{row[error]} ({percent(row['rate'])})",
        percent(row["upper_bound"]),
        _number(row["auroc"]),
        *aurocs,
    )


def _legend(metrics: Mapping[str, Any], normal: str) -> list[str]:
    found, network = metrics["totals"], metrics["classifier"]
    return [
        "review: a person decides; error: escapes (defective parts passed), of class "
        f"{normal} overkill (rejected)",
        f"escapes {found['escapes']} of {found['n_defective']} defective parts, at most "
        f"{percent(found['escape_upper_bound'])}; overkill {found['overkill']} of "
        f"{found['n_normal']}, at most {percent(found['overkill_upper_bound'])}; "
        f"to review {found['reviewed']} of {found['n_parts']}",
        "AUROC: of the fused score; by each detector, where the defect shows in its region",
        f"macro-F1 {network['macro_f1']:.3f} over {len(network['classes'])} classes, "
        f"{network['n_parts']} parts, at least {network['macro_f1_lower_bound']:.3f}",
    ]


def _costs(cost: dict[str, Any]) -> list[str]:
    """The expected cost beside that of reviewing, passing or rejecting every part."""
    beside = (
        f"to review all costs {cost['review_all']:.3f}, to pass all "
        f"{cost['pass_all']:.3f}, to reject all {cost['reject_all']:.3f}; the unit is one good "
        "part thrown away (assemble.costs)"
    )
    return [cost["sentence"], beside, *(f"would help: {one}" for one in cost["advice"])]


def _hardest(limit: Mapping[str, Any]) -> list[str]:
    """What a look at the hardest parts would gain, if much; cards of before do not tell."""
    sentence = limit.get("hardest", {}).get("sentence")
    return [f"would help: {sentence}"] if sentence else []


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    main()
