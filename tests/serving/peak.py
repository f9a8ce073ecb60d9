"""The most memory that this process has held, as the kernel keeps it."""

from pathlib import Path


def peak_bytes() -> int:
    """VmHWM, which is in KiB (proc(5))."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (peak,) = [line.split()[1] for line in lines if line.startswith("VmHWM")]
    return 1024 * int(peak)
