import pytest

from dashboard.times import to_the_minute


@pytest.mark.parametrize(
    ("when", "read"),
    [("2026-11-25T10:42:07.5+00:00", "2026-11-25 10:42"), ("2026-11-25", "2026-11-25"), ("", "")],
)
def test_a_time_is_read_to_the_minute(when: str, read: str) -> None:
    assert to_the_minute(when) == read
