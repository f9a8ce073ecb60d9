"""A part of a lot, as a worker gets it; it imports nothing that a worker would have to load."""

import errno
import hashlib
import stat
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Frame:
    """A file that shows a part. `name` is what it is called in verdicts: its path in the lot.

    `camera` is what the name says of it; '' where it says nothing. `content` is what a frame holds
    that did not come as a file; its `path` is then of no use.
    """

    name: str
    path: Path
    camera: str = ""
    content: bytes | None = None

    def n_bytes(self) -> int:
        """How much the frame holds. Raises OSError, also for what is no file."""
        if self.content is not None:
            return len(self.content)

        found = self.path.stat()
        if not stat.S_ISREG(found.st_mode):
            # a pipe or a device might never end
            raise OSError(errno.EINVAL, "not a regular file")
        return found.st_size

    def read(self) -> bytes:
        """What the frame holds. Raises OSError."""
        return self.path.read_bytes() if self.content is None else self.content

    def sha256(self) -> str:
        """The hash of what the frame holds; '' where it cannot be read."""
        if self.content is not None:
            return hashlib.sha256(self.content).hexdigest()

        from inspection.storage import sha256_of

        try:
            self.n_bytes()  # refuses what is no file
            return sha256_of(self.path)
        except OSError:
            return ""


@dataclass(frozen=True)
class LotPart:
    """The frames of one part; or a frame of which nobody knows the part, and why (`error`).

    `taken_at` is when it was photographed, ISO 8601, where somebody has said it.
    """

    part_id: str
    frames: tuple[Frame, ...]
    error: str = ""
    reason: str = ""
    taken_at: str | None = None

    @property
    def camera(self) -> str | None:
        """The camera of all its frames; None where none is named, or several are."""
        cameras = {frame.camera for frame in self.frames}
        return cameras.pop() or None if len(cameras) == 1 else None
