"""A lot judged by the workers of a Dask cluster, once each of them would judge as this process.

This module imports nothing heavy, so that a worker that lacks a library can say so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from inspection.cluster_setup import Needed, in_alike_cluster
from inspection.workers import Lost

if TYPE_CHECKING:
    from pipelines.lots.judging import Judged, Release
    from pipelines.lots.part import LotPart

# What a verdict is computed with: of libraries.yaml, what the service needs as well.
LIBRARIES = ("numpy", "onnxruntime", "opencv-python-headless", "pillow", "simplejpeg")
# Where the code lies that a worker runs.
SOURCES = ("inspection", "pipelines/lots")


def needed_for(release: Path, frame: Path | None) -> Needed:
    """What a process needs to judge as this one, by paths that hold on every machine."""
    return Needed(SOURCES, LIBRARIES, frame, release)


def judged_in_cluster(
    parts: Sequence["LotPart"], release: "Release", address: str
) -> Iterator["Judged | Lost[LotPart]"]:
    """The verdict on each part, in order, by the workers of a Dask cluster.

    They read the frames themselves, so that no picture goes through the scheduler: paths are sent,
    made absolute. Raises InspectionError.
    """
    frames = (frame.path for part in parts for frame in part.frames)
    first = next(frames, None)
    there = replace(release, folder=release.folder.absolute())
    needed = needed_for(there.folder, first.absolute() if first else None)

    work = partial(judge_there, release=there)
    return in_alike_cluster(work, map(_absolute, parts), address=address, needed=needed)


def judge_there(part: "LotPart", release: "Release") -> "Judged":
    """The verdict on a part, by a worker."""
    from pipelines.lots.judging import judge

    return judge(part, release)


def _absolute(part: "LotPart") -> "LotPart":
    frames = [replace(frame, path=frame.path.absolute()) for frame in part.frames]
    return replace(part, frames=tuple(frames))
