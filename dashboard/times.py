"""Times as people read them."""

# Of a time as 2026-11-25T10:42:07. no outcome: pages show it to the minute.
MINUTE_DIGITS = 16


def to_the_minute(when: str) -> str:
    """A time in ISO 8601, to be read.

    >>> to_the_minute("2026-11-25T10:42:07+00:00")
    '2026-11-25 10:42'
    """
    return when[:MINUTE_DIGITS].replace("T", " ")
