from inspection.adoption.proposal import Lacks, Proposal
from tests.inspection.adoption.listed import recognise

PATHS = [
    *(f"train/good/{n}.png" for n in range(4)),
    *(f"test/good/{n}.png" for n in range(2)),
    *(f"test/dent/{n}.png" for n in range(4)),
]


def test_splits_are_merged_and_their_folders_name_the_class() -> None:
    found = recognise("train_test", PATHS)
    assert isinstance(found, Proposal)
    assert found.labels["train/good/0.png"] == found.labels["test/good/0.png"] == "good"
    assert "test, train are merged" in found.says


def test_masks_that_lie_by_class_are_found() -> None:
    masks = [f"ground_truth/dent/{n}_mask.png <- mask" for n in range(4)]
    found = recognise("train_test", [*PATHS, *masks])
    assert isinstance(found, Proposal)
    assert found.layout == "class_folders_with_masks"
    assert found.settings == {"masks": "ground_truth/{class}/{stem}_mask.png"}


def test_without_a_split_it_is_another_form() -> None:
    paths = [f"{one}/{n}.png" for one in ("good", "dent") for n in "ab"]
    assert recognise("train_test", paths) == Lacks("there is no folder train or test")
