from inspection.dataset.quarantine import COLUMNS, Finding, as_table


def test_findings_are_listed_sorted_and_each_once() -> None:
    late, early = Finding("b.png", "empty", ""), Finding("a.png", "corrupt", "x", view_kept=True)
    table = as_table([late, early, late])
    assert list(table.columns) == COLUMNS
    assert list(table["path"]) == ["a.png", "b.png"]
    assert list(table["view_kept"]) == [True, False]


def test_no_finding_is_a_table_without_rows() -> None:
    assert list(as_table([]).columns) == COLUMNS
    assert len(as_table([])) == 0
