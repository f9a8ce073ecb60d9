"""The model card: what a reviewer reads of a version in the registry, as Markdown."""

from collections.abc import Sequence
from urllib.parse import urlencode

from inspection.evaluation.costs import Costs
from inspection.evaluation.rates import percent
from inspection.runtime.bundle import Card


def model_card(card: Card, run_id: str, folder: str, pictures: Sequence[str]) -> str:
    """The verdict table with bounds, the claim, the limits, and the pictures.

    What it names lies among the artifacts of run `run_id`, in `folder`; `pictures` are paths there.
    """
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
            "## Cost and measures",
            "",
            *_measures(card),
            *_anomaly_models(card),
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
            f"In `{folder}` of the run: `report/index.html` the report, `confusion.csv`, "
            "`gallery/` where the model looks, `card.json`, `params.yaml` of every stage, "
            "`lineage/views.parquet` the fold of every view.",
            "",
            *_pictures(run_id, folder, pictures),
        ]
    )


def _pictures(run_id: str, folder: str, paths: Sequence[str]) -> list[str]:
    """A paragraph for each picture: on lines of one paragraph they would touch each other."""
    lines = []
    for path in paths:
        lines += [_picture(run_id, f"{folder}/{path}"), ""]
    return lines


def _picture(run_id: str, path: str) -> str:
    """An artifact as MLflow's own page serves it, relative to that page."""
    query = urlencode({"path": path, "run_uuid": run_id})
    return f"![{path}](get-artifact?{query})"


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


def _measures(card: Card) -> list[str]:
    """What the line costs beside sending every part to review, and what tells parts apart."""
    metrics = card.metrics
    found = []
    if "cost" in metrics:
        found.append(f"- By what errors cost, {metrics['cost']['sentence']}.")
    if "fused_auroc" in metrics:
        at_least = metrics["fused_auroc_lower_bound"]
        found.append(
            f"- AUROC of the fused score {metrics['fused_auroc']:.3f}, at least {at_least:.3f}."
        )
    if "classifier" in metrics:
        of_classes = metrics["classifier"]
        n_classes = len(of_classes["classes"])
        at_least = of_classes["macro_f1_lower_bound"]
        found.append(
            f"- Macro-F1 over {n_classes} classes {of_classes['macro_f1']:.3f}, "
            f"at least {at_least:.3f}."
        )
    return found or ["Nothing was measured."]


def _anomaly_models(card: Card) -> list[str]:
    """Which model of normal parts judges each region; PaDiM goes without saying in the card."""
    found = []
    for name, detector in card.detectors.items():
        evidence = detector.evidence
        if "features" not in evidence:
            continue

        model = evidence.get("model", "padim")
        text = f"- {name}: {model} on features of the "
        text += "backbone" if evidence["features"] == "classifier" else "filters"
        if evidence.get("val_auroc") is not None:
            text += f", AUROC {evidence['val_auroc']:.3f} on parts that were not fitted"
        found.append(f"{text}.")
    return found


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
    """What was paid for errors when thresholds were set; the card holds measures beside them."""
    shown = [
        f"{name} {card.costs[name]:g}"
        for name in Costs.model_fields
        if name in card.costs
    ]
    return [f"- Thresholds follow these costs: {', '.join(shown)}."] if shown else []
