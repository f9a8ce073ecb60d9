"""What a run of `retrain` shows in Prefect's page: stages, verdicts, pictures, links."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from prefect.artifacts import (
    create_image_artifact,
    create_markdown_artifact,
    create_table_artifact,
)

from inspection.runtime.bundle import CARD, read_card
from inspection.storage import read_json
from pipelines.runs.pictures import confusion_picture, gallery_picture
from pipelines.summary import summary

TEST_METRICS = Path("metrics/assemble.json")
BUNDLE = Path("models/bundle")
CONFUSION = Path("artifacts/test_fold/confusion.csv")
RECEIPT = Path("artifacts/receipt.json")
GALLERY = Path("artifacts/cam/gallery")
REPORT = Path("reports/index.html")


def publish_stages(done: Sequence[dict[str, Any]]) -> None:
    """The table of what each stage did, of failed runs too."""
    rows = [dict(row) for row in done]
    create_table_artifact(rows, key="retrain-stages", description="What each stage did")


def publish_results() -> None:
    """What came out; only of a run that has ended well: others would show the run before."""
    if TEST_METRICS.is_file():
        rows = list(flat(read_json(TEST_METRICS)))
        create_table_artifact(
            rows, key="retrain-metrics", description=f"From {TEST_METRICS}"
        )
    if CONFUSION.is_file():
        _publish_confusion(confusion(pd.read_csv(CONFUSION)))
    if (GALLERY / "index.json").is_file():
        _publish_gallery()
    if (BUNDLE / CARD).is_file():
        text = f"```text\n{summary(read_card(BUNDLE)).strip()}\n```\n\n{_links()}"
        create_markdown_artifact(
            text,
            key="retrain-verdicts",
            description="Test fold by part, bounds one-sided 95 %",
        )


def publish_lock(text: str) -> None:
    """The lock file of a run whose results are in no commit."""
    create_markdown_artifact(
        f"```yaml\n{text}\n```",
        key="retrain-lock",
        description="dvc.lock of this run: no git repository to commit it to",
    )


def confusion(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Counts of predicted by actual class, a row per actual class, of a row per part.

    >>> confusion(pd.DataFrame({"actual": ["a", "a", "b"], "predicted": ["a", "b", "b"]}))
    [{'actual': 'a', 'a': 1, 'b': 1}, {'actual': 'b', 'a': 0, 'b': 1}]
    """
    counts = pd.crosstab(table["actual"], table["predicted"])
    return [
        {"actual": str(actual)} | {str(name): int(n) for name, n in row.items()}
        for actual, row in counts.iterrows()
    ]


def flat(metrics: Any, prefix: str = "") -> Iterator[dict[str, str]]:
    """The numbers and words of nested metrics as rows of name and value.

    >>> list(flat({"test": {"escapes": 0, "rate": 0.123456}}))
    [{'metric': 'test.escapes', 'value': '0'}, {'metric': 'test.rate', 'value': '0.1235'}]
    """
    if isinstance(metrics, dict):
        for name, value in metrics.items():
            yield from flat(value, f"{prefix}.{name}" if prefix else str(name))
    elif isinstance(metrics, float):
        yield {"metric": prefix, "value": f"{metrics:.4g}"}
    else:
        yield {"metric": prefix, "value": json.dumps(metrics, ensure_ascii=False)}


def _publish_confusion(rows: list[dict[str, Any]]) -> None:
    """As a table to read, and as a picture to see."""
    said = "Test fold by part: rows are the actual classes, columns the predicted ones"
    create_table_artifact(rows, key="retrain-confusion", description=said)
    if rows:
        create_image_artifact(
            confusion_picture(rows), key="retrain-confusion-picture", description=said
        )


def _publish_gallery() -> None:
    picture = gallery_picture(GALLERY)
    if picture is not None:
        create_image_artifact(
            picture,
            key="retrain-gallery",
            description="Where the model looks: parts of val with their heatmaps",
        )


def _links() -> str:
    lines = [f"- report: `{REPORT}`"] if REPORT.is_file() else []
    if RECEIPT.is_file():
        receipt = read_json(RECEIPT)
        lines.append(
            f"- registry: model `{receipt['model']}`, version {receipt['version']} "
            "(`make registry`)"
        )
    return "\n".join(lines)
