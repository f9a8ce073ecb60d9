"""A disk whose size can be set, for this process and its children alone."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

INSIDE = "KNURL_DRILL_INSIDE"
NAMESPACE = ("unshare", "--map-root-user", "--mount")
# More than a project of some hundred parts takes; it is memory, and taken as it is filled.
ROOMY_BYTES = 8 * 2**30


def can_mount() -> bool:
    """Whether this user may mount a file system in a namespace of their own; in some containers
    nobody may.
    """
    if shutil.which(NAMESPACE[0]) is None:
        return False
    words = [*NAMESPACE, "mount", "-t", "tmpfs", "drill", "/mnt"]
    return subprocess.run(words, capture_output=True).returncode == 0


def in_own_namespace(module: str) -> None:
    """Begin `python -m module` anew with mounts of its own, which end with it however it ends."""
    if os.environ.get(INSIDE):
        return
    words = [*NAMESPACE, sys.executable, "-m", module, *sys.argv[1:]]
    os.execvpe(words[0], words, os.environ | {INSIDE: "1"})


class SmallDisk:
    """A file system in memory, mounted on a folder."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._mount(f"size={ROOMY_BYTES}")

    def leave(self, n_bytes: int) -> None:
        """Let so many bytes be free, rounded up to a page of 4 KiB."""
        self._mount(f"remount,size={self.used_bytes + n_bytes}")

    def make_room(self) -> None:
        """Let there be room again."""
        self._mount(f"remount,size={ROOMY_BYTES}")

    def unmount(self) -> None:
        """Let go of all that lies on it."""
        subprocess.run(["umount", str(self.place)], check=True)

    @property
    def used_bytes(self) -> int:
        """How much is taken."""
        facts = os.statvfs(self.place)
        return (facts.f_blocks - facts.f_bfree) * facts.f_frsize

    def _mount(self, options: str) -> None:
        words = ["mount", "-t", "tmpfs", "-o", options, "drill", str(self.place)]
        subprocess.run(words, check=True)
