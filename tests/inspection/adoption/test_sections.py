import pytest

from inspection.adoption.pictures import Picture
from inspection.adoption.sections import validate_section
from inspection.images import ImageFacts
from tests.inspection.adoption import listed


@pytest.mark.parametrize(
    ("side", "extent"), [(96, [48, 192]), (33, [16, 66]), (20, [16, 40]), (34, [17, 68])]
)
def test_frames_may_be_half_as_small_and_twice_as_large_as_those_seen(
    side: int, extent: list[int]
) -> None:
    plan = listed.understood("casting")
    picture = Picture(ImageFacts(side, side, 1, 8, "PNG"), is_mask=False, is_coloured=False)
    section = validate_section(
        plan.listing, plan.proposal, plan.part, None, [picture], n_known=len(plan.photos)
    )
    assert section["expected"]["width_px"] == extent
    assert section["expected"]["max_quarantined_fraction"] == 0.1
    assert "unknown" not in section
