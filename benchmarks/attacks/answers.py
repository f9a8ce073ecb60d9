"""What became of a request."""

from collections.abc import Callable

import httpx

# Ends the status of an answer that a good client got meanwhile, where it is neither 200 nor 429.
GOOD = " (good)"
# Begins the status of what is no answer, and breaks a promise.
BROKEN = "broken"
# Longer than the service's own limit for a request, 60 s.
HANGS_AFTER_S = 70.0


def status_of(ask: Callable[[], httpx.Response]) -> str:
    """The status of an answer; `hung` or `closed` where there is none."""
    try:
        return str(ask().status_code)
    except httpx.TimeoutException:
        return "hung"
    except httpx.TransportError:
        return "closed"
