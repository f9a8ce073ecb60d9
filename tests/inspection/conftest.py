from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests import threads

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
