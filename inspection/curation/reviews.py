"""What people have decided about labels: the rows of reviews/labels.csv."""

from collections.abc import Mapping

import pandas as pd

from inspection.errors import InspectionError, first_three, raise_all
from inspection.line import Line, fold_name

REVIEW_COLUMNS = ("image_sha256", "label", "reviewer", "note")
EXCLUDED = "-"


def read_reviews(
    rows: pd.DataFrame,
    table: pd.DataFrame,
    line: Line,
) -> dict[str, pd.Series]:
    """Reviewed rows by image hash, labels canonical (or EXCLUDED).

    Raises InspectionError that lists every unknown hash and class, and every contradiction.
    """
    if tuple(rows.columns) != REVIEW_COLUMNS:
        raise InspectionError(
            f"reviews: the columns are {list(rows.columns)}; they should be {list(REVIEW_COLUMNS)}"
        )

    known = {**line.class_by_alias, EXCLUDED: EXCLUDED}
    labels = rows["label"].map(lambda name: known.get(fold_name(name), ""))
    reviews = rows.assign(label=labels)
    raise_all(
        [
            *_unknown_images(rows, table),
            *_unknown_labels(rows, labels, line),
            *_contradictions(reviews),
        ]
    )
    return {str(row["image_sha256"]): row for _, row in reviews.iterrows()}


def _unknown_images(rows: pd.DataFrame, table: pd.DataFrame) -> list[str]:
    known = rows["image_sha256"].isin(set(table["image_sha256"]))
    unknown = rows.loc[~known, "image_sha256"]
    if unknown.empty:
        return []
    return [
        f"reviews: {len(unknown)} image_sha256 are not in the manifest: "
        f"{first_three(unknown)}; remove these rows, or bring the images back"
    ]


def _unknown_labels(
    rows: pd.DataFrame,
    labels: pd.Series,
    line: Line,
) -> list[str]:
    unknown = sorted(set(rows.loc[labels == "", "label"]))
    if not unknown:
        return []
    return [
        f"reviews: unknown labels {first_three(unknown)}; use one of "
        f"{', '.join(line.classes)}, or {EXCLUDED} to exclude the view"
    ]


def _contradictions(reviews: pd.DataFrame) -> list[str]:
    n_labels = reviews.groupby("image_sha256")["label"].nunique()
    twice = list(n_labels[n_labels > 1].index)
    if not twice:
        return []
    return [
        f"reviews: {len(twice)} images are reviewed with different labels: "
        f"{first_three(twice)}; keep one row each"
    ]


def with_reviews(table: pd.DataFrame, reviews: Mapping[str, pd.Series]) -> pd.DataFrame:
    """The manifest with reviewed labels, column `label_source`, and without excluded views."""

    def reviewed_label(sha256: str) -> str:
        return str(reviews[sha256]["label"]) if sha256 in reviews else ""

    reviewed = table["image_sha256"].isin(list(reviews))
    labels = table["label"].where(~reviewed, table["image_sha256"].map(reviewed_label))
    source = pd.Series("file", index=table.index).where(~reviewed, "review")
    cleaned = table.assign(
        label=labels,
        label_source=source,
    )
    return cleaned[cleaned["label"] != EXCLUDED].reset_index(drop=True)
