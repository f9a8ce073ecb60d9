"""Files of pictures of any kind and size, written by hand, as no camera writes them.

All pixels are 0, so that tens of megapixels are some kilobytes.
"""

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image as Pil

# EXIF of one entry: orientation 6, the camera was held on its side
TURNED = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
# samples a pixel of a PNG by its colour type: grey, RGB, palette, grey and alpha, RGBA
PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def chunk(kind: bytes, body: bytes = b"") -> bytes:
    """A chunk of a PNG."""
    check = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + check


def png(
    width: int, height: int, *, colour: int = 0, bits: int = 8, extra: bytes = b""
) -> bytes:
    """A PNG of a colour type and depth; `extra` are chunks before its pixels."""
    row = (width * PNG_SAMPLES[colour] * bits + 7) // 8
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    palette = chunk(b"PLTE", bytes(3 * 256)) if colour == 3 else b""
    pixels = zlib.compress(bytes((row + 1) * height), 1)
    body = chunk(b"IHDR", head) + extra + palette + chunk(b"IDAT", pixels)
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND")


def tiff(
    width: int,
    height: int,
    *,
    samples: int = 1,
    extra: Sequence[tuple[int, int, int, int]] = (),
) -> bytes:
    """A TIFF of 8 bits in one strip; samples: grey 1, with alpha 2, RGB 3. `extra`: entries."""
    pixels = zlib.compress(bytes(width * height * samples), 1)
    photometric = 2 if samples == 3 else 1
    # tag, type, how many, value: 3 is a number of 16 bits, 4 one of 32
    entries = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 8),
        (259, 3, 1, 8),
        (262, 3, 1, photometric),
        (277, 3, 1, samples),
        (278, 4, 1, height),
        (279, 4, 1, len(pixels)),
        *extra,
    ]
    if samples == 2:
        entries.append((338, 3, 1, 2))
    n_entries = len(entries) + 2
    after = 8 + 2 + 12 * n_entries + 4
    # the depth of each sample lies behind the directory
    entries[2] = (258, 3, samples, after if samples > 2 else 8 * 0x10001)
    entries.append((273, 4, 1, after + 2 * samples))
    entries.append((274, 3, 1, 1))

    directory = [struct.pack("<HHII", *entry) for entry in sorted(entries)]
    head = b"II*\0" + struct.pack("<IH", 8, n_entries)
    depths = struct.pack("<H", 8) * samples
    return head + b"".join(directory) + bytes(4) + depths + pixels


def jpeg(width: int, height: int, *, mode: str = "L", **options: Any) -> bytes:
    """A JPEG; `mode` and `options` are Pillow's."""
    bands = {"L": 1, "RGB": 3, "CMYK": 4}[mode]
    shape = (height, width) if bands == 1 else (height, width, bands)
    file = io.BytesIO()
    image = Pil.frombytes(mode, (width, height), np.zeros(shape, np.uint8).tobytes())
    image.save(file, "JPEG", **options)
    return file.getvalue()


def jpeg_of_scans(width: int, height: int, n_scans: int) -> bytes:
    """A valid progressive JPEG in grey of up to 127 scans (ITU T.81, annex G): each is a pass.

    First the means of all blocks, then their other 63 coefficients, one a scan, up to the last bit,
    then that bit of each.
    """
    first = [(k, 0x01) for k in range(1, 64)]
    last = [(k, 0x10) for k in range(1, 64)]
    n_blocks = -(-width // 8) * -(-height // 8)
    zeros = _runs_of_zero_blocks(n_blocks)

    frame = struct.pack(">BHHB3B", 8, height, width, 1, 1, 0x11, 0)
    # a difference of 0 is one bit; runs of 2^r blocks are four bits
    of_means = bytes([0x00, 1, *bytes(15), 0])
    of_runs = bytes([0x10, 0, 0, 0, 15, *bytes(12), *(r << 4 for r in range(15))])
    content = b"\xff\xd8" + _segment(0xDB, bytes([0]) + bytes([1]) * 64)
    content += (
        _segment(0xC2, frame) + _segment(0xC4, of_means) + _segment(0xC4, of_runs)
    )

    content += _scan(0, 0x00) + bytes(-(-n_blocks // 8))
    for k, bits in (first + last)[: n_scans - 1]:
        content += _scan(k, bits) + zeros
    return content + b"\xff\xd9"


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, 2 + len(body)) + body


def _scan(coefficient: int, bits: int) -> bytes:
    return _segment(0xDA, bytes([1, 1, 0x00, coefficient, coefficient, bits]))


def _runs_of_zero_blocks(n_blocks: int) -> bytes:
    """The code of so many blocks without a coefficient: runs of up to 2^15 - 1 of them."""
    bits = ""
    while n_blocks:
        run = min(n_blocks, 2**15 - 1)
        length = run.bit_length() - 1
        rest = run - 2**length
        bits += f"{length:04b}" + (f"{rest:0{length}b}" if length else "")
        n_blocks -= run

    bits += "1" * (-len(bits) % 8)
    packed = int(bits, 2).to_bytes(len(bits) // 8, "big")
    return packed.replace(b"\xff", b"\xff\0")
