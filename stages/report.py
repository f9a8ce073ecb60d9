"""The report of a bundle as one page that needs nothing else: numbers, pictures, doubts."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import jinja2
import numpy as np
import pandas as pd

from inspection.evaluation.part_scores import Parts
from inspection.geometry import Image
from inspection.runtime.bundle import Card
from inspection.runtime.defect_boxes import heat_of
from inspection.runtime.detectors import BEYOND, CLASSIFIER, Thresholds
from inspection.runtime.heat import overlay
from inspection.runtime.views import ViewOutputs
from inspection.storage import read_json

TEMPLATE = Path(__file__).with_name("report.html.j2")
N_ERRORS = 12
N_ISSUES = 15
N_NORMALS = 6


def render_report(paths: Any, card: Card, table: pd.DataFrame, parts: Parts) -> str:
    """The page, from the card, the outcome of every test part, and what was seen in them."""
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "limits": limits}
    page = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    curves = pd.read_csv(paths.classifier / "curves.csv")
    quarantined, noted = split_findings(_records(paths.quarantine))
    return page.render(
        card=card,
        metrics=card.metrics,
        shades=_shades(card.metrics["classifier"]["confusion"]),
        curves=[
            svg_curves(curves, ["train_loss", "val_loss"], "loss"),
            svg_curves(curves, ["val_macro_f1"], "macro-F1 by part on val"),
        ],
        recipes=_records(paths.cam / "table.csv"),
        gallery=_gallery(paths.cam / "gallery"),
        errors=_errors(table, parts, card),
        normals=_normals(table, parts, card),
        quarantined=quarantined,
        noted=noted,
        issues=_records(paths.issues)[:N_ISSUES],
        n_issues=len(_records(paths.issues)),
        split=read_json(paths.split_metrics),
    )


def split_findings(
    findings: Sequence[dict[str, Any]],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The files that were set aside, as `metrics/validate.json` counts them, and the mere notes.

    >>> split_findings([{"path": "a", "view_kept": "False"}, {"path": "b", "view_kept": "True"}])
    ([{'path': 'a', 'view_kept': 'False'}], [{'path': 'b', 'view_kept': 'True'}])
    """
    noted = [row for row in findings if row["view_kept"] == "True"]
    return [row for row in findings if row["view_kept"] != "True"], noted


def percent(value: float | None) -> str:
    """A rate as a percentage; a dash where there is none."""
    return "–" if value is None else f"{100 * value:.1f} %"


def limits(
    thresholds: Thresholds, lowest: float = -BEYOND, highest: float = BEYOND
) -> str:
    """Thresholds in words; one that no score between `lowest` and `highest` reaches says so."""
    accept, reject = thresholds.accept_below, thresholds.reject_above
    passes = "everything passes" if accept > highest else f"pass below {accept:.4g}"
    if accept <= lowest:
        passes = "nothing passes"
    return f"{passes}, " + (
        "nothing is rejected" if reject >= highest else f"reject above {reject:.4g}"
    )


def svg_curves(table: pd.DataFrame, columns: Sequence[str], title: str) -> str:
    """Curves over the epochs as an inline SVG picture, 320 x 150 px."""
    values = table[list(columns)].to_numpy(float)
    low, high = np.nanmin(values), np.nanmax(values)
    span = max(1e-9, high - low)
    lines = []
    for number, column in enumerate(columns):
        points = " ".join(
            f"{40 + 265 * i / max(1, len(values) - 1):.1f},{125 - 100 * (y - low) / span:.1f}"
            for i, y in enumerate(values[:, number])
            if np.isfinite(y)
        )
        lines.append(f'<polyline class="curve{number}" points="{points}"/>')
        lines.append(
            f'<text x="{50 + 110 * number}" y="146" class="key{number}">{column}</text>'
        )
    return (
        f'<svg viewBox="0 0 320 150" role="img" aria-label="{title}">'
        f'<text x="40" y="14" class="title">{title}</text>'
        f'<text x="34" y="30" class="tick">{high:.2f}</text>'
        f'<text x="34" y="128" class="tick">{low:.2f}</text>'
        f'<line x1="40" y1="125" x2="305" y2="125"/>{"".join(lines)}</svg>'
    )


def data_uri(picture: Image) -> str:
    """An RGB picture (H, W, 3) as a JPEG data URI."""
    encoded = cv2.imencode(".jpg", picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])[
        1
    ]
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode(
        "ascii"
    )


def _shades(table: list[list[int]]) -> list[list[float]]:
    """Each cell's share of its row, for colouring."""
    return [[cell / max(1, sum(row)) for cell in row] for row in table]


def _gallery(folder: Path) -> list[dict[str, str]]:
    entries = []
    for entry in read_json(folder / "index.json"):
        picture = cv2.imread(str(folder / entry["file"]))
        entries.append(entry | {"uri": data_uri(np.asarray(picture)[:, :, ::-1])})
    return entries


def _normals(table: pd.DataFrame, parts: Parts, card: Card) -> list[dict[str, Any]]:
    """The worst view of the first normal parts by id, crop above heat, with the heat's peak.

    The heat is that of the likeliest defect, as the service shows it.
    """
    found: list[dict[str, Any]] = []
    normal = table[table["label"] == card.line.normal].sort_values("part_id")
    for row in _rows(normal):
        outputs = _worst_view(row, parts)
        if CLASSIFIER in outputs.detectors and len(found) < N_NORMALS:
            crop = outputs.crops[card.classifier.region]
            heat = heat_of(outputs.detectors[CLASSIFIER], card.classifier)
            picture = np.vstack(
                [overlay(crop, np.zeros_like(heat)), overlay(crop, heat)]
            )
            found.append({**row, "uri": data_uri(picture), "peak": float(heat.max())})
    return found


def _errors(table: pd.DataFrame, parts: Parts, card: Card) -> list[dict[str, Any]]:
    """The worst errors: escapes first, then normals rejected, then defects named wrongly."""
    normal = card.line.normal
    defective = table["label"] != normal
    escapes = table[defective & (table["verdict"] == "pass")].sort_values("classifier")
    overkill = table[~defective & (table["verdict"] == "reject")]
    overkill = overkill.sort_values("classifier", ascending=False)
    misnamed = table[
        defective & (table["verdict"] != "pass") & (table["named"] != table["label"])
    ]
    found = []
    for kind, rows in (
        ("escape", escapes),
        ("overkill", overkill),
        ("wrong name", misnamed),
    ):
        for row in _rows(rows):
            pictures = _pictures(_worst_view(row, parts), card)
            found.append({"kind": kind, **row, "pictures": pictures})
    return found[:N_ERRORS]


def _pictures(outputs: ViewOutputs, card: Card) -> list[str]:
    """The crops of a view with their heat, detector by detector."""
    pictures = []
    for name, output in outputs.detectors.items():
        detector = card.detectors[name]
        heat = heat_of(output, detector)
        pictures.append(overlay(outputs.crops[detector.region], heat))
    return [data_uri(picture) for picture in pictures]


def _worst_view(row: dict[str, Any], parts: Parts) -> ViewOutputs:
    return next(
        view for view in parts[row["part_id"]] if view.name == row["worst_view"]
    )


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {str(name): value for name, value in row.items()}
        for row in table.to_dict("records")
    ]


def _records(path: Path) -> list[dict[str, Any]]:
    if path.stat().st_size <= 1:
        return []
    return _rows(pd.read_csv(path, dtype=str, keep_default_na=False))
