import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.networks import Trained


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny networks on one core; modules that need no torch do not load it here."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def trained(one_thread: None) -> "Trained":
    """A classifier that knows bright and dark squares, trained once for all tests."""
    from tests.networks import train_on_squares

    return train_on_squares()
