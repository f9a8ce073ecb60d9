"""Processes that end with the one that started them, and how many work side by side."""

import ctypes
import os
import signal
import sys
from collections.abc import Mapping

from inspection.errors import InspectionError

# From linux/prctl.h: the signal that this process gets when its parent dies.
PR_SET_PDEATHSIG = 1

# How many processes may work side by side; where it is not set, one for each processor.
PROCESSES = "KNURL_PROCESSES"


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent dies, however the parent dies.

    Call it first: a parent that has died before is noticed too. Does nothing but on Linux.
    """
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit("the parent process ended before this one began its work")


def n_processes(n_tasks: int, variables: Mapping[str, str] = os.environ) -> int:
    """How many processes share `n_tasks`: no more than tasks, nor than KNURL_PROCESSES says.

    Raises InspectionError where that is no number.
    """
    said = variables.get(PROCESSES)
    if said is not None and not (said.isdecimal() and int(said) > 0):
        raise InspectionError(f"{PROCESSES}: should be a number from 1, got {said!r}")

    n_most = int(said) if said is not None else len(os.sched_getaffinity(0))
    return max(1, min(n_tasks, n_most))
