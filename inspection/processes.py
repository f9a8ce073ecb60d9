"""Processes that end with the one that started them."""

import ctypes
import os
import signal
import sys

# From linux/prctl.h: the signal that this process gets when its parent dies.
PR_SET_PDEATHSIG = 1


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
