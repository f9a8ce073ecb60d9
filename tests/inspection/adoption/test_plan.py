"""From a listing to the sections of params.yaml, and what of the folder is copied."""

import pytest

from inspection.adoption.training import epochs_for
from inspection.errors import InspectionError
from tests.inspection.adoption.listed import planned, understood

FOLDERS = [f"{label}/{n}.png" for label in ("good", "bad") for n in range(9)]


def test_what_is_read_is_copied_and_all_else_is_ignored() -> None:
    found = planned([*FOLDERS, "notes.docx", "good/.hidden.png"])
    assert found.files == sorted(FOLDERS)
    assert found.ignored == ["good/.hidden.png", "notes.docx"]


def test_masks_are_copied_where_they_are_looked_for() -> None:
    masks = [f"masks/{n}.png <- mask" for n in range(9)]
    photos = [f"bad/{n}.png" for n in range(9)] + [f"good/g{n}.png" for n in range(9)]
    found = planned([*photos, *masks])
    assert found.validate["masks"] == "masks/{stem}.png"
    assert {f"masks/{n}.png" for n in range(9)} < set(found.files)


def test_a_folder_without_images_is_an_error() -> None:
    with pytest.raises(InspectionError, match=r"no image .* in the folder"):
        planned(["notes.txt", "== notes.txt", "nothing here"])


def test_a_class_of_one_part_is_counted_and_left_out_of_the_line() -> None:
    found = planned([*FOLDERS, "rare/1.png"])
    assert found.n_parts["rare"] == 1
    assert set(found.line["classes"]) == {"good", "bad"}


@pytest.mark.parametrize("label", ["good", "bad"])
def test_without_two_parts_of_a_kind_there_is_nothing_to_learn(label: str) -> None:
    few = [path for path in FOLDERS if not path.startswith(f"{label}/")] + [f"{label}/1.png"]
    with pytest.raises(InspectionError, match=rf"parts found: .*{label} 1"):
        planned(few)


def test_several_names_that_mean_normal_are_one_class() -> None:
    lines = [f"{label}/{n}.png" for label in ("ok", "free", "dent") for n in range(9)]
    found = planned(lines)
    assert found.classes == {"normal": ["free", "ok"], "dent": ["dent"]}
    assert found.n_parts == {"normal": 18, "dent": 9}


def test_a_part_of_marked_views_is_defective_where_any_view_is() -> None:
    """Where one of two views is marked the part is no normal one, though the other is clean."""
    photos = [f"p{n:02}_{shot}.png" for n in range(12) for shot in (0, 1)]
    masks = [f"p{n:02}_{shot}_mask.png <- {'mask' if n < 4 and shot else 'empty mask'}"
             for n in range(12) for shot in (0, 1)]  # fmt: skip
    found = planned([*photos, *masks], part="<part>_<shot>")
    assert found.n_parts == {"normal": 8, "defect": 4}
    assert found.part_disagreement == "off"


def test_a_part_with_two_labels_is_held_unless_parts_are_only_inferred() -> None:
    assert planned(FOLDERS).part_disagreement == "hold"
    numbers = [r * 2000 + 20 * v for r in range(12) for v in range(6)]
    lines = [f"{'good' if n < 12000 else 'bad'}/img_{n}.png" for n in numbers]
    assert planned(lines, part="runs").part_disagreement == "report"


def test_training_follows_the_number_of_views() -> None:
    few, more = (
        planned(FOLDERS),
        planned([f"{at}/{n}.png" for at in ("good", "bad") for n in range(800)]),
    )
    assert few.epochs == epochs_for(len(few.photos))
    assert more.epochs == epochs_for(1600) < few.epochs


@pytest.mark.parametrize(
    ("listing", "marks"),
    [("casting", False), ("kolektor_sdd2", True), ("hripcb", True), ("mvtec_ad_bottle", True)],
)
def test_a_set_marks_places_where_it_has_masks_or_boxes_of_defects(
    listing: str, marks: bool
) -> None:
    assert understood(listing).marks_places is marks


def test_boxes_of_the_part_alone_mark_no_defect() -> None:
    photos = [f"{label}/{n}.png" for label in ("ok", "nok") for n in range(9)]
    boxes = [line for one in photos for line in (f"== {one[:-4]}.txt", "0 0.5 0.5 0.5 0.5")]
    found = planned([*photos, "== classes.txt", "housing", *boxes])
    assert list(found.line["regions"]) == ["housing"]
    assert not found.marks_places


def test_where_images_are_of_a_kind_that_is_not_read_each_refusal_says_so() -> None:
    with pytest.raises(InspectionError, match=r"but images of a kind that is not read \(2 .heic\)"):
        planned(["ok/1.HEIC", "ng/2.heic"])
    lines = [*(f"OK/{n}.jpg" for n in range(9)), *(f"NG/{n}.heic" for n in range(9))]
    with pytest.raises(InspectionError, match=r"\(9 .heic\) lie there, too; convert them"):
        planned(lines)


def test_parts_with_two_labels_are_counted_and_held_only_where_they_are_few() -> None:
    names = [f"{label}/p{n:02}_{shot}.png" for label in ("good", "bad") for n in range(20)
             for shot in (0, 1)]  # fmt: skip
    every = planned(names, part="<part>_<shot>")
    assert (every.n_grouped, every.n_mixed, every.part_disagreement) == (20, 20, "report")
    one = [*names[:40], *(path.replace("/p", "/q") for path in names[40:]), "bad/p00_2.png"]
    found = planned(one, part="<part>_<shot>")
    assert (found.n_grouped, found.n_mixed, found.part_disagreement) == (40, 1, "hold")


def test_part_file_is_no_remedy_where_it_is_the_rule() -> None:
    few = [*(f"good/{n}.png" for n in range(9)), "bad/1.png"]
    with pytest.raises(InspectionError) as caught:
        planned(few, part="file")
    assert "PART=file" not in str(caught.value)


def test_several_classes_may_be_said_to_be_normal() -> None:
    found = planned([f"{c}/{n}.png" for c in ("UD", "UP", "CD") for n in range(9)], normal="UD,UP")
    assert found.line["normal"] == "normal"
    assert found.line["classes"]["normal"]["aliases"] == ["UD", "UP"]
