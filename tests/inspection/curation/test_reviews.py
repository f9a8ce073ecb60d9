import pandas as pd
import pytest

from inspection.curation.label_rules import (
    conflicts,
    with_holds,
)
from inspection.curation.reviews import read_reviews, with_reviews
from inspection.errors import InspectionError
from tests.labelled_views import ALL, LINE, found, reviews, views, with_copies


def test_a_review_settles_a_view_and_its_copies() -> None:
    raw = with_copies(views(("a", "normal", [], "")), ("x.png", "dent"))
    table = with_reviews(raw, read_reviews(reviews(("sha0", "normal")), raw, LINE))
    assert found(table) == []


def test_a_review_changes_the_label_and_settles_the_other_views_of_the_part() -> None:
    raw = views(("a", "normal", [], ""), ("a", "dent", [], ""), ("b", "dent", [], ""))
    reported = read_reviews(reviews(("sha0", "dent")), raw, LINE)
    table = with_reviews(raw, reported)
    assert list(table["label"]) == ["dent", "dent", "dent"]
    assert list(table["label_source"]) == ["review", "file", "file"]
    held = with_holds(table, conflicts(table, LINE, ALL), rules=list(ALL))
    assert not held["held"].any()


def test_all_mistakes_in_the_reviews_are_reported_at_once() -> None:
    raw = views(("a", "normal", [], ""))
    bad = reviews(("sha0", "dent"), ("sha0", "slide"), ("gone", "dent"), ("sha0", "bent"))
    with pytest.raises(InspectionError) as caught:
        read_reviews(bad, raw, LINE)
    reported = str(caught.value)
    assert "1 image_sha256 are not in the manifest: 'gone'" in reported
    assert "unknown labels 'bent'" in reported
    assert "reviewed with different labels: 'sha0'" in reported


def test_reviews_with_other_columns_are_refused() -> None:
    with pytest.raises(InspectionError, match="the columns are"):
        read_reviews(pd.DataFrame({"sha": []}), views(), LINE)


def test_no_reviews_change_nothing() -> None:
    raw = views(("a", "normal", [], ""))
    table = with_reviews(raw, read_reviews(reviews(), raw, LINE))
    assert list(table["label"]) == ["normal"]
    assert list(table["label_source"]) == ["file"]
