"""The order of the suite."""

import pytest

# It takes a quarter of the time of one worker.
LONGEST = "tests/test_end_to_end.py"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first, each file in one piece, so that no worker waits for a long one
    at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}

    def turn(item: pytest.Item) -> int:
        if item.nodeid.startswith(LONGEST):
            return 0
        return 1 if item.path in slow else 2

    items.sort(key=turn)
