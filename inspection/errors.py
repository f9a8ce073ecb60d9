"""What the user can fix: one exception, and a collector that reports all problems at once."""

from collections.abc import Iterable


class InspectionError(Exception):
    """Input, configuration or data that the user can fix.

    The message reads `{where}: {what was found}; {what to do}`, one line per problem. Programs show
    it without a traceback and exit with 1.
    """


def raise_all(problems: Iterable[str]) -> None:
    """Raise one InspectionError that lists every problem, or do nothing when there is none."""
    found = list(problems)
    if found:
        raise InspectionError("\n".join(found))


# enough to recognise what went wrong, and a message of one line
N_SHOWN = 3


def first_three(items: Iterable[str]) -> str:
    """Quote up to three items and count the rest: `'a', 'b', 'c' and 4 more`."""
    found = list(items)
    shown = ", ".join(repr(item) for item in found[:N_SHOWN])

    n_more = len(found) - N_SHOWN
    return f"{shown} and {n_more} more" if n_more > 0 else shown
