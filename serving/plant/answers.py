"""What `GET /lines` answers."""

from pydantic import BaseModel


class LineState(BaseModel):
    """How a line fares. `path` is what stands before /inspect, '' for the line in the root."""

    name: str
    path: str
    ready: bool
    release: str
    card_sha256: str
    problem: str | None
    log_problem: str | None


class LinesAnswer(BaseModel):
    """The lines of this service: that of the root first, then the others by name."""

    lines: list[LineState]
