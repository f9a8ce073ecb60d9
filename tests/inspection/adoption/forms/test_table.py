from dataclasses import replace

import pytest

from inspection.adoption.forms.table import recognise as recognise_table
from inspection.adoption.proposal import Lacks, Proposal
from inspection.errors import InspectionError
from tests.inspection.adoption import listed
from tests.inspection.adoption.listed import planned, recognise, words

PHOTOS = [f"shots/{n}.png" for n in range(6)]
LABELS = ["ok", "ok", "ok", "dent", "dent", "dent"]


def rows(head: str, *cells: str) -> list[str]:
    return [f"== {head.partition(': ')[0]}", head.partition(": ")[2], *cells]


def labelled(head: str = "t.csv: image,label", **answers: str) -> Proposal | Lacks:
    cells = [f"{path},{label}" for path, label in zip(PHOTOS, LABELS, strict=True)]
    return recognise("table", [*PHOTOS, *rows(head, *cells)], **answers)


def test_a_column_of_images_and_one_of_labels_are_found_by_name() -> None:
    found = labelled()
    assert isinstance(found, Proposal)
    assert found.labels == dict(zip(PHOTOS, LABELS, strict=True))
    assert found.settings["columns"] == {"image": "image", "label": "label"}


def test_what_a_column_holds_is_seen_from_its_first_two_hundred_rows() -> None:
    """A hundred of them are images, which is not most; of 199 it would be, and of 201 as well."""
    some = [f"shots/{n}.png" for n in range(101)]
    cells = ["no.png"] * 99 + some[:100] + ["no.png"] + some[100:]
    lines = [f"{cell},{'ok' if n % 2 else 'dent'}" for n, cell in enumerate(cells)]
    assert isinstance(recognise("table", [*some, *rows("t.csv: image,label", *lines)]), Lacks)


def test_the_only_column_of_few_values_is_the_label_whatever_it_is_called() -> None:
    found = labelled("t.csv: file,finding")
    assert isinstance(found, Proposal)
    assert found.columns["label"] == "finding"


def test_a_column_that_is_not_there_is_said_with_those_that_are() -> None:
    found = labelled(label="kind")
    assert found == Lacks("t.csv has no column 'kind', only image, label", is_near=True)


def test_of_several_tables_one_is_asked_for() -> None:
    cells = [f"{path},{label}" for path, label in zip(PHOTOS, LABELS, strict=True)]
    lines = [*PHOTOS, *rows("a.csv: image,label", *cells), *rows("b.csv: image,label", *cells)]
    found = recognise("table", lines)
    assert isinstance(found, Lacks)
    assert "LABEL=a.csv:label or LABEL=b.csv:label" in found.what
    assert isinstance(recognise("table", lines, label="b.csv:label"), Proposal)


def test_a_column_of_one_value_says_nothing() -> None:
    found = recognise("table", [*PHOTOS, *rows("t.csv: image,label", *(f"{p},ok" for p in PHOTOS))])
    assert found == Lacks("t.csv: all of column 'label' is alike", is_near=True)


def test_of_several_rows_of_an_image_the_first_defect_counts() -> None:
    cells = [*(f"{path},ok" for path in PHOTOS), "shots/0.png,dent", "shots/0.png,slide"]
    found = recognise("table", [*PHOTOS, *rows("t.csv: image,label", *cells)])
    assert isinstance(found, Proposal)
    assert found.labels["shots/0.png"] == "dent"


def test_images_that_nothing_lists_are_normal_where_the_user_says_so() -> None:
    cells = ["shots/0.png,dent", "shots/1.png,slide", "shots/2.png,fold"]
    lines = [*PHOTOS, *rows("t.csv: image,label", *cells)]
    found = recognise("table", lines, normal="unlisted")
    assert isinstance(found, Proposal)
    assert found.labels["shots/5.png"] == ""
    assert found.settings["unlabelled"] == "normal"
    without = recognise("table", lines)
    assert isinstance(without, Lacks)
    assert "NORMAL=unlisted if the 3 that no row names" in without.what


@pytest.mark.parametrize(("last", "is_used"), [("p3", True), ("", False)])
def test_a_column_of_parts_is_used_where_it_says_all_of_them(last: str, is_used: bool) -> None:
    parts = ["p1", "p1", "p2", "p2", "p3", last]
    cells = [",".join(one) for one in zip(PHOTOS, LABELS, parts, strict=True)]
    found = recognise("table", [*PHOTOS, *rows("t.csv: image,label,part", *cells)])
    assert isinstance(found, Proposal)
    assert ("part" in found.columns) == is_used
    assert bool(found.parts) == is_used


def test_four_columns_of_edges_are_boxes() -> None:
    cells = [f"{path},{label},1,2,30,40" for path, label in zip(PHOTOS, LABELS, strict=True)]
    head = "t.csv: image,label,x_min,y_min,x_max,y_max"
    found = recognise("table", [*PHOTOS, *rows(head, *cells)])
    assert isinstance(found, Proposal)
    assert found.columns["box"] == ("x_min", "y_min", "x_max", "y_max")


def test_a_column_of_folds_is_not_used_and_that_is_said() -> None:
    cells = [f"{path},{label},train" for path, label in zip(PHOTOS, LABELS, strict=True)]
    found = recognise("table", [*PHOTOS, *rows("t.csv: image,label,split", *cells)])
    assert isinstance(found, Proposal)
    assert "the column 'split' of t.csv is not used" in found.notes[0]


def test_columns_that_are_not_read_are_said() -> None:
    cells = [f"{path},{label},4 7,train," for path, label in zip(PHOTOS, LABELS, strict=True)]
    found = recognise("table", [*PHOTOS, *rows("t.csv: image,label,runs,split,empty", *cells)])
    assert isinstance(found, Proposal)
    assert found.notes[0].startswith("what t.csv says in 'runs' is not used")


@pytest.mark.parametrize(("n_words", "fits"), [(40, True), (41, False)])
def test_a_column_of_labels_without_a_usual_name_has_up_to_40_values(
    n_words: int, fits: bool
) -> None:
    names = [(f"{k:02}{n}.png", word) for k, word in enumerate(words(n_words)) for n in range(2)]
    rows = [f"{name},{word}" for name, word in names]
    lines = [*(name for name, _ in names), "== t.csv", "file,finding", *rows]
    if fits:
        assert len(planned(lines, part="file").n_parts) == n_words
    else:
        with pytest.raises(InspectionError, match="LABEL=<column>"):
            planned(lines)


def test_of_several_columns_the_one_in_which_something_means_normal_is_the_label() -> None:
    lines = [f"{path},{n % 3},{'i.O.' if n % 2 else 'n.i.O.'}" for n, path in enumerate(PHOTOS)]
    found = recognise("table", [*PHOTOS, *rows("t.csv: Datei,Schicht,Ergebnis", *lines)])
    assert isinstance(found, Proposal)
    assert found.columns["label"] == "Ergebnis"


def unclear(first: str, second: str, **answers: str) -> str:
    """What is asked of a table with two columns of as many values, by turns of these words."""
    one, other = first.split(), second.split()
    lines = [f"{p},{one[n % len(one)]},{other[n % len(other)]}" for n, p in enumerate(PHOTOS)]
    found = recognise("table", [*PHOTOS, *rows("t.csv: Datei,A,B", *lines)], **answers)
    assert isinstance(found, Lacks)
    return found.what


def test_column_of_labels_and_normal_class_are_asked_at_once_with_the_values_to_choose_from() -> (
    None
):
    what = unclear("1 2 3 4", "mono poly")
    assert "A ('1', '2', '3', '4'), B ('mono', 'poly'); say LABEL=A or LABEL=B" in what
    assert "and at once which of its values is the normal one" in what
    assert "say NORMAL=<value> (pipelines.adopt: --normal), or NORMAL=unlisted if" in what

    lines = [f"{p},{n % 4 + 1},{n % 2}" for n, p in enumerate(PHOTOS)]
    table = [*PHOTOS, *rows("t.csv: Datei,A,B", *lines)]
    answered = recognise("table", table, label="A", normal="1")
    assert isinstance(answered, Proposal)


def test_the_normal_class_is_not_asked_for_where_it_is_said_or_a_value_means_it() -> None:
    assert "NORMAL" not in unclear("1 2 3 4", "mono poly", normal="1")
    assert "NORMAL" not in unclear("ok 2 3", "good bad")


def test_of_several_tables_without_a_normal_class_both_are_asked_at_once() -> None:
    cells = [f"{path},{n % 2}" for n, path in enumerate(PHOTOS)]
    lines = [*PHOTOS, *rows("a.csv: image,label", *cells), *rows("b.csv: image,label", *cells)]
    found = recognise("table", lines)
    assert isinstance(found, Lacks)
    assert "say NORMAL=<value>" in found.what
    answered = recognise("table", lines, label="b.csv:label", normal="0")
    assert isinstance(answered, Proposal)


@pytest.mark.parametrize(("n_values", "are_all"), [(8, True), (9, False)])
def test_eight_values_of_a_column_are_listed(n_values: int, are_all: bool) -> None:
    photos = [f"shots/{n}.png" for n in range(2 * n_values)]
    lines = [f"{p},w{n % n_values},{n % 2}" for n, p in enumerate(photos)]
    found = recognise("table", [*photos, *rows("t.csv: Datei,A,B", *lines)])
    assert isinstance(found, Lacks)
    assert (f"'w{n_values - 1}'" in found.what) == are_all
    assert ("'w2' and 6 more" in found.what) == (not are_all)


def test_of_several_tables_that_of_most_labels_is_named_first() -> None:
    alike = [f"{path},{n % 2}" for n, path in enumerate(PHOTOS)]
    more = [f"{path},{n % 3}" for n, path in enumerate(PHOTOS)]
    lines = [*PHOTOS, *rows("a.csv: image,label", *alike), *rows("b.csv: image,label", *more)]
    found = recognise("table", lines)
    assert isinstance(found, Lacks)
    assert "LABEL=b.csv:label or LABEL=a.csv:label" in found.what


def test_a_table_that_cannot_be_read_is_told_and_not_passed_over() -> None:
    content = b"image,label\n" + b"".join(f"{path},".encode() + b"\xff\x00\n" for path in PHOTOS)
    listing, contents = listed._read([*PHOTOS, "== t.csv"], {})
    found = recognise_table(listing, replace(contents, texts={"t.csv": content}))
    assert isinstance(found, Lacks)
    assert found.is_near
    assert "t.csv" in found.what


def test_once_it_is_said_that_unlisted_images_are_normal_it_is_not_asked_for() -> None:
    lines = [f"{path},{n % 2}" for n, path in enumerate(PHOTOS[:4])]
    found = recognise(
        "table",
        [*PHOTOS, "elsewhere/1.png", *rows("t.csv: image,label", *lines)],
        normal="unlisted",
    )
    assert isinstance(found, Proposal)
    assert "1 images that no row" in found.notes[-1]
    assert "NORMAL=" not in found.notes[-1]
