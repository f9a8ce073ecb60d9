"""Pictures with some bytes changed, repeated or cut off: read, or refused with a code, in time.

The same seeds give the same pictures; a failure names the number of its own.
"""

import random
import resource
import time
from pathlib import Path

import numpy as np
import pytest

from inspection.images import ImageError
from inspection.runtime.inspector import Inspector
from inspection.runtime.views import View
from tests.bundles import draw_jpeg, make_bundle
from tests.pictures import encoded, part

# A whole frame of this size takes 5 ms; a slow machine that is busy takes a hundred times that.
MAX_S = 2.0
# More than all mutants together may add to the memory of the process.
MAX_GROWTH_MB = 300.0


@pytest.fixture(scope="module")
def inspector(tmp_path_factory: pytest.TempPathFactory) -> Inspector:
    folder: Path = tmp_path_factory.mktemp("bundle")
    make_bundle(folder)
    return Inspector(folder)


@pytest.fixture(scope="module")
def pictures() -> list[bytes]:
    grey = part(1)
    deep = grey.astype(np.uint16) * 257
    colour = np.dstack([grey, grey, grey])
    return [
        draw_jpeg("dent"),
        encoded(grey, ".png"),
        encoded(deep, ".png"),
        encoded(colour, ".bmp"),
        encoded(deep, ".tiff"),
        encoded(grey, ".tiff"),
    ]


def mutated(content: bytes, seed: int) -> bytes:
    """Bytes changed, a stretch repeated or taken out, or the end cut off."""
    rng = random.Random(seed)
    broken = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 8, 32])):
        # headers say how large a picture is: half of the changes go there
        end = min(len(broken), 64) if rng.random() < 0.5 else len(broken)
        broken[rng.randrange(end)] = rng.choice([0, 1, 127, 128, 255, rng.randrange(256)])
    start, n_bytes = rng.randrange(len(broken)), rng.randrange(1, 64)
    match rng.randrange(5):
        case 0:
            del broken[start:]
        case 1:
            del broken[start : start + n_bytes]
        case 2:
            broken[start:start] = broken[start : start + n_bytes]
    return bytes(broken)


def read_all(inspector: Inspector, pictures: list[bytes], seeds: range) -> tuple[int, int]:
    """How many mutants were judged and how many refused; each within the time."""
    n_judged = n_refused = 0
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in seeds:
        content = mutated(pictures[seed % len(pictures)], seed)
        began_s = time.monotonic()
        try:
            inspector.inspect([View(f"{seed}", content)])
            n_judged += 1
        except ImageError:
            n_refused += 1
        assert time.monotonic() - began_s < MAX_S, f"mutant {seed}"

    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) / 1024
    assert grown_mb < MAX_GROWTH_MB
    return n_judged, n_refused


def test_a_hundred_mutated_pictures_are_judged_or_refused(
    inspector: Inspector, pictures: list[bytes]
) -> None:
    n_judged, n_refused = read_all(inspector, pictures, range(100))

    assert n_judged > 10  # some survive their mutation, or nothing but refusals was tried
    assert n_refused > 10


@pytest.mark.slow
def test_two_thousand_mutated_pictures_are_judged_or_refused(
    inspector: Inspector, pictures: list[bytes]
) -> None:
    assert sum(read_all(inspector, pictures, range(100, 2100))) == 2000
