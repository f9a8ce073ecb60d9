from collections.abc import Iterator

import pytest

from tests import threads


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    with threads.one_thread():
        yield
