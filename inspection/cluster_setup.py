"""What the processes of a Dask cluster must have alike, so that each of them gives the same bytes.

That are code, libraries, and files at the same paths. This module imports nothing heavy, so that a
worker that lacks a library can say so.
"""

import hashlib
import pickle
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

from inspection.cluster import Cluster, connected, in_cluster
from inspection.errors import N_SHOWN, InspectionError
from inspection.processors import hold_to_avx2
from inspection.workers import Lost

Item = TypeVar("Item")
Result = TypeVar("Result")

ROOT = Path(__file__).parents[1]
# What processes of a cluster speak with.
DASK = ("dask", "distributed")
MISSING = "none"
# bundle.py names it too, and imports pydantic
CARD = "card.json"

REMEDY = (
    "start scheduler and workers in a checkout of this commit after `make plant`, with the "
    "variables of project.env, and with data and models/releases at the same paths as here"
)
# Hex digits of a hash: enough to tell two commits apart.
DIGITS = 12


@dataclass(frozen=True)
class Needed:
    """What must be alike: folders of code, libraries by name, and files.

    Of the frame the size is compared, of the release the card; their paths hold on every machine.
    Where `held`, so must be what libraries take of the processor, see `inspection.processors`.
    """

    sources: tuple[str, ...]
    libraries: tuple[str, ...]
    frame: Path | None
    release: Path | None = None
    held: bool = False


@dataclass(frozen=True)
class Setup:
    """What a process works with, by name."""

    found: dict[str, str]

    def differences(self, here: "Setup") -> list[str]:
        """What is otherwise than here, in words."""
        return [
            f"{name} {there}, here {here.found[name]}"
            for name, there in self.found.items()
            if there != here.found[name]
        ]


def setup(needed: Needed) -> Setup:
    """What this process works with."""
    found = speech(needed.sources).found
    found |= {name: _version(name) for name in needed.libraries}
    if needed.held:
        found |= _of_processor(needed.libraries)
    if needed.release is not None:
        found[f"card of {needed.release}"] = _card_sha256(needed.release)
    if needed.frame is not None:
        found[f"bytes of {needed.frame}"] = _n_bytes(needed.frame)
    return Setup(found)


def speech(sources: tuple[str, ...]) -> Setup:
    """What a scheduler needs alike, too: what it hands on is read by this code."""
    found = {"Python": platform.python_version()}
    found |= {name: _version(name) for name in DASK}
    return Setup(found | {"code": _sources_sha256(sources)[:DIGITS]})


def check(cluster: Cluster, needed: Needed) -> Setup:
    """What this process works with, once the scheduler and each worker that is there are alike.

    Raises InspectionError that names all that are not.
    """
    here = setup(needed)
    answers = {"the scheduler": cluster.ask_scheduler(partial(speech, needed.sources))}
    for worker, answer in sorted(cluster.ask_workers(partial(setup, needed)).items()):
        answers[f"worker {worker}"] = answer

    problems = {who: _problem(answer, here) for who, answer in answers.items()}
    other = {who: problem for who, problem in problems.items() if problem}
    if other:
        raise InspectionError(
            f"{cluster.address}: {len(other)} of {len(problems)} processes would compute "
            f"otherwise: {_first_three(other)}; {REMEDY}"
        )
    return here


def in_alike_cluster(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    address: str,
    needed: Needed,
) -> Iterator[Result | Lost[Item]]:
    """Yield `function` of each item, in order, by the workers of the scheduler at an address.

    Raises InspectionError where one of them would compute otherwise than this process.
    """
    with connected(address) as cluster:
        here = check(cluster, needed)
        # as bytes, which a worker reads after it has looked at itself
        work = partial(done_alike, pickle.dumps(function), needed, here)
        yield from in_cluster(work, items, cluster=cluster)


def done_alike(function: bytes, needed: Needed, here: Setup, item: Any) -> Any:
    """What a pickled function gives, in a worker that may have come later than the others.

    Raises InspectionError where it would compute otherwise.
    """
    _check_once(needed, tuple(here.found.items()))
    return _loaded(function)(item)


@lru_cache(maxsize=1)
def _loaded(function: bytes) -> Callable[[Any], Any]:
    loaded: Callable[[Any], Any] = pickle.loads(function)
    return loaded


@lru_cache(maxsize=1)
def _check_once(needed: Needed, here: tuple[tuple[str, str], ...]) -> None:
    problem = _problem(setup(needed), Setup(dict(here)))
    if problem:
        raise InspectionError(
            f"a worker on {platform.node()} would compute otherwise: {problem}; {REMEDY}"
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


def _of_processor(libraries: tuple[str, ...]) -> dict[str, str]:
    """For which processor numpy's code is, and torch's where it is used.

    numpy came with Dask, before anything here could hold it; torch can still be held.
    """
    hold_to_avx2()
    # by name: a stage that computes nothing with a library is not to depend on it
    numpy = import_module("numpy")
    # of all functions the one whose code for AVX-512 rounds otherwise
    codes = numpy.lib.introspect.opt_func_info(func_name="^exp$", signature="float32")
    (code,) = codes["exp"].values()
    found = {"code of numpy for": code["current"]}
    if "torch" in libraries:
        torch = import_module("torch")
        found["code of torch for"] = torch.backends.cpu.get_cpu_capability()
    return found


@cache
def _sources_sha256(sources: tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    for path in sorted(
        path for name in sources for path in (ROOT / name).rglob("*.py")
    ):
        digest.update(path.relative_to(ROOT).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


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
