"""What the user can mend: one exception, and a collector that reports all problems at once."""

from collections.abc import Iterable


class InspectionError(Exception):
    """Input, configuration or data that the user can mend.

    The message reads `{where}: {what was found}; {what to do}`, one line per problem. Programs show
    it without a traceback and exit with 1.
    """


def raise_all(problems: Iterable[str]) -> None:
    """Raise one InspectionError that lists every problem, or do nothing when there is none."""
    found = list(problems)
    if found:
        raise InspectionError("\n".join(found))


def first_three(items: Iterable[str]) -> str:
    """Quote up to three items and count the rest: `'a', 'b', 'c' and 4 more`."""
    found = list(items)
    shown = ", ".join(repr(item) for item in found[:3])
    return shown if len(found) <= 3 else f"{shown} and {len(found) - 3} more"
