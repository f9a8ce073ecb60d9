"""The one decode: bytes of a file to pixels, or a refusal that says why.

Used by training, service and dashboard alike. Every decoder we know returns something for a
broken file (cv2 grey rows, PIL white for 16 bit), so nothing here trusts a decoder's silence.

What is decoded of a stranger's file has `line.max_pixels` pixels at most; CEILING_PIXELS is what a
line may raise that to, and so the limit for files that stage validate let through.
"""

import io
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from PIL import BmpImagePlugin, JpegImagePlugin, PngImagePlugin, TiffImagePlugin
from PIL.ImageFile import ImageFile

from inspection.line import CEILING_PIXELS, MAX_PIXELS
from inspection.pixels import FIRST_SIDEWAYS, oriented, to_eight_bits, with_channels
from inspection.pixels import ImageError as ImageError
from inspection.structure import check_structure

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"})
# the EXIF tag of how the camera was held (EXIF 2.32), and the first of the values 1..8 that lay
# the frame on its side
ORIENTATION = 0x0112
# a JPEG segment holds 64 KiB, and EXIF is to be the first one (EXIF 2.32, 4.5.2)
EXIF_WITHIN_BYTES = 65536
# tags and a value of TIFF 6.0, sections 4 and 8
BITS_PER_SAMPLE = 258
PHOTOMETRIC, WHITE_IS_ZERO = 262, 0
# the byte of a PNG that holds its bit depth: 8 of signature, 8 of chunk head, 8 of size before it
PNG_BIT_DEPTH_AT = 24
# bits of a sample, the most that a PNG has and a TIFF that we read
DEEPEST = 16
# grey levels: at common qualities a JPEG rings by up to some 30 around an edge from 0 to 255
JPEG_RINGING = 32
# A progressive JPEG of a camera or of libjpeg has about 10 scans, and this leaves room for those
# of previews in it. Each costs the time of a whole decode, be it of a few bytes: at 64 megapixels
# 25 take some 2 s, 100 took 8 s from a file of 260 kB.
MAX_SCANS = 25
START_OF_SCAN, END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"
PLUGINS: dict[bytes, type[ImageFile]] = {
    b"\x89PNG\r\n\x1a\n": PngImagePlugin.PngImageFile,
    b"BM": BmpImagePlugin.BmpImageFile,
    b"II*\0": TiffImagePlugin.TiffImageFile,
    b"MM\0*": TiffImagePlugin.TiffImageFile,
}
DEEP_MODES = frozenset({"I;16", "I;16L", "I;16B", "I;16N"})
UNSUPPORTED_MODES = frozenset(
    {"F", "I", "I;16S", "I;16BS", "I;32", "I;32S", "I;32B", "I;32BS"}
)
# what libjpeg warns of in files of some cameras that it decodes whole all the same
HARMLESS = ("Invalid SOS parameters", "unknown Adobe color transform")
# all that the decoders were seen to raise for damaged bytes; each is a file that is refused
BROKEN = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError,
          OverflowError, AttributeError, RuntimeError, Warning, struct.error, zlib.error,
          cv2.error)  # fmt: skip


@dataclass(frozen=True)
class ImageFacts:
    """What the header says: size as displayed (oriented), channels 1 or 3, bits 8 or 16."""

    width_px: int
    height_px: int
    channels: int
    bit_depth: int
    format: str


def decode(
    content: bytes,
    *,
    channels: int,
    bit_depth: int = DEEPEST,
    max_pixels: int = MAX_PIXELS,
) -> np.ndarray:
    """Pixels of an image file: uint8 (H, W) for one channel, (H, W, 3) RGB for three.

    The EXIF orientation is applied. A 16-bit file is scaled linearly over the `bit_depth` bits
    that the camera uses of it (of 12, 4095 becomes 255), so that the brightness of two frames stays
    comparable. Colour becomes grey by the standard luma; alpha is dropped, palettes are resolved.
    Raises ImageError for anything else.
    """
    _check_file(content)
    if content.startswith(b"\xff\xd8"):
        return _decode_jpeg(content, channels=channels, max_pixels=max_pixels)
    image = _open(content, max_pixels=max_pixels)
    pixels = _pixels(image, content)
    if pixels.dtype == np.uint16:
        pixels = to_eight_bits(pixels, bit_depth)
    return with_channels(oriented(pixels, _orientation(image)), channels=channels)


def decode_mask(content: bytes, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """What a mask file marks: bool (H, W), oriented as its photograph is.

    Marked is what is not black, be it 255 or the number of a class or of an object, in 8 bits or
    16. A JPEG rings around its edges: there marked is what is brighter than half its brightest.
    Raises ImageError as `decode` does.
    """
    _check_file(content)
    if content.startswith(b"\xff\xd8"):
        grey = _decode_jpeg(content, channels=1, max_pixels=max_pixels)
        half = int(grey.max()) // 2
        return np.asarray(grey > max(JPEG_RINGING, half))
    image = _open(content, max_pixels=max_pixels)
    pixels = _pixels(image, content)
    brightest = pixels if pixels.ndim == 2 else pixels.max(axis=2)
    return oriented(brightest, _orientation(image)) > 0


def read_frame(path: Path, *, channels: int, bit_depth: int) -> np.ndarray:
    """The pixels of a frame that stage validate has let through, however large it is."""
    content = path.read_bytes()
    return decode(
        content, channels=channels, bit_depth=bit_depth, max_pixels=CEILING_PIXELS
    )


def describe(content: bytes, *, max_pixels: int = MAX_PIXELS) -> ImageFacts:
    """Facts from the header alone; raises ImageError where there is no readable header."""
    _check_file(content)
    if content.startswith(b"\xff\xd8"):
        height, width, space = _jpeg_header(content, max_pixels=max_pixels)
        turned = _jpeg_orientation(content) >= FIRST_SIDEWAYS
        size = (height, width) if turned else (width, height)
        return ImageFacts(*size, 1 if space == "Gray" else 3, 8, "JPEG")
    image = _open(content, max_pixels=max_pixels)
    width, height = (
        image.size[::-1] if _orientation(image) >= FIRST_SIDEWAYS else image.size
    )
    deep = _bit_depth(image, content) > 8
    return ImageFacts(
        width, height, _n_channels(image), 16 if deep else 8, image.format or ""
    )


def pixel_bytes(content: bytes, *, max_pixels: int) -> tuple[int, int]:
    """How many pixels an image file holds, and the bytes that they take, from the header alone.

    `describe` asks for the orientation too, for which PIL decodes a whole PNG. Raises ImageError.
    """
    _check_file(content)
    if content.startswith(b"\xff\xd8"):
        height, width, space = _jpeg_header(content, max_pixels=max_pixels)
        return width * height, width * height * (1 if space == "Gray" else 3)

    image = _open(content, max_pixels=max_pixels)
    n_pixels = image.size[0] * image.size[1]
    depth_bytes = 2 if _bit_depth(image, content) > 8 else 1
    return n_pixels, n_pixels * _n_channels(image) * depth_bytes


def _check_file(content: bytes) -> None:
    """Raise ImageError for what no library is to take apart."""
    if not content:
        raise ImageError("empty", "the file is empty; copy it again from the camera")
    check_structure(content)


def _check_pixels(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise ImageError(
            "too_large",
            f"{width} x {height} px is more than {max_pixels} px; send a smaller image",
        )


def _decode_jpeg(content: bytes, *, channels: int, max_pixels: int) -> np.ndarray:
    _jpeg_header(content, max_pixels=max_pixels)
    n_scans = content.count(START_OF_SCAN)
    if n_scans > MAX_SCANS:
        raise ImageError(
            "corrupt",
            f"{n_scans} scans in a JPEG, more than {MAX_SCANS}, which no camera writes; save it "
            "anew",
        )
    space = "GRAY" if channels == 1 else "RGB"
    try:
        pixels = simplejpeg.decode_jpeg(content, colorspace=space, strict=True)
    except BROKEN as error:
        if not str(error).startswith(HARMLESS):
            raise _broken(error) from error
        # libjpeg reports its first doubt alone, so after a harmless one the end is to be checked
        if content.rfind(END_OF_IMAGE) < content.rfind(START_OF_SCAN):
            raise _broken(OSError("truncated: no end of image")) from error
        pixels = simplejpeg.decode_jpeg(content, colorspace=space, strict=False)
    turned = oriented(pixels, _jpeg_orientation(content))
    return turned[..., 0] if channels == 1 else turned


def _jpeg_header(content: bytes, *, max_pixels: int) -> tuple[int, int, str]:
    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(content, strict=False)
    except BROKEN as error:
        raise ImageError(
            "truncated",
            "the JPEG ends within its header; copy it again from the camera",
        ) from error
    _check_pixels(width, height, max_pixels)
    return height, width, space


def _jpeg_orientation(content: bytes) -> int:
    if b"Exif\0\0" not in content[:EXIF_WITHIN_BYTES]:
        return 1
    try:
        return _orientation(JpegImagePlugin.JpegImageFile(io.BytesIO(content)))
    except BROKEN:
        return 1


def _open(content: bytes, *, max_pixels: int) -> ImageFile:
    """Open by signature: no plugin of PIL but these four, and no global pixel limit to set."""
    plugin = next(
        (kind for magic, kind in PLUGINS.items() if content.startswith(magic)), None
    )
    if plugin is None:
        raise ImageError(
            "not_an_image", "not a JPEG, PNG, BMP or TIFF; send one of these"
        )
    try:
        image = plugin(io.BytesIO(content))
        several = _holds_several(image)
    except BROKEN as error:
        raise _broken(error) from error
    _check_pixels(*image.size, max_pixels)
    if several:
        raise ImageError(
            "several_images", "holds several images; send one image per file"
        )
    if image.mode in UNSUPPORTED_MODES:
        raise ImageError(
            "unsupported_depth",
            f"pixels of kind {image.mode!r}; convert them to 8 or 16 bit",
        )
    return image


def _holds_several(image: ImageFile) -> bool:
    """Whether a second image follows; they are not counted, for a chain may be endless."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return bool(getattr(image, "n_frames", 1) > 1)
    try:
        image.seek(1)
    except EOFError:
        return False
    return True


def _broken(error: BaseException) -> ImageError:
    reason = str(error).lower()
    ends_early = "truncated" in reason or "premature end" in reason
    code = "truncated" if ends_early else "corrupt"
    return ImageError(
        code, f"the image is {code} ({error}); copy it again from the camera"
    )


def _orientation(image: ImageFile) -> int:
    """EXIF orientation 1..8 that is left to apply: PIL turns a TIFF itself."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return 1
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except BROKEN:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _bit_depth(image: ImageFile, content: bytes) -> int:
    if image.mode in DEEP_MODES:
        return 16
    if isinstance(image, PngImagePlugin.PngImageFile):
        return content[PNG_BIT_DEPTH_AT]
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return max(image.tag_v2.get(BITS_PER_SAMPLE, (8,)))
    return 8


def _n_channels(image: ImageFile) -> int:
    return 1 if image.mode in DEEP_MODES | {"1", "L", "LA", "La"} else 3


def _pixels(image: ImageFile, content: bytes) -> np.ndarray:
    """uint8 pixels (H, W) or (H, W, 3) RGB, or uint16 ones of a deep file, not yet oriented."""
    try:
        image.load()
        if _bit_depth(image, content) > 8:
            return _deep_pixels(image, content)
        return np.array(image.convert("L" if _n_channels(image) == 1 else "RGB"))
    except BROKEN as error:
        raise _broken(error) from error


def _deep_pixels(image: ImageFile, content: bytes) -> np.ndarray:
    """uint16: PIL knows only grey, and cv2, which knows colour, hides truncation."""
    if isinstance(image, TiffImagePlugin.TiffImageFile) and _is_inverted(image):
        raise ImageError(
            "unsupported_depth", "more than 8 bits, 0 for white; save 0 as black"
        )
    if image.mode in DEEP_MODES:
        return np.asarray(image).astype(np.uint16, copy=False)
    flags = cv2.IMREAD_UNCHANGED
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        flags = cv2.IMREAD_ANYDEPTH | cv2.IMREAD_COLOR
    deep = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    if deep is None or deep.dtype != np.uint16:
        raise ImageError(
            "unsupported_depth", "more than 8 bits; convert it to 8 or 16 bit"
        )
    if deep.ndim == 3 and deep.shape[2] >= 3:
        deep = deep[..., 2::-1]
    return deep if deep.ndim == 2 else deep[..., : _n_channels(image)].squeeze()


def _is_inverted(image: TiffImagePlugin.TiffImageFile) -> bool:
    return bool(image.tag_v2.get(PHOTOMETRIC) == WHITE_IS_ZERO)
