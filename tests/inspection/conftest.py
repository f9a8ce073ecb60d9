from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests import threads
from tests.clusters import scheduler

if TYPE_CHECKING:
    from tests.networks import Trained


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    with threads.one_thread():
        yield


@pytest.fixture(scope="session")
def trained(one_thread: None) -> "Trained":
    """A classifier that knows bright and dark squares."""
    from tests.networks import train_on_squares

    return train_on_squares()


# Of a file: to the end of the suite its idle processes would take a fifth of a core.
@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Dask scheduler with two workers."""
    with scheduler(tmp_path_factory.mktemp("dask") / "cluster") as begun:
        begun.add_workers(2)
        yield begun.address
