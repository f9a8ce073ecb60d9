"""Waiting for what another thread or process does, with an end."""

import time
from collections.abc import Callable

LOOK_S = 0.01


def wait_until(is_so: Callable[[], bool], within_s: float = 60.0) -> None:
    """Look until it is so; that it is not within some seconds fails the test."""
    deadline = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(LOOK_S)
