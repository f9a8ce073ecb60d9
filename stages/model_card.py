"""The model card: what a reviewer reads of a version in the registry, as Markdown."""

from inspection.evaluation.rates import percent
from inspection.runtime.bundle import Card


def model_card(card: Card) -> str:
    """The verdict table with bounds, the claim, the limits, and where the pictures are."""
    lineage = card.lineage
    return "\n".join(
        [
            f"# {card.line.name}, bundle {card.version}",
            "",
            "Test fold, counted by part; bounds are one-sided 95 % (Clopper-Pearson).",
            "",
            *_verdicts(card),
            "",
            "## Claim",
            "",
            _claim(card),
            "",
            "## Limits",
            "",
            "- Parts that score like none that was seen go to review; nothing is known of such.",
            *_evidence(card),
            *_backbone(card),
            f"- Judged on the data of `data.dvc` as logged, revision {lineage['git_revision']}, "
            f"worktree clean: {lineage['git_clean']}.",
            *_costs(card),
            "",
            "## Artifacts",
            "",
            "`report/index.html` the report, `confusion.csv`, `gallery/` where the model looks, "
            "`card.json`, `lineage/views.parquet` the fold of every view.",
            "",
        ]
    )


def _verdicts(card: Card) -> list[str]:
    rows = [
        "| class | parts | pass | review | reject | error rate | at most |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in card.metrics.get("verdicts", {}).items():
        counts = " | ".join(str(row[key]) for key in ("pass", "review", "reject"))
        rates = f"{percent(row['rate'])} | {percent(row['upper_bound'])}"
        rows.append(f"| {name} | {row['n_parts']} | {counts} | {rates} |")
    rows.append("")
    rows.append(
        "Error: a defective part that passes (escape), a normal one that is rejected (overkill)."
    )
    return rows


def _claim(card: Card) -> str:
    limit = card.metrics.get("limit")
    return f"{limit['sentence']}." if limit else "None was asked for."


def _evidence(card: Card) -> list[str]:
    limit = card.metrics.get("limit", {})
    return [f"- The {limit['rests_on']}."] if "rests_on" in limit else []


def _backbone(card: Card) -> list[str]:
    """Whose weights the backbone started from, as their licence asks."""
    origin = card.lineage.get("backbone", {})
    if "licence" not in origin:
        return []
    return [
        f"- Backbone {origin['name']}: weights of {origin['source']}, {origin['licence']}, "
        f"package {origin['package']}, sha256 {origin['sha256'][:12]}."
    ]


def _costs(card: Card) -> list[str]:
    shown = [
        f"{name} {value:g}"
        for name, value in card.costs.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    return [f"- Thresholds follow these costs: {', '.join(shown)}."] if shown else []
