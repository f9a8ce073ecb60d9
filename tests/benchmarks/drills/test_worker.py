import shutil
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.faults import of_each_worker
from tests.architecture import ROOT


@pytest.mark.slow
def test_what_a_killed_worker_has_begun_the_next_one_ends_as_without_a_kill(toy: Path) -> None:
    """In both stages, on a real server; by the next run nothing is left of the killed ones."""
    shutil.copy(ROOT / "prefect.yaml", toy / "prefect.yaml")
    outcome = of_each_worker(toy, runs=1, seed=1)

    assert outcome.lost == Counter()
    assert outcome.n_killed == 2
