"""A picture of the sample line: `python -m samples.contact_sheet --out docs/sample-line.jpg`."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
MAX_BYTES = 400_000
CAPTIONS = {
    "normal": ("normal", "nothing is wrong"),
    "dent": ("dent", "the part fell"),
    "slide": ("slide", "an area pushed flat"),
    "double_line": ("double line", "the die's bearing is worn"),
    "under_press": ("under-press", "the rivet is not seated"),
}
CAMERAS = ("Ch00", "Ch01")
ROW_PX = 270
FRAME_PX, KNURLING_PX, RIVET_PX = 324, 624, 190
AMBER = (40, 170, 255)
log = logging.getLogger("samples.contact_sheet")


def main(argv: list[str] | None = None) -> int:
    """Command line; exit code 1 and one line for what the user can fix."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    p = argparse.ArgumentParser(
        prog="python -m samples.contact_sheet", description=__doc__
    )
    p.add_argument("--data", type=Path, default=Path("data"), help="a drawn line")
    p.add_argument(
        "--truth", type=Path, default=Path("samples/truth"), help="its truth"
    )
    p.add_argument(
        "--out", type=Path, default=Path("docs/sample-line.jpg"), help="JPEG to write"
    )
    p.add_argument(
        "--pick", type=int, default=1, help="which sound views of each class (1)"
    )
    args = p.parse_args(argv)
    truth_file = args.truth / "truth.json"
    if not truth_file.is_file():
        log.error(
            "%s: not there; draw a line first with python -m samples.draw", truth_file
        )
        return 1
    views = json.loads(truth_file.read_text(encoding="utf-8"))["views"]
    jpeg = _within(contact_sheet(args.data / "images", views, args.pick), MAX_BYTES)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_bytes(jpeg)
    log.info("%s: %d classes, %d kB", args.out, len(CAPTIONS), len(jpeg) // 1000)
    return 0


def contact_sheet(images: Path, views: dict[str, dict[str, Any]], pick: int) -> Picture:
    """One row a class: a frame of each camera, knurling and rivet with the true box; BGR."""
    rows = [_header()]
    for label in CAPTIONS:
        chosen = [_choose(views, label, camera, pick) for camera in CAMERAS]
        frames = [_read(images / name) for name in chosen]
        rows.append(_row(label, frames, views[chosen[0]]))
    return np.vstack(rows)


def _choose(
    views: dict[str, dict[str, Any]], label: str, camera: str, pick: int
) -> str:
    """The `pick`-th view in the order of the line that is sound and truly named."""
    sound = []
    for name, view in sorted(views.items(), key=lambda item: str(item[1]["id"])):
        is_wanted = (view["true_class"], view["camera"]) == (label, camera)
        is_messy = view["broken"] or view["copy"] or view["spoiled"]
        if is_wanted and not is_messy:
            sound.append(name)
    return sound[pick % len(sound)]


def _read(path: Path) -> Picture:
    # not cv2.imread, which takes no Korean names on Windows
    content = np.frombuffer(path.read_bytes(), np.uint8)
    frame = cv2.imdecode(content, cv2.IMREAD_GRAYSCALE)
    return np.asarray(frame, np.uint8)


def _header() -> Picture:
    titles = [("class", 190)] + [(f"camera {c}", FRAME_PX) for c in CAMERAS]
    titles += [("knurling (left frame)", KNURLING_PX), ("rivet", RIVET_PX)]
    cells = []
    for title, width in titles:
        cell = np.zeros((34, width, 3), np.uint8)
        _write(cell, title, (8, 23), 0.5, (170, 170, 170))
        cells.append(cell)
    return np.hstack(cells)


def _row(label: str, frames: list[Picture], view: dict[str, Any]) -> Picture:
    caption = np.zeros((ROW_PX, 190, 3), np.uint8)
    name, cause = CAPTIONS[label]
    _write(caption, name, (8, ROW_PX // 2 - 6), 0.72, (240, 240, 240))
    _write(caption, cause, (8, ROW_PX // 2 + 18), 0.42, (160, 160, 160))

    cells = [caption]
    for frame in frames:
        cells.append(_tile(frame, (FRAME_PX, ROW_PX)))
    for region, width in (("knurling_box", KNURLING_PX), ("rivet_box", RIVET_PX)):
        size = (width, ROW_PX)
        cells.append(_close_up(frames[0], view[region], view["defect_box"], size))
    return np.hstack(cells)


def _close_up(
    frame: Picture, region: list[int], defect: list[int] | None, size: tuple[int, int]
) -> Picture:
    """The region, enlarged, with the defect's box when its middle lies inside."""
    x, y, w, h = region
    width, height = size
    scale = min((width - 12) / w, (height - 12) / h)
    crop = cv2.resize(
        frame[y : y + h, x : x + w],
        None,
        fx=scale,
        fy=scale,
        interpolation=cv2.INTER_CUBIC,
    )
    colour = cv2.cvtColor(crop, cv2.COLOR_GRAY2BGR)
    if defect is not None and _holds(region, defect):
        left, top, defect_width, defect_height = defect
        right, bottom = left + defect_width, top + defect_height
        corners = np.array([[left, top], [right, bottom]]) - (x, y)

        # around the defect, not on it
        around = corners * scale + [[-2, -2], [2, 2]]
        limits = (crop.shape[1] - 1, crop.shape[0] - 1)
        low, high = np.clip(around, 0, limits).astype(int).tolist()
        cv2.rectangle(colour, low, high, AMBER, 1, cv2.LINE_8)
    return _tile(np.asarray(colour, np.uint8), size)


def _holds(region: list[int], box: list[int]) -> bool:
    left, top, width, height = region
    x = box[0] + box[2] / 2
    y = box[1] + box[3] / 2
    return left < x < left + width and top < y < top + height


def _tile(picture: Picture, size: tuple[int, int]) -> Picture:
    """`picture` in the middle of a black tile of `size` (width, height), shrunk to fit."""
    width, height = size
    scale = min(1.0, (width - 4) / picture.shape[1], (height - 4) / picture.shape[0])
    if scale < 1:
        shrunk = cv2.resize(
            picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA
        )
        picture = np.asarray(shrunk, np.uint8)
    if picture.ndim == 2:
        picture = np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR), np.uint8)

    n_rows, n_columns = picture.shape[:2]
    top = (height - n_rows) // 2
    left = (width - n_columns) // 2
    tile = np.zeros((height, width, 3), np.uint8)
    tile[top : top + n_rows, left : left + n_columns] = picture
    return tile


def _write(
    cell: Picture,
    text: str,
    at: tuple[int, int],
    size: float,
    colour: tuple[int, int, int],
) -> None:
    cv2.putText(cell, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)


def _within(picture: Picture, max_bytes: int) -> bytes:
    """JPEG of `picture` at the best quality that fits."""
    for quality in range(90, 30, -5):
        _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if data.size <= max_bytes:
            return data.tobytes()
    raise ValueError(f"contact sheet: {data.size} bytes at quality 35; draw fewer rows")


if __name__ == "__main__":
    sys.exit(main())
