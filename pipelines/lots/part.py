"""A part of a lot, as a worker gets it; it imports nothing that a worker would have to load."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Frame:
    """A file that shows a part. `name` is what it is called in verdicts: its path in the lot."""

    name: str
    path: Path


@dataclass(frozen=True)
class LotPart:
    """The frames of one part; or a frame of which nobody knows the part, and why (`error`)."""

    part_id: str
    frames: tuple[Frame, ...]
    error: str = ""
    reason: str = ""
