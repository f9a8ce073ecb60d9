"""Errors that the user can mend, in the log of a flow: their message, without a traceback.

The commands that it names are about the line whose flow it is.
"""

import logging

from inspection.errors import InspectionError
from inspection.plant import as_typed


class _WithoutTraceback(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], InspectionError):
            record.exc_info = None
            record.msg, record.args = as_typed(record.getMessage()), ()
        return True


def quiet() -> None:
    """From now on the logs of flows and tasks in this process show no traceback of these errors."""
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logger = logging.getLogger(name)
        if not any(isinstance(one, _WithoutTraceback) for one in logger.filters):
            logger.addFilter(_WithoutTraceback())
