"""What grows with a plant: the verdict log and its pages, and the stages that see every view.

    python -m benchmarks.scale log [--parts 10000 100000 1000000]
    python -m benchmarks.scale stages [--views 1000 4000 16000]
    python -m benchmarks.scale duplicates [--views 2000 8000 32000]
    python -m benchmarks.scale registry [--versions 20 200]

Every size is drawn anew in a folder of its own, which is removed. Of the stages the processor time
and the peak of memory are told, and the exponent with which the time grows between the ends.
"""

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from ruamel.yaml import YAML
from tqdm import tqdm

from inspection.curation import duplicates
from inspection.errors import InspectionError
from inspection.failures import PlainErrors
from inspection.runtime.detectors import Thresholds
from inspection.runtime.releases import POINTER
from inspection.runtime.verdict_log import (
    FILE,
    LoggedPart,
    LoggedView,
    RegionLook,
    VerdictLog,
    daily_verdicts,
    read_doubtful,
    read_parts,
)
from inspection.storage import array_on_disk, write_json
from pipelines.champions import Registry
from pipelines.status import status
from stages import tracking

ROOT = Path(__file__).parents[1]
MIB = 2**20
LINE = "scale"
# A part every twenty seconds over two shifts: a million parts are then about a year.
PARTS_A_DAY = 2_880
# Every tenth part goes to review, and its picture is kept.
REVIEWED_EACH = 10
# As the pages of the dashboard ask for them.
N_DOUBTFUL, N_DAYS = 500, 90
# Small frames: what is measured is the growth with their number.
FRAME_PX = (160, 120)
VIEWS_PER_PART = 2
STAGES = ("validate", "clean_labels", "split", "crop")
# Of the views, one in so many is stored twice.
COPIED_EACH = 50
# Grey levels: what all parts have in common, and what each has of its own.
DESIGN, GRAIN = 40, 20


@dataclass(frozen=True)
class Measured:
    """Seconds and, where it was looked at, bytes: the peak of memory, or the size on the disk."""

    seconds: float
    n_bytes: int = 0


def main() -> None:
    """Draw, measure, print a table and the exponents."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    kinds = parser.add_subparsers(dest="kind", required=True)
    log = kinds.add_parser("log", help="the verdict log and its queries")
    log.add_argument("--parts", type=int, nargs="+", default=[10_000, 100_000])
    stages = kinds.add_parser("stages", help=", ".join(STAGES))
    stages.add_argument("--views", type=int, nargs="+", default=[1000, 4000])
    copies = kinds.add_parser("duplicates", help="the search for near-duplicates")
    copies.add_argument("--views", type=int, nargs="+", default=[2000, 8000])
    registry = kinds.add_parser("registry", help="the models and their promotions")
    registry.add_argument("--versions", type=int, nargs="+", default=[20, 200])
    given = parser.parse_args()

    of_kind, unit, sizes = {
        "log": lambda: (of_log, "parts", given.parts),
        "stages": lambda: (of_stages, "views", given.views),
        "duplicates": lambda: (of_duplicates, "views", given.views),
        "registry": lambda: (of_registry, "versions", given.versions),
    }[given.kind]()
    with PlainErrors("scale"):
        found = {n: _measured(of_kind, n) for n in sorted(sizes)}
    for line in table(unit, found):
        sys.stdout.write(f"{line}\n")


def _measured(
    measure: Callable[[int, Path], dict[str, Measured]], n: int
) -> dict[str, Measured]:
    """What is measured of one size, in a folder that is removed."""
    with tempfile.TemporaryDirectory(prefix="knurl-scale-") as name:
        return measure(n, Path(name))


def of_log(n_parts: int, folder: Path) -> dict[str, Measured]:
    """A log of so many parts: to write one more, and what its readers wait for."""
    written = _timed(lambda: draw_log(folder, n_parts))
    on_disk = Measured(written.seconds, (folder / FILE).stat().st_size)
    with closing(VerdictLog(folder)) as log:
        more = logged(n_parts)
        queries: dict[str, Callable[[], object]] = {
            "record a part": lambda: log.record(more),
            "counts by day": lambda: daily_verdicts(folder, LINE, n_days=N_DAYS),
            "parts for the review desk": lambda: read_doubtful(
                folder, LINE, at_most=N_DOUBTFUL
            ),
            "one part's history": lambda: log.parts_of(f"P{n_parts // 2}"),
            "a week for the watch": lambda: sum(
                1 for _ in read_parts(folder, since=_since(n_parts))
            ),
        }
        found = {name: _timed(query) for name, query in queries.items()}
    return {"write all of it, size": on_disk} | found


def draw_log(folder: Path, n_parts: int) -> None:
    """Write a log of parts as the service writes it, one at a time."""
    with closing(VerdictLog(folder)) as log:
        for number in tqdm(range(n_parts), desc="draw", disable=None):
            log.record(logged(number))
            if number % REVIEWED_EACH == 0:
                log.note_picture(_sha256(number), _at(number), "review", 1000)


def logged(number: int) -> LoggedPart:
    """A part of two regions and four classes, as large in the log as those of the sample line."""
    verdict = "review" if number % REVIEWED_EACH == 0 else "pass"
    look = RegionLook(
        x_px=1, y_px=2, width_px=300, height_px=200, brightness=99.5, focus=0.25
    )
    scores = {"fused": 0.1, "classifier": 0.05, "anomaly_a": 0.3, "anomaly_b": 0.2}
    limits = Thresholds(accept_below=0.3, reject_above=0.9)
    view = LoggedView(
        name="a.jpg",
        sha256=_sha256(number),
        width_px=2464,
        height_px=2056,
        verdict=verdict,
        label="normal",
        scores=scores,
        thresholds=dict.fromkeys(scores, limits),
        probabilities={"normal": 0.9, "dent": 0.05, "slide": 0.03, "scratch": 0.02},
        regions={"a": look, "b": look},
        embedding=[0.25] * 8,
    )
    return LoggedPart(
        request_id=f"{number:032x}",
        part_id=f"P{number}",
        camera="Ch00",
        taken_at=None,
        answered_at=_at(number),
        latency_ms=60.0,
        line=LINE,
        release=f"{number // 100_000}",
        card_sha256="cd" * 32,
        verdict=verdict,
        label="normal",
        worst_view="a.jpg",
        views=[view],
    )


def of_stages(n_views: int, folder: Path) -> dict[str, Measured]:
    """The first stages on so many drawn views, each in a process of its own."""
    draw_frames(folder / "data", n_views)
    write_params(folder / "params.yaml")
    write_reviews(folder / "reviews")
    return {stage: _run(stage, folder) for stage in STAGES}


def of_duplicates(n_views: int, folder: Path) -> dict[str, Measured]:
    """The search for near-duplicates among views of parts of one design, some of them copies.

    Raises InspectionError where it does not find just these.
    """
    width_px, height_px = duplicates.FINE_SIZE_PX
    thumbnails = array_on_disk((n_views, height_px, width_px), folder)
    copied = draw_thumbnails(thumbnails)

    parts = [f"P{number}" for number in range(n_views)]
    started = time.perf_counter()
    pairs = duplicates.near_duplicates(
        thumbnails, min_correlation=0.7, apart=parts, cameras=["Ch00"] * n_views
    )
    seconds = time.perf_counter() - started

    found = {(one, other) for one, other, _ in pairs}
    if found != copied:
        raise InspectionError(
            f"{len(copied)} copies were drawn, and {len(found)} pairs found, {len(found & copied)} "
            "of them copies"
        )
    return {"near-duplicates, on disk": Measured(seconds, thumbnails.nbytes)}


def draw_thumbnails(thumbnails: np.ndarray) -> set[tuple[int, int]]:
    """Fill thumbnails with one design and a grain of each view's own; returns what was copied."""
    shape = thumbnails.shape[1:]
    # its outline and lighting, nothing finer
    rough = np.random.default_rng(0).normal(128, DESIGN, (8, 10))
    design = cv2.resize(rough, shape[::-1], interpolation=cv2.INTER_CUBIC)
    copied = set()
    for number in tqdm(range(len(thumbnails)), desc="draw", disable=None):
        if number % COPIED_EACH == COPIED_EACH - 1:
            thumbnails[number] = thumbnails[number - 1] // 8 * 7  # the light was lower
            copied.add((number - 1, number))
            continue
        grain = np.random.default_rng(1 + number).normal(0, GRAIN, shape)
        thumbnails[number] = np.clip(design + grain, 0, 255)
    return copied


def of_registry(n_versions: int, folder: Path) -> dict[str, Measured]:
    """A registry of so many versions, each promoted once: to add one, and to ask for them."""
    store = tracking.TrackingParams(store=str(folder / "mlruns"), experiment=LINE)
    registry = Registry(tracking.connect(store), LINE, folder / "releases")
    written = _timed(lambda: draw_versions(registry, n_versions))
    queries: dict[str, Callable[[], object]] = {
        "add a version": lambda: add_version(registry, n_versions + 1),
        "is a card registered": lambda: registry.holds(_sha256(1)),
        "which version serves": registry.served,
        "the log of promotions": registry.entries,
        "status": lambda: status(registry),
    }
    found = {name: _timed(query) for name, query in queries.items()}
    return {"write all of it": written} | found


def draw_versions(registry: Registry, n_versions: int) -> None:
    """Register versions and note that each was promoted; the last of them serves."""
    registry.client.create_registered_model(LINE)
    for number in tqdm(range(1, n_versions + 1), desc="draw", disable=None):
        add_version(registry, number)
    registry.client.set_registered_model_alias(LINE, tracking.CHAMPION, str(n_versions))
    pointer = {"version": _release(n_versions)}
    write_json(registry.releases / POINTER, pointer)


def add_version(registry: Registry, number: int) -> None:
    """Add a version with its tags, and the entry of its promotion with ten rules."""
    tags = {tracking.CARD_TAG: _sha256(number), "release": _release(number)}
    registry.client.create_model_version(LINE, source="bundle", tags=tags)
    rule = {"name": "expected cost", "passed": True, "found": "0.2", "wanted": "0.3"}
    registry.append(
        **{"from": str(number - 1), "to": str(number)},
        outcome="promoted",
        who="benchmark",
        why="",
        rules=[rule] * 10,
    )


def _release(number: int) -> str:
    return f"{LINE}-{number}-{_sha256(number)[-12:]}"


def draw_frames(data: Path, n_views: int) -> None:
    """Frames of noise: each is another part's, so that no two are near-duplicates."""
    width, height = FRAME_PX
    for number in tqdm(range(n_views), desc="draw", disable=None):
        # hundred files a folder, as cameras and operators leave them
        folder = data / f"{number // 100:06d}"
        folder.mkdir(parents=True, exist_ok=True)
        label = "dent" if number // VIEWS_PER_PART % 3 == 0 else "normal"
        random = np.random.default_rng(number)
        frame = random.integers(0, 255, (height, width, 1)).astype(np.uint8)
        content = simplejpeg.encode_jpeg(frame, quality=80, colorspace="GRAY")
        part = f"{number // VIEWS_PER_PART:07d}"
        view = number % VIEWS_PER_PART
        (folder / f"{label}_{part}_{view}.jpg").write_bytes(content)


def write_params(path: Path) -> None:
    """The parameters of the project, but for a line whose region is the whole frame."""
    yaml = YAML()
    params = yaml.load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["line"] |= {
        "name": LINE,
        "classes": {"normal": {}, "dent": {}},
        "causes": {},
        "regions": {
            "part": {"size_px": [160, 128], "shows": ["dent"], "whole_frame": True}
        },
        "classify": "part",
        "detect_anomalies": "part",
        "orient": None,
    }
    params["validate"] = {
        "layout": "flat",
        "images": ["*/*"],
        "pattern": "(?P<label>[^_]+)_(?P<part>[^_]+)_(?P<view>[^_]+)",
        "part_from": {"rule": "pattern", "group": "part"},
    }
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(params, file)


def write_reviews(folder: Path) -> None:
    """No reviews yet."""
    folder.mkdir()
    for name in ("labels.csv", "boxes.csv"):
        head = (ROOT / "reviews" / name).read_text(encoding="utf-8").splitlines()[:1]
        (folder / name).write_text("\n".join(head) + "\n", encoding="utf-8")


def _run(stage: str, folder: Path) -> Measured:
    """A stage as dvc.yaml runs it, with its processor time and the peak of its memory."""
    text = (ROOT / "dvc.yaml").read_text(encoding="utf-8")
    stages = YAML(typ="safe").load(text)["stages"]
    command = stages[stage]["cmd"]
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            ["bash", "-c", command],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=said,
            text=True,
        )
        # of this process and those that it waited for, which Popen does not tell
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise InspectionError(f"{stage}: failed\n{said.read()[-2000:]}")

    return Measured(used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def _timed(query: Callable[[], object]) -> Measured:
    started = time.perf_counter()
    query()
    return Measured(time.perf_counter() - started)


def table(unit: str, found: dict[int, dict[str, Measured]]) -> Iterator[str]:
    """What was measured as lines of text, with the exponent between the ends of the sizes."""
    sizes = list(found)
    head = "".join(f"{n:>12,} {unit}" for n in sizes)
    yield f"{'':28}{head}   exponent"
    for name in found[sizes[0]]:
        every = [found[n][name] for n in sizes]
        cells = "".join(_cell(one, len(unit) + 13) for one in every)
        yield f"{name:28}{cells}   {_exponent(sizes, every)}"


def _cell(one: Measured, width: int) -> str:
    text = f"{one.seconds:.1f} s"
    if one.seconds < 1:
        text = f"{1000 * one.seconds:.1f} ms"
    if one.n_bytes:
        text += f" {one.n_bytes / MIB:.0f} MiB"
    return f"{text:>{width}}"


def _exponent(sizes: Sequence[int], every: Sequence[Measured]) -> str:
    if len(sizes) < 2:
        return ""
    slower = math.log(every[-1].seconds / every[0].seconds)
    larger = math.log(sizes[-1] / sizes[0])
    return f"{slower / larger:8.2f}"


def _at(number: int) -> str:
    """When a part was answered, UTC."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return (start + timedelta(days=number / PARTS_A_DAY)).isoformat()


def _since(n_parts: int) -> str:
    """A week before the last of so many parts."""
    return _at(max(0, n_parts - 7 * PARTS_A_DAY))


def _sha256(number: int) -> str:
    return f"{number:064x}"


if __name__ == "__main__":
    main()
