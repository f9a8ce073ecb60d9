import hashlib
import os
from pathlib import Path

import pytest

from benchmarks.attacks.pictures import chunk, png
from inspection.errors import InspectionError
from inspection.runtime.inspector import Inspector
from inspection.runtime.releases import champion
from inspection.runtime.signatures import make_keys
from inspection.runtime.views import View
from inspection.storage import sha256_of
from pipelines.lots.judging import Release, current_release, inspector_of, judge, lost
from pipelines.lots.part import Frame, LotPart
from tests.bundles import draw_jpeg, sample_line

RELEASES = Path("models/releases")


def part_of(*contents: bytes) -> LotPart:
    frames = []
    for number, content in enumerate(contents):
        path = Path(f"{number}.jpg")
        path.write_bytes(content)
        frames.append(Frame(path.name, path))
    return LotPart("A-1", tuple(frames))


@pytest.mark.parametrize(
    ("kind", "verdict", "label", "region"),
    [
        ("normal", "pass", "normal", ""),
        ("dent", "reject", "dent", "rod"),
        ("slide", "reject", "slide", "rod"),
        ("under_press", "reject", "under_press", "rivet"),
    ],
)
def test_a_part_has_the_verdict_of_the_champion_with_class_and_region(
    project: Path, kind: str, verdict: str, label: str, region: str
) -> None:
    contents = [draw_jpeg(), draw_jpeg(kind, seed=1)]
    row = judge(part_of(*contents), current_release()).row
    views = [View(f"{number}.jpg", content) for number, content in enumerate(contents)]
    found = Inspector(champion(RELEASES)).inspect(views)
    worst = next(view for view in found.views if view.name == found.worst_view)

    assert (row["verdict"], row["label"], row["region"]) == (verdict, label, region)
    assert (found.verdict, found.label, found.worst_view) == (verdict, label, row["worst_view"])
    assert row["scores"] == worst.scores
    assert row["fused"] == worst.scores["fused"]
    assert row["thresholds"]["fused"] == {"accept_below": 0.3, "reject_above": 0.9}
    assert row["n_views"] == 2
    assert row["error"] == ""
    assert len(row["reasons"]) == sum(len(view.reasons) for view in found.views)


def test_a_row_names_its_release_and_the_hash_of_each_view(project: Path) -> None:
    contents = [draw_jpeg(), draw_jpeg("dent")]
    row = judge(part_of(*contents), current_release()).row

    assert row["release"] == "1"
    assert row["card_sha256"] == sha256_of(RELEASES / "1/card.json")
    assert row["views"] == [
        {"name": f"{number}.jpg", "sha256": hashlib.sha256(content).hexdigest()}
        for number, content in enumerate(contents)
    ]


def test_a_box_lies_on_the_defect_in_pixels_of_the_frame(project: Path) -> None:
    (box,) = judge(part_of(draw_jpeg(), draw_jpeg("dent")), current_release()).row["boxes"]

    assert (box["view"], box["region"], box["found_by"]) == ("1.jpg", "rod", "classifier")
    # the dent of draw_part: 24 x 24 px at (84, 112); a cell of the heatmap is 8 px
    assert abs(box["x_px"] + box["width_px"] / 2 - 96) <= 8
    assert abs(box["y_px"] + box["height_px"] / 2 - 124) <= 8


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        (draw_jpeg()[:2000], "truncated"),
        (b"", "empty"),
        (b"no image", "not_an_image"),
        # more chunks than any camera writes
        (png(40, 30, extra=chunk(b"abCd") * 20_000), "corrupt"),
    ],
)
def test_a_part_with_a_view_that_cannot_be_read_is_refused_with_the_reason(
    project: Path, broken: bytes, error: str
) -> None:
    row = judge(part_of(draw_jpeg("dent"), broken), current_release()).row

    assert (row["verdict"], row["error"], row["fused"]) == ("", error, None)
    (reason,) = row["reasons"]
    assert reason.startswith("1.jpg: ")
    assert [view["sha256"] for view in row["views"]] == [
        hashlib.sha256(content).hexdigest() for content in (draw_jpeg("dent"), broken)
    ]


def test_all_views_that_cannot_be_read_are_named(project: Path) -> None:
    part = part_of(b"", draw_jpeg(), b"no image")
    (project / "1.jpg").unlink()
    row = judge(part, current_release()).row

    assert row["error"] == "empty"
    assert [reason.split(":")[0] for reason in row["reasons"]] == ["0.jpg", "1.jpg", "2.jpg"]
    assert "No such file" in row["reasons"][1]
    assert row["views"][1]["sha256"] == ""


def test_a_file_too_large_for_its_frame_is_refused_unread(
    project: Path,
) -> None:
    part = part_of(draw_jpeg())
    with part.frames[0].path.open("r+b") as file:
        file.truncate(sample_line().max_pixels * 6 + 2**20 + 1)
    row = judge(part, current_release()).row

    assert row["error"] == "too_large"
    assert row["views"][0]["sha256"] == ""


def test_a_pipe_is_refused_and_not_waited_for(project: Path) -> None:
    os.mkfifo("0.jpg")
    row = judge(LotPart("A", (Frame("0.jpg", Path("0.jpg")),)), current_release()).row

    assert row["error"] == "unreadable"
    assert row["reasons"] == ["0.jpg: not a regular file"]


def test_what_belongs_to_no_part_is_refused_with_the_reason_of_the_lot(project: Path) -> None:
    part = LotPart("", (Frame("a.jpg", Path("a.jpg")),), "name_not_understood", "does not fit")
    row = judge(part, current_release()).row

    assert (row["part_id"], row["verdict"], row["error"]) == ("", "", "name_not_understood")
    assert row["reasons"] == ["does not fit"]


def test_a_part_that_ended_its_worker_is_a_row_like_any(project: Path) -> None:
    part = part_of(draw_jpeg())
    row = lost(part, current_release())

    assert set(row) == set(judge(part, current_release()).row)
    assert (row["verdict"], row["error"], row["n_views"]) == ("", "worker_lost", 1)


def test_another_card_than_the_one_promoted_judges_nothing(project: Path) -> None:
    release = Release(current_release().folder, "0" * 64)
    with pytest.raises(InspectionError, match="is not the card that was promoted"):
        inspector_of(release)


def test_with_a_public_key_only_a_signed_champion_judges(project: Path) -> None:
    public = make_keys(project / "line.key")
    with pytest.raises(InspectionError, match="sign"):
        current_release(RELEASES, {"KNURL_PUBLIC_KEY": str(public)})
