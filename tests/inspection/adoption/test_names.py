import re

import pytest

from inspection.adoption.names import compiled, shape_of
from inspection.errors import InspectionError


def test_a_shape_fits_19_of_20_names_and_not_18() -> None:
    alike = [f"P{n:03}_ok_{n % 3}" for n in range(19)]
    shape = shape_of([*alike, "a_b_1_2_3_4"])
    assert shape is not None
    assert shape.columns[1].values == ("ok",) * 19 + ("",)
    assert shape_of([*alike[1:], "a_b_1_2_3_4", "x_1_y_2_z_3"]) is None


def test_words_in_a_row_are_one_token_and_the_last_may_be_missing() -> None:
    shape = shape_of(["P1-oil stain-1", "P2-ok-2", "P3-oil stain"])
    assert shape is not None
    assert shape.columns[1].values == ("oil stain", "ok", "oil stain")
    assert shape.last_is_optional
    assert shape.columns[2].values == ("1", "2", "")


@pytest.mark.parametrize(
    ("pattern", "name", "groups"),
    [
        ("<part>_<shot>", "lot_7_12_3", {"part": "lot_7_12", "view": "3"}),
        ("{part}-{any}", "12-x", {"part": "12"}),
        ("{camera}_{part}_{label}[_{view}]", "Ch0_7_oil",
         {"camera": "Ch0", "part": "7", "label": "oil", "view": None}),
        ("{label}{number}", "crack012", {"label": "crack", "number": "012"}),
        ("IMG_<time>", "IMG_20240301_101512", {"time": "20240301_101512"}),
    ],
)  # fmt: skip
def test_a_pattern_of_the_user_reads_names(
    pattern: str, name: str, groups: dict[str, str | None]
) -> None:
    found = re.fullmatch(compiled(pattern), name)
    assert found is not None
    assert found.groupdict() == groups


@pytest.mark.parametrize("pattern", ["<camera>_<shot>", "<part", "<part>[", "<part>_<part>"])
def test_a_pattern_that_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(InspectionError, match="PART="):
        compiled(pattern)
