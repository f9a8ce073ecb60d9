from pathlib import Path

import pandas as pd
import pytest

from dashboard.review.decisions import BOXES, Vote
from dashboard.review.queue import (
    Item,
    from_issues,
    from_link,
    from_log,
    from_votes,
    merged,
    spoken,
    state,
    waits_for,
)
from inspection.boxes import LabelledBox, boxes_cell
from inspection.geometry import Box
from inspection.runtime.pictures import picture_path
from inspection.runtime.verdict_log import Feedback, LoggedPart, LoggedView
from tests.bundles import sample_line

VERDICTS = Path("verdicts")


def item(image: str, kind: str, score: float = 0.5, reason: str = "") -> Item:
    return Item(image, Path("a.jpg"), "1", "dent", kind, reason or kind, score)


def vote(answer: str, reviewer: str) -> Vote:
    return Vote("a", answer, reviewer, "")


def drawing(reviewer: str, *categories: str) -> Vote:
    boxes = [LabelledBox(name, Box(1, 2, 3, 4), "review") for name in categories]
    return Vote("a", boxes_cell(boxes), reviewer, "", BOXES)


def manifest_of(*images: str) -> pd.DataFrame:
    rows = [
        {"view_id": image, "image_sha256": image, "path": f"i/{image}.jpg", "part_id": "7",
         "label": "slide", "boxes": "[]", "held": False}
        for image in images
    ]  # fmt: skip
    return pd.DataFrame(rows)


def part(verdict: str, *, line: str = "test-line") -> LoggedPart:
    view = LoggedView(
        name="v", sha256="f" * 64, width_px=1, height_px=1, verdict=verdict, label="dent",
        scores={}, thresholds={}, probabilities={}, regions={}, embedding=[],
    )  # fmt: skip
    return LoggedPart(
        request_id="r", part_id="p", camera=None, taken_at=None, answered_at="2026-01-02T03:04",
        latency_ms=1, line=line, release="", card_sha256="", verdict=verdict, label="dent",
        worst_view="v", views=[view],
    )  # fmt: skip


def said(label: str, *, request_id: str | None = None, part_id: str | None = None) -> Feedback:
    return Feedback(
        given_at="", request_id=request_id, part_id=part_id, label=label, reviewer="Kim"
    )


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("box_conflict: boxed as dent, labelled slide; looks like dent (0.9)", "box_conflict"),
        ("duplicate_conflict: same bytes; looks like dent (0.9)", "duplicate_conflict"),
        ("looks like dent (0.9)", "suspect"),
        ("looks like dent (0.9); near_duplicate_conflict: group 1f", "suspect"),
        ("only_near_duplicates: group 1f; looks like dent (0.9)", "only_near_duplicates"),
    ],
)
def test_the_first_rule_of_an_issue_is_its_kind(reason: str, kind: str) -> None:
    manifest = pd.DataFrame(
        [{"view_id": "1", "image_sha256": "a", "path": "i/a.jpg", "part_id": "7", "label": "slide",
          "boxes": "[]", "held": True}]
    )  # fmt: skip
    issues = pd.DataFrame(
        [{"view_id": view, "reason": reason, "score": 0.9, "suggested": "dent"} for view in "12"]
    )
    (found,) = from_issues(issues, manifest, Path("data"))
    assert (found.kind, found.path, found.suggested, found.held) == (
        kind, Path("data/i/a.jpg"), "dent", True,
    )  # fmt: skip


def test_an_image_stands_once_with_all_reasons_and_what_moves_most_comes_first() -> None:
    items = [
        item("a", "suspect", 0.9),
        item("b", "box_conflict", 0.8),
        item("c", "suspect", 0.95),
        item("a", "escape", 0.5),
    ]
    found = merged(items)
    assert [(one.image_sha256, one.kind) for one in found] == [
        ("a", "escape"), ("b", "box_conflict"), ("c", "suspect"),
    ]  # fmt: skip
    assert (found[0].reason, found[0].score) == ("escape; suspect", 0.9)


def test_what_only_a_near_duplicate_contradicts_is_asked_last_until_something_else_does() -> None:
    items = [
        item("a", "only_near_duplicates", 0.4),
        item("b", "only_near_duplicates", 0.9),
        item("c", "service_review"),
        item("a", "suspect", 0.6),
    ]
    found = merged(items)
    assert [(one.image_sha256, one.kind) for one in found] == [
        ("a", "suspect"), ("c", "service_review"), ("b", "only_near_duplicates"),
    ]  # fmt: skip
    assert found[0].reason == "suspect; only_near_duplicates"


def test_who_has_to_decide_follows_from_the_votes() -> None:
    disputed = [vote("dent", "Grace"), vote("slide", "Ada")]
    assert state([]) == "open"
    assert state(disputed) == "disputed"
    assert state([vote("vague", "Grace")]) == "disputed"
    assert state([vote("dent", "Grace")]) == "settled"
    assert waits_for("Kim", disputed)
    assert not waits_for("grace", disputed)
    assert not waits_for("Kim", [vote("dent", "Grace")])
    assert spoken(disputed) == "Grace: dent, Ada: slide"


def test_boxes_that_two_drew_differently_wait_for_a_third_whatever_the_label() -> None:
    settled = [vote("dent", "Grace"), drawing("Grace", "dent")]
    assert state(settled) == "settled"
    assert not waits_for("Kim", settled)
    disputed = [*settled, drawing("Ada")]
    assert state(disputed) == "disputed"
    assert waits_for("Kim", disputed)
    assert not waits_for("Grace", disputed)
    # one who drew is asked about the label where nobody has said it
    assert waits_for("Ada", [drawing("Grace", "dent"), drawing("Ada")])
    assert not waits_for("Kim", [*disputed, drawing("Kim", "dent")])
    assert spoken(disputed) == "Grace: dent, Grace: boxes dent, Ada: no box"


def test_what_reviewers_disagree_on_is_asked_though_no_list_has_it_any_more() -> None:
    votes = {
        "a": [vote("dent", "Grace"), drawing("Grace", "dent"), drawing("Ada")],
        "b": [vote("dent", "Grace")],
        "c": [vote("dent", "Grace"), vote("slide", "Ada")],
        "gone": [vote("dent", "Grace"), vote("slide", "Ada")],
    }
    found = from_votes(votes, manifest_of("a", "b", "c"), Path("data"))
    assert [(one.image_sha256, one.kind) for one in found] == [
        ("a", "disagreement"), ("c", "disagreement"),
    ]  # fmt: skip
    assert [one.reason for one in found] == ["not settled: the boxes", "not settled: the label"]


def test_a_link_opens_a_view_that_nobody_doubts() -> None:
    manifest = manifest_of("a", "b")
    (found,) = from_link("b", manifest, Path("data"))
    assert (found.path, found.kind) == (Path("data/i/b.jpg"), "link")
    assert from_link("", manifest, Path("data")) == []


@pytest.mark.parametrize(
    ("verdict", "feedback", "kind"),
    [
        ("review", [], "service_review"),
        ("review", [said("dent", request_id="r")], ""),
        ("pass", [], ""),
        ("pass", [said("dent", part_id="p")], "feedback"),
        ("pass", [said("normal", request_id="r")], ""),
        ("reject", [said("normal", request_id="r")], "feedback"),
    ],
)
def test_the_service_asks_about_reviews_and_about_feedback_against_it(
    tmp_path: Path, verdict: str, feedback: list[Feedback], kind: str
) -> None:
    kept = picture_path(tmp_path, "f" * 64)
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"picture")
    found = from_log([part(verdict)], feedback, sample_line(), {}, tmp_path)
    assert [one.kind for one in found] == ([kind] if kind else [])


def test_pictures_that_are_gone_in_the_data_or_of_another_line_are_not_asked_about(
    tmp_path: Path,
) -> None:
    review = part("review")
    assert from_log([review], [], sample_line(), {}, tmp_path) == []
    kept = picture_path(tmp_path, "f" * 64)
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"picture")
    assert from_log([review], [], sample_line(), {"f" * 64: ""}, tmp_path) == []
    assert from_log([part("review", line="b")], [], sample_line(), {}, tmp_path) == []
