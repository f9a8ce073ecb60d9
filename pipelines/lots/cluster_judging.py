"""A lot judged by the workers of a Dask cluster, once each of them would judge as this process.

What they must have alike are code, libraries, release and frames. This module imports nothing
heavy, so that a worker that lacks a library can say so.
"""

import hashlib
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inspection.errors import N_SHOWN, InspectionError
from inspection.workers import Lost
from pipelines.lots.cluster import Cluster, connected, in_cluster

if TYPE_CHECKING:
    from pipelines.lots.judging import Judged, Release
    from pipelines.lots.part import LotPart

ROOT = Path(__file__).parents[2]
# What a verdict is computed with: of libraries.yaml, what the service needs as well.
LIBRARIES = ("numpy", "onnxruntime", "opencv-python-headless", "pillow", "simplejpeg")
# What processes of a cluster speak with.
DASK = ("dask", "distributed")
# Where the code lies that a worker runs.
SOURCES = ("inspection", "pipelines/lots")
MISSING = "none"
# bundle.py names it too, and imports pydantic
CARD = "card.json"


REMEDY = (
    "start scheduler and workers in a checkout of this commit after `make plant`, with the frames "
    "and models/releases at the same paths as here"
)
# Hex digits of a hash: enough to tell two commits apart.
DIGITS = 12


@dataclass(frozen=True)
class Needed:
    """The release that judges and a frame of the lot, by paths that hold on every machine."""

    release: Path
    frame: Path | None


@dataclass(frozen=True)
class Setup:
    """What a process judges with, by name."""

    found: dict[str, str]

    def differences(self, here: "Setup") -> list[str]:
        """What is otherwise than here, in words."""
        return [
            f"{name} {there}, here {here.found[name]}"
            for name, there in self.found.items()
            if there != here.found[name]
        ]


def setup(needed: Needed) -> Setup:
    """What this process judges with."""
    found = speech().found | {name: _version(name) for name in LIBRARIES}
    found[f"card of {needed.release}"] = _card_sha256(needed.release)
    if needed.frame is not None:
        found[f"bytes of {needed.frame}"] = _n_bytes(needed.frame)
    return Setup(found)


def speech() -> Setup:
    """What a scheduler needs alike, too: what it hands on is read by this code."""
    found = {"Python": platform.python_version()}
    found |= {name: _version(name) for name in DASK}
    return Setup(found | {"code": _sources_sha256()[:DIGITS]})


def check(cluster: Cluster, needed: Needed) -> Setup:
    """What this process judges with, once the scheduler and each worker that is there are alike.

    Raises InspectionError that names all that are not.
    """
    here = setup(needed)
    answers = {"the scheduler": cluster.ask_scheduler(speech)}
    for worker, answer in sorted(cluster.ask_workers(partial(setup, needed)).items()):
        answers[f"worker {worker}"] = answer

    problems = {who: _problem(answer, here) for who, answer in answers.items()}
    other = {who: problem for who, problem in problems.items() if problem}
    if other:
        raise InspectionError(
            f"{cluster.address}: {len(other)} of {len(problems)} processes would judge otherwise: "
            f"{_first_three(other)}; {REMEDY}"
        )
    return here


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
    needed = Needed(there.folder, first.absolute() if first else None)

    with connected(address) as cluster:
        here = check(cluster, needed)
        work = partial(judge_alike, release=there, needed=needed, here=here)
        yield from in_cluster(work, map(_absolute, parts), cluster=cluster)


def _absolute(part: "LotPart") -> "LotPart":
    frames = [replace(frame, path=frame.path.absolute()) for frame in part.frames]
    return replace(part, frames=tuple(frames))


def judge_alike(
    part: "LotPart", release: "Release", needed: Needed, here: Setup
) -> "Judged":
    """The verdict on a part, by a worker that may have come to the cluster after the others.

    Raises InspectionError where it would judge otherwise.
    """
    from pipelines.lots.judging import judge

    _check_once(needed, tuple(here.found.items()))
    return judge(part, release)


@lru_cache(maxsize=1)
def _check_once(needed: Needed, here: tuple[tuple[str, str], ...]) -> None:
    problem = _problem(setup(needed), Setup(dict(here)))
    if problem:
        raise InspectionError(
            f"a worker on {platform.node()} would judge otherwise: {problem}; {REMEDY}"
        )


def _problem(answer: Any, here: Setup) -> str:
    """What is wrong with a worker, by its answer; '' where nothing is."""
    if isinstance(answer, Setup):
        return ", ".join(answer.differences(here))
    return f"cannot run this project: {answer}"


def _first_three(problems: Mapping[str, str]) -> str:
    shown = [f"{worker}: {problem}" for worker, problem in problems.items()][:N_SHOWN]
    n_more = len(problems) - len(shown)
    return "; ".join(shown) + (f"; and {n_more} more" if n_more else "")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return MISSING


@cache
def _sources_sha256() -> str:
    digest = hashlib.sha256()
    for path in _sources():
        digest.update(path.relative_to(ROOT).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _sources() -> Iterable[Path]:
    return sorted(path for name in SOURCES for path in (ROOT / name).rglob("*.py"))


def _card_sha256(release: Path) -> str:
    try:
        card = (release / CARD).read_bytes()
    except OSError:
        return MISSING
    return hashlib.sha256(card).hexdigest()[:DIGITS]


def _n_bytes(frame: Path) -> str:
    try:
        return str(frame.stat().st_size)
    except OSError:
        return MISSING
