from ruamel.yaml import YAML

from inspection.adoption.params_text import as_block, with_section, with_value

TEXT = """\
# the head
line:
  name: old  # a name
  classes:
    a: {}

# about the split
split:
  seed: 0  # why

clean_labels:
  rules:                   # what a conflict does
    box_conflict: hold     # boxed
    part_disagreement: hold  # views
  seed: 0
"""


def test_a_section_is_replaced_and_every_other_line_stays() -> None:
    block = as_block("line", {"name": "new"}, comment="inferred")
    changed = with_section(TEXT, "line", block)
    assert changed == TEXT.replace(
        "line:\n  name: old  # a name\n  classes:\n    a: {}\n", "line:  # inferred\n  name: new\n"
    )


def test_a_section_that_is_not_there_is_added_at_the_end() -> None:
    changed = with_section(TEXT, "validate", "validate:\n  layout: flat\n")
    assert changed == TEXT + "\nvalidate:\n  layout: flat\n"


def test_the_last_section_is_replaced_to_its_end() -> None:
    assert with_section("a: 1\nb:\n  c: 2\n", "b", "b: 3\n") == "a: 1\nb: 3\n"


def test_one_value_changes_within_its_section_alone() -> None:
    changed = with_value(TEXT, "clean_labels", "part_disagreement", "report")
    assert changed == TEXT.replace("part_disagreement: hold", "part_disagreement: report")
    assert with_value(TEXT, "split", "part_disagreement", "report") == TEXT


def test_a_value_in_quotes_is_replaced_with_its_quotes() -> None:
    """YAML 1.1 reads a plain off as false."""
    quoted = with_value(TEXT, "clean_labels", "part_disagreement", "'off'")
    assert "part_disagreement: 'off'  # views" in quoted
    assert with_value(quoted, "clean_labels", "part_disagreement", "hold") == TEXT
    assert with_value(TEXT, "split", "seed", "7").count("seed: 7") == 1


def test_a_list_on_one_line_is_replaced_whole() -> None:
    text = "train:\n  window_px: null  # of large crops\n"
    changed = with_value(text, "train", "window_px", "[256, 128]")
    assert changed == "train:\n  window_px: [256, 128]  # of large crops\n"
    assert with_value(changed, "train", "window_px", "null") == text


def test_what_is_written_reads_back_the_same() -> None:
    content = {
        "pattern": r"(?P<part>\d+)_(?P<label>[^_]+)",
        "masks": "{folder}/{stem}.png",
        "classes": {"normal": {"aliases": ["정상", "no: defect", "O'K"]}, "dent": {}},
        "part_from": {"rule": "consecutive", "max_gap": 137},
        "size_px": [256, 64],
        "whole_frame": True,
    }
    block = as_block("validate", content, comment="inferred")
    assert YAML(typ="safe").load(block) == {"validate": content}
    assert "part_from: {rule: consecutive, max_gap: 137}\n" in block
