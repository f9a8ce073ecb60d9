from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.review import tables
from inspection.curation.box_reviews import BOX_REVIEW_COLUMNS
from inspection.curation.reviews import REVIEW_COLUMNS
from inspection.runtime.bundle import read_card, write_card
from inspection.runtime.pictures import picture_path
from inspection.runtime.releases import promote, release
from inspection.runtime.verdict_log import (
    Feedback,
    LoggedPart,
    LoggedView,
    VerdictLog,
    read_feedback,
)
from inspection.storage import write_json, write_table
from tests.bundles import draw_jpeg, make_bundle

pytestmark = pytest.mark.filterwarnings("default")

PAGE = Path(__file__).parents[3] / "dashboard/review/page.py"
TABLE, BOXES = Path("reviews/labels.csv"), Path("reviews/boxes.csv")


@pytest.fixture
def desk(line_folder: Path) -> AppTest:
    import streamlit as st

    st.cache_data.clear()
    st.cache_resource.clear()
    return AppTest.from_file(str(PAGE), default_timeout=60)


def read_rows(path: Path) -> list[tuple[str, ...]]:
    return tables.read_rows(path, BOX_REVIEW_COLUMNS if path == BOXES else REVIEW_COLUMNS)


def of(reviewer: str, desk: AppTest) -> AppTest:
    desk.query_params["reviewer"] = reviewer
    desk.run()
    assert not desk.exception
    assert [one.value for one in desk.error] == []
    return desk


def press(desk: AppTest, label: str) -> None:
    (button,) = [one for one in desk.button if one.label == label]
    button.click().run()
    assert not desk.exception
    assert [one.value for one in desk.error] == []


def headline(desk: AppTest) -> str:
    return str(desk.subheader[0].value)


def image_of(path: str) -> str:
    manifest = pd.read_parquet("artifacts/labels/manifest.parquet").set_index("path")
    return str(manifest.loc[path, "image_sha256"])


def log_part(verdict: str, content: bytes, sha256: str) -> None:
    log = VerdictLog(Path("verdicts"))
    view = LoggedView(
        name="a.jpg", sha256=sha256, width_px=320, height_px=256, verdict=verdict, label="dent",
        scores={}, thresholds={}, probabilities={}, regions={}, embedding=[],
    )  # fmt: skip
    log.record(
        LoggedPart(
            request_id="r1", part_id="A-17", camera=None, taken_at=None,
            answered_at="2026-01-02T03:04:05.000", latency_ms=1.0, line="test-line", release="v1",
            card_sha256="", verdict=verdict, label="dent", worst_view="a.jpg", views=[view],
        )
    )  # fmt: skip
    log.note_picture(sha256, "2026-01-02", verdict, len(content))
    log.close()
    kept = picture_path(Path("verdicts"), sha256)
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(content)


def test_without_a_name_nothing_can_be_decided(desk: AppTest) -> None:
    desk.run()
    assert not desk.exception
    assert "Say who decides" in desk.info[0].value
    assert all(one.disabled for one in desk.button if one.label in ("Keep normal", "dent", "Undo"))


def test_a_suspect_is_shown_with_its_reason_and_the_next_follows_a_decision(desk: AppTest) -> None:
    of("Grace", desk)
    assert headline(desk) == "Looks like another class: labelled normal, dent?"
    press(desk, "dent")
    assert headline(desk) == "Looks like another class: labelled dent, normal?"
    press(desk, "Keep dent")
    assert "Nothing left to decide" in desk.success[0].value
    assert read_rows(TABLE) == [
        (image_of("images/5_1.jpg"), "dent", "Grace", ""),
        (image_of("images/6_1.jpg"), "dent", "Grace", ""),
    ]


def test_a_normal_that_looks_least_normal_is_asked_after_the_suspects(
    line_folder: Path, desk: AppTest
) -> None:
    views = pd.DataFrame({"view_id": ["11", "81"], "path": "", "part_id": ["1", "8"]})
    write_table(line_folder / "artifacts/anomaly/rivet/suspects.csv", views.assign(score=[3.0, 1]))
    evidence = {"threshold": 2.5, "false_rejects": 1, "n_val_normals": 20}
    calibration = line_folder / "artifacts/anomaly/rivet/calibration.json"
    write_json(calibration, {"evidence": evidence})
    of("Grace", desk)
    assert desk.selectbox(key="kind").options[-1] == (
        "Least normal of the normals (1 of 1 to decide)"
    )
    press(desk, "dent")
    press(desk, "Keep dent")
    assert headline(desk) == "Least normal of the normals: labelled normal"
    assert "number 1 of 2 normal views in rivet" in desk.markdown[0].value
    press(desk, "Keep normal")
    assert "Nothing left to decide" in desk.success[0].value
    assert (image_of("images/1_1.jpg"), "normal", "Grace", "") in read_rows(TABLE)


def test_it_says_what_the_next_run_changes(desk: AppTest) -> None:
    of("Grace", desk)
    assert "nothing" in desk.expander[0].label
    press(desk, "dent")
    press(desk, "Leave out")
    assert desk.expander[0].label.endswith("1 labels change, 1 views are left out")


def test_undo_brings_the_view_back_and_takes_its_row(desk: AppTest) -> None:
    of("Grace", desk)
    press(desk, "dent")
    press(desk, "Undo")
    assert headline(desk) == "Looks like another class: labelled normal, dent?"
    assert read_rows(TABLE) == []


def test_the_note_goes_with_one_decision(desk: AppTest) -> None:
    of("Grace", desk)
    desk.text_input(key="note").set_value("seen twice")
    press(desk, "dent")
    press(desk, "Keep dent")
    assert [row[3] for row in read_rows(TABLE)] == ["seen twice", ""]


def test_what_two_disagree_on_waits_for_a_third(desk: AppTest) -> None:
    of("Grace", desk)
    press(desk, "dent")
    desk.text_input(key="reviewer").set_value("Ada").run()
    desk.segmented_control(key="show").select("everything").run()
    desk.selectbox(key="item").select(image_of("images/5_1.jpg")).run()
    press(desk, "Keep normal")
    assert read_rows(TABLE) == []

    desk.text_input(key="reviewer").set_value("Kim").run()
    desk.segmented_control(key="show").select("to decide").run()
    desk.selectbox(key="item").select(image_of("images/5_1.jpg")).run()
    assert "Grace" in desk.markdown[1].value
    assert "Ada" in desk.markdown[1].value
    press(desk, "dent")
    assert {row[:3] for row in read_rows(TABLE)} == {
        (image_of("images/5_1.jpg"), "dent", name) for name in ("Grace", "Kim")
    }


def type_box(desk: AppTest, **numbers: float) -> None:
    for name, number in numbers.items():
        desk.number_input(key=name).set_value(number).run()


def test_a_box_is_drawn_by_four_numbers_and_saved(desk: AppTest) -> None:
    of("Grace", desk)
    press(desk, "Draw boxes")
    assert desk.query_params["boxes"] in ("open", ["open"])
    assert desk.selectbox(key="box").options == ["none", "1: rod", "2: rivet"]
    assert desk.number_input(key="x_px").disabled

    press(desk, "New box")
    assert desk.selectbox(key="category").value == "dent"
    type_box(desk, x_px=84.0, y_px=112.0, width_px=24.0, height_px=24.0)
    desk.text_input(key="note").set_value("seen under the lens")
    assert read_rows(BOXES) == []
    press(desk, "Save boxes")
    sha256 = image_of("images/5_1.jpg")
    assert read_rows(BOXES) == [
        (sha256, "rod", "20", "88", "160", "80", "Grace", "seen under the lens"),
        (sha256, "rivet", "212", "88", "80", "80", "Grace", "seen under the lens"),
        (sha256, "dent", "84", "112", "24", "24", "Grace", "seen under the lens"),
    ]
    # the label is asked for all the same, and what the next run does is said
    assert headline(desk) == "Looks like another class: labelled normal, dent?"
    assert "Grace: boxes rod, rivet, dent" in desk.markdown[1].value.replace("\\", "")
    assert desk.expander[0].label.endswith("1 views get other boxes")


def test_a_box_is_chosen_moved_named_and_deleted(desk: AppTest) -> None:
    desk.query_params["boxes"] = "open"
    of("Grace", desk)
    desk.selectbox(key="box").select(1).run()
    assert desk.number_input(key="x_px").value == 212
    type_box(desk, x_px=300.0)  # reaches over the frame, of 320 px, and is cut off
    assert desk.number_input(key="width_px").value == 20
    desk.selectbox(key="category").select("slide").run()
    desk.selectbox(key="box").select(0).run()
    press(desk, "Delete box")
    press(desk, "Save boxes")
    assert [row[1:6] for row in read_rows(BOXES)] == [("slide", "300", "88", "20", "80")]


def test_no_box_here_is_one_key_and_undo_takes_it_back(desk: AppTest) -> None:
    desk.query_params["boxes"] = "open"
    of("Grace", desk)
    press(desk, "No box here")
    assert [row[:2] for row in read_rows(BOXES)] == [(image_of("images/5_1.jpg"), "-")]
    press(desk, "Undo")
    assert read_rows(BOXES) == []
    assert headline(desk) == "Looks like another class: labelled normal, dent?"


def test_a_draft_stays_with_its_view_until_it_is_saved_or_begun_again(desk: AppTest) -> None:
    desk.query_params["boxes"] = "open"
    of("Grace", desk)
    press(desk, "New box")
    press(desk, "Next")
    assert len(desk.selectbox(key="box").options) == 3
    press(desk, "Back")
    assert len(desk.selectbox(key="box").options) == 4
    press(desk, "Begin again")
    assert len(desk.selectbox(key="box").options) == 3


def test_boxes_that_two_drew_differently_are_shown_to_a_third(desk: AppTest) -> None:
    desk.query_params["boxes"] = "open"
    of("Grace", desk)
    press(desk, "No box here")
    press(desk, "Keep normal")
    desk.text_input(key="reviewer").set_value("Ada").run()
    desk.segmented_control(key="show").select("everything").run()
    desk.selectbox(key="item").select(image_of("images/5_1.jpg")).run()
    (begin,) = [one for one in desk.selectbox if one.label == "Begin with the boxes"]
    assert begin.value == "as labelled"
    press(desk, "Save boxes")
    assert read_rows(BOXES) == []

    desk.text_input(key="reviewer").set_value("Kim").run()
    desk.segmented_control(key="show").select("to decide").run()
    desk.selectbox(key="kind").select("disagreement").run()
    assert headline(desk).startswith("Reviewers disagree")
    assert "Grace: no box, Grace: normal, Ada: boxes rod, rivet" in (
        desk.markdown[1].value.replace("\\", "")
    )
    (begin,) = [one for one in desk.selectbox if one.label == "Begin with the boxes"]
    begin.select("Ada").run()
    press(desk, "Save boxes")
    assert [(row[1], row[6]) for row in read_rows(BOXES)] == [("rod", "Ada"), ("rivet", "Ada")]
    assert headline(desk) == "Looks like another class: labelled dent, normal?"


def test_any_view_of_the_data_is_opened_by_its_link(desk: AppTest) -> None:
    desk.query_params["item"] = image_of("images/9_1.jpg")
    of("Grace", desk)
    assert headline(desk) == "Opened by a link: labelled dent"
    press(desk, "slide")
    assert read_rows(TABLE) == [(image_of("images/9_1.jpg"), "slide", "Grace", "")]


def test_the_address_holds_who_what_and_which(desk: AppTest) -> None:
    desk.query_params["item"] = image_of("images/6_1.jpg")
    of("Grace", desk)
    assert headline(desk) == "Looks like another class: labelled dent, normal?"
    assert desk.query_params["reviewer"] in ("Grace", ["Grace"])
    assert desk.query_params["show"] in ("to decide", ["to decide"])


def test_errors_on_val_are_measured_once_and_join_the_queue(desk: AppTest) -> None:
    """Part 5 is drawn with a dent and labelled normal, part 6 the other way round."""
    of("Grace", desk)
    press(desk, "Look for errors on val (14 views)")
    assert headline(desk) == "Overkill: labelled normal, dent?"
    assert "overkill on val: part 5" in desk.markdown[0].value.replace("\\", "")
    desk.selectbox(key="kind").select("escape").run()
    assert headline(desk).startswith("Escapes: labelled dent")
    assert not [one for one in desk.button if one.label.startswith("Look for errors")]


def test_what_the_card_names_joins_the_queue(desk: AppTest, line_folder: Path) -> None:
    """Part 3 is rejected by the thresholds as they are, which rest on it too."""
    bundle = line_folder / "models/bundle"
    suspect = {"part_id": "3", "labels": ["slide"], "kind": "escape", "score": 0.1}
    suspects = [suspect | {"view": "images/3_1.jpg"}]
    card = read_card(bundle).model_copy(update={"metrics": {"limit": {"suspects": suspects}}})
    write_card(bundle, card)
    desk.query_params["kind"] = "escape"
    of("Grace", desk)
    press(desk, "Look for errors on val (14 views)")
    waiting = [image_of(path) for path in ("images/3_1.jpg", "images/6_1.jpg")]
    assert set(waiting) <= set(desk.session_state["ids"])
    desk.selectbox(key="item").select(waiting[0]).run()
    assert headline(desk) == "Escapes: labelled slide"
    assert "escape by thresholds set without this part" in desk.markdown[0].value


def test_where_another_version_serves_the_desk_says_whose_errors_it_asks_about(
    desk: AppTest, line_folder: Path
) -> None:
    releases, bundle = line_folder / "models/releases", line_folder / "models/bundle"
    release(bundle, releases, "test-line-1")
    promote(releases, "test-line-1")
    of("Grace", desk)
    assert not [one for one in desk.caption if "serves" in one.value]
    make_bundle(bundle, version="newer")
    desk.run()
    (said,) = [one.value for one in desk.caption if "serves" in one.value]
    assert said.startswith("test-line-1 serves (bundle test-1).")


def test_a_part_that_the_service_sent_to_review_gets_feedback(desk: AppTest) -> None:
    log_part("review", draw_jpeg("dent", seed=999), "f" * 64)
    desk.query_params["kind"] = "service_review"
    desk.query_params["boxes"] = "open"
    of("Grace", desk)
    assert [one.disabled for one in desk.button if one.key == "turn boxes"] == [True]
    assert headline(desk) == "Sent to review by the service: judged dent"
    press(desk, "slide")
    (said,) = read_feedback(Path("verdicts"))
    assert (said.request_id, said.label, said.reviewer) == ("r1", "slide", "Grace")
    assert read_rows(TABLE) == []


def test_undo_withdraws_what_was_said_of_a_picture_of_the_service(desk: AppTest) -> None:
    log_part("review", draw_jpeg("dent", seed=999), "f" * 64)
    desk.query_params["kind"] = "service_review"
    of("Grace", desk)
    press(desk, "slide")
    press(desk, "Undo")
    assert headline(desk) == "Sent to review by the service: judged dent"
    assert read_feedback(Path("verdicts")) == []
    press(desk, "Keep dent")
    (said,) = read_feedback(Path("verdicts"))
    assert said.label == "dent"


def test_two_who_disagree_on_a_picture_of_the_service_are_shown_to_a_third(desk: AppTest) -> None:
    log_part("review", draw_jpeg("dent", seed=999), "f" * 64)
    desk.query_params["kind"] = "service_review"
    of("Grace", desk)
    press(desk, "slide")
    desk.text_input(key="reviewer").set_value("Ada").run()
    desk.segmented_control(key="show").select("everything").run()
    assert "Grace: slide" in desk.markdown[1].value.replace("\\", "")
    press(desk, "Keep dent")
    assert read_feedback(Path("verdicts")) == []

    desk.text_input(key="reviewer").set_value("Kim").run()
    desk.segmented_control(key="show").select("to decide").run()
    desk.selectbox(key="kind").select("disagreement").run()
    assert headline(desk) == "Reviewers disagree: judged dent"
    press(desk, "slide")
    (said,) = read_feedback(Path("verdicts"))
    assert (said.label, said.reviewer) == ("slide", "Grace")


def test_feedback_against_a_verdict_asks_for_a_look(desk: AppTest) -> None:
    log_part("pass", draw_jpeg("dent", seed=999), "f" * 64)
    log = VerdictLog(Path("verdicts"))
    log.add_feedback(
        Feedback(given_at="2026-01-02", request_id="r1", part_id=None, label="slide",
                 reviewer="Kim")
    )  # fmt: skip
    log.close()
    desk.query_params["kind"] = "feedback"
    of("Grace", desk)
    assert headline(desk) == "Feedback against the verdict: labelled slide"


def test_similar_views_of_other_parts_are_shown_with_their_labels(
    desk: AppTest, line_folder: Path
) -> None:
    """The dented part that is called normal is most like the other dented ones, 2 and 7."""
    of("Grace", desk)
    press(desk, "Find them (embeds every view once)")
    (near,) = [one.value for one in desk.caption if one.value.startswith("Labelled")]
    assert "2 x slide" in near
    assert near.startswith("Labelled 4 x dent")
    desk.run()
    assert not [one for one in desk.button if one.label.startswith("Find them")]


@pytest.mark.parametrize(
    "missing",
    [
        "models/bundle/card.json",
        "artifacts/labels/issues.csv",
        "reviews/labels.csv",
        "reviews/boxes.csv",
    ],
)
def test_what_is_missing_is_named_with_its_remedy(
    desk: AppTest, line_folder: Path, missing: str
) -> None:
    (line_folder / missing).unlink()
    desk.run()
    assert not desk.exception
    assert missing in desk.error[0].value
    assert "not found" in desk.error[0].value
