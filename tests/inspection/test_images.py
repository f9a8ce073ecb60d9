import base64
import io
import struct
import tracemalloc
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import simplejpeg
from PIL import Image, ImageOps

from inspection.images import (
    CEILING_PIXELS,
    ImageError,
    ImageFacts,
    decode,
    decode_mask,
    describe,
    pixel_bytes,
    read_frame,
)
from tests.pictures import encoded, part

FRAME = part(1)
COLOUR = np.random.default_rng(0).integers(0, 255, (20, 31, 3), np.uint8)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def refusal(content: bytes, **limits: int) -> str:
    with pytest.raises(ImageError) as caught:
        decode(content, channels=1, **limits)
    return caught.value.code


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff"])
def test_lossless_files_decode_to_the_pixels_that_were_saved(suffix: str) -> None:
    assert np.array_equal(decode(encoded(FRAME, suffix), channels=1), FRAME)
    colour = decode(encoded(COLOUR[..., ::-1], suffix), channels=3)
    assert np.array_equal(colour, COLOUR)


def test_a_jpeg_decodes_to_nearly_the_pixels_that_were_saved() -> None:
    smooth = cv2.GaussianBlur(COLOUR, (0, 0), 3)
    decoded = decode(encoded(smooth[..., ::-1], ".jpg"), channels=3)
    assert np.abs(decoded.astype(int) - smooth).mean() < 8


def test_grey_from_colour_is_the_standard_luma_and_colour_from_grey_three_equal_channels() -> None:
    content = encoded(COLOUR[..., ::-1], ".png")
    assert np.array_equal(decode(content, channels=1), cv2.cvtColor(COLOUR, cv2.COLOR_RGB2GRAY))
    grey = decode(encoded(FRAME, ".png"), channels=3)
    assert np.array_equal(grey, np.dstack([FRAME] * 3))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_exif_orientation_is_applied_as_pillow_applies_it(kind: str, orientation: int) -> None:
    image = Image.fromarray(cv2.GaussianBlur(COLOUR, (0, 0), 3))
    exif = image.getexif()
    exif[0x0112] = orientation
    content = saved(image, kind, exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))))
    decoded = decode(content, channels=3)
    facts = describe(content)
    assert decoded.shape == expected.shape
    assert np.abs(decoded.astype(int) - expected).max() <= 2
    assert (facts.height_px, facts.width_px) == expected.shape[:2]


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("n_channels", [1, 3])
def test_sixteen_bits_are_scaled_linearly_over_the_full_range(suffix: str, n_channels: int) -> None:
    shape = (12, 9) if n_channels == 1 else (12, 9, 3)
    deep = np.random.default_rng(1).integers(0, 65536, shape, np.uint16)
    deep.flat[:2] = 0, 65535
    content = encoded(deep, suffix)
    decoded = decode(content, channels=n_channels)
    expected = np.round(deep / 257).astype(np.uint8)
    assert np.array_equal(decoded, expected if n_channels == 1 else expected[..., ::-1])
    assert describe(content).bit_depth == 16


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("n_channels", [1, 3])
def test_fewer_bits_in_a_deep_file_are_scaled_over_what_they_hold(
    suffix: str, n_channels: int
) -> None:
    shape = (12, 9) if n_channels == 1 else (12, 9, 3)
    deep = np.random.default_rng(1).integers(0, 4096, shape, np.uint16)
    deep.flat[:2] = 0, 4095
    decoded = decode(encoded(deep, suffix), channels=n_channels, bit_depth=12)
    expected = np.round(deep / 4095 * 255).astype(np.uint8)
    assert np.array_equal(decoded, expected if n_channels == 1 else expected[..., ::-1])


def test_a_pixel_brighter_than_the_bits_hold_is_refused_with_the_remedy() -> None:
    with pytest.raises(ImageError, match=r"value 5000.* set line\.bit_depth to 13") as caught:
        decode(encoded(np.full((4, 4), 5000, np.uint16)), channels=1, bit_depth=12)
    assert caught.value.code == "too_bright"


def test_files_of_eight_bits_are_not_touched_by_the_depth() -> None:
    assert np.array_equal(decode(encoded(FRAME), channels=1, bit_depth=10), FRAME)


@pytest.mark.parametrize("value", [1, 3, 255])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_a_mask_marks_what_is_not_black_in_any_depth(value: int, kind: type) -> None:
    marked = np.zeros((20, 30), bool)
    marked[4:9, 11:17] = True
    for mask in (marked * kind(value), np.dstack([marked * kind(0)] * 2 + [marked * kind(value)])):
        assert np.array_equal(decode_mask(encoded(mask, ".png")), marked)


def test_the_ringing_of_a_jpeg_marks_nothing() -> None:
    marked = np.zeros((48, 64), bool)
    marked[10:31, 9:30] = True
    content = encoded(np.where(marked, 255, 0).astype(np.uint8), ".jpg")
    assert (decode(content, channels=1) > 0).sum() > marked.sum()
    assert np.array_equal(decode_mask(content), marked)
    assert not decode_mask(encoded(np.full((48, 64), 3, np.uint8), ".jpg")).any()


def test_a_mask_lies_as_its_photograph_does() -> None:
    mask = Image.fromarray(np.triu(np.full((6, 9), 255, np.uint8)))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = decode_mask(saved(mask, "PNG", exif=exif))
    assert np.array_equal(turned, decode(saved(mask, "PNG", exif=exif), channels=1) > 0)
    assert turned.shape == (9, 6)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_every_usual_mode_becomes_grey_or_colour(mode: str) -> None:
    kind = "JPEG" if mode == "CMYK" else "PNG"
    content = saved(Image.fromarray(COLOUR).convert(mode), kind)
    assert decode(content, channels=1).shape == (20, 31)
    assert decode(content, channels=3).shape == (20, 31, 3)
    assert decode(content, channels=3).dtype == np.uint8


def test_alpha_is_dropped_and_not_blended() -> None:
    transparent = np.dstack([COLOUR, np.zeros((20, 31), np.uint8)])
    assert np.array_equal(decode(saved(Image.fromarray(transparent), "PNG"), channels=3), COLOUR)


def test_facts_come_from_the_header() -> None:
    assert describe(encoded(FRAME, ".jpg")) == ImageFacts(64, 48, 1, 8, "JPEG")
    assert describe(encoded(COLOUR, ".png")) == ImageFacts(31, 20, 3, 8, "PNG")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tiff"])
def test_a_truncated_file_is_refused_wherever_it_ends(suffix: str) -> None:
    content = encoded(np.random.default_rng(2).integers(0, 255, (64, 64), np.uint8), suffix)
    for share in (0.3, 0.6, 0.9):
        assert refusal(content[: int(share * len(content))]) in ("truncated", "corrupt")


def test_a_progressive_jpeg_that_ends_early_is_refused() -> None:
    image = Image.fromarray(np.random.default_rng(3).integers(0, 255, (64, 64), np.uint8))
    content = saved(image, "JPEG", progressive=True)
    assert decode(content, channels=1).shape == (64, 64)
    assert refusal(content[: len(content) // 2]) == "truncated"


def test_what_is_no_image_is_refused_with_its_reason() -> None:
    assert refusal(b"") == "empty"
    assert refusal("이미지가 아님".encode()) == "not_an_image"
    assert refusal(b"\xff\xd8\xff") == "truncated"
    assert refusal(b"GIF89a" + bytes(20)) == "not_an_image"


def test_a_bomb_is_refused_by_its_header_before_it_is_decoded() -> None:
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + header
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
    bomb += struct.pack(">I", zlib.crc32(chunk)) + struct.pack(">I", 0) + b"IDAT"
    bomb += struct.pack(">I", zlib.crc32(b"IDAT"))
    assert refusal(bomb) == "too_large"
    assert refusal(encoded(FRAME, ".jpg"), max_pixels=1000) == "too_large"
    with pytest.raises(ImageError, match="send a smaller image"):
        describe(encoded(FRAME, ".jpg"), max_pixels=1000)


def test_no_limit_given_is_the_limit_for_strangers_and_not_what_a_line_may_raise_it_to() -> None:
    content = encoded(np.zeros((8001, 8001), np.uint8), ".jpg")
    assert refusal(content) == "too_large"
    assert decode(content, channels=1, max_pixels=CEILING_PIXELS).shape == (8001, 8001)


def test_several_images_in_one_file_are_refused() -> None:
    pages = [Image.fromarray(FRAME), Image.fromarray(255 - FRAME)]
    tiff = saved(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    animated = saved(pages[0], "PNG", save_all=True, append_images=pages[1:])
    assert refusal(tiff) == "several_images"
    assert refusal(animated) == "several_images"


def test_floating_point_pixels_are_refused_for_they_may_be_nan() -> None:
    pixels = np.full((8, 8), np.nan, np.float32)
    assert refusal(saved(Image.fromarray(pixels), "TIFF")) == "unsupported_depth"


def test_random_damage_is_refused_or_decoded_and_never_raises_anything_else() -> None:
    rng = np.random.default_rng(4)
    files = [encoded(COLOUR, suffix) for suffix in (".jpg", ".png", ".bmp", ".tiff")]
    for _ in range(800):
        damaged = bytearray(files[rng.integers(4)])
        for place in rng.integers(0, len(damaged), 4):
            damaged[place] = rng.integers(256)
        try:
            pixels = decode(bytes(damaged), channels=1)
        except ImageError:
            continue
        assert pixels.ndim == 2
        assert pixels.dtype == np.uint8


def test_grey_jpegs_are_the_bytes_that_libjpeg_decodes() -> None:
    content = simplejpeg.encode_jpeg(FRAME[..., None], colorspace="GRAY")
    assert np.array_equal(
        decode(content, channels=1), simplejpeg.decode_jpeg(content, "GRAY")[..., 0]
    )


def test_a_jpeg_whose_scan_header_is_odd_is_decoded_whole_and_refused_where_it_ends_early() -> None:
    """libjpeg tells of its first doubt alone: behind an odd header it does not tell of the end."""
    content = bytearray(encoded(FRAME, ".jpg"))
    scan = content.rfind(b"\xff\xda")
    length = int.from_bytes(content[scan + 2 : scan + 4])
    content[scan + 2 + length - 3 : scan + 2 + length] = bytes(3)
    odd = bytes(content)
    whole = decode(bytes(encoded(FRAME, ".jpg")), channels=1)
    np.testing.assert_array_equal(decode(odd, channels=1), whole)
    assert refusal(odd[: int(0.7 * len(odd))]) == "truncated"


def test_a_jpeg_of_endless_scans_is_refused_before_it_is_decoded() -> None:
    image = Image.fromarray(np.random.default_rng(3).integers(0, 255, (64, 64), np.uint8))
    content = saved(image, "JPEG", progressive=True)
    scan = content[content.rfind(b"\xff\xda") : -2]
    assert refusal(content[:-2] + 500 * scan + b"\xff\xd9") == "corrupt"


# 32 x 24 px of grey 5 x + 4 y, by libjpeg-turbo 2.1.5 with TJ_ARITHMETIC=1, quality 90. No encoder
# that we install writes arithmetic coding.
ARITHMETIC = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsKCwsN"
    "DhIQDQ4RDgsLEBYQERMUFRUVDA8XGBYUGBIUFRT/yQALCAAYACABAREA/8wABgAQEAX/2gAIAQEAAD8A"
    "/wDpmYvkTBgqNhnz1RFzAa5D1InNU0FdM7simTCsrQaXPMRUPDikO1m2CA8NNbw03ZnCUcD/2Q=="
)


def test_an_arithmetic_coded_jpeg_is_judged_by_its_pixels_and_one_that_is_cut_off_is_refused() -> (
    None
):
    y, x = np.mgrid[:24, :32]

    assert b"\xff\xc9" in ARITHMETIC  # SOF9: sequential, arithmetic
    assert np.abs(decode(ARITHMETIC, channels=1) - (5.0 * x + 4 * y)).max() <= 2
    assert refusal(ARITHMETIC[:-8]) == "truncated"


@pytest.mark.parametrize("frame_type", [0xC9, 0xCA, 0xC3, 0xC5, 0xCB])
def test_a_jpeg_whose_frame_type_lies_is_refused(frame_type: int) -> None:
    """Arithmetic, progressive, lossless or hierarchical by its header, baseline in its data."""
    content = bytearray(encoded(FRAME, ".jpg"))
    content[content.index(b"\xff\xc0") + 1] = frame_type

    assert refusal(bytes(content)) in ("corrupt", "truncated")


def test_a_deep_tiff_whose_zero_is_white_is_refused_and_not_judged_inverted() -> None:
    image = Image.fromarray(np.full((8, 8), 40_000, np.uint16))
    assert refusal(saved(image, "TIFF", tiffinfo={262: 0})) == "unsupported_depth"
    assert decode(saved(image, "TIFF"), channels=1).max() == 156


@pytest.mark.parametrize("shape", [(1200, 1600), (1, 1_920_000), (640, 1000, 3)])
def test_sixteen_bits_are_converted_within_six_bytes_a_sample(shape: tuple[int, ...]) -> None:
    """Of which the file's own samples take four (decoder and array) and the result one."""
    deep = np.random.default_rng(0).integers(0, 4096, shape, np.uint16)
    if deep.ndim == 2:
        content = saved(Image.fromarray(deep), "PNG", compress_level=1)
    else:
        content = encoded(deep)
    tracemalloc.start()
    try:
        decode(content, channels=1 if deep.ndim == 2 else 3, bit_depth=12)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 6 * deep.size


@pytest.mark.parametrize("shape", [(700, 900), (900, 700), (2, 300_000), (300_000, 2)])
def test_strips_leave_no_seam(shape: tuple[int, int]) -> None:
    deep = np.random.default_rng(5).integers(0, 65536, shape, np.uint16)
    content = saved(Image.fromarray(deep), "PNG", compress_level=1)
    expected = np.round(deep / 257).astype(np.uint8)
    assert np.array_equal(decode(content, channels=1), expected)


@pytest.mark.parametrize(("brightness", "is_marked"), [(31, False), (32, False), (33, True)])
def test_a_jpeg_mask_marks_what_is_brighter_than_its_ringing(
    brightness: int, is_marked: bool
) -> None:
    flat = np.full((16, 16, 1), brightness, np.uint8)
    content = simplejpeg.encode_jpeg(flat, quality=100, colorspace="GRAY")
    assert (decode(content, channels=1) == brightness).all()
    assert decode_mask(content).all() == is_marked


def test_a_jpeg_mask_marks_what_is_brighter_than_half_its_brightest() -> None:
    blocks = np.repeat([[200, 100, 104]], 8, axis=1).repeat(8, axis=0).astype(np.uint8)
    content = simplejpeg.encode_jpeg(blocks[..., None], quality=100, colorspace="GRAY")
    assert decode(content, channels=1)[0, ::8].tolist() == [200, 100, 104]
    assert decode_mask(content)[0, ::8].tolist() == [True, False, True]


@pytest.mark.parametrize(("n_scans", "is_refused"), [(24, False), (25, False), (26, True)])
def test_a_jpeg_has_25_scans_at_most(n_scans: int, is_refused: bool) -> None:
    image = Image.fromarray(np.random.default_rng(3).integers(0, 255, (64, 64), np.uint8))
    content = saved(image, "JPEG", progressive=True)
    scan = content[content.rfind(b"\xff\xda") : -2]
    more = n_scans - content.count(b"\xff\xda")
    content = content[:-2] + more * scan + b"\xff\xd9"
    assert content.count(b"\xff\xda") == n_scans
    message = ""
    try:
        decode(content, channels=1)
    except ImageError as error:
        message = str(error)
    assert ("scans in a JPEG" in message) == is_refused


@pytest.mark.parametrize(("n_more", "is_turned"), [(-1, True), (0, True), (1, False)])
def test_the_orientation_of_a_jpeg_is_sought_in_its_first_64_kib(
    n_more: int, is_turned: bool
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    content = saved(Image.fromarray(FRAME), "JPEG", exif=exif)
    start = content.index(b"Exif\0\0")
    n_padding = 65536 - len(b"Exif\0\0") - start + n_more
    length = struct.pack(">H", n_padding - 2)
    padding = b"\xff\xfe" + length + bytes(n_padding - 4)
    padded = content[:2] + padding + content[2:]
    assert padded.index(b"Exif\0\0") + 6 == 65536 + n_more
    shape = (64, 48) if is_turned else (48, 64)
    assert decode(padded, channels=1).shape == shape
    assert (describe(padded).height_px, describe(padded).width_px) == shape


def header_of_png(width: int, height: int) -> bytes:
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
    data = struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    return head + struct.pack(">I", zlib.crc32(chunk)) + data


def test_an_image_may_have_as_many_pixels_as_the_limit_and_not_one_more() -> None:
    assert describe(header_of_png(64_000_000, 1)).width_px == 64_000_000
    with pytest.raises(ImageError, match="64000001 x 1 px is more than 64000000 px"):
        describe(header_of_png(64_000_001, 1))
    assert decode(encoded(FRAME), channels=1, max_pixels=48 * 64).shape == (48, 64)
    assert refusal(encoded(FRAME), max_pixels=48 * 64 - 1) == "too_large"


def test_a_frame_that_was_let_through_is_read_up_to_the_ceiling(tmp_path: Path) -> None:
    path = tmp_path / "frame.png"
    path.write_bytes(header_of_png(256_000_000, 1))
    with pytest.raises(ImageError) as caught:
        read_frame(path, channels=1, bit_depth=16)
    assert caught.value.code in ("truncated", "corrupt")
    path.write_bytes(header_of_png(256_000_001, 1))
    with pytest.raises(ImageError) as caught:
        read_frame(path, channels=1, bit_depth=16)
    assert caught.value.code == "too_large"


def test_all_sixteen_bits_are_used_where_no_depth_is_given() -> None:
    deep = np.array([[0, 65535]], np.uint16)
    assert decode(encoded(deep), channels=1).tolist() == [[0, 255]]


@pytest.mark.parametrize("n_channels", [1, 3])
def test_the_depth_of_a_tiff_is_that_of_its_samples(n_channels: int) -> None:
    shape = (6, 5) if n_channels == 1 else (6, 5, 3)
    for kind, bits in ((np.uint8, 8), (np.uint16, 16)):
        content = encoded(np.full(shape, 9, kind), ".tiff")
        assert describe(content) == ImageFacts(5, 6, n_channels, bits, "TIFF")


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_the_bytes_of_pixels_are_those_of_the_array(
    suffix: str, channels: int, depth: type
) -> None:
    shape = (30, 40) if channels == 1 else (30, 40, 3)
    pixels = np.zeros(shape, depth)
    content = cv2.imencode(suffix, pixels)[1].tobytes()

    assert pixel_bytes(content, max_pixels=1200) == (1200, pixels.nbytes)


def test_the_bytes_of_pixels_come_from_the_header_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A PNG of which nothing but the header is there, which no decoder would take."""
    whole = cv2.imencode(".png", np.zeros((30, 40), np.uint8))[1].tobytes()
    header = whole[: whole.index(b"IDAT") + 4]

    assert pixel_bytes(header, max_pixels=1200) == (1200, 1200)
    with pytest.raises(ImageError, match="more than 1199"):
        pixel_bytes(header, max_pixels=1199)
