from dataclasses import replace

import pytest

from inspection.adoption.proposal import Listing, suffix
from inspection.adoption.questions import Answers
from inspection.images import ImageFacts
from tests.inspection.adoption.listed import MASK, PHOTO

PATHS = (
    *(f"images/{n}.png" for n in range(4)),
    *(f"masks/{n}.png" for n in range(4)),
    "images/notes.txt",
    "images/.hidden.png",
)
SAMPLE = {path: MASK if path.startswith("masks/") else PHOTO for path in PATHS[:8]}


def test_images_are_what_we_read_and_photographs_what_is_no_mask() -> None:
    listing = Listing(PATHS, SAMPLE)
    assert listing.images == list(PATHS[:8])
    assert listing.photos == list(PATHS[:4])
    assert listing.masks.template == "masks/{stem}.png"


def test_images_that_cannot_be_read_are_none() -> None:
    listing = Listing(PATHS, SAMPLE, unread=frozenset({"images/0.png"}))
    assert "images/0.png" not in listing.images


def test_what_the_user_says_of_masks_is_taken() -> None:
    assert Listing(PATHS, SAMPLE, Answers(masks="none")).photos == list(PATHS[:8])


def test_a_photograph_that_was_not_looked_at_has_the_usual_size() -> None:
    large = replace(PHOTO, facts=ImageFacts(200, 100, 1, 8, "PNG"))
    sample = {"a.png": PHOTO, "b.png": PHOTO, "c.png": large}
    sizes = Listing(("a.png", "b.png", "c.png", "d.png"), sample).sizes
    assert sizes == {"a.png": (96, 64), "b.png": (96, 64), "c.png": (200, 100), "d.png": (96, 64)}


@pytest.mark.parametrize(
    ("path", "expected"), [("a/B.JPG", ".jpg"), ("x.tar.gz", ".gz"), ("x", "")]
)
def test_a_suffix_is_in_lower_case(path: str, expected: str) -> None:
    assert suffix(path) == expected
