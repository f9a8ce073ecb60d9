"""Text files as people save them: in UTF-8, or in cp949 of Korean Windows."""

from pathlib import Path

from inspection.errors import InspectionError


def decoded(content: bytes) -> tuple[str, str]:
    """Text of a file and the encoding it was in: utf-8, or cp949.

    Raises UnicodeDecodeError when it is neither.
    """
    # UTF-8 first: Hangul in cp949 is hardly ever valid UTF-8, while cp949 takes most UTF-8 bytes
    try:
        return content.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError:
        return content.decode("cp949"), "cp949"


def read_text(path: Path) -> str:
    """The text of a file; one in another encoding is an InspectionError that names it."""
    try:
        return decoded(path.read_bytes())[0]
    except UnicodeDecodeError as error:
        raise InspectionError(
            f"{path}: is neither UTF-8 nor cp949 ({error.reason}); save it as UTF-8"
        ) from error
