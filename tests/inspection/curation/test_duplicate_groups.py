import json
import re

import pandas as pd
import pytest

from inspection.curation.duplicate_groups import as_table, check_spread, components, with_groups
from inspection.errors import InspectionError


def test_components_join_what_is_linked_through_others() -> None:
    assert list(components(5, [(0, 3), (3, 1)])) == [0, 0, 2, 0, 4]


def table(parts: list[str], copies: dict[int, list[str]] | None = None) -> pd.DataFrame:
    """One view of each of `parts`; `copies` are part numbers of copies by the number of a view."""
    ids = [f"v{i}" for i in range(len(parts))]
    cells = [
        json.dumps([{"part_id": p} for p in (copies or {}).get(i, [])]) for i in range(len(ids))
    ]
    columns = {"view_id": ids, "path": ids, "part_id": parts, "label": "normal", "copies": cells}
    return pd.DataFrame(columns)


def test_groups_join_the_parts_of_duplicates_with_all_their_views() -> None:
    grouped = with_groups(table(["a", "b", "b", "c"]), [(0, 1, 0.9)])
    assert list(grouped["near_duplicate_group"]) == ["v0", "v0", "", ""]
    assert list(grouped["group_id"]) == ["a", "a", "a", "c"]
    listed = as_table(grouped, [(0, 1, 0.9)])
    assert list(listed["view_id"]) == ["v0", "v1"]
    assert list(listed["correlation"]) == [0.9, 0.9]


def test_groups_join_the_part_numbers_under_which_one_file_was_filed() -> None:
    grouped = with_groups(table(["a", "b", "c", "d"], {0: ["c"], 2: ["d", "e"]}), [])
    assert list(grouped["group_id"]) == ["a", "b", "a", "a"]
    assert list(grouped["near_duplicate_group"]) == [""] * 4


def test_groups_join_parts_through_a_number_that_only_copies_bear() -> None:
    grouped = with_groups(table(["a", "b", "c"], {0: ["z"], 2: ["z"]}), [])
    assert list(grouped["group_id"]) == ["a", "b", "a"]


def test_duplicates_that_join_most_parts_are_an_error_with_its_remedy() -> None:
    parts = [str(i) for i in range(20)]
    chain = [(i, i + 1, 0.701 + i / 100) for i in range(14)]
    with pytest.raises(InspectionError, match=r"join 15 of 20 parts.*: 10 at most") as raised:
        check_spread(with_groups(table(parts), chain), chain)
    (named,) = re.findall(r"set clean_labels\.min_correlation to (\S+) in", str(raised.value))
    # of a chain of 14 links that grow tighter the last nine may stay
    assert float(named) == 0.75
    assert "it joins 10 at most)" in str(raised.value)

    followed = [pair for pair in chain if pair[2] >= float(named)]
    check_spread(with_groups(table(parts), followed), followed)
    loose = [pair for pair in chain if pair[2] >= float(named) - 0.01]
    with pytest.raises(InspectionError, match="join 11 of 20"):
        check_spread(with_groups(table(parts), loose), loose)


@pytest.mark.parametrize(("correlation", "is_named"), [(0.795, False), (0.805, True)])
def test_a_remedy_that_may_cost_copies_says_so(correlation: float, is_named: bool) -> None:
    parts = [str(i) for i in range(20)]
    chain = [(i, i + 1, correlation) for i in range(14)]
    with pytest.raises(InspectionError) as raised:
        check_spread(with_groups(table(parts), chain), chain)
    assert ("may take a copy" in str(raised.value)) == is_named


def test_parts_that_files_of_the_same_bytes_join_are_parted_by_no_correlation() -> None:
    parts = [str(i) for i in range(20)]
    joined = table(parts, {0: parts[:15]})
    for pairs in ([], [(0, 1, 0.9)]):
        with pytest.raises(InspectionError, match="correct validate") as raised:
            check_spread(with_groups(joined, pairs), pairs)
        assert "min_correlation" not in str(raised.value)


@pytest.mark.parametrize(
    ("n_joined", "n_parts", "is_refused"),
    [(10, 30, False), (11, 30, True), (30, 100, False), (31, 100, True)],
)
def test_a_group_joins_ten_parts_or_three_in_ten_at_most(
    n_joined: int, n_parts: int, is_refused: bool
) -> None:
    groups = ["g"] * n_joined + [f"p{i}" for i in range(n_joined, n_parts)]
    views = pd.DataFrame({"part_id": [f"p{i}" for i in range(n_parts)], "group_id": groups})
    if is_refused:
        with pytest.raises(InspectionError, match=f"duplicates join {n_joined} of {n_parts}"):
            check_spread(views, [])
    else:
        check_spread(views, [])


def test_a_listed_correlation_has_four_digits() -> None:
    views = with_groups(table(["a", "b"]), [(0, 1, 0.87654321)])
    columns = {"path": ["a.png", "b.png"], "label": "normal"}
    listed = as_table(views.assign(**columns), [(0, 1, 0.87654321)])
    assert list(listed["correlation"]) == [0.8765, 0.8765]
