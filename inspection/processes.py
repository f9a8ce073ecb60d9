"""What a process asks of the kernel and of the C library about itself."""

import ctypes
import os
import signal
import sys

# From linux/prctl.h: the signal that this process gets when its parent dies.
PR_SET_PDEATHSIG = 1

# From malloc.h of glibc, and how much is asked for: free memory that is kept, which a training step
# on a CPU does not exceed, and the largest block that is taken from it, the most that glibc allows.
M_TRIM_THRESHOLD, KEPT_BYTES = -1, 1 << 30
M_MMAP_THRESHOLD, LARGEST_BYTES = -3, 32 << 20


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


def keep_freed_memory() -> None:
    """Have malloc keep what a training step frees, up to 1 GiB, for the step after it.

    By itself glibc gives large blocks back at once and asks for them again, empty page by empty
    page: a third of the time of a step. Does nothing but on Linux with glibc.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        mallopt(M_MMAP_THRESHOLD, LARGEST_BYTES)
