"""What grows with a plant: the verdict log and its pages, and the stages that see every view.

    python -m benchmarks.scale log [--parts 10000 100000 1000000]
    python -m benchmarks.scale stages [--views 1000 4000 16000]
    python -m benchmarks.scale loops [--views 500 2000]
    python -m benchmarks.scale duplicates [--views 2000 8000 32000]
    python -m benchmarks.scale registry [--versions 20 200]

`loops` asks who is done first with one loop over views: threads, local processes, or the workers of
a Dask cluster that is begun on this machine, as many as there are cores.

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
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg
from ruamel.yaml import YAML
from tqdm import tqdm

from inspection.cluster import ADDRESS, distributed
from inspection.curation import duplicates
from inspection.curation.textures import fitted_sizes
from inspection.errors import InspectionError
from inspection.failures import PlainErrors
from inspection.line import MAX_PIXELS
from inspection.over_views import in_batches, in_threads, over_views
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
from inspection.workers import in_workers, n_processes
from pipelines.champions import Registry
from pipelines.status import status
from stages import tracking
from stages.params.clean_labels import CleanLabelsParams
from stages.per_view.examining import examined_image
from stages.per_view.items import CameraView, RawFile
from stages.per_view.looking import looked_at

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
# Of loops the frames are as large as those of the sample line: who decodes is what matters.
LOOP_FRAME_PX = (616, 514)
VIEWS_PER_PART = 2
# Every third part is dented, so that there are both classes.
DENTED_EACH = 3
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


Measure = Callable[[int, Path], dict[str, Measured]]


@dataclass(frozen=True)
class Kind:
    """What can be measured, of how many `unit`s it is, and of how many where nobody says."""

    measure: Measure
    about: str
    unit: str
    usual: list[int]


def main() -> None:
    """Draw, measure, print a table and the exponents."""
    kind, sizes = _arguments()
    found = {}
    with PlainErrors("scale"):
        for n in sorted(sizes):
            found[n] = _measured(kind.measure, n)
    for line in table(kind.unit, found):
        sys.stdout.write(f"{line}\n")


def _arguments() -> tuple[Kind, list[int]]:
    """What is to be measured, and of what sizes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    commands = parser.add_subparsers(dest="kind", required=True)
    for name, kind in KINDS.items():
        command = commands.add_parser(name, help=kind.about)
        command.add_argument(
            f"--{kind.unit}",
            dest="sizes",
            metavar=kind.unit.upper(),
            type=int,
            nargs="+",
            default=kind.usual,
        )
    given = parser.parse_args()
    return KINDS[given.kind], given.sizes


def _measured(measure: Measure, n: int) -> dict[str, Measured]:
    """What is measured of one size, in a folder that is removed."""
    with tempfile.TemporaryDirectory(prefix="knurl-scale-") as name:
        return measure(n, Path(name))


def of_log(n_parts: int, folder: Path) -> dict[str, Measured]:
    """A log of so many parts: to write one more, and what its readers wait for."""
    written = _timed(draw_log, folder, n_parts)
    n_bytes = (folder / FILE).stat().st_size
    found = {"write all of it, size": Measured(written.seconds, n_bytes)}
    with closing(VerdictLog(folder)) as log:
        more = logged(n_parts)
        found["record a part"] = _timed(log.record, more)
        found["counts by day"] = _timed(
            daily_verdicts,
            folder,
            LINE,
            n_days=N_DAYS,
        )
        found["parts for the review desk"] = _timed(
            read_doubtful,
            folder,
            LINE,
            at_most=N_DOUBTFUL,
        )
        in_the_middle = f"P{n_parts // 2}"
        found["one part's history"] = _timed(log.parts_of, in_the_middle)
        found["a week for the watch"] = _timed(_read_week, folder, n_parts)
    return found


def _read_week(folder: Path, n_parts: int) -> None:
    """Read the parts of the last week one by one, and keep none."""
    week = read_parts(folder, since=_since(n_parts))
    for _ in week:
        pass


def draw_log(folder: Path, n_parts: int) -> None:
    """Write a log of parts as the service writes it, one at a time."""
    with closing(VerdictLog(folder)) as log:
        for number in tqdm(range(n_parts), desc="draw", disable=None):
            log.record(logged(number))
            if number % REVIEWED_EACH == 0:
                log.note_picture(
                    _sha256(number),
                    _at(number),
                    "review",
                    # no outcome: its size in bytes, which no query here asks for
                    1000,
                )


def logged(number: int) -> LoggedPart:
    """A part of two regions and four classes, as large in the log as those of the sample line."""
    verdict = "review" if number % REVIEWED_EACH == 0 else "pass"
    view = _logged_view(number, verdict)
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
        worst_view=view.name,
        views=[view],
    )


def _logged_view(number: int, verdict: str) -> LoggedView:
    # no outcome: these values; others of as many digits take as much room
    look = RegionLook(
        x_px=1,
        y_px=2,
        width_px=300,
        height_px=200,
        brightness=99.5,
        focus=0.25,
    )
    scores = {
        "fused": 0.1,
        "classifier": 0.05,
        "anomaly_a": 0.3,
        "anomaly_b": 0.2,
    }
    probabilities = {
        "normal": 0.9,
        "dent": 0.05,
        "slide": 0.03,
        "scratch": 0.02,
    }
    limits = Thresholds(accept_below=0.3, reject_above=0.9)
    return LoggedView(
        name="a.jpg",
        sha256=_sha256(number),
        width_px=2464,
        height_px=2056,
        verdict=verdict,
        label="normal",
        scores=scores,
        thresholds=dict.fromkeys(scores, limits),
        probabilities=probabilities,
        regions={"a": look, "b": look},
        embedding=[0.25] * 8,
    )


def of_stages(n_views: int, folder: Path) -> dict[str, Measured]:
    """The first stages on so many drawn views, each in a process of its own."""
    draw_frames(folder / "data", n_views)
    write_params(folder / "params.yaml")
    write_reviews(folder / "reviews")
    return {stage: _run(stage, folder) for stage in STAGES}


def of_loops(n_views: int, folder: Path) -> dict[str, Measured]:
    """Seconds of the loops of `validate` and `clean_labels`, by who shares the views.

    Of processes they hold what these take to begin; of the cluster, which is there before, to
    connect, and for the second loop nothing that a worker has to import.
    """
    data = folder / "data"
    draw_frames(data, n_views, size_px=LOOP_FRAME_PX)
    paths = sorted(path.relative_to(data).as_posix() for path in data.rglob("*.jpg"))
    windows = {"Ch00": [(0, 0, *LOOP_FRAME_PX)]}
    look = partial(
        looked_at, bit_depth=16, windows=windows, sizes_px=fitted_sizes(windows)
    )
    examine = partial(examined_image, bit_depth=16, max_pixels=MAX_PIXELS)

    found = {}
    n_workers = n_processes(n_views)
    with local_cluster(n_workers) as address:
        for name, function, views in (
            ("examine", examine, [RawFile(path) for path in paths]),
            ("look", look, [CameraView(path, "Ch00") for path in paths]),
        ):
            at = partial(function, data)
            in_local = partial(in_workers, n_workers=n_workers)
            in_dask = partial(over_views, function, views, data=data, what=name)
            loops = {
                "one thread": partial(in_threads, at, views, 1),
                f"{n_workers} threads": partial(in_threads, at, views, n_workers),
                f"{n_workers} processes": partial(in_batches, in_local, at, views),
                f"{n_workers} of Dask": partial(in_dask, variables={ADDRESS: address}),
            }
            for who, loop in loops.items():
                found[f"{name}, {who}"] = _timed(lambda loop=loop: list(loop()))
    return found


@contextmanager
def local_cluster(n_workers: int) -> Iterator[str]:
    """The address of a Dask cluster of so many processes on this machine."""
    begun = distributed().LocalCluster(
        n_workers=n_workers, threads_per_worker=1, dashboard_address=None
    )
    with begun as cluster:
        yield cluster.scheduler_address


def of_duplicates(n_views: int, folder: Path) -> dict[str, Measured]:
    """The search for near-duplicates among views of parts of one design, some of them copies.

    Raises InspectionError where it does not find just these.
    """
    width_px, height_px = duplicates.FINE_SIZE_PX
    shape = (n_views, height_px, width_px)
    thumbnails = array_on_disk(shape, folder)
    copied = draw_thumbnails(thumbnails)

    parts = [f"P{number}" for number in range(n_views)]
    started = time.perf_counter()
    pairs = duplicates.near_duplicates(
        thumbnails,
        min_correlation=CleanLabelsParams().min_correlation,
        apart=parts,
        cameras=["Ch00"] * n_views,
    )
    seconds = time.perf_counter() - started

    found = {(one, other) for one, other, _ in pairs}
    if found != copied:
        n_right = len(found & copied)
        raise InspectionError(
            f"{len(copied)} copies were drawn, "
            f"and {len(found)} pairs found, "
            f"{n_right} of them copies"
        )
    measured = Measured(seconds, thumbnails.nbytes)
    return {"near-duplicates, on disk": measured}


def draw_thumbnails(thumbnails: np.ndarray) -> set[tuple[int, int]]:
    """Fill thumbnails with one design and a grain of each view's own; returns what was copied."""
    shape = thumbnails.shape[1:]
    # its outline and lighting, nothing finer
    generator = np.random.default_rng(0)
    rough = generator.normal(128, DESIGN, (8, 10))
    width_and_height = shape[::-1]
    design = cv2.resize(
        rough,
        width_and_height,
        interpolation=cv2.INTER_CUBIC,
    )
    copied = set()
    for number in tqdm(range(len(thumbnails)), desc="draw", disable=None):
        if number % COPIED_EACH == COPIED_EACH - 1:
            original = number - 1
            # the light was lower
            thumbnails[number] = thumbnails[original] // 8 * 7
            copied.add((original, number))
            continue
        # 0 is the seed of the design
        generator = np.random.default_rng(1 + number)
        grain = generator.normal(0, GRAIN, shape)
        thumbnails[number] = np.clip(design + grain, 0, 255)
    return copied


def of_registry(n_versions: int, folder: Path) -> dict[str, Measured]:
    """A registry of so many versions, each promoted once: to add one, and to ask for them."""
    store = tracking.TrackingParams(store=str(folder / "mlruns"), experiment=LINE)
    registry = Registry(tracking.connect(store), LINE, folder / "releases")
    return {
        "write all of it": _timed(draw_versions, registry, n_versions),
        "add a version": _timed(add_version, registry, n_versions + 1),
        "is a card registered": _timed(registry.holds, _sha256(1)),
        "which version serves": _timed(registry.served),
        "the log of promotions": _timed(registry.entries),
        "status": _timed(status, registry),
    }


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


def draw_frames(data: Path, n_views: int, size_px: tuple[int, int] = FRAME_PX) -> None:
    """Frames of noise: each is another part's, so that no two are near-duplicates."""
    width, height = size_px
    for number in tqdm(range(n_views), desc="draw", disable=None):
        # hundred files a folder, as cameras and operators leave them
        folder = data / f"{number // 100:06d}"
        folder.mkdir(parents=True, exist_ok=True)

        part, view = divmod(number, VIEWS_PER_PART)
        label = "dent" if part % DENTED_EACH == 0 else "normal"
        path = folder / f"{label}_{part:07d}_{view}.jpg"

        generator = np.random.default_rng(number)
        grey = generator.integers(0, 255, (height, width, 1))
        content = simplejpeg.encode_jpeg(
            grey.astype(np.uint8),
            quality=80,
            colorspace="GRAY",
        )
        path.write_bytes(content)


def write_params(path: Path) -> None:
    """The parameters of the project, but for a line whose region is the whole frame."""
    yaml = YAML()
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    params = yaml.load(text)
    region = {
        "size_px": [160, 128],
        "shows": ["dent"],
        "whole_frame": True,
    }
    params["line"] |= {
        "name": LINE,
        "classes": {"normal": {}, "dent": {}},
        "causes": {},
        "regions": {"part": region},
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
        text = (ROOT / "reviews" / name).read_text(encoding="utf-8")
        head = text.splitlines()[0]
        (folder / name).write_text(f"{head}\n", encoding="utf-8")


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
            # characters: the end of a traceback
            last = said.read()[-2000:]
            raise InspectionError(f"{stage}: failed\n{last}")

    seconds = used.ru_utime + used.ru_stime
    # Linux counts it in KiB
    n_bytes = used.ru_maxrss * 1024
    return Measured(seconds, n_bytes)


def _timed(query: Callable[..., object], *given: Any, **named: Any) -> Measured:
    """How long a call takes."""
    started_s = time.perf_counter()
    query(*given, **named)
    ended_s = time.perf_counter()
    return Measured(ended_s - started_s)


def table(unit: str, found: dict[int, dict[str, Measured]]) -> Iterator[str]:
    """What was measured as lines of text, with the exponent between the ends of the sizes."""
    sizes = list(found)
    heads = [f"{n:>12,} {unit}" for n in sizes]
    yield f"{'':28}{''.join(heads)}   exponent"

    # of a size, a blank and its unit
    width = 12 + 1 + len(unit)
    for name in found[sizes[0]]:
        every = [found[n][name] for n in sizes]
        cells = [_cell(one, width) for one in every]
        exponent = _exponent(sizes, every)
        yield f"{name:28}{''.join(cells)}   {exponent}"


def _cell(one: Measured, width: int) -> str:
    text = f"{one.seconds:.1f} s"
    if one.seconds < 1:
        text = f"{1000 * one.seconds:.1f} ms"
    if one.n_bytes:
        text += f" {one.n_bytes / MIB:.0f} MiB"
    return f"{text:>{width}}"


def _exponent(sizes: Sequence[int], every: Sequence[Measured]) -> str:
    """With what power of the size the time grows, between the first size and the last."""
    if len(sizes) < 2:
        return ""
    first = every[0]
    last = every[-1]
    slower = math.log(last.seconds / first.seconds)
    larger = math.log(sizes[-1] / sizes[0])
    return f"{slower / larger:8.2f}"


def _at(number: int) -> str:
    """When a part was answered, UTC."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    passed = timedelta(days=number / PARTS_A_DAY)
    return (start + passed).isoformat()


def _since(n_parts: int) -> str:
    """A week before the last of so many parts."""
    parts_a_week = 7 * PARTS_A_DAY
    first = max(0, n_parts - parts_a_week)
    return _at(first)


def _sha256(number: int) -> str:
    return f"{number:064x}"


KINDS = {
    "log": Kind(
        of_log,
        about="the verdict log and its queries",
        unit="parts",
        # half a week and five weeks, by PARTS_A_DAY
        usual=[10_000, 100_000],
    ),
    "stages": Kind(
        of_stages,
        about=", ".join(STAGES),
        unit="views",
        usual=[1000, 4000],
    ),
    "loops": Kind(
        of_loops,
        about="loops over views, by who shares them",
        unit="views",
        usual=[500, 2000],
    ),
    "duplicates": Kind(
        of_duplicates,
        about="the search for near-duplicates",
        unit="views",
        usual=[2000, 8000],
    ),
    "registry": Kind(
        of_registry,
        about="the models and their promotions",
        unit="versions",
        # by a promotion a week half a year, and four
        usual=[20, 200],
    ),
}


if __name__ == "__main__":
    main()
