"""Texts as people write them: files in UTF-8 or as Windows saves them, names with numbers."""

import re
from collections.abc import Sequence
from pathlib import Path

from inspection.errors import InspectionError

# Two bytes at most stand beside each other where accents do (`Größe`); characters of East Asia are
# of two bytes each, and words of several.
ACCENTS = re.compile(rb"(?<![\x80-\xff])[\x80-\xff]{1,2}(?![\x80-\xff])")
# What no text holds but for tabs and ends of lines.
CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")
BYTES_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")
UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def decoded(content: bytes) -> tuple[str, str]:
    """Text of a file and the encoding it was in: utf-8, utf-16, cp949 (Korean Windows) or cp1252
    (Western Windows).

    It is cp949 unless all that is not ASCII stands alone or in twos, and most of it would be no
    common syllable of Hangul. Raises UnicodeDecodeError when it is none of these.
    """
    if content.startswith(UTF_16):
        return content.decode("utf-16"), "utf-16"
    # UTF-8 first: Hangul in cp949 is hardly ever valid UTF-8, while cp949 takes most UTF-8 bytes
    try:
        return content.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError:
        encoding = "cp1252" if _is_western(content) else "cp949"
        return content.decode(encoding), encoding


def _is_western(content: bytes) -> bool:
    if CONTROL.search(content):
        return False
    accents = b"".join(ACCENTS.findall(content))
    if len(accents) < len(BYTES_BEYOND_ASCII.findall(content)):
        return False
    in_korean = content.decode("cp949", errors="replace")
    foreign = [letter for letter in in_korean if not letter.isascii()]
    return sum(map(_is_common_hangul, foreign)) <= len(foreign) / 2


def _is_common_hangul(letter: str) -> bool:
    """Whether it is one of the 2,350 syllables that Korean is written with (KS X 1001)."""
    # EUC-KR spells every other syllable out, in eight bytes
    is_syllable = "\uac00" <= letter <= "\ud7a3"
    return is_syllable and len(letter.encode("euc_kr")) == 2


def read_text(path: Path) -> str:
    """The text of a file; one in another encoding is an InspectionError that names it."""
    try:
        return decoded(path.read_bytes())[0]
    except UnicodeDecodeError as error:
        raise InspectionError(
            f"{path}: is neither UTF-8 nor as Windows saves it ({error.reason}); save it as UTF-8"
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
