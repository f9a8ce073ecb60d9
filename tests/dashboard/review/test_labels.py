import pytest

from dashboard.review.decisions import Vote
from dashboard.review.labels import LabelTable, settled_label
from tests.bundles import sample_line


def votes(*answers: str) -> list[Vote]:
    return [Vote("a", answer, f"reviewer {n}", "") for n, answer in enumerate(answers)]


@pytest.mark.parametrize(
    ("answers", "settled"),
    [
        ([], ""),
        (["dent"], "dent"),
        (["dent", "slide"], ""),
        (["dent", "slide", "dent"], "dent"),
        (["vague"], ""),
        (["vague", "vague"], "vague"),
        (["dent", "dent", "vague"], "dent"),
    ],
)
def test_the_answer_that_most_gave_is_settled(answers: list[str], settled: str) -> None:
    assert settled_label(votes(*answers)) == settled


def test_rows_are_read_by_the_names_of_the_line_and_written_again() -> None:
    table = LabelTable(sample_line(classes={"normal": {"aliases": ["good"]}, "dent": {},
                                            "slide": {}, "under_press": {}}))  # fmt: skip
    said = table.votes([("a", "Good", "", "n"), ("b", "bent", "Kim", "")])
    assert [table.rows(vote) for vote in said] == [
        [("a", "normal", "unnamed", "n")], [("b", "bent", "Kim", "")]
    ]  # fmt: skip
    assert table.rows(Vote("a", "vague", "Kim", "blurred")) == [("a", "-", "Kim", "vague: blurred")]
