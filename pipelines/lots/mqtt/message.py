"""A message as a part: JSON that names the part, and names or holds its views.

    {"part_id": "A-17", "camera": "Ch00", "taken_at": "2026-11-25T06:30:00+09:00",
     "views": [{"path": "2026-11-25/a.jpg"}, {"name": "b.jpg", "content": "<base64>"}]}

What is sent is held against the limits of the service's uploads.
"""

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from inspection.errors import N_SHOWN, InspectionError
from inspection.line import Frozen
from pipelines.lots.lot import on_disk
from pipelines.lots.part import Frame, LotPart

# The service's limits (serving/forms.py, serving/uploads.py), with their reasons there.
MAX_MESSAGE_BYTES = 128 * 2**20
MAX_FILE_BYTES = 32 * 2**20
MAX_VIEWS = 16
MAX_NAME_CHARACTERS = 200
# The longest path that Linux opens.
MAX_PATH_CHARACTERS = 4096
# Four characters of base64 hold three bytes.
MAX_BASE64_CHARACTERS = 4 * -(-MAX_FILE_BYTES // 3)
# Of a complaint, enough to see what is meant; the rest may be as long as the message.
MAX_SAID_CHARACTERS = 200


class MessageError(InspectionError):
    """A message that is no part: why, and the part's id where at least that could be read."""

    def __init__(self, reasons: Sequence[str], part_id: str = "") -> None:
        super().__init__("; ".join(reasons))
        self.reasons = list(reasons)
        self.part_id = part_id


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("should hold printable characters only")
    return text


def _time(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("should be ISO 8601 with a zone")
    return text


Name = Annotated[
    str,
    Field(min_length=1, max_length=MAX_NAME_CHARACTERS),
    AfterValidator(_printable),
]
PathText = Annotated[
    str,
    Field(min_length=1, max_length=MAX_PATH_CHARACTERS),
    AfterValidator(_printable),
]


class SentView(Frozen):
    """A view: the path of a file, or a name and the file's bytes in base64."""

    path: PathText | None = None
    name: Name | None = None
    content: (
        Annotated[str, Field(min_length=1, max_length=MAX_BASE64_CHARACTERS)] | None
    ) = None

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.path is None) == (self.content is None):
            raise ValueError("should have either 'path', or 'name' and 'content'")
        if (self.name is None) != (self.content is None):
            raise ValueError("should have 'name' with 'content', and with 'path' none")
        return self


class _Head(Frozen, extra="ignore"):
    """What is read of a message that is wrong otherwise."""

    part_id: Name


class SentPart(Frozen):
    """A message."""

    part_id: Name
    views: Annotated[tuple[SentView, ...], Field(min_length=1, max_length=MAX_VIEWS)]
    camera: Name | None = None
    taken_at: Annotated[Name, AfterValidator(_time)] | None = None


@dataclass(frozen=True)
class Reader:
    """Reads messages. Paths in them begin at `root` and stay there; without a root none is read."""

    root: Path | None = None

    def part(self, payload: bytes) -> LotPart:
        """The part that a message names. Raises MessageError."""
        sent = _sent(payload)
        frames: list[Frame] = []
        problems: list[str] = []
        for number, view in enumerate(sent.views):
            try:
                frames.append(self._frame(view, sent.camera or ""))
            except ValueError as error:
                problems.append(f"views.{number}: {error}")
        names = [frame.name for frame in frames]
        if len(set(names)) < len(names):
            problems.append("views: two of them have one name; give each its own")

        if problems:
            raise MessageError(problems, sent.part_id)
        return LotPart(sent.part_id, tuple(frames), taken_at=sent.taken_at)

    def _frame(self, view: SentView, camera: str) -> Frame:
        """Raises ValueError that says what is wrong."""
        if view.path is not None:
            return Frame(view.path, self._found(view.path), camera)
        try:
            content = base64.b64decode(view.content or "", validate=True)
        except ValueError as error:
            raise ValueError(f"'content' is no base64 ({error})") from error
        return Frame(view.name or "", Path(), camera, content)

    def _found(self, text: str) -> Path:
        if self.root is None:
            raise ValueError("a path, and the connector was started without --root")
        try:
            # not Path.resolve, which raises where a link leads to itself
            path = Path(os.path.realpath(on_disk(self.root, text)))
        except OSError as error:
            raise ValueError(f"the path: {error.strerror}") from error
        if not path.is_relative_to(self.root.resolve()):
            raise ValueError("the path leads out of --root")
        return path


def _sent(payload: bytes) -> SentPart:
    if len(payload) > MAX_MESSAGE_BYTES:
        found = f"{len(payload)} bytes are more than {MAX_MESSAGE_BYTES}"
        raise MessageError([f"{found}; send paths, or fewer views"])
    try:
        return SentPart.model_validate_json(payload)
    except ValidationError as error:
        wrong = error.errors(
            include_url=False, include_context=False, include_input=False
        )
    reasons = [_complaint(one["loc"], one["msg"]) for one in wrong[:N_SHOWN]]
    raise MessageError(reasons, _part_id(payload))


def _complaint(place: Sequence[int | str], text: str) -> str:
    """A line about one place of a message, with nothing in it that a log or JSON cannot hold."""
    where = ".".join(map(str, place))
    line = f"{where}: {text}" if where else text
    shown = "".join(one if one.isprintable() else "?" for one in line)
    return shown[:MAX_SAID_CHARACTERS]


def _part_id(payload: bytes) -> str:
    """The part's id in a message that is wrong; '' where not even that can be read."""
    try:
        return _Head.model_validate_json(payload).part_id
    except ValidationError:
        return ""
