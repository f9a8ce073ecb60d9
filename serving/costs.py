"""What a view will take before it is decoded: pixels, memory and time, from its header alone."""

from dataclasses import dataclass

from inspection.images import START_OF_SCAN, pixel_bytes
from inspection.structure import PNG_SIGNATURE, jpeg_header

# The byte of a PNG that holds its colour type: 8 of signature, 8 of chunk head, 9 of size and
# depth; and the type that is grey with alpha.
PNG_COLOUR_TYPE_AT, GREY_ALPHA = 25, 4
# Work beside decoding: the models on the crops of a view took 18 to 26 ms (EfficientNet-Lite0, one
# core).
VIEW_MS = 25.0


@dataclass(frozen=True)
class Kind:
    """Of a picture: bytes that are held a pixel at the peak of decoding, and time a pixel."""

    bytes_per_pixel: float
    ns_per_pixel: float


# Measured of 20 megapixels each (decode alone, VmHWM before and after; time on one core that had
# other work too), the worst of grey and colour lines, turned or not, interlaced, in one strip, tile
# or many. Pillow keeps colour in four bytes a pixel; with the copy that is converted, its bytes and
# our array that makes 14.
# PNG and BMP of 8 bits: 4.0 on a grey line, 5.2 to 6.2 on one in colour.
GREY = Kind(6.25, 8.0)
# with alpha, and TIFF, which may have it: 7.0 to 10.3, of a TIFF with alpha 11.2 now and then
GREY_OR_ALPHA = Kind(11.75, 15.0)
# of 16 bits: 6.0 to 7.2
DEEP_GREY = Kind(7.25, 14.0)
# RGB and RGBA 14.0, CIELab 14.1, palettes 11.0
COLOUR = Kind(14.25, 25.0)
# of 16 bits: RGB 16.3, and with alpha, or a colour that is transparent, 20.3
DEEP_COLOUR = Kind(20.5, 60.0)
# JPEG: 3 for the pixels and as much again where they are turned; 4 and 3 of CMYK. Where it comes
# in several scans two bytes of coefficients a sample are kept to the last: 12.0 of CMYK.
JPEG_BYTES, CMYK_BYTES, CMYK_PIXEL_BYTES = 6.25, 7.25, 4
PIXEL_BYTES, COEFFICIENT_BYTES, SPARE_BYTES = 3, 2, 0.25
# each scan is a pass over all coefficients, whatever few bytes it has; each byte of the file is
# unpacked, of noise 9.5 MB in 73 ms
PIXEL_NS, SCAN_NS, FILE_BYTE_NS = 1.0, 1.5, 8.0


@dataclass(frozen=True)
class Cost:
    """What one view takes: its pixels, the memory at the peak of decoding, and time on a core."""

    n_pixels: int
    n_bytes: int
    time_ms: float


def cost_of(content: bytes, *, max_pixels: int) -> Cost:
    """The cost of an image file, from its header. Raises ImageError where there is none."""
    n_pixels, n_bytes = pixel_bytes(content, max_pixels=max_pixels)
    is_jpeg = content.startswith(b"\xff\xd8")
    kind = (
        _jpeg_kind(content) if is_jpeg else _kind(content, n_bytes // max(1, n_pixels))
    )

    unpacking_ns = FILE_BYTE_NS * len(content) if is_jpeg else 0.0
    time_ms = (n_pixels * kind.ns_per_pixel + unpacking_ns) / 1e6
    held = round(n_pixels * kind.bytes_per_pixel)
    return Cost(n_pixels, held, VIEW_MS + time_ms)


def _kind(content: bytes, bytes_per_pixel: int) -> Kind:
    """The kind of what is no JPEG; `bytes_per_pixel` are channels times depth."""
    kinds = {1: GREY, 2: DEEP_GREY, 3: COLOUR}
    kind = kinds.get(bytes_per_pixel, DEEP_COLOUR)
    return GREY_OR_ALPHA if kind is GREY and _may_have_alpha(content) else kind


def _may_have_alpha(content: bytes) -> bool:
    if content.startswith(PNG_SIGNATURE):
        return content[PNG_COLOUR_TYPE_AT] == GREY_ALPHA
    return not content.startswith(b"BM")


def _jpeg_kind(content: bytes) -> Kind:
    header = jpeg_header(content)
    is_cmyk = header.n_components > 3
    kept = 0 if header.at_once else COEFFICIENT_BYTES * header.samples_per_pixel
    decoding = kept + (CMYK_PIXEL_BYTES if is_cmyk else PIXEL_BYTES) + SPARE_BYTES
    converted = CMYK_BYTES if is_cmyk else JPEG_BYTES

    n_scans = max(1, content.count(START_OF_SCAN))
    return Kind(max(decoding, converted), PIXEL_NS + SCAN_NS * n_scans)
