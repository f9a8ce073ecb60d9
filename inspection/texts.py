"""Texts as people write them: files in UTF-8 or in cp949 of Korean Windows, names with numbers."""

import re
from collections.abc import Sequence
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


def natural_order(names: Sequence[str]) -> list[int]:
    """The place of each name among all, numbers in them taken as numbers; equal ones share one.

    >>> natural_order(["part 10", "part 9", "part 10"])
    [1, 0, 1]
    """
    distinct = sorted(set(names), key=_natural_key)
    places = {name: place for place, name in enumerate(distinct)}
    return [places[name] for name in names]


def _natural_key(name: str) -> list[tuple[str, int]]:
    """Pieces of a name, each a text and the number behind it."""
    pieces = re.findall(r"(\D*)(\d*)", name)
    return [(text, int(number or -1)) for text, number in pieces]
