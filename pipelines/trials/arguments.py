"""The command lines of trials."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter


def parser(description: str | None) -> ArgumentParser:
    """A parser that prints the text of a module as it stands there."""
    return ArgumentParser(
        description=description, formatter_class=RawDescriptionHelpFormatter
    )


def how_many(
    description: str | None, flag: str, *, usual: int, most: int, effect: str = ""
) -> int:
    """The number that the command line gives for `flag`, 2 to `most`, else the usual one.

    `effect` says in its help what more of them do.
    """
    asked = parser(description)
    asked.add_argument(
        flag,
        dest="n",
        type=int,
        choices=range(2, most + 1),
        default=usual,
        metavar="N",
        help=f"2 to {most}{effect}",
    )
    found: int = asked.parse_args().n
    return found
