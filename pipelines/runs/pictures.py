"""Pictures of a run for Prefect's page: addresses that hold the picture themselves."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from inspection.confusion_svg import confusion_svg
from inspection.storage import read_json

# Of the gallery: as many pictures as one sees at a glance, and their height beside each other.
N_PICTURES, N_COLUMNS, PICTURE_PX, CAPTION_PX = 8, 4, 224, 16
# Below this a JPEG of a heatmap shows blocks; above it only the size grows.
JPEG_QUALITY = 85


def confusion_picture(rows: Sequence[dict[str, Any]]) -> str:
    """The address of a picture of counts; `rows` are those of `records.confusion`."""
    return _address("image/svg+xml", confusion_svg(rows).encode("utf-8"))


def gallery_picture(folder: Path) -> str | None:
    """The address of a picture with the first of the gallery, in turn of each class; None if empty.

    `folder` holds the pictures and `index.json`, as stage evaluate_cam writes them.
    """
    chosen = in_turn(read_json(folder / "index.json"))[:N_PICTURES]
    if not chosen:
        return None

    shown = []
    for entry in chosen:
        with Image.open(folder / entry["file"]) as picture:
            shown.append((entry["label"], picture.convert("RGB")))
    return sheet(shown)


def sheet(shown: Sequence[tuple[str, Image.Image]]) -> str:
    """The address of one picture with these in rows, each below its caption."""
    n_rows = -(-len(shown) // N_COLUMNS)
    step = (PICTURE_PX, PICTURE_PX + CAPTION_PX)
    paper = Image.new("RGB", (N_COLUMNS * step[0], n_rows * step[1]), "white")
    draw = ImageDraw.Draw(paper)
    for number, (caption, picture) in enumerate(shown):
        x, y = number % N_COLUMNS * step[0], number // N_COLUMNS * step[1]
        small = picture.copy()
        small.thumbnail((PICTURE_PX, PICTURE_PX))
        paper.paste(small, (x, y + CAPTION_PX))
        draw.text((x + 2, y + 2), caption, fill="black")

    content = io.BytesIO()
    paper.save(content, "JPEG", quality=JPEG_QUALITY)
    return _address("image/jpeg", content.getvalue())


def in_turn(entries: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """The entries reordered: the first of each label, then the second of each, and so on.

    >>> [one["file"] for one in in_turn([{"label": "a", "file": "1"}, {"label": "a", "file": "2"},
    ...                                  {"label": "b", "file": "3"}])]
    ['1', '3', '2']
    """
    seen: dict[str, int] = {}
    ranked = []
    for entry in entries:
        rank = seen[entry["label"]] = seen.get(entry["label"], -1) + 1
        ranked.append((rank, entry))
    return [entry for _, entry in sorted(ranked, key=lambda pair: pair[0])]


def _address(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
