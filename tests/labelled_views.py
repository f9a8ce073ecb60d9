"""Views with labels, boxes and copies as rows of a manifest, and what people decided of them."""

import json

import pandas as pd

from inspection.boxes import LabelledBox, boxes_cell
from inspection.curation.label_rules import (
    conflicts,
)
from inspection.curation.reviews import REVIEW_COLUMNS
from inspection.geometry import Box
from inspection.line import Line

LINE = Line.model_validate(
    {
        "name": "line",
        "normal": "normal",
        "classes": {"normal": {"aliases": ["정상"]}, "dent": {}, "slide": {}},
        "regions": {"knurling": {"size_px": [32, 32], "shows": ["dent", "slide"]}},
        "classify": "knurling",
        "detect_anomalies": "knurling",
    }
)


ALL = {
    "box_conflict": "hold",
    "part_disagreement": "hold",
    "duplicate_conflict": "hold",
    "near_duplicate_conflict": "hold",
}


ANYWHERE = Box(1, 2, 3, 4)


def views(*rows: tuple[str, str, list[str], str]) -> pd.DataFrame:
    """Rows of part, label, categories of boxes, near-duplicate group."""
    return pd.DataFrame(
        {
            "view_id": [f"v{i}" for i in range(len(rows))],
            "path": [f"{i}.png" for i in range(len(rows))],
            "image_sha256": [f"sha{i}" for i in range(len(rows))],
            "part_id": [part for part, *_ in rows],
            "label": [label for _, label, _, _ in rows],
            "boxes": [
                boxes_cell(LabelledBox(name, ANYWHERE, "coco") for name in boxes)
                for _, _, boxes, _ in rows
            ],
            "near_duplicate_group": [group for *_, group in rows],
            "label_source": "file",
            "copies": "[]",
        }
    )


def with_copies(table: pd.DataFrame, *copies: tuple[str, str]) -> pd.DataFrame:
    """The first view of the table with copies of these paths and labels."""
    told = json.dumps([{"path": path, "label": label} for path, label in copies])
    return table.assign(copies=[told, *table["copies"][1:]])


def reviews(*rows: tuple[str, str]) -> pd.DataFrame:
    content = [(sha, label, "kim", "looked again") for sha, label in rows]
    return pd.DataFrame(content, columns=list(REVIEW_COLUMNS), dtype=str)


def found(table: pd.DataFrame, **actions: str) -> list[tuple[str, str]]:
    return [(one.view_id, one.rule) for one in conflicts(table, LINE, ALL | actions)]
