import json
import multiprocessing
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from dashboard.review import tables
from dashboard.review.decisions import read_journal
from dashboard.review.journal import Journal, Places
from inspection.boxes import LabelledBox, boxes_cell, parse_boxes
from inspection.curation.box_reviews import (
    BOX_REVIEW_COLUMNS,
    described,
    read_box_reviews,
    with_box_reviews,
)
from inspection.curation.reviews import REVIEW_COLUMNS, read_reviews, with_reviews
from inspection.errors import InspectionError
from inspection.geometry import Box
from tests.bundles import sample_line

A, B, C = "a" * 64, "b" * 64, "c" * 64
LINE = sample_line(classes={"normal": {"aliases": ["good"]}, "dent": {}, "slide": {},
                            "under_press": {}})  # fmt: skip
SIZE_PX = (320, 256)
SPOT = LabelledBox("dent", Box(84, 112, 24, 24), "review")
BESIDE = LabelledBox("dent", Box(86, 110, 24, 24), "review")
ELSEWHERE = LabelledBox("dent", Box(200, 20, 24, 24), "review")
LABELLED = boxes_cell([LabelledBox("slide", Box(1, 2, 3, 4), "coco")])


@pytest.fixture
def places(tmp_path: Path) -> Places:
    folder = tmp_path / "reviews"
    found = Places(
        folder / "decisions.jsonl", folder / "labels.csv", folder / "boxes.csv", tmp_path / "lock"
    )
    folder.mkdir()
    found.labels.write_text(",".join(REVIEW_COLUMNS) + "\n", encoding="utf-8")
    found.boxes.write_text(",".join(BOX_REVIEW_COLUMNS) + "\n", encoding="utf-8")
    return found


@pytest.fixture
def journal(places: Places) -> Journal:
    return Journal(LINE, {A, B, C}, places)


def rows_of(places: Places) -> list[tuple[str, ...]]:
    return tables.read_rows(places.labels, REVIEW_COLUMNS)


def box_rows_of(places: Places) -> list[tuple[str, ...]]:
    return tables.read_rows(places.boxes, BOX_REVIEW_COLUMNS)


def as_the_stage_reads_it(places: Places) -> dict[str, str]:
    """The labels that stage clean_labels takes from the table."""
    rows = pd.read_csv(places.labels, dtype=str, keep_default_na=False)
    manifest = pd.DataFrame({"image_sha256": [A, B, C], "label": ["normal"] * 3})
    reviews = read_reviews(rows, manifest, LINE)
    kept = with_reviews(manifest, reviews)
    labels = dict(zip(kept["image_sha256"], kept["label"], strict=True))
    reviewed = kept[kept["label_source"] == "review"]["image_sha256"]
    return {sha: labels.get(sha, "left out") for sha in {*reviewed, *reviews}}


def test_a_decision_is_a_row_that_the_stage_reads(journal: Journal, places: Places) -> None:
    journal.decide(A, "dent", "Grace", "seen under the lens, twice")
    journal.decide(B, "-", "Grace")
    assert as_the_stage_reads_it(places) == {A: "dent", B: "left out"}
    assert rows_of(places)[0] == (A, "dent", "Grace", "seen under the lens, twice")


def test_the_last_word_of_a_reviewer_counts_and_undo_brings_the_one_before_back(
    journal: Journal, places: Places
) -> None:
    journal.decide(A, "dent", "Grace")
    journal.decide(A, "slide", "grace ")
    assert as_the_stage_reads_it(places) == {A: "slide"}
    assert journal.undo("Grace") == A
    assert as_the_stage_reads_it(places) == {A: "dent"}
    assert journal.undo("Grace") == A
    assert as_the_stage_reads_it(places) == {}
    assert journal.undo("Grace") == ""


def test_undo_leaves_what_others_decided(journal: Journal, places: Places) -> None:
    journal.decide(A, "dent", "Grace")
    journal.decide(B, "slide", "Ada")
    assert journal.undo("Grace") == A
    assert as_the_stage_reads_it(places) == {B: "slide"}


def test_two_who_disagree_settle_nothing_until_a_third_speaks(
    journal: Journal, places: Places
) -> None:
    journal.decide(A, "dent", "Grace")
    journal.decide(A, "slide", "Ada")
    assert as_the_stage_reads_it(places) == {}
    journal.decide(A, "slide", "Kim")
    assert as_the_stage_reads_it(places) == {A: "slide"}
    assert {row[2] for row in rows_of(places)} == {"Ada", "Kim"}


def test_one_vague_asks_for_another_and_two_leave_the_view_out(
    journal: Journal, places: Places
) -> None:
    journal.decide(A, "vague", "Grace")
    assert as_the_stage_reads_it(places) == {}
    journal.decide(A, "vague", "Ada", "out of focus")
    assert as_the_stage_reads_it(places) == {A: "left out"}
    assert [row[3] for row in rows_of(places)] == ["vague", "vague: out of focus"]


def test_a_row_by_hand_counts_as_its_reviewers_word(journal: Journal, places: Places) -> None:
    with places.labels.open("a", encoding="utf-8") as file:
        file.write(f"{A},Good,Kim,by hand\n{B},slide,Kim,\n")
    journal.decide(A, "dent", "Grace")
    assert as_the_stage_reads_it(places) == {B: "slide"}
    assert {vote.reviewer: vote.answer for vote in journal.votes()
            if vote.image_sha256 == A} == {"Kim": "normal", "Grace": "dent"}  # fmt: skip
    journal.decide(A, "normal", "Ada")
    assert as_the_stage_reads_it(places) == {A: "normal", B: "slide"}


def test_rows_by_hand_about_other_images_stay_as_they_are(journal: Journal, places: Places) -> None:
    row = (B, "Good", "Kim", "a, b")
    with places.labels.open("a", encoding="utf-8") as file:
        file.write(f'{B},Good,Kim,"a, b"\n')
    journal.decide(A, "dent", "Grace")
    assert row in rows_of(places)


def test_a_row_that_was_lost_after_the_journal_was_written_comes_back(
    journal: Journal, places: Places
) -> None:
    empty = places.labels.read_text(encoding="utf-8")
    journal.decide(A, "dent", "Grace")
    places.labels.write_text(empty, encoding="utf-8")  # as if killed before the table was replaced
    journal.sync()
    assert as_the_stage_reads_it(places) == {A: "dent"}


def test_a_stale_row_is_no_decision_by_hand(journal: Journal, places: Places) -> None:
    journal.decide(A, "dent", "Grace")
    stale = places.labels.read_text(encoding="utf-8")
    journal.decide(A, "slide", "Grace")
    places.labels.write_text(stale, encoding="utf-8")
    journal.sync()
    assert as_the_stage_reads_it(places) == {A: "slide"}


def test_a_torn_last_line_is_left_out_and_what_follows_is_kept(
    journal: Journal, places: Places
) -> None:
    journal.decide(A, "dent", "Grace")
    whole = places.journal.read_bytes()
    places.journal.write_bytes(whole + whole[:30])
    journal.decide(B, "slide", "Grace")
    assert as_the_stage_reads_it(places) == {A: "dent", B: "slide"}


def test_images_that_the_data_do_not_hold_are_in_no_row(places: Places) -> None:
    Journal(LINE, {A, B}, places).decide(C, "dent", "Grace")
    assert rows_of(places) == []
    assert len(read_journal(places.journal)) == 1


@pytest.mark.parametrize(("answer", "reviewer"), [("scratch", "Grace"), ("dent", "  ")])
def test_an_unknown_answer_and_a_nameless_reviewer_are_refused(
    journal: Journal, places: Places, answer: str, reviewer: str
) -> None:
    with pytest.raises(InspectionError, match=r"answer|reviewer"):
        journal.decide(A, answer, reviewer)
    assert not places.journal.exists()


def test_a_note_is_no_formula_where_the_table_is_opened(journal: Journal, places: Places) -> None:
    journal.decide(A, "dent", "Grace", "=1+1")
    assert rows_of(places)[0][3] == "'=1+1"
    journal.sync()
    assert len(read_journal(places.journal)) == 1


def _decide_many(places: Places, reviewer: str, images: list[str]) -> None:
    journal = Journal(LINE, images, places)
    for sha256 in images:
        journal.decide(sha256, "dent", reviewer)
        journal.draw(sha256, [SPOT], SIZE_PX, reviewer)
        with (places.lock.parent / f"{reviewer}.confirmed").open("a") as file:
            file.write(sha256 + "\n")


def test_two_writers_at_once_lose_nothing(places: Places) -> None:
    own = {name: [f"{name}{i:062d}" for i in range(25)] for name in ("aa", "bb")}
    everything = own["aa"] + own["bb"]
    context = multiprocessing.get_context("spawn")
    writers = [
        context.Process(target=_decide_many, args=(places, name, images))
        for name, images in own.items()
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0]
    Journal(LINE, everything, places).sync()
    assert sorted(row[0] for row in rows_of(places)) == everything
    assert sorted(row[0] for row in box_rows_of(places)) == everything
    numbers = [one.number for one in read_journal(places.journal)]
    assert numbers == list(range(1, 101))


def test_what_was_confirmed_outlives_kill_9(places: Places) -> None:
    images = [f"{i:064d}" for i in range(4000)]
    writer = multiprocessing.get_context("spawn").Process(
        target=_decide_many, args=(places, "aa", images)
    )
    writer.start()
    confirmed = places.lock.parent / "aa.confirmed"
    deadline = time.monotonic() + 60
    while not confirmed.exists() or confirmed.stat().st_size < 20 * 65:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(writer.pid or 0, signal.SIGKILL)
    writer.join()

    said = confirmed.read_text().split()
    Journal(LINE, images, places).sync()
    written = [row[0] for row in rows_of(places)]
    drawn = [row[0] for row in box_rows_of(places)]
    assert written[: len(said)] == drawn[: len(said)] == said
    assert len(drawn) <= len(written) <= len(said) + 1
    assert all(json.loads(line) for line in places.journal.read_text().splitlines())


def boxes_as_the_stage_reads_them(places: Places) -> dict[str, str]:
    """The boxes of each view that stage clean_labels takes from the table, in words."""
    rows = pd.read_csv(places.boxes, dtype=str, keep_default_na=False)
    manifest = pd.DataFrame(
        {"image_sha256": [A, B, C], "path": ["a", "b", "c"], "width_px": SIZE_PX[0],
         "height_px": SIZE_PX[1], "boxes": LABELLED, "mask_path": ""}
    )  # fmt: skip
    after = with_box_reviews(manifest, read_box_reviews(rows, manifest, LINE), LINE)
    drawn = zip(after["image_sha256"], after["boxes"], strict=True)
    return {sha: described(parse_boxes(cell)) for sha, cell in drawn if cell != LABELLED}


def test_boxes_that_are_drawn_are_rows_that_the_stage_reads(
    journal: Journal, places: Places
) -> None:
    journal.draw(A, [SPOT, ELSEWHERE], SIZE_PX, "Grace", "two, seen under the lens")
    journal.draw(B, [], SIZE_PX, "Grace")
    assert boxes_as_the_stage_reads_them(places) == {
        A: "dent at 84 112 24 24; dent at 200 20 24 24", B: "no box"
    }  # fmt: skip
    assert box_rows_of(places)[0][6:] == ("Grace", "two, seen under the lens")
    assert rows_of(places) == []


def test_the_last_boxes_of_a_reviewer_count_and_undo_goes_back_over_labels_and_boxes(
    journal: Journal, places: Places
) -> None:
    journal.draw(A, [SPOT], SIZE_PX, "Grace")
    journal.decide(A, "dent", "Grace")
    journal.draw(A, [], SIZE_PX, "grace")
    assert boxes_as_the_stage_reads_them(places) == {A: "no box"}
    assert journal.undo("Grace") == A
    assert boxes_as_the_stage_reads_them(places) == {A: "dent at 84 112 24 24"}
    assert journal.undo("Grace") == A
    assert (rows_of(places), len(boxes_as_the_stage_reads_them(places))) == ([], 1)
    journal.undo("Grace")
    assert boxes_as_the_stage_reads_them(places) == {}


def test_boxes_that_two_draw_differently_stand_once_a_third_agrees(
    journal: Journal, places: Places
) -> None:
    journal.draw(A, [SPOT], SIZE_PX, "Grace")
    journal.draw(A, [], SIZE_PX, "Ada")
    assert boxes_as_the_stage_reads_them(places) == {}
    journal.draw(A, [BESIDE], SIZE_PX, "Kim")
    assert boxes_as_the_stage_reads_them(places) == {A: "dent at 84 112 24 24"}


def test_boxes_by_hand_count_as_their_reviewers_word(journal: Journal, places: Places) -> None:
    with places.boxes.open("a", encoding="utf-8") as file:
        file.write(f"{A},Dent,84,112,24,24.0,Kim,\n{A},slide,1,2,3,4,Kim,\n{B},-,,,,,Kim,none\n")
    journal.draw(A, [ELSEWHERE], SIZE_PX, "Grace")
    assert boxes_as_the_stage_reads_them(places) == {B: "no box"}
    journal.draw(A, [BESIDE, replace(SPOT, category="slide", box=Box(1, 2, 3, 4))], SIZE_PX, "Ada")
    assert boxes_as_the_stage_reads_them(places) == {
        A: "dent at 84 112 24 24; slide at 1 2 3 4", B: "no box"
    }  # fmt: skip
    journal.sync()
    assert len(read_journal(places.journal)) == 3


def test_boxes_that_were_lost_or_are_stale_after_a_kill_are_made_anew(
    journal: Journal, places: Places
) -> None:
    empty = places.boxes.read_text(encoding="utf-8")
    journal.draw(A, [SPOT], SIZE_PX, "Grace")
    stale = places.boxes.read_text(encoding="utf-8")
    journal.draw(A, [ELSEWHERE], SIZE_PX, "Grace")
    for left_behind in (empty, stale):
        places.boxes.write_text(left_behind, encoding="utf-8")
        journal.sync()
        assert boxes_as_the_stage_reads_them(places) == {A: "dent at 200 20 24 24"}
    assert len(read_journal(places.journal)) == 2


@pytest.mark.parametrize(
    ("category", "place", "problem"),
    [
        ("scratch", (1, 2, 3, 4), "unknown"),
        ("dent", (300, 2, 30, 4), "outside of the frame, 320 x 256"),
        ("dent", (1, 2, 0, 4), "no area"),
        ("dent", (float("nan"), 2, 3, 4), "no number"),
    ],
)
def test_a_box_that_the_stage_would_refuse_is_not_drawn(
    journal: Journal, places: Places, category: str, place: tuple[float, ...], problem: str
) -> None:
    with pytest.raises(InspectionError, match=problem):
        journal.draw(A, [LabelledBox(category, Box(*place), "review")], SIZE_PX, "Grace")
    assert not places.journal.exists()
