"""What a person found, by POST /feedback, and the trace of a part, by GET /parts/{part_id}."""

from typing import Annotated, Self

import anyio
from anyio import to_thread
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from starlette.requests import Request

from inspection.line import Line
from inspection.runtime.pictures import now
from inspection.runtime.verdict import UNKNOWN_DEFECT
from inspection.runtime.verdict_log import Feedback, LoggedPart
from serving.forms import MAX_NAME_CHARACTERS
from serving.recorder import Recorder
from serving.refusals import RefusedError

# Two identifiers, a class, a name and a note of 2,000 characters, escaped at its longest.
MAX_BODY_BYTES = 16 * 2**10
MAX_NOTE_CHARACTERS = 2000
# A few hundred bytes; who takes longer holds a connection and sends nothing.
READ_TIMEOUT_S = 5.0


def _is_plain(text: str) -> str:
    if not text.isprintable():
        raise ValueError("holds characters that cannot be printed")
    return text


Name = Annotated[
    str,
    Field(min_length=1, max_length=MAX_NAME_CHARACTERS),
    AfterValidator(_is_plain),
]
Note = Annotated[str, Field(max_length=MAX_NOTE_CHARACTERS), AfterValidator(_is_plain)]


class FeedbackRequest(BaseModel):
    """What a part, or the part of one request, really was: a class of the line, or `anomaly`."""

    model_config = ConfigDict(extra="forbid")

    part_id: Name | None = None
    request_id: Name | None = None
    label: Name
    reviewer: Name
    note: Note = ""

    @model_validator(mode="after")
    def _check_one_id(self) -> Self:
        if (self.part_id is None) == (self.request_id is None):
            raise ValueError("give either part_id or request_id")
        return self


class FeedbackAnswer(BaseModel):
    """The number under which feedback is logged."""

    number: int


class TraceAnswer(BaseModel):
    """All that is known of a part: every verdict on it, and what people said, oldest first."""

    part_id: str
    verdicts: list[LoggedPart]
    feedback: list[Feedback]


async def add_feedback(
    request: Request, recorder: Recorder, line: Line
) -> FeedbackAnswer:
    """Log what a person found. Raises RefusedError."""
    asked = _parsed(await _body(request))
    known = (*line.classes, UNKNOWN_DEFECT)
    if asked.label not in known:
        raise RefusedError(
            422,
            "unknown_label",
            f"label: got {asked.label[:80]!r}; send one of {', '.join(known)}",
        )

    feedback = Feedback(given_at=now(), **asked.model_dump())
    number = await to_thread.run_sync(recorder.add_feedback, feedback)
    return FeedbackAnswer(number=number)


async def trace(recorder: Recorder, part_id: str) -> TraceAnswer:
    """All that is known of a part. Raises RefusedError: 404 for one that was never inspected."""
    verdicts, feedback = await to_thread.run_sync(recorder.trace, part_id)
    return TraceAnswer(part_id=part_id, verdicts=verdicts, feedback=feedback)


async def _body(request: Request) -> bytes:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        # a page of another site can send a form unasked, but not this
        raise RefusedError(
            415, "not_json", f"content-type: got {kind[:80]!r}; send application/json"
        )

    body = b""
    try:
        with anyio.fail_after(READ_TIMEOUT_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise RefusedError(
                        413, "too_large", f"send up to {MAX_BODY_BYTES} bytes"
                    )
    except TimeoutError as error:
        raise RefusedError(
            408,
            "too_slow",
            f"the body took over {READ_TIMEOUT_S:.0f} s; send it faster",
        ) from error
    return body


def _parsed(body: bytes) -> FeedbackRequest:
    try:
        return FeedbackRequest.model_validate_json(body)
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, one['loc'])) or 'body'}: {one['msg']}"
            for one in error.errors(include_input=False, include_url=False)
        ]
        raise RefusedError(422, "bad_feedback", "\n".join(problems[:10])) from error
