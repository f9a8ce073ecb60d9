import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from inspection.adoption.name_shapes import shapes_of
from inspection.adoption.part_guesses import PartGuess, guess_folder, guess_part
from inspection.adoption.runs import runs_of

Named = tuple[str, str]


def guessed(names: list[Named], label_column: int | None = None) -> PartGuess | None:
    """The first guess by any shape, for (label, stem) pairs in folders named by the label."""
    labels, stems = [label for label, _ in names], [stem for _, stem in names]
    guesses = (
        guess_part(shape, labels, labels, stems, label_column=label_column)
        for shape in shapes_of(stems)
    )
    return next((guess for guess in guesses if guess is not None), None)


def parts(good: range, bad: range, stem: str, views: int = 3) -> list[Named]:
    return [
        (label, stem.format(n=n, v=view))
        for label, numbers in (("good", good), ("bad", bad))
        for n in numbers
        for view in range(views)
    ]


@pytest.mark.parametrize("stem", ["{n:04d}_{v}", "part{n}view{v}", "P{n}-cam{v}", "IMG {n} ({v})"])
def test_a_number_that_several_images_share_is_the_part(stem: str) -> None:
    guess = guessed(parts(range(30), range(30, 45), stem))
    assert guess is not None
    assert guess.part_from.rule == "pattern"
    assert not guess.part_from.per_folder
    assert "135 images share 45 values" in guess.evidence


def test_numbers_that_begin_anew_in_each_folder_count_per_folder() -> None:
    guess = guessed(parts(range(30), range(25), "{n}_{v}"))
    assert guess is not None
    assert guess.part_from.per_folder


@pytest.mark.parametrize("stem", ["{n:03d}", "img_{n}", "scratch ({n})"])
def test_a_plain_counter_tells_no_part(stem: str) -> None:
    assert guessed(parts(range(60), range(60, 90), stem, views=1)) is None


def test_a_counter_with_holes_is_not_taken_for_runs() -> None:
    kept = np.flatnonzero(np.random.default_rng(0).random(500) < 0.9)
    assert guessed([("good" if n < 300 else "bad", f"img_{n}") for n in kept]) is None


def test_the_split_in_a_name_is_no_view_of_a_part() -> None:
    names = [("good", f"a{n}_{split}") for n in range(20) for split in ("train", "test")]
    assert guessed(names) is None


def in_folders(folders: list[str], bad: set[int], n: int = 30) -> tuple[list[str], list[str]]:
    """Folders and labels of `n` numbered images in each folder; `{label}` is OK or NG."""
    labels = ["NG" if k in bad else "OK" for _ in folders for k in range(n)]
    where = [folder for folder in folders for _ in range(n)]
    return [f.format(label=one) for f, one in zip(where, labels, strict=True)], labels


@pytest.mark.parametrize(
    ("folders", "rule"),
    [
        (["cam1/{label}", "cam2/{label}"], "pattern"),
        (["{label}/lot1", "{label}/lot2"], None),
        (["2024-03-01/{label}", "2024-03-02/{label}"], None),
        (["train/{label}", "test/{label}"], None),
    ],
)
def test_equal_numbers_are_one_part_in_two_cameras_and_not_in_two_lots(
    folders: list[str], rule: str | None
) -> None:
    where, labels = in_folders(folders, bad={3, 9, 20})
    stems = [f"{k:03d}" for _ in folders for k in range(30)]
    (shape, *_) = shapes_of(stems)
    guess = guess_part(shape, where, labels, stems, label_column=None)
    assert (guess.part_from.rule if guess else None) == rule


def test_groups_that_agree_only_because_defects_are_rare_are_no_parts() -> None:
    """Numbers begin anew in folders of no telling name, and six of 120 views are defects."""
    bad = {"a": {3}, "b": {9, 20}, "c": {11}, "d": {5, 25}}
    names = [(f, k) for f in bad for k in range(30)]
    labels = ["NG" if k in bad[f] else "OK" for f, k in names]
    stems = [f"{k:03d}" for _, k in names]
    (shape, *_) = shapes_of(stems)
    folders = [f"{label}/{f}" for label, (f, _) in zip(labels, names, strict=True)]
    assert guess_part(shape, folders, labels, stems, label_column=None) is None


@pytest.mark.parametrize(
    ("name", "n_each", "rule"), [("SN4{k}", 1, "folder"), ("lot{k}", 1, None), ("{k}", 2, None)]
)
def test_a_folder_is_a_part_unless_it_is_a_lot_or_stands_under_two_labels(
    name: str, n_each: int, rule: str | None
) -> None:
    labels = [label for label in ("OK", "NG") for _ in range(40)]
    folders = [
        f"{label}/{name.format(k=k % (80 // n_each) // 4)}" for k, label in enumerate(labels)
    ]
    guess = guess_folder(folders, labels, [str(k) for k in range(len(folders))])
    assert (guess.part_from.rule if guess else None) == rule


def test_part_numbers_that_begin_anew_under_each_label_are_told_by_views_of_the_same_names() -> (
    None
):
    parts_of = {"Good": 20, "Bad": 10}
    views = ("front", "left", "back")
    paths = [(label, n, view) for label, k in parts_of.items() for n in range(k) for view in views]
    folders = [f"{label}/Part {n:03d}" for label, n, _ in paths]
    guess = guess_folder(folders, [label for label, _, _ in paths], [view for *_, view in paths])
    assert guess is not None
    assert guess.part_from.rule == "folder"
    assert "30 folders of 3.0 images each" in guess.evidence


def test_folders_of_one_name_with_images_of_the_same_names_are_no_parts() -> None:
    splits = ("train/good", "validation/good", "test/good", "test/cut", "test/hole", "test/mixed")
    places = [f"{split}/{side}" for split in splits for side in ("a", "b")]
    paths = [(f"{place}/rgb", f"{n:03d}") for place in places for n in range(9)]
    folders, stems = [folder for folder, _ in paths], [stem for _, stem in paths]
    labels = [folder.split("/")[1] for folder in folders]
    assert guess_folder(folders, labels, stems) is None


def clustered(seed: int = 0) -> list[Named]:
    """Six shots of each tile, numbered 10 to 30 apart, and tiles 300 to 2000 apart."""
    rng = np.random.default_rng(seed)
    names, number = [], 100
    for tile in range(60):
        label = "good" if tile % 3 else "bad"
        for view in range(1, 7):
            names.append((label, f"exp{view}_num_{number}"))
            number += int(rng.integers(10, 31))
        number += int(rng.integers(300, 2001))
    return names


def test_numbers_that_cluster_make_parts_of_neighbours() -> None:
    names = clustered()
    guess = guessed(names)
    assert guess is not None
    assert guess.part_from.rule == "consecutive"
    assert 30 <= guess.part_from.max_gap < 300
    assert "60 runs" in guess.evidence
    assert "100% of the runs have 6 images" in guess.evidence


def test_times_cluster_over_midnight_and_hours_by_their_seconds() -> None:
    names, second = [], 0
    start = datetime(2024, 2, 28, 23, 50, tzinfo=UTC)
    for tile in range(60):
        for _ in range(2 + tile % 2):
            at = start + timedelta(seconds=second)
            names.append(("good" if tile % 3 else "bad", f"IMG_{at:%Y%m%d_%H%M%S}"))
            second += 1 + tile % 2
        second += 25 + tile % 30 + (86_400 if tile % 20 == 0 else 0)
    guess = guessed(names)
    assert guess is not None
    assert guess.part_from.in_seconds
    assert 2 <= guess.part_from.max_gap < 25
    assert "60 runs" in guess.evidence


def test_a_time_is_one_token_of_the_part_and_its_day_may_be_another() -> None:
    stems = [
        f"2024030{day}-10{n:02}{n % 60:02}-c{camera}"
        for day in (1, 2)
        for n in range(30)
        for camera in (1, 2)
    ]
    shape = shapes_of(stems)[0]
    assert shape.time_span == (0, 1)
    folders = labels = ["x"] * len(stems)
    guess = guess_part(shape, folders, labels, stems, label_column=None)
    assert guess is not None
    assert guess.span == (0, 1)
    assert re.fullmatch(shapes_of(stems[:60])[0].pattern({}), "20251231-235959-c1")


def test_a_time_of_day_alone_is_no_number() -> None:
    stems = [f"{n // 6:02}{n % 6 * 10:02}{second:02}" for n in range(60) for second in (1, 2, 3)]
    assert guessed([("good", stem) for stem in stems]) is None


def test_random_numbers_explain_less_than_the_threshold() -> None:
    numbers = np.random.default_rng(1).choice(100_000, 1000, replace=False).tolist()
    assert runs_of(numbers).separation < 0.7
    real = [int(re.findall(r"\d+", stem)[-1]) for _, stem in clustered()]
    assert runs_of(real).separation > 0.85


def test_runs_are_found_whatever_the_order() -> None:
    runs = runs_of([1000, 10, 1020, 25, 5000, 5011])
    assert len(set(runs.keys)) == 3
    assert runs.keys[0] == runs.keys[2]
    assert runs.keys[1] == runs.keys[3]


def test_the_pattern_of_a_shape_names_its_columns_and_allows_a_missing_last() -> None:
    stems = ["Ch00_1000_dent_1", "Ch01_1001_oil stain_2", "Ch01_1002_dent"]
    shape = shapes_of(stems)[0]
    pattern = re.compile(shape.pattern({(1, 1): "part", (2, 2): "label", (3, 3): "view"}))
    told = [pattern.fullmatch(stem) for stem in stems]
    assert [match["label"] if match else None for match in told] == ["dent", "oil stain", "dent"]
    assert [match["view"] if match else "" for match in told] == ["1", "2", None]


def test_names_without_a_common_shape_have_none() -> None:
    stems = ["x1", "a-b-1-2", "foo_1", "2020_01_02_03", "y", "a1", "a_b2", "a_b_13"]
    assert shapes_of(stems) == []


@pytest.mark.parametrize(
    ("stem", "key"),
    [
        ("{n:03d}_{v}", (0, 0)),
        ("{n:03d}_CAM{v}", (0, 0)),
        ("cam{v}_{n:03d}", (1, 1)),
        ("{v}_{n:03d}", (1, 1)),
        ("{n:03d}_patch{v}-0", (0, 0)),
        ("20240301_{n:03d}_{v}", (1, 1)),
        ("L1_{n:03d}_shot{v}", (1, 1)),
    ],
)
def test_of_a_part_and_its_few_shots_the_part_is_the_key(stem: str, key: tuple[int, int]) -> None:
    guess = guessed(parts(range(20), range(14), stem))
    assert guess is not None
    assert guess.span == key
    assert "share 34 values" in guess.evidence


def test_a_camera_beside_the_label_is_no_part() -> None:
    names = [
        (label, f"{n:03d}_{label.upper()}_C{camera}")
        for label, n_parts in (("good", 20), ("bad", 12))
        for n in range(n_parts)
        for camera in (1, 2, 3)
    ]
    guess = guessed(names)
    assert guess is not None
    assert guess.span == (0, 1)
    assert "share 32 values" in guess.evidence


def test_a_few_parts_of_many_shots_are_parts_where_they_are_named_so() -> None:
    guess = guessed(parts(range(5), range(5, 10), "P{n}_{v:02d}", views=20))
    assert guess is not None
    assert guess.span == (0, 0)


def test_a_part_of_one_day_is_not_that_of_another_day_of_the_same_number() -> None:
    names = [
        (label, f"2024030{day}_{n:03d}_{view}")
        for label, first in (("good", 0), ("bad", 20))
        for day in (1, 2, 3)
        for n in range(first, first + 20)
        for view in (1, 2)
    ]
    guess = guessed(names)
    assert guess is not None
    assert guess.span == (0, 1)
    assert "share 120 values" in guess.evidence


def test_a_token_that_only_repeats_the_folder_tells_no_part() -> None:
    folders = [f"good/23{k}" for k in range(3) for _ in range(7)] + ["bad"] * 20
    stems = [f"{n:04d}_000_{k:02d}" for k in range(3) for n in range(7)]
    stems += [f"{n:04d}_002_00" for n in range(20)]
    labels = [folder.split("/")[0] for folder in folders]
    (shape, *_) = shapes_of(stems)
    assert guess_part(shape, folders, labels, stems, label_column=None) is None


@pytest.mark.parametrize(
    "tails",
    [("", "_flip_h", "_rot180", "_blur2"), ("_regular", "_shift_1", "_shift_2", "_overexposed")],
    ids=str,
)
def test_names_whose_tail_varies_keep_their_number(tails: tuple[str, ...]) -> None:
    names = [("good", f"{n:03d}{tail}") for n in range(20) for tail in tails]
    names += [("bad", f"{n:03d}{tail}") for n in range(20, 32) for tail in tails]
    guess = guessed(names)
    assert guess is not None
    assert guess.span == (0, 0)
    assert "share 32 values" in guess.evidence
