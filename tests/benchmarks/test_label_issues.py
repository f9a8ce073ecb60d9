import unicodedata

from benchmarks.label_issues import recall, spoiled


def view(spoiled: str = "", broken: str = "", boxes: str = "truth") -> dict[str, str]:
    return {"spoiled": spoiled, "broken": broken, "boxes_follow": boxes}


def test_recall_counts_spoiled_views_among_as_many_suspects() -> None:
    truth = {"a": view("part"), "b": view("view", boxes="name"), "c": view(), "d": view("part")}
    wrong = spoiled(truth)
    rows = recall(["a", "c", "b", "d"], wrong)
    assert rows == [
        ("all", 2, 3),
        ("part, boxes follow truth", 1, 2),
        ("view, boxes follow name", 1, 1),
    ]


def test_broken_views_do_not_count_and_names_agree_in_either_unicode_form() -> None:
    name = unicodedata.normalize("NFD", "찍힘.jpg")
    assert list(spoiled({name: view("part"), "x": view("part", broken="empty")})) == ["찍힘.jpg"]
