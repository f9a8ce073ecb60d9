import pytest

from inspection.adoption.folders import (
    check_one_product,
    class_folders,
    glob_of,
    is_image,
    is_split,
)
from inspection.errors import InspectionError


def test_hidden_files_are_no_images() -> None:
    assert is_image("a/b.JPG")
    assert not any(map(is_image, ("a/.b.jpg", ".thumbs/b.jpg", "__MACOSX/b.jpg", "b.webp")))


def test_splits_are_known_by_their_first_word() -> None:
    assert all(map(is_split, ("train", "Test_Set", "test_public", "validation", "training data")))
    assert not any(map(is_split, ("trainer", "latest", "good", "1", "defect_test")))


@pytest.mark.parametrize(("n_classes", "n_named"), [(40, 40), (41, 0)])
def test_forty_folders_are_classes_and_more_are_not(n_classes: int, n_named: int) -> None:
    images = [f"c{n}/{i}.png" for n in range(n_classes) for i in range(2)]
    assert len(set(class_folders(images).values())) == n_named


def test_a_level_of_folders_with_a_normal_class_is_taken_before_one_without() -> None:
    images = [f"{c}/Imgs/s{n}/{i}.png" for c in ("OK", "NG") for n in range(9) for i in range(2)]
    assert set(class_folders(images).values()) == {"OK", "NG"}


@pytest.mark.parametrize(("n_aside", "n_named"), [(19, 20), (20, 0)])
def test_most_images_lie_in_folders_of_classes(n_aside: int, n_named: int) -> None:
    images = [f"{c}/{n}.png" for c in ("good", "bad") for n in range(10)]
    aside = [f"test/{n:04}.png" for n in range(n_aside)]
    assert len(class_folders([*images, *aside])) == n_named


def test_cameras_and_classes_with_splits_of_their_own_are_no_products() -> None:
    for tops in (("cam1", "cam2"), ("good", "bad")):
        check_one_product([f"{top}/{s}/ok/1.png" for top in tops for s in ("train", "test")], ())
    paths = [f"{top}/{s}/ok/1.png" for top in ("cap", "nut") for s in ("train", "test")]
    with pytest.raises(InspectionError, match="'cap', 'nut'"):
        check_one_product(paths, ())


def test_of_several_products_below_one_folder_the_commands_name_each_from_the_top() -> None:
    """As DAGM lies beside its readme: `DAGM/Class1/Train/0001.PNG`."""
    paths = [f"DAGM/Class{n}/{s}/1.png" for n in (1, 2) for s in ("Train", "Test")]
    with pytest.raises(InspectionError) as refused:
        check_one_product(paths, ())
    assert "make adopt DATA=<folder>/DAGM/Class1)" in str(refused.value)
    assert "make line NAME=class2 DATA=<folder>/DAGM/Class2)" in str(refused.value)


@pytest.mark.parametrize(
    ("images", "others", "globs"),
    [
        (["a/1.png"], [], ["**/*"]),
        (["a/1.jpg"], ["a/1.png"], ["**/*.jpg"]),
        (["a/x/1.png", "b/1.png"], ["c/1.png"], ["a/**/*", "b/**/*"]),
        (["a/1.png", "a/b/2.bmp"], ["a/c/1.png", "a/d.bmp"], ["a/*.png", "a/b/*"]),
        (["1.png"], ["c/1.png"], ["*"]),
    ],
)
def test_globs_tell_images_from_others(
    images: list[str], others: list[str], globs: list[str]
) -> None:
    assert glob_of(images, apart_from=others) == globs


def test_one_set_that_is_packed_twice_is_asked_about() -> None:
    """As the casting set is: pictures, and copies of them in splits."""
    whole = [f"casting_512/{c}/{n}.jpg" for c in ("ok_front", "def_front") for n in range(3)]
    split = [f"casting/{s}/{c}/1.jpg" for s in ("train", "test") for c in ("ok_front", "def_front")]
    with pytest.raises(InspectionError, match=r"'casting', 'casting_512'.* packed twice"):
        check_one_product([*whole, *split], ())
    check_one_product(split, ())
    check_one_product(whole, ())
