"""The service's own log: one line an event on stderr, whatever a client or a file name holds."""

import logging
import sys

NAME = "knurl"
FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


class OneLine(logging.Formatter):
    """Escapes control characters, so that nothing in a message can look like a line of its own.

    A traceback, which only our own code can cause, keeps its lines, indented.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """The line of one record."""
        return escaped(super().formatMessage(record))

    def formatException(self, ei: object) -> str:  # noqa: N802
        """The lines of a traceback, each indented and escaped."""
        lines = super().formatException(ei).splitlines()  # type: ignore[arg-type]
        return "\n".join(f"    {escaped(line)}" for line in lines)


def to_stderr() -> None:
    """Write what the service logs to stderr, and nowhere else."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine(FORMAT))

    logger = logging.getLogger(NAME)
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


def escaped(text: str) -> str:
    r"""The text with every character that is not printable written as an escape.

    >>> escaped("a\nb\x1b[2K")
    'a\\nb\\x1b[2K'
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
