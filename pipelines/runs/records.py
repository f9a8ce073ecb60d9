"""What a run of `retrain` shows in Prefect's page: stages, verdicts, pictures, links."""

import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from prefect.artifacts import (
    create_image_artifact,
    create_markdown_artifact,
    create_table_artifact,
)

from inspection.plant import as_typed
from inspection.runtime.bundle import CARD, read_card
from inspection.storage import read_json
from pipelines.champions import BUNDLE
from pipelines.runs import store
from pipelines.runs.pictures import confusion_picture, gallery_picture
from pipelines.summary import summary

TEST_METRICS = Path("metrics/assemble.json")
CONFUSION = Path("artifacts/test_fold/confusion.csv")
RECEIPT = Path("artifacts/receipt.json")
GALLERY = Path("artifacts/cam/gallery")
REPORT = Path("reports/index.html")


def publish_stages(done: Sequence[dict[str, Any]]) -> None:
    """The table of what each stage did, of failed runs too."""
    rows = [dict(row) for row in done]
    create_table_artifact(rows, key="retrain-stages", description="What each stage did")


def publish_results(stages: Collection[str]) -> None:
    """What came out of these stages, which the run has brought up to date.

    Only of a run that has ended well: what others left would be shown as this run's.
    """
    if "assemble" in stages and TEST_METRICS.is_file():
        rows = list(flat(read_json(TEST_METRICS)))
        create_table_artifact(
            rows, key="retrain-metrics", description=f"From {TEST_METRICS}"
        )
    if "assemble" in stages and CONFUSION.is_file():
        _publish_confusion(confusion(pd.read_csv(CONFUSION)))
    if "evaluate_cam" in stages and (GALLERY / "index.json").is_file():
        _publish_gallery()

    texts = []
    if "assemble" in stages and (BUNDLE / CARD).is_file():
        texts.append(f"```text\n{summary(read_card(BUNDLE)).strip()}\n```")
    texts += filter(None, [as_typed(links(stages))])
    if texts:
        create_markdown_artifact(
            "\n\n".join(texts),
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


def links(stages: Collection[str]) -> str:
    """Where the version and the report of these stages are, Markdown; '' where there is none.

    A registry of one's own has no page until `make registry`: there the places are named.
    """
    lines = []
    if "report" in stages and REPORT.is_file():
        lines.append(f"- report: `{REPORT}`")
    if "register" not in stages or not RECEIPT.is_file():
        return "\n".join(lines)

    receipt = read_json(RECEIPT)
    name, number = receipt["model"], receipt["version"]
    pages = store.pages(name, number)
    if pages is None:
        version = f"model `{name}`, version {number} (`make registry`)"
        return "\n".join([*lines, f"- registry: {version}"])
    return (
        f"- report: [of version {number}]({pages.report})\n"
        f"- registry: [model {name}, version {number}]({pages.version})"
    )
