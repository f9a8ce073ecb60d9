import pytest

from inspection.adoption import masks
from inspection.adoption.masks import find_masks
from inspection.adoption.pictures import Picture
from inspection.errors import InspectionError
from tests.inspection.adoption.listed import MASK, PHOTO


def looks(photos: list[str], masks: list[str]) -> dict[str, Picture]:
    return dict.fromkeys(photos, PHOTO) | dict.fromkeys(masks, MASK)


@pytest.mark.parametrize(("n", "place"), [(3, "{folder}/{stem}_bw.png"), (2, "")])
def test_three_black_and_white_images_named_after_others_are_masks(n: int, place: str) -> None:
    photos = [f"a/{i:03}.jpg" for i in range(9)]
    masks = [f"a/{i:03}_bw.png" for i in range(n)]
    assert find_masks([*photos, *masks], looks(photos, masks)).template == place


@pytest.mark.parametrize(("n_grey", "place"), [(2, "{folder}/{stem}_m.png"), (3, "")])
def test_nine_of_ten_masks_are_black_and_white(n_grey: int, place: str) -> None:
    photos = [f"{i:03}.jpg" for i in range(20)]
    masks = [f"{i:03}_m.png" for i in range(20)]
    sample = looks([*photos, *masks[:n_grey]], masks[n_grey:])
    assert find_masks([*photos, *masks], sample).template == place


def test_photographs_of_sound_parts_that_look_black_are_no_masks() -> None:
    photos = [f"scratch/{n:03}.png" for n in range(9)]
    dark = [f"OK/{n:03}.png" for n in range(9)]
    assert find_masks([*photos, *dark], looks(photos, dark)).files == frozenset()


def test_all_in_the_fixed_folder_of_masks_is_one() -> None:
    photos = [f"test/dent/{n:03}.png" for n in range(6)]
    masks = [f"ground_truth/dent/{n:03}_mask.png" for n in range(6)]
    odd = "ground_truth/dent/extra.png"
    found = find_masks([*photos, *masks, odd], looks(photos, masks))
    assert found.files == {*masks, odd}
    assert found.of_image["test/dent/002.png"] == masks[2]


def test_the_eight_likeliest_places_are_tried() -> None:
    """Each mask lies in another folder, and so by a place of its own."""
    photos = [f"photos/{n}.png" for n in range(12)]
    strewn = [f"m{n}/{n}_mask.png" for n in range(12)]
    assert len(masks._likely_places(strewn, photos)) == 8


def test_the_user_says_where_masks_lie_or_that_there_are_none() -> None:
    photos = [f"a/{n}.png" for n in range(6)]
    masks = [f"b/x{n}.png" for n in range(6)]
    sample = looks(photos, masks)
    assert find_masks([*photos, *masks], sample, "b/x{stem}.png").files == set(masks)
    assert find_masks([*photos, *masks], sample, "none").files == frozenset()
    with pytest.raises(InspectionError, match="no image has a mask there"):
        find_masks([*photos, *masks], sample, "c/{stem}.png")
