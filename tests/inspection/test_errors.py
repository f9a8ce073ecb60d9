import pytest

from inspection.errors import InspectionError, first_three, raise_all


def test_all_problems_are_raised_at_once_one_per_line() -> None:
    with pytest.raises(InspectionError) as caught:
        raise_all(f"line {number}: broken; repair it" for number in (1, 2))
    assert str(caught.value) == "line 1: broken; repair it\nline 2: broken; repair it"


def test_no_problem_raises_nothing() -> None:
    raise_all([])


def test_up_to_three_items_are_quoted_and_the_rest_is_counted() -> None:
    assert first_three(["a"]) == "'a'"
    assert first_three("abc") == "'a', 'b', 'c'"
    assert first_three("abcdefg") == "'a', 'b', 'c' and 4 more"
