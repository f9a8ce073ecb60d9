"""A raw file read and examined, or refused."""

import errno
from pathlib import Path

from inspection.dataset.image_files import (
    ImageFile,
    Mask,
    examine,
    examine_mask,
    unreadable,
    unreadable_mask,
)
from inspection.dataset.quarantine import Finding
from stages.per_view.items import RawFile


def examined_image(
    data: Path, file: RawFile, *, bit_depth: int, max_pixels: int
) -> ImageFile | Finding:
    """An image of the folder `data`, hashed and decoded once; what cannot be read is refused."""
    try:
        content = content_of(data / file.path)
    except OSError as error:
        return unreadable(file.path, error)
    return examine(file.path, content, bit_depth=bit_depth, max_pixels=max_pixels)


def examined_mask(data: Path, file: RawFile, *, max_pixels: int) -> Mask | Finding:
    """A mask of the folder `data`, decoded once; what cannot be read is refused."""
    try:
        content = content_of(data / file.path)
    except OSError as error:
        return unreadable_mask(file.path, error)
    return examine_mask(file.path, content, max_pixels=max_pixels)


def content_of(path: Path) -> bytes:
    """The bytes of a file; raises OSError also for a pipe or device, which might never end."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "not a regular file")
    return path.read_bytes()
