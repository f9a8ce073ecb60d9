"""What dust beside the part does to verdicts: `python -m benchmarks.dust` after `make demo`.

Fibres are drawn onto the good parts of the test fold of the sample line, close to the part and
never on it. Such a part is as good as before, and its verdict should be the same.
"""

import argparse
import logging
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from tqdm import tqdm

from inspection.errors import InspectionError
from inspection.geometry import Floats, Image
from inspection.images import read_frame
from inspection.runtime.inspector import Inspector
from inspection.runtime.verdict import VERDICTS
from inspection.runtime.views import View
from inspection.storage import read_json, read_table

BUNDLE = Path("models/bundle")
MANIFEST = Path("artifacts/manifest/manifest.parquet")
PARTS = Path("artifacts/test_fold/parts.csv")
TRUTH = Path("samples/truth/truth.json")
DATA = Path("data")

# Grey level that divides the drawn part from what is behind it: the background lies below 20, the
# darkest flank of a part above 40.
PART_LEVEL = 30
# Pixels by which the part is grown, so that no blur of a fibre touches it.
CLEARANCE_PX = 4
# The dark of a groove or of a reflection is part of it, too: this closes those of the line.
MAX_DARK_PX = 31
# Pixels around the part in which a fibre begins: as far as a crop reaches beyond its region.
REACH_PX = 20
# Fibres a view: the sample line has none to two in a frame, wherever they fall.
N_FIBRES = 3
# Grey levels that a fibre adds: from what is just seen to what is as bright as the part.
MIN_GLOW, MAX_GLOW = 60.0, 170.0
# Steps of a fibre, their length in pixels, and by how much (radians) it turns at each.
N_STEPS, STEP_PX, TURN = 12, 3.0, 0.35
# no outcome: tries to place a fibre off the part before one is given up
MAX_TRIES = 200

log = logging.getLogger("benchmarks.dust")


@dataclass(frozen=True)
class Verdicts:
    """Of one part: the verdict on its pictures as they are, and with dust beside it."""

    clean: str
    dusty: str


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; exit code 1 and one line for what the user can fix."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of the fibres")
    parser.add_argument(
        "--pictures", type=Path, help="folder for the dusty frames, to look at"
    )
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        found = list(measured(args.seed, args.pictures))
    except InspectionError as error:
        log.error("%s", error)
        return 1

    log.info("%s", table(found))
    return 0


def measured(seed: int, pictures: Path | None) -> Iterator[Verdicts]:
    """The verdicts on each good part of the test fold, one after the other."""
    for path in (BUNDLE, MANIFEST, PARTS, TRUTH):
        if not path.exists():
            raise InspectionError(f"{path}: missing; run `make demo` first")

    inspector = Inspector(BUNDLE)
    line = inspector.card.line
    how = {"channels": line.channels, "bit_depth": line.bit_depth}
    boxes = _boxes()
    views = read_table(MANIFEST)
    parts = pd.read_csv(PARTS, dtype={"part_id": str})
    good = parts["part_id"][parts["label"] == line.normal]
    generator = np.random.default_rng(seed)
    for part_id in tqdm(good, desc="parts", disable=None):
        paths = views["path"][views["part_id"] == part_id]
        frames = {path: read_frame(DATA / path, **how) for path in paths}
        dusty = {
            path: with_fibres(frame, boxes[Path(path).name], generator)
            for path, frame in frames.items()
        }
        if pictures is not None:
            _save(pictures, dusty)
        yield Verdicts(_verdict(inspector, frames), _verdict(inspector, dusty))


def with_fibres(
    frame: Image, boxes: Sequence[Sequence[int]], generator: np.random.Generator
) -> Image:
    """A grey frame (H, W) with fibres next to the part, whose regions are (x, y, width, height)."""
    part = silhouette(frame, boxes)
    added = np.zeros(frame.shape, np.float32)
    for _ in range(N_FIBRES):
        glow = generator.uniform(MIN_GLOW, MAX_GLOW)
        added = np.maximum(added, glow * fibre(part, generator))
    return np.clip(frame + added, 0, 255).astype(np.uint8)


def silhouette(frame: Image, boxes: Sequence[Sequence[int]]) -> Image:
    """Where the part is, and a little around it: (H, W) uint8, 1 or 0."""
    smooth = cv2.medianBlur(frame, 5)
    part: Image = np.zeros(frame.shape, np.uint8)
    for x, y, width, height in boxes:
        inside = np.s_[max(0, y) : y + height, max(0, x) : x + width]
        part[inside] = np.where(smooth[inside] > PART_LEVEL, 1, 0)
    closed = cv2.morphologyEx(
        part, cv2.MORPH_CLOSE, np.ones((MAX_DARK_PX, MAX_DARK_PX), np.uint8)
    )
    side = 2 * CLEARANCE_PX + 1
    return np.asarray(cv2.dilate(closed, np.ones((side, side), np.uint8)))


def fibre(part: Image, generator: np.random.Generator) -> Floats:
    """A curved line (H, W), 0..1, that begins next to the part and never meets it."""
    side = 2 * REACH_PX + 1
    around = cv2.dilate(part, np.ones((side, side), np.uint8)) - part
    places = np.argwhere(around)
    for _ in range(MAX_TRIES):
        y, x = generator.choice(places)
        layer = _line(np.array([x, y], float), part.shape, generator)
        if not (layer * part).any():
            return layer
    return np.zeros(part.shape, np.float32)


def table(found: Sequence[Verdicts]) -> str:
    """How many parts had which verdict before, and have which with dust beside them."""
    counts = Counter((one.clean, one.dusty) for one in found)
    lines = [f"{'without dust':<14}" + "".join(f"{name:>9}" for name in VERDICTS)]
    for clean in VERDICTS:
        cells = "".join(f"{counts[clean, dusty]:>9}" for dusty in VERDICTS)
        lines.append(f"{clean:<14}{cells}")
    n_same = sum(one.clean == one.dusty for one in found)
    lines.append(f"{n_same} of {len(found)} good parts have the same verdict")
    return "\n".join(lines)


def _line(start: Any, shape: tuple[int, ...], generator: np.random.Generator) -> Floats:
    """A thin curve from a place on, blurred as a lens does: (H, W), 0..1."""
    headings = generator.uniform(0, 2 * np.pi) + np.cumsum(
        generator.normal(0, TURN, N_STEPS)
    )
    steps = np.stack([np.cos(headings), np.sin(headings)], axis=1) * STEP_PX
    path = np.round(start + np.cumsum(steps, axis=0)).astype(np.int32)
    layer = np.zeros(shape[:2], np.float32)
    cv2.polylines(layer, [path], False, 1.0, 1)
    return np.asarray(cv2.GaussianBlur(layer, (3, 3), 0))


def _boxes() -> dict[str, list[Sequence[int]]]:
    """Where the regions of each picture are, by file name."""
    views: Mapping[str, Any] = read_json(TRUTH)["views"]
    return {
        name: [view[key] for key in ("knurling_box", "rivet_box") if view[key]]
        for name, view in views.items()
    }


def _verdict(inspector: Inspector, frames: Mapping[str, Image]) -> str:
    views = [
        View(path, cv2.imencode(".png", frame)[1].tobytes())
        for path, frame in frames.items()
    ]
    return inspector.inspect(views).verdict


def _save(folder: Path, frames: Mapping[str, Image]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path, frame in frames.items():
        cv2.imwrite(str(folder / f"{Path(path).stem}.png"), frame)


if __name__ == "__main__":
    sys.exit(main())
