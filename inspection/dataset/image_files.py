"""One file checked by itself: an image or a mask that can be read, or why it cannot."""

import hashlib
from dataclasses import dataclass, replace

from inspection.dataset.quarantine import Finding
from inspection.images import ImageError, ImageFacts, decode, decode_mask, describe

# The reasons of a file that is there and cannot be read: an image, and a mask.
UNREADABLE = ("unreadable", "mask_unreadable")


@dataclass(frozen=True)
class ImageFile:
    """A readable image file: its hash (hex SHA-256 of the bytes) and facts."""

    path: str
    sha256: str
    facts: ImageFacts


@dataclass(frozen=True)
class Mask:
    """A readable mask: its size, and whether anything is marked in it."""

    path: str
    width_px: int
    height_px: int
    is_marked: bool


def examine(
    path: str,
    content: bytes,
    *,
    bit_depth: int,
    max_pixels: int,
) -> ImageFile | Finding:
    """Hash and decode one image file; the pixels are checked, not kept."""
    try:
        facts = describe(content, max_pixels=max_pixels)
        # as grey whatever the line needs: what is broken is broken in either
        decode(
            content,
            channels=1,
            bit_depth=bit_depth,
            max_pixels=max_pixels,
        )
    except ImageError as error:
        return Finding(path, error.code, str(error))
    return ImageFile(path, hashlib.sha256(content).hexdigest(), facts)


def examine_mask(
    path: str,
    content: bytes,
    *,
    max_pixels: int,
) -> Mask | Finding:
    """Decode one mask file."""
    try:
        marked = decode_mask(content, max_pixels=max_pixels)
    except ImageError as error:
        return Finding(path, f"mask_{error.code}", str(error), view_kept=True)
    return Mask(path, marked.shape[1], marked.shape[0], bool(marked.any()))


def unreadable(path: str, error: OSError) -> Finding:
    """An image file that is there and cannot be read: a broken link, say, or no permission."""
    return Finding(
        path, UNREADABLE[0], f"{error.strerror}; repair the link or its permissions"
    )


def unreadable_mask(path: str, error: OSError) -> Finding:
    """A mask file that is there and cannot be read."""
    finding = unreadable(path, error)
    return replace(finding, reason=UNREADABLE[1], view_kept=True)
