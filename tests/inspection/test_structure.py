import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image as Pil

from benchmarks.attacks.pictures import TURNED, chunk, jpeg, jpeg_of_scans, png, tiff
from inspection import structure
from inspection.images import ImageError, decode, decode_mask, describe, pixel_bytes
from inspection.line import MAX_PIXELS
from inspection.structure import JpegHeader, check_structure, jpeg_header
from tests.architecture import ROOT

SIZE = (40, 30)
# No picture of some megabytes is to take more beside its pixels.
MAX_MB = 100
READS = """
import io, sys
from PIL import JpegImagePlugin
from pathlib import Path
from tests.serving.peak import peak_bytes
content = Path(sys.argv[1]).read_bytes()
before = peak_bytes()
JpegImagePlugin.JpegImageFile(io.BytesIO(content))
print((peak_bytes() - before) / 2**20)
"""


def directory(n_numbers: int) -> bytes:
    """EXIF whose orientation is so many numbers."""
    entry = struct.pack("<HHII", 274, 3, n_numbers, 8)
    return b"II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4)


def jpeg_with(segments: bytes) -> bytes:
    content = jpeg(*SIZE)
    return content[:2] + segments + content[2:]


def exif_segment(exif: bytes) -> bytes:
    body = b"Exif\0\0" + exif
    return b"\xff\xe1" + struct.pack(">H", 2 + len(body)) + body


def packed_texts(n: int) -> bytes:
    text = zlib.compress(bytes(1000))
    return b"".join(chunk(b"zTXt", b"%d\0\0" % number + text) for number in range(n))


HOSTILE = {
    "chunks": png(*SIZE, extra=chunk(b"abCd") * 80_000),
    "chunks after the pixels": png(*SIZE)[:-12] + chunk(b"abCd") * 80_000 + chunk(b"IEND"),
    "texts that unpack": png(*SIZE, extra=packed_texts(9)),
    "numbers": tiff(*SIZE, extra=[(50_000, 3, 2**19, 8)]),
    "numbers in a second directory": tiff(*SIZE) + directory(10**6)[8:],
    "numbers of a PNG": png(*SIZE, extra=chunk(b"eXIf", directory(10**6))),
    "numbers of a JPEG": jpeg_with(exif_segment(directory(10**6))),
    "segments": jpeg_with(exif_segment(TURNED) + b"\xff\xef\0\x02" * 10**6),
    "fill bytes": jpeg_with(exif_segment(TURNED) + b"\xff" * 200_000),
    "bare markers": jpeg_with(b"\xff\xd0" * 200_000),
}
# its head names the directory behind its pixels
SECOND = HOSTILE["numbers in a second directory"]
N_ENTRIES = struct.unpack_from("<H", SECOND, 8)[0]
AT = 10 + 12 * N_ENTRIES
PLACE = struct.pack("<I", len(tiff(*SIZE)))
HOSTILE["numbers in a second directory"] = SECOND[:AT] + PLACE + SECOND[AT + 4 :]


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_file_of_more_pieces_than_a_camera_writes_is_refused(content: bytes) -> None:
    with pytest.raises(ImageError) as caught:
        check_structure(content)
    assert caught.value.code == "corrupt"


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE.keys())
def test_whatever_is_asked_of_it_the_decoder_refuses_it(content: bytes) -> None:
    """Before a library reads it: after that it would be said to be of another kind, or be read."""
    with pytest.raises(ImageError) as caught:
        check_structure(content)
    asked: list[Callable[[], object]] = [
        lambda: decode(content, channels=1),
        lambda: decode_mask(content),
        lambda: describe(content),
        lambda: pixel_bytes(content, max_pixels=MAX_PIXELS),
    ]
    for question in asked:
        with pytest.raises(ImageError, match="which no camera writes; save it anew") as refused:
            question()
        assert (refused.value.code, str(refused.value)) == ("corrupt", str(caught.value))


@pytest.mark.slow
def test_a_library_takes_hundreds_of_megabytes_for_what_is_refused(tmp_path: Path) -> None:
    """Four megabytes of segments. Were it not so any more, the rule could go."""
    (tmp_path / "a").write_bytes(HOSTILE["segments"])
    command = [sys.executable, "-W", "ignore", "-c", READS, str(tmp_path / "a")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    assert float(done.stdout) > MAX_MB


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_deflate"])
def test_what_pillow_writes_is_let_through(compression: str | None) -> None:
    for mode in ("1", "L", "RGB", "RGBA", "P"):
        file = io.BytesIO()
        Pil.new(mode, (300, 200)).save(file, "TIFF", compression=compression)
        check_structure(file.getvalue())


def test_ordinary_files_are_let_through() -> None:
    exif = chunk(b"eXIf", TURNED)
    whole = [png(*SIZE, extra=exif + packed_texts(8)), jpeg_with(exif_segment(TURNED)), tiff(*SIZE)]
    for content in whole:
        check_structure(content)
        # nor does one fail that is cut off anywhere
        for n_kept in range(len(content)):
            check_structure(content[:n_kept])


@pytest.mark.parametrize(
    ("name", "most", "content"),
    [
        ("MAX_PIECES", 5, lambda n: png(*SIZE, extra=chunk(b"abCd") * (n - 2))),
        ("MAX_PIECES", 7, lambda n: jpeg_with(b"\xff\xef\0\x02" * (n - 6))),
        ("MAX_PACKED", 3, lambda n: png(*SIZE, extra=packed_texts(n))),
        ("MAX_NUMBERS", 15, lambda n: tiff(*SIZE, extra=[(50_000, 3, n - 10, 0)])),
    ],
)
def test_the_last_that_is_let_through(
    monkeypatch: pytest.MonkeyPatch, name: str, most: int, content: object
) -> None:
    assert callable(content)
    monkeypatch.setattr(structure, name, most)

    check_structure(content(most))
    with pytest.raises(ImageError):
        check_structure(content(most + 1))


def test_the_limits_leave_room_for_what_cameras_write() -> None:
    # 32 MiB in chunks of 8 KiB; two numbers a row of 16,000; a profile, and XMP
    assert structure.MAX_PIECES == 20_000
    assert structure.MAX_NUMBERS == 2**16
    assert structure.MAX_PACKED == 8


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (jpeg(*SIZE), JpegHeader(1, 1, at_once=True)),
        (jpeg(*SIZE, mode="RGB", subsampling=0), JpegHeader(3, 3, at_once=True)),
        (jpeg(*SIZE, mode="RGB", subsampling=2), JpegHeader(3, 1.5, at_once=True)),
        (jpeg(*SIZE, mode="CMYK"), JpegHeader(4, 4, at_once=True)),
        (jpeg(*SIZE, progressive=True), JpegHeader(1, 1, at_once=False)),
        (jpeg_of_scans(*SIZE, 25), JpegHeader(1, 1, at_once=False)),
        (jpeg_with(exif_segment(TURNED) + b"\xff"), JpegHeader(1, 1, at_once=True)),
        # what is not clean is held for the worst
        (jpeg_with(b"?"), JpegHeader(4, 4, at_once=False)),
        (jpeg(*SIZE)[:30], JpegHeader(4, 4, at_once=False)),
    ],
)
def test_a_jpegs_header_says_what_is_kept_while_it_is_decoded(
    content: bytes, expected: JpegHeader
) -> None:
    assert jpeg_header(content) == expected
