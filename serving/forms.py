"""From the fields of a form to parts: `part_id`, `camera`, `taken_at` as text, `views` as files.

A form holds one part; one that asks for a lot holds several, and every `part_id` but the first
begins the next of them. Texts hold nothing that JSON, a log or a path cannot hold.
"""

from dataclasses import dataclass, field
from datetime import datetime

from starlette.datastructures import FormData, UploadFile

from inspection.runtime.views import View
from serving.refusals import RefusedError

FIELD = "views"
TEXTS = ("part_id", "camera", "taken_at")
# Two cameras and several shots of one part are six views; 16 leave room for lines with more.
MAX_VIEWS = 16
# Of a lot: what one call can hold within the limit of bytes, at 2 MB a view.
MAX_LOT_VIEWS = 64
# One frame of 16 megapixels in 16 bits, uncompressed, is 32 MiB.
MAX_FILE_BYTES = 32 * 2**20
# Longer than any serial number or file name (255 bytes at most) that a person reads.
MAX_NAME_CHARACTERS = 200


@dataclass
class PartUpload:
    """One part as it was sent: who it is, where and when it was photographed, and its views."""

    part_id: str | None = None
    camera: str | None = None
    taken_at: str | None = None
    files: list[UploadFile] = field(default_factory=list)
    views: list[View] = field(default_factory=list)


async def parts_of(form: FormData, *, lot: bool) -> list[PartUpload]:
    """The parts that a form holds, in their order. Raises RefusedError."""
    parts = _grouped(form)
    if len(parts) > 1 and not lot:
        raise RefusedError(
            400,
            "several_parts",
            "'part_id': given twice; send one part, or ask for lot=true",
        )

    for part in parts:
        _check_files(part)
        names = _names(part.files)
        contents = [await file.read() for file in part.files]
        part.views = [View(*pair) for pair in zip(names, contents, strict=True)]
    return parts


def _grouped(form: FormData) -> list[PartUpload]:
    _check_names(form)
    parts = [PartUpload()]
    for name, value in form.multi_items():
        if name == FIELD:
            parts[-1].files.append(_file(value))
            continue

        text = _text(name, value)
        if name == "part_id" and parts[-1].part_id is not None:
            parts.append(PartUpload())
        if getattr(parts[-1], name) is not None:
            raise _bad_field(name, "given twice for one part; send it once")
        setattr(parts[-1], name, text)
    return parts


def _check_names(form: FormData) -> None:
    unknown = sorted({name for name in form if name not in (FIELD, *TEXTS)})
    if unknown:
        fields = ", ".join(TEXTS)
        raise RefusedError(
            400,
            "unknown_field",
            f"{unknown[0][:80]!r}: is no field; send files as {FIELD!r}, texts as {fields}",
        )


def _file(value: UploadFile | str) -> UploadFile:
    if not isinstance(value, UploadFile):
        raise RefusedError(
            400,
            "not_a_file",
            f"{FIELD!r}: got text; upload the file itself, nothing is fetched",
        )
    if (value.size or 0) > MAX_FILE_BYTES:
        raise RefusedError(
            413,
            "too_large",
            f"{value.filename!r} has {value.size} bytes; send files of up to {MAX_FILE_BYTES}",
        )
    return value


def _text(name: str, value: UploadFile | str) -> str:
    if not isinstance(value, str):
        raise _bad_field(name, "got a file; send text")
    if not value or len(value) > MAX_NAME_CHARACTERS or not value.isprintable():
        raise _bad_field(
            name,
            f"got {value[:80]!r}; send 1 to {MAX_NAME_CHARACTERS} printable characters",
        )
    if name == "taken_at" and not _is_time(value):
        raise _bad_field(
            name,
            f"got {value[:80]!r}; send ISO 8601 with a zone, 2026-11-25T06:30:00+09:00",
        )
    return value


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _check_files(part: PartUpload) -> None:
    of_part = f" of part {part.part_id!r}" if part.part_id else ""
    if not part.files:
        raise RefusedError(
            400,
            "no_views",
            f"{FIELD!r}{of_part}: no file; send at least one view of the part",
        )
    if len(part.files) > MAX_VIEWS:
        raise too_many_views()


def _names(files: list[UploadFile]) -> list[str]:
    """A name for each view, each different from the others, and none that JSON cannot hold."""
    names: list[str] = []
    for number, file in enumerate(files, start=1):
        name = (file.filename or f"view {number}")[:MAX_NAME_CHARACTERS]
        while name in names:
            name = f"{name} ({number})"
        names.append(name)
    return names


def too_many_views() -> RefusedError:
    """More files than a part may have views."""
    return RefusedError(
        413,
        "too_many_views",
        f"more than {MAX_VIEWS} views of a part; send them as several parts",
    )


def _bad_field(name: str, what: str) -> RefusedError:
    return RefusedError(400, "bad_field", f"{name!r}: {what}")
