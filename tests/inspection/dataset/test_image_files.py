import errno
import hashlib

import numpy as np
import pytest

from inspection.dataset.image_files import (
    ImageFile,
    Mask,
    examine,
    examine_mask,
    unreadable,
    unreadable_mask,
)
from inspection.dataset.quarantine import Finding
from tests.pictures import encoded, part


def test_an_image_has_the_hash_of_its_bytes_and_its_facts() -> None:
    content = encoded(part(1))
    found = examine("a.png", content, bit_depth=16, max_pixels=64 * 48)
    assert isinstance(found, ImageFile)
    assert found.sha256 == hashlib.sha256(content).hexdigest()
    assert (found.facts.width_px, found.facts.height_px) == (64, 48)


def test_an_image_that_cannot_be_decoded_is_set_aside_with_its_reason() -> None:
    found = examine("a.png", encoded(part(1)), bit_depth=16, max_pixels=64 * 48 - 1)
    assert isinstance(found, Finding)
    assert (found.path, found.reason, found.view_kept) == ("a.png", "too_large", False)
    deep = encoded(np.full((4, 4), 5000, np.uint16))
    found = examine("b.png", deep, bit_depth=12, max_pixels=100)
    assert isinstance(found, Finding)
    assert found.reason == "too_bright"


@pytest.mark.parametrize("is_marked", [False, True])
def test_a_mask_has_its_size_and_whether_it_marks_anything(is_marked: bool) -> None:
    pixels = np.zeros((48, 64), np.uint8)
    pixels[3, 5] = 255 * is_marked
    found = examine_mask("m.png", encoded(pixels), max_pixels=64 * 48)
    assert found == Mask("m.png", 64, 48, is_marked)


def test_a_broken_mask_leaves_its_view() -> None:
    found = examine_mask("m.png", b"", max_pixels=100)
    assert isinstance(found, Finding)
    assert (found.reason, found.view_kept) == ("mask_empty", True)


def test_a_file_without_permission_is_a_finding_that_says_so() -> None:
    error = OSError(errno.EACCES, "Permission denied")
    assert unreadable("a.png", error).detail.startswith("Permission denied; ")
    of_mask = unreadable_mask("m.png", error)
    assert (of_mask.reason, of_mask.view_kept) == ("mask_unreadable", True)
