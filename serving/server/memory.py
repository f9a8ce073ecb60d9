"""Memory that a large frame has taken goes back to the system with the frame."""

import ctypes

from inspection.processes import M_MMAP_THRESHOLD

# From which size on an allocation is a mapping of its own, which its end gives back. glibc
# raises it up to 32 MiB by what is freed, and the blocks of 16 MiB that Pillow keeps pixels in
# stay in the heap of the thread that decoded: 430 MB after the frames of benchmarks/attack.py, on
# top of which the next thread's frame came to 1,166 MB. This is below the buffers of a frame of
# 2464 x 2056 (5 MB), and above what models allocate for a crop.
MAPPED_FROM_BYTES = 4 * 2**20


def give_back_at_once() -> None:
    """Call once in a process that decodes frames. Another C library than glibc is left as it is."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(M_MMAP_THRESHOLD, MAPPED_FROM_BYTES)
