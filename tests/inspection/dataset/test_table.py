import io
import json

import pandas as pd
import pytest

from inspection.dataset.layouts import Columns
from inspection.dataset.table import Table, read_rows, read_table
from inspection.errors import InspectionError
from inspection.geometry import Box

IMAGES = ["shots/a.png", "shots/b.png", "marks/a.png"]
CSV = "file,kind,rod\nshots/a.png,dent,7\nshots/b.png,good,8\n"


def read(text: str, **columns: object) -> Table:
    return read_table(
        "t.csv", text.encode(), columns=Columns.model_validate(columns), images=IMAGES
    )


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("t.csv", CSV.encode()),
        ("t.csv", b"\xef\xbb\xbf" + CSV.encode()),
        ("t.csv", CSV.replace(",", ";").encode()),
        ("t.tsv", CSV.replace(",", "\t").encode()),
        ("t.csv", CSV.replace(",", "  ").encode()),
        (
            "t.jsonl",
            b'{"file": "shots/a.png", "kind": "dent", "rod": 7}\n'
            b'{"file": "shots/b.png", "kind": "good", "rod": 8}\n\n',
        ),
    ],
)
def test_each_kind_of_file_gives_the_same_rows(path: str, content: bytes) -> None:
    assert read_rows(path, content) == [
        {"file": "shots/a.png", "kind": "dent", "rod": "7"},
        {"file": "shots/b.png", "kind": "good", "rod": "8"},
    ]


def test_parquet_gives_the_same_rows_and_a_missing_cell_is_empty() -> None:
    out = io.BytesIO()
    pd.DataFrame({"file": ["shots/a.png", "b"], "kind": ["dent", None]}).to_parquet(out)
    assert read_rows("t.parquet", out.getvalue()) == [
        {"file": "shots/a.png", "kind": "dent"},
        {"file": "b", "kind": ""},
    ]


def test_the_columns_of_a_file_without_a_header_are_numbered() -> None:
    rows = read_rows("labels.csv", b"images/cell0001.png  1.0   mono\nimages/cell0002.png 0.0 poly")
    assert rows[0] == {"1": "images/cell0001.png", "2": "1.0", "3": "mono"}
    assert len(rows) == 2


def test_nested_json_becomes_dotted_columns() -> None:
    line = {"source-ref": "s3://b/a.png", "class": 1, "class-metadata": {"class-name": "ng"}}
    assert read_rows("m.manifest", json.dumps(line).encode()) == [
        {"source-ref": "s3://b/a.png", "class": "1", "class-metadata.class-name": "ng"}
    ]


def test_rows_say_labels_parts_and_masks_of_their_images() -> None:
    text = "file,kind,rod,mask\na,dent,7,\nshots/a.png,scratch,7,marks/a.png\nshots/b.png,,8,\n"
    table = read(text, image="file", label="kind", part="rod", mask="mask")
    # `a` alone is the name of two images, of a photograph and its mask
    assert [one.reason for one in table.annotations.findings] == ["label_without_image"]
    assert table.labels == {"shots/a.png": ["scratch"], "shots/b.png": []}
    assert table.groups == {"shots/a.png": {"part": "7"}, "shots/b.png": {"part": "8"}}
    assert table.masks == {"shots/a.png": "marks/a.png"}


def test_rows_of_one_image_add_up() -> None:
    text = (
        "file,kind,xmin,ymin,xmax,ymax\n"
        "shots/a.png,dent,1,2,11,22\nshots/a.png,pit,3,4,5,6\nshots/b.png,good,,,,\n"
    )
    table = read(text, image="file", label="kind", box=("xmin", "ymin", "xmax", "ymax"))
    assert table.labels["shots/a.png"] == ["dent", "pit"]
    first, second = table.annotations.boxes["shots/a.png"]
    assert (first.category, first.box) == ("dent", Box(1, 2, 10, 20))
    assert second.category == "pit"
    assert table.annotations.boxes["shots/b.png"] == []


def test_boxes_of_an_amazon_manifest_are_named_by_its_class_map() -> None:
    entries = [{"class_id": 1, "left": 4, "top": 5, "width": 6, "height": 7}]
    line = {
        "source-ref": "s3://bucket/shots/a.png",
        "bb": {"annotations": entries, "image_size": [{"width": 9, "height": 9}]},
        "bb-metadata": {"class-map": {"0": "pit", "1": "burr"}},
    }
    columns = Columns(image="source-ref", boxes="bb.annotations")
    content = json.dumps(line).encode()
    table = read_table("m.manifest", content, columns=columns, images=IMAGES)
    (box,) = table.annotations.boxes["shots/a.png"]
    assert (box.category, box.box) == ("burr", Box(4, 5, 6, 7))


def test_a_cell_that_holds_no_boxes_leaves_its_image_unread() -> None:
    table = read("file\tboxes\nshots/a.png\tnone\n", image="file", boxes="boxes")
    assert [one.reason for one in table.annotations.findings] == ["box_not_a_number"]
    assert table.annotations.unread == {"shots/a.png"}


def test_a_missing_column_is_an_error_that_names_those_that_are_there() -> None:
    with pytest.raises(InspectionError, match="no column 'class', only 'file', 'kind', 'rod'"):
        read(CSV, image="file", label="class")


@pytest.mark.parametrize(
    ("path", "content"), [("t.parquet", b"words"), ("t.jsonl", b"{"), ("t.jsonl", b"[1]")]
)
def test_what_is_no_table_is_refused(path: str, content: bytes) -> None:
    with pytest.raises(InspectionError, match=r"is no table that can be read"):
        read_rows(path, content)
