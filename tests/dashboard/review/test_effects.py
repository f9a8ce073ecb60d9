import pandas as pd
import pytest

from dashboard.review.effects import effects
from inspection.errors import InspectionError
from tests.bundles import sample_line


def manifests() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Part 1 is settled; the two views of part 2 disagree, so both are held."""
    raw = pd.DataFrame(
        {
            "view_id": ["a", "b", "c"],
            "path": ["a.jpg", "b.jpg", "c.jpg"],
            "image_sha256": ["aa", "bb", "cc"],
            "part_id": ["1", "2", "2"],
            "label": ["normal", "dent", "slide"],
            "boxes": ["[]"] * 3,
            "copies": ["[]"] * 3,
            "width_px": [320] * 3,
            "height_px": [256] * 3,
            "mask_path": [""] * 3,
        }
    )
    reason = "part_disagreement: part_id 2: 1 x dent, 1 x slide"
    clean = raw.assign(
        label_source="file",
        near_duplicate_group="",
        held=[False, True, True],
        held_reason=["", reason, reason],
    )
    return raw, clean


def test_without_decisions_nothing_changes() -> None:
    found = effects(*manifests(), [], sample_line())
    assert not found
    assert str(found).startswith("nothing")


def test_a_review_that_settles_a_part_releases_its_other_view_too() -> None:
    found = effects(*manifests(), [("cc", "dent", "Grace", "")], sample_line())
    assert found.labels == [("c.jpg", "slide", "dent")]
    assert found.released == ["b.jpg", "c.jpg"]
    assert str(found) == "1 labels change, 2 held views return"
    counts = found.counts.set_index("class")
    assert counts.loc["dent"].tolist() == [0, 2, 2]
    assert counts.loc["normal"].tolist() == [1, 1, 0]


def test_a_view_that_is_left_out_is_named() -> None:
    found = effects(*manifests(), [("aa", "-", "Grace", "")], sample_line())
    assert found.left_out == ["a.jpg"]


def test_a_row_that_the_stage_would_refuse_is_refused_here() -> None:
    with pytest.raises(InspectionError, match="not in the manifest"):
        effects(*manifests(), [("dd", "dent", "Grace", "")], sample_line())


def test_boxes_that_a_person_drew_are_named_and_hold_a_view_whose_label_they_contradict() -> None:
    raw, clean = manifests()
    conflict = "box_conflict: boxed as dent, labelled slide"
    clean.loc[2, "held_reason"] = conflict
    drawn = [("aa", "slide", "1", "2", "3", "4", "Grace", "")]
    found = effects(raw, clean, [], sample_line(), drawn)
    assert found.boxes == [("a.jpg", "no box", "slide at 1 2 3 4")]
    assert found.held == ["a.jpg"]
    assert "1 views get other boxes" in str(found)
