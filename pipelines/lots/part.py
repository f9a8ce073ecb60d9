"""A part of a lot, as a worker gets it; it imports nothing that a worker would have to load."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Frame:
    """A file that shows a part. `name` is what it is called in verdicts: its path in the lot.

    `camera` is what the name says of it; '' where it says nothing.
    """

    name: str
    path: Path
    camera: str = ""


@dataclass(frozen=True)
class LotPart:
    """The frames of one part; or a frame of which nobody knows the part, and why (`error`)."""

    part_id: str
    frames: tuple[Frame, ...]
    error: str = ""
    reason: str = ""

    @property
    def camera(self) -> str | None:
        """The camera of all its frames; None where none is named, or several are."""
        cameras = {frame.camera for frame in self.frames}
        return cameras.pop() or None if len(cameras) == 1 else None
