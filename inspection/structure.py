"""How the file of a picture is built: looked at here before a library takes it apart.

Pillow keeps every chunk of a PNG, every segment of a JPEG and every number of a TIFF's directory as
an object of Python, some hundred bytes and a microsecond each, while no other thread runs. A file
of 30 MB could so take a gigabyte and 40 s, whatever pixels it has.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from inspection.pixels import ImageError

# Chunks of a PNG, segments and fill bytes of a JPEG. 32 MiB in chunks of 8 KiB, as libpng writes
# them, are 4,096; 20,000 take 2 MB and some 0.1 s.
MAX_PIECES = 20_000
# Numbers in a TIFF's directory: two a strip, and of one row each that is a frame of 32,768 rows.
# They take 20 MB; the 7 million that a file has room for took 1 GB and 14 s.
MAX_NUMBERS = 2**16
# Texts and profiles of a PNG that are compressed; cameras write one or two. Each of them may
# unpack to a megabyte, and in letters of four bytes to four.
MAX_PACKED = 8
PACKED = frozenset({b"zTXt", b"iTXt", b"iCCP"})
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# The types of values that Pillow keeps as bytes (TIFF 6.0, section 2): BYTE, ASCII, UNDEFINED.
TEXT_TYPES = frozenset({1, 2, 7})
# JPEG markers (ITU T.81, table B.1): without a length, of an image's frame, and of those that are
# progressive; the rest of the C row are tables
BARE = frozenset({0x01, *range(0xD0, 0xDA)})
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
APP1, START_OF_SCAN = 0xE1, 0xDA


@dataclass(frozen=True)
class JpegHeader:
    """What of a JPEG decides how much memory it takes.

    `samples_per_pixel` are those of all components, with what is subsampled by its share; at once
    are all components in one scan, so that no coefficients are kept.
    """

    n_components: int
    samples_per_pixel: float
    at_once: bool


def check_structure(content: bytes) -> None:
    """Raise ImageError where a file has more pieces than any camera writes."""
    if content.startswith(PNG_SIGNATURE):
        _check_png(content)
    elif content.startswith(b"\xff\xd8"):
        _check_jpeg(content)
    else:
        _check_directory(content)


def jpeg_header(content: bytes) -> JpegHeader:
    """How a JPEG's components are stored; one whose header is not clean has the worst of all."""
    worst = JpegHeader(n_components=4, samples_per_pixel=4, at_once=False)
    frame: JpegHeader | None = None
    for marker, body in _segments(content):
        try:
            if marker in FRAMES:
                frame = _frame(marker, body)
            elif marker == START_OF_SCAN and frame is not None:
                whole = frame.at_once and body[0] == frame.n_components
                return JpegHeader(frame.n_components, frame.samples_per_pixel, whole)
        except (IndexError, ValueError, ZeroDivisionError):
            return worst
    return worst


def _check_png(content: bytes) -> None:
    place, n_pieces, n_packed = len(PNG_SIGNATURE), 0, 0
    while place + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, place)
        start = place + 8
        n_pieces += 1
        n_packed += kind in PACKED
        if kind == b"IEND":
            return

        if n_pieces > MAX_PIECES:
            raise _too_many("chunks in a PNG", MAX_PIECES)
        if n_packed > MAX_PACKED:
            raise _too_many("compressed texts in a PNG", MAX_PACKED)
        if kind == b"eXIf":
            _check_directory(content[start : start + length])
        place = start + length + 4


def _check_jpeg(content: bytes) -> None:
    exif = b""
    for number, (marker, body) in enumerate(_segments(content), start=1):
        if number > MAX_PIECES:
            raise _too_many("segments in a JPEG", MAX_PIECES)
        if marker == APP1 and body.startswith(b"Exif\0\0"):
            # Pillow reads what is spread over several as one
            exif += body[6:]
    _check_directory(exif)


def _segments(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and body of each segment up to the first scan, or to where it is none.

    A fill byte counts as one, of marker 0xFF.
    """
    place = 2
    while place + 2 <= len(content) and content[place] == 0xFF:
        marker = content[place + 1]
        if marker == 0xFF:
            place += 1
            yield marker, b""
            continue
        if marker in BARE:
            place += 2
            yield marker, b""
            continue
        length = int.from_bytes(content[place + 2 : place + 4], "big")
        yield marker, content[place + 4 : place + 2 + length]
        if marker == START_OF_SCAN:
            return
        place += 2 + max(2, length)


def _frame(marker: int, body: bytes) -> JpegHeader:
    """A frame's header (ITU T.81, B.2.2): depth, height, width, then three bytes a component."""
    n_components = body[5]
    factors = [body[7 + 3 * number] for number in range(n_components)]
    across = [one >> 4 for one in factors]
    down = [one & 15 for one in factors]

    whole = max(across) * max(down)
    areas = [x * y for x, y in zip(across, down, strict=True)]
    return JpegHeader(n_components, sum(areas) / whole, marker not in PROGRESSIVE)


def _check_directory(tiff: bytes) -> None:
    """The first directory of a TIFF or of EXIF, and the second, at which Pillow looks too."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 8:
        return

    n_numbers = 0
    (place,) = struct.unpack_from(f"{order}I", tiff, 4)
    for _ in range(2):
        if not 0 < place <= len(tiff) - 2:
            break
        (n_entries,) = struct.unpack_from(f"{order}H", tiff, place)
        following = place + 2 + 12 * n_entries
        for entry in range(place + 2, min(following, len(tiff) - 11), 12):
            _, kind, count = struct.unpack_from(f"{order}HHI", tiff, entry)
            n_numbers += 0 if kind in TEXT_TYPES else count
        place = _next_directory(tiff, order, following)

    if n_numbers > MAX_NUMBERS:
        raise _too_many("numbers in a directory of TIFF or EXIF", MAX_NUMBERS)


def _next_directory(tiff: bytes, order: str, place: int) -> int:
    if place + 4 > len(tiff):
        return 0
    (following,) = struct.unpack_from(f"{order}I", tiff, place)
    return int(following)


def _too_many(what: str, most: int) -> ImageError:
    return ImageError(
        "corrupt", f"more than {most} {what}, which no camera writes; save it anew"
    )
