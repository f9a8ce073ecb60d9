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

from samples.draw import LineError
from samples.pose import CAMERAS
from samples.tiles import Picture, close_up, tile, write

# as much as a README may load
MAX_BYTES = 400_000
# name and cause of each class, in the order of the rows
CAPTIONS = {
    "normal": ("normal", "nothing is wrong"),
    "dent": ("dent", "the part fell"),
    "slide": ("slide", "an area pushed flat"),
    "double_line": ("double line", "the die's bearing is worn"),
    "under_press": ("under-press", "the rivet is not seated"),
}
# height of a row and of the header, widths of the columns; px of the sheet
ROW_PX = 270
HEADER_PX = 34
CAPTION_PX = 190
FRAME_PX = 324
KNURLING_PX = 624
RIVET_PX = 190
# left edge of every text
TEXT_X = 8
# colours are (blue, green, red)
AMBER = (40, 170, 255)
NEARLY_WHITE = (240, 240, 240)
LIGHT_GREY = (170, 170, 170)
GREY = (160, 160, 160)
log = logging.getLogger("samples.contact_sheet")


def main(argv: list[str] | None = None) -> int:
    """Command line; exit code 1 and one line for what the user can fix."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    args = _parser().parse_args(argv)

    truth_file = args.truth / "truth.json"
    if not truth_file.is_file():
        log.error(
            "%s: not there; draw a line first with python -m samples.draw",
            truth_file,
        )
        return 1

    content = json.loads(truth_file.read_text(encoding="utf-8"))
    try:
        sheet = contact_sheet(args.data / "images", content["views"], args.pick)
    except LineError as error:
        log.error("%s: %s", truth_file, error)
        return 1
    jpeg = _within(sheet, MAX_BYTES)

    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_bytes(jpeg)
    kilobytes = len(jpeg) // 1000
    log.info("%s: %d classes, %d kB", args.out, len(CAPTIONS), kilobytes)
    return 0


def _parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="python -m samples.contact_sheet",
        description=__doc__,
    )
    p.add_argument(
        "--data",
        type=Path,
        default=Path("data"),
        help="a drawn line",
    )
    p.add_argument(
        "--truth",
        type=Path,
        default=Path("samples/truth"),
        help="its truth",
    )
    p.add_argument(
        "--out",
        type=Path,
        default=Path("docs/sample-line.jpg"),
        help="JPEG to write",
    )
    p.add_argument(
        "--pick",
        type=int,
        default=1,
        help="which sound views of each class (1)",
    )
    return p


def contact_sheet(images: Path, views: dict[str, dict[str, Any]], pick: int) -> Picture:
    """One row a class: a frame of each camera, knurling and rivet with the true box; BGR."""
    rows = [_header()]
    for label in CAPTIONS:
        chosen = [_choose(views, label, camera, pick) for camera in CAMERAS]
        named = [name for name in chosen if name is not None]
        if not named:
            raise LineError(
                f"no camera shows a sound view of class {label}; draw more parts"
            )
        frames = [_read(images / name) if name else None for name in chosen]
        first_view = views[named[0]]
        rows.append(_row(label, frames, first_view))
    return np.vstack(rows)


def _choose(
    views: dict[str, dict[str, Any]],
    label: str,
    camera: str,
    pick: int,
) -> str | None:
    """The `pick`-th view in the order of the line that is sound, truly named, and shows what it is.

    None where this camera has taken none.
    """

    def place(name: str) -> str:
        return str(views[name]["id"])

    sound = []
    for name in sorted(views, key=place):
        view = views[name]
        is_wanted = (view["true_class"], view["camera"]) == (label, camera)
        is_messy = view["broken"] or view["copy"] or view["spoiled"]
        # what people do not agree on, and what lies on the other side, is no example
        is_unclear = view["borderline"] or view["turned"]
        if is_wanted and not is_messy and not is_unclear:
            sound.append(name)

    if not sound:
        return None
    # from the front again when there are fewer
    return sound[pick % len(sound)]


def _read(path: Path) -> Picture:
    # not cv2.imread, which takes no Korean names on Windows
    content = np.frombuffer(path.read_bytes(), np.uint8)
    frame = cv2.imdecode(content, cv2.IMREAD_GRAYSCALE)
    return np.asarray(frame, np.uint8)


def _header() -> Picture:
    """What each column shows."""
    titles = [("class", CAPTION_PX)]
    for camera in CAMERAS:
        titles.append((f"camera {camera}", FRAME_PX))
    titles.append(("knurling (left frame)", KNURLING_PX))
    titles.append(("rivet", RIVET_PX))

    cells = []
    for title, width in titles:
        cell = np.zeros((HEADER_PX, width, 3), np.uint8)
        baseline = (TEXT_X, 23)
        write(cell, title, baseline, 0.5, LIGHT_GREY)
        cells.append(cell)
    return np.hstack(cells)


def _row(
    label: str,
    frames: list[Picture | None],
    view: dict[str, Any],
) -> Picture:
    """Caption, frames, and the two regions of the first frame there is, which shows `view`."""
    size = (FRAME_PX, ROW_PX)
    black = np.zeros((ROW_PX, FRAME_PX, 3), np.uint8)
    cells = [_caption(label)]
    for frame in frames:
        cells.append(black if frame is None else tile(frame, size))

    first = next(frame for frame in frames if frame is not None)
    defect = view["defect_box"]
    widths = {
        "knurling_box": KNURLING_PX,
        "rivet_box": RIVET_PX,
    }
    for region, width in widths.items():
        region_size = (width, ROW_PX)
        enlarged = close_up(first, view[region], defect, region_size, AMBER)
        cells.append(enlarged)
    return np.hstack(cells)


def _caption(label: str) -> Picture:
    """The name of the class, and its cause in smaller letters below."""
    cell = np.zeros((ROW_PX, CAPTION_PX, 3), np.uint8)
    name, cause = CAPTIONS[label]

    # one line above the middle and one below
    middle = ROW_PX // 2
    write(cell, name, (TEXT_X, middle - 6), 0.72, NEARLY_WHITE)
    write(cell, cause, (TEXT_X, middle + 18), 0.42, GREY)
    return cell


def _within(picture: Picture, max_bytes: int) -> bytes:
    """JPEG of `picture` at the best quality that fits."""
    # from hardly any loss down to where blocks show
    for quality in range(90, 30, -5):
        options = [cv2.IMWRITE_JPEG_QUALITY, quality]
        _, data = cv2.imencode(".jpg", picture, options)
        if data.size <= max_bytes:
            return data.tobytes()

    raise ValueError(f"contact sheet: {data.size} bytes at quality 35; draw fewer rows")


if __name__ == "__main__":
    sys.exit(main())
