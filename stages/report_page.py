"""The page of the report: numbers, pictures, doubts; it loads nothing from elsewhere."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import jinja2
import numpy as np
import pandas as pd

from inspection.curation.label_issues import is_suspect
from inspection.curation.least_normal import LeastNormal
from inspection.evaluation.rates import percent
from inspection.evaluation.worst_views import Pictures, errors, normals
from inspection.geometry import Image
from inspection.runtime.bundle import Card
from inspection.runtime.detectors import BEYOND, CLASSIFIER, Thresholds
from inspection.runtime.heat import overlay
from inspection.storage import read_json

TEMPLATE = Path(__file__).with_name("report_page.html.j2")
# What a page shows of each before it asks the reader to open the list itself.
N_ERRORS = 12
N_ISSUES = 15
N_NORMALS = 6
N_LEAST_NORMAL = 8
# Heat of a picture that is shown without any.
COLD = np.zeros((1, 1), np.float32)
# JPEG quality of the pictures: no artefacts at the size in which they are shown.
JPEG_QUALITY = 85

# The frame of a picture of curves, in its 320 x 150 px: room for the title above, for the numbers
# at the left, and for the names of the curves below.
LEFT_PX, RIGHT_PX = 40, 305
TOP_PX, BOTTOM_PX = 25, 125

Record = dict[str, Any]


@dataclass(frozen=True)
class NormalsOfRegion:
    """The normals of a region that look least normal, with crops (H, W, C) of the first."""

    region: str
    listed: LeastNormal
    crops: Sequence[Image]


@dataclass(frozen=True)
class Evidence:
    """What the page shows beside the card.

    `table` has a row per test part, `pictures` some of their worst views; `curves` are of the
    training, `recipes` every CAM recipe that was tried, `gallery` the folder of its pictures.
    `crops` are those of the views of suspects, (H, W, C) each, by the view's path.
    """

    table: pd.DataFrame
    pictures: Pictures
    curves: pd.DataFrame
    recipes: Sequence[Record]
    gallery: Path
    quarantine: Sequence[Record]
    issues: Sequence[Record]
    split: Record
    crops: Mapping[str, Sequence[Image]]
    normals: Sequence[NormalsOfRegion]


def render_report(card: Card, evidence: Evidence) -> str:
    """The page as HTML."""
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": partial(percent, absent="–"), "limits": limits}
    page = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))

    normal = card.line.normal
    quarantined, noted = split_findings(evidence.quarantine)
    issues = [row for row in evidence.issues if is_suspect(row["reason"])]
    return page.render(
        card=card,
        metrics=card.metrics,
        shades=_shades(card.metrics["classifier"]["confusion"]),
        curves=[
            svg_curves(evidence.curves, ["train_loss", "val_loss"], "loss"),
            svg_curves(evidence.curves, ["val_macro_f1"], "macro-F1 by part on val"),
        ],
        recipes=evidence.recipes,
        gallery=_gallery(evidence.gallery),
        errors=_errors(errors(evidence.table, normal), evidence.pictures),
        normals=_normals(normals(evidence.table, normal), evidence.pictures),
        quarantined=quarantined,
        noted=noted,
        issues=issues[:N_ISSUES],
        n_issues=len(issues),
        n_only_near_duplicates=len(evidence.issues) - len(issues),
        split=evidence.split,
        suspects=_suspects(card, evidence.crops),
        least_normal=_least_normal(evidence.normals),
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


def limits(
    thresholds: Thresholds, lowest: float = -BEYOND, highest: float = BEYOND
) -> str:
    """Thresholds in words; one that no score between `lowest` and `highest` reaches says so."""
    accept, reject = thresholds.accept_below, thresholds.reject_above
    passes = f"pass below {accept:.4g}"
    if accept > highest:
        passes = "everything passes"
    if accept <= lowest:
        passes = "nothing passes"

    rejects = f"reject above {reject:.4g}"
    if reject >= highest:
        rejects = "nothing is rejected"
    return f"{passes}, {rejects}"


def svg_curves(table: pd.DataFrame, columns: Sequence[str], title: str) -> str:
    """Curves over the epochs as an inline SVG picture, 320 x 150 px."""
    values = table[list(columns)].to_numpy(float)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    lines = []
    for number, column in enumerate(columns):
        points = _points(values[:, number], low, high)
        key_x = 50 + 110 * number
        lines.append(f'<polyline class="curve{number}" points="{points}"/>')
        lines.append(f'<text x="{key_x}" y="146" class="key{number}">{column}</text>')

    return (
        f'<svg viewBox="0 0 320 150" role="img" aria-label="{title}">'
        f'<text x="40" y="14" class="title">{title}</text>'
        f'<text x="34" y="30" class="tick">{high:.2f}</text>'
        f'<text x="34" y="128" class="tick">{low:.2f}</text>'
        f'<line x1="40" y1="125" x2="305" y2="125"/>{"".join(lines)}</svg>'
    )


def _points(values: Any, low: float, high: float) -> str:
    """The points of one curve, from x = 40 to 305 and from y = 125 (low) to 25 (high)."""
    width_px, height_px = RIGHT_PX - LEFT_PX, BOTTOM_PX - TOP_PX
    # no range where a curve never moves, which then lies on the axis; no step in a single epoch
    span = max(1e-9, high - low)
    last = max(1, len(values) - 1)

    points = []
    for epoch, value in enumerate(values):
        # an infinite loss has no place in the picture: the line goes on to the next epoch
        if not np.isfinite(value):
            continue
        x = LEFT_PX + width_px * epoch / last
        y = BOTTOM_PX - height_px * (value - low) / span
        points.append(f"{x:.1f},{y:.1f}")
    return " ".join(points)


def data_uri(picture: Image) -> str:
    """An RGB picture (H, W, 3) as a JPEG data URI."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    encoded = cv2.imencode(".jpg", picture[:, :, ::-1], quality)[1]
    text = base64.b64encode(encoded.tobytes()).decode("ascii")
    return f"data:image/jpeg;base64,{text}"


def _shades(table: list[list[int]]) -> list[list[float]]:
    """Each cell's share of its row, for colouring."""
    return [[cell / max(1, sum(row)) for cell in row] for row in table]


def _gallery(folder: Path) -> list[Record]:
    entries = []
    for entry in read_json(folder / "index.json"):
        picture = np.asarray(cv2.imread(str(folder / entry["file"])))
        # OpenCV reads blue first
        rgb = picture[:, :, ::-1]
        entries.append(entry | {"uri": data_uri(rgb)})
    return entries


def _normals(table: pd.DataFrame, pictures: Pictures) -> list[Record]:
    """The worst views of the first normal parts, crop above heat, with the heat's peak.

    The heat is that of the likeliest defect, as the service shows it.
    """
    found: list[Record] = []
    for row in _rows(table):
        picture = pictures.get(row["part_id"], {}).get(CLASSIFIER)
        if picture is None:
            continue

        cold = overlay(picture.crop, np.zeros_like(picture.heat))
        both = np.vstack([cold, overlay(picture.crop, picture.heat)])
        peak = float(picture.heat.max())
        found.append({**row, "uri": data_uri(both), "peak": peak})
        if len(found) == N_NORMALS:
            break
    return found


def _errors(table: pd.DataFrame, pictures: Pictures) -> list[Record]:
    """The worst errors, each with the crops of its worst view under their heat."""
    found = []
    for row in _rows(table.head(N_ERRORS)):
        uris = [
            data_uri(overlay(picture.crop, picture.heat))
            for picture in pictures.get(row["part_id"], {}).values()
        ]
        found.append({**row, "pictures": uris})
    return found


def _suspects(card: Card, crops: Mapping[str, Sequence[Image]]) -> list[Record]:
    """The parts that are judged against their label, each with the crops of its worst view."""
    suspects = card.metrics["limit"].get("suspects", [])
    found = []
    for row in suspects:
        uris = [data_uri(overlay(crop, COLD)) for crop in crops[row["view"]]]
        found.append({**row, "pictures": uris})
    return found


def _least_normal(normals: Sequence[NormalsOfRegion]) -> list[Record]:
    """The regions, each with how many normals are listed and why, and the crops of the first."""
    found: list[Record] = []
    for one in normals:
        rows = _rows(one.listed.views)
        shown = [
            {**row, "uri": data_uri(overlay(crop, COLD))}
            for row, crop in zip(rows, one.crops, strict=False)
        ]
        found.append({"region": one.region, "said": str(one.listed), "shown": shown})
    return found


def records(path: Path) -> list[Record]:
    """The rows of a CSV file as text; none where the file is empty."""
    # pandas writes a table without columns as a line break, and refuses to read it again
    if path.stat().st_size <= len("\n"):
        return []

    return _rows(pd.read_csv(path, dtype=str, keep_default_na=False))


def _rows(table: pd.DataFrame) -> list[Record]:
    return [
        {str(name): value for name, value in row.items()}
        for row in table.to_dict("records")
    ]
