"""The page on drawn parts, whose verdicts and heat are known."""

import json
import re
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from inspection.curation.least_normal import least_normal
from inspection.evaluation import metrics as outcomes
from inspection.evaluation.costs import Costs
from inspection.evaluation.doubtful import Suspect, claim_if_mended
from inspection.evaluation.escape_limit import EscapeLimit
from inspection.evaluation.threshold_study import simulated
from inspection.evaluation.worst_views import Pictures, pictures
from inspection.runtime.bundle import Card
from inspection.runtime.detectors import Thresholds
from inspection.runtime.inspector import Inspector
from inspection.runtime.views import View
from inspection.storage import write_bytes, write_json
from stages.report_page import Evidence, NormalsOfRegion, limits, records, render_report
from tests.bundles import changed_detector, draw_jpeg, make_bundle
from tests.report_page import ReportPage

NORMALS = [f"n{number}" for number in range(8)]
QUARANTINE = """\
path,reason,detail,view_kept
a.jpg,truncated,copy it again,False
b.jpg,box_outside,the box was cut,True
c.txt,ignored,no image,True
d.jpg,duplicate,same bytes,False
"""
SPLIT = {
    "leakage": {"random_macro_f1": 0.5, "grouped_macro_f1": 0.4, "siblings_in_train_rate": 0.7},
    "shortcuts": {"camera": 0.85, "width": 0.5},
    "shortcut_classes": {"camera": "slide"},
}


LIMIT = EscapeLimit(
    asked=0.01,
    confidence=0.95,
    supported=False,
    applied="no_known_escape",
    n_defective=33,
    escapes=0,
    upper_bound=0.087,
    n_parts_needed=299,
    unseen_escapes=1,
    unseen_upper_bound=0.136,
)

SUSPECTS = [Suspect("7", ["dent"], "escape", 0.1, "a/7.jpg")]
LISTED = least_normal(
    pd.DataFrame(
        {
            "view_id": ["v1", "v2", "v3"],
            "path": ["a/1.jpg", "a/2.jpg", "a/3.jpg"],
            "part_id": ["007", "8", "9"],
            "score": [4.25, 3.0, 1.0],
        }
    ),
    {"threshold": 2.5, "false_rejects": 2, "n_val_normals": 40},
)
CROPS = {"a/7.jpg": [np.zeros((80, 160, 1), np.uint8), np.zeros((80, 80, 1), np.uint8)]}


@pytest.fixture(scope="module")
def report_on(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Reports by their limit: on a dent, a slide called a dent, an overkill, eight good parts."""
    folder = tmp_path_factory.mktemp("report")
    make_bundle(folder / "bundle")
    inspector = Inspector(folder / "bundle")
    labelled = {"d": ("dent", "dent"), "s": ("dent", "slide"), "x": ("dent", "normal")}
    labelled |= dict.fromkeys(reversed(NORMALS), ("normal", "normal"))
    parts = {
        name: [inspector.measure(View(f"{name}.jpg", draw_jpeg(drawn, seed=number)))]
        for number, (name, (drawn, _)) in enumerate(labelled.items())
    }
    labels = {name: label for name, (_, label) in labelled.items()}
    table = outcomes.outcomes(parts, labels, inspector.card)

    def report(limit: EscapeLimit, *, marked: bool = True) -> str:
        card = finished(inspector.card, table, limit)
        shown = evidence(folder, table, pictures(table, parts, card))
        if not marked:
            card = card.model_copy(update={"metrics": card.metrics | {"cam": {"n": 0}}})
            shown = replace(shown, recipes=[])
        return render_report(card, shown)

    return report


@pytest.fixture(scope="module")
def html(report_on: Callable[..., str]) -> str:
    return report_on(LIMIT)


@pytest.fixture(scope="module")
def page(html: str) -> ReportPage:
    return ReportPage(html)


def finished(card: Card, table: pd.DataFrame, limit: EscapeLimit = LIMIT) -> Card:
    """The card with the metrics and the lineage that the stage adds."""
    metrics: dict[str, Any] = outcomes.test_metrics(table, card, Costs()) | {
        "limit": limit.as_json()
        | {
            "simulated": simulated(3, 0.01),
            "hardest": {"sentence": "look at 7 (dent)"},
            "suspects": [asdict(one) for one in SUSPECTS],
            "if_mended": claim_if_mended(limit, SUSPECTS),
        },
        "cam": {
            "n": 2,
            "n_parts": 2,
            "pointing": 1.0,
            "pointing_lower_bound": 0.22,
            "pointing_of_centre": 0.5,
            "energy": 0.8,
            "edge": 0.1,
        },
        "parity": {},
        "matched": {"camera": {"auroc": 0.812, "unmatched_auroc": 0.934, "n_parts": 11}},
    }
    as_read = json.loads(json.dumps(metrics, sort_keys=True))  # as the card's file has them
    lineage = {"git_revision": None, "git_clean": None, "mlflow_run": None, "data": "md5: 1"}
    recipe = {"method": "gradcam", "layer": "fused", "chosen_by": "the highest score"}
    changed = {"metrics": as_read, "lineage": lineage | {"versions": {}}}
    return changed_detector(card, "classifier", evidence=recipe).model_copy(update=changed)


def evidence(folder: Path, table: pd.DataFrame, found: Pictures) -> Evidence:
    """What the report shows beside the card, from files as earlier stages write them."""
    save(folder)
    return Evidence(
        table=table,
        pictures=found,
        curves=pd.read_csv(folder / "classifier/curves.csv"),
        recipes=records(folder / "cam/table.csv"),
        gallery=folder / "cam/gallery",
        quarantine=records(folder / "quarantine.csv"),
        issues=records(folder / "issues.csv"),
        split=SPLIT,
        crops=CROPS,
        normals=[NormalsOfRegion("rivet", LISTED, [np.zeros((8, 8, 1), np.uint8)])],
    )


def save(folder: Path) -> None:
    """The files of earlier stages that the report reads."""
    import cv2

    texts = {
        "quarantine.csv": QUARANTINE,
        "issues.csv": "rank,path,label,suggested,score,reason\n1,s.jpg,slide,dent,0.91,looks so\n"
        "2,m.jpg,slide,dent,0.4,only_near_duplicates: g\n"
        "3,n.jpg,slide,dent,0.3,only_near_duplicates: g\n",
        "classifier/curves.csv": "epoch,train_loss,val_loss,val_macro_f1\n"
        "0,1,1,0.2\n1,0.5,0.6,0.9\n",
        "cam/table.csv": "method,layer,exportable,pointing,energy,iou,edge,score\n"
        "gradcam,fused,True,1,0.8,0.5,0.1,0.7\n",
    }
    for name, text in texts.items():
        write_bytes(folder / name, text.encode())
    picture = cv2.imencode(".png", np.zeros((20, 20, 3), np.uint8))[1].tobytes()
    write_bytes(folder / "cam/gallery/v.png", picture)
    entry = {"file": "v.png", "label": "dent", "path": "v.jpg"}
    write_json(folder / "cam/gallery/index.json", [entry])


def test_a_shortcut_is_named_with_what_the_scores_are_worth_without_it(html: str) -> None:
    assert "<b>camera</b> tells slide" in html
    assert "<td>camera</td><td>0.812</td><td>0.934</td><td>11</td>" in html


def test_of_the_order_of_names_it_is_said_where_it_tells_nothing(
    report_on: Callable[..., str], html: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "part_order is the order of the parts' names"
    assert said not in html
    monkeypatch.setitem(SPLIT, "shortcut_classes", {"part_order": "slide"})
    assert said in report_on(LIMIT)


def test_a_part_judged_against_its_label_is_shown_with_the_claim_were_its_label_wrong(
    page: ReportPage,
) -> None:
    words = page.text("Data")
    assert "1 of 33 defective parts pass" in words
    assert "the 32 defective parts show at most 8.9 % escapes" in words
    assert "part 7: labelled dent, fused score 0.100 · a/7.jpg" in words
    assert page.images["Data"][:2] == ["escape", "escape"]


def test_the_normals_that_look_least_normal_are_counted_and_the_first_are_shown(
    page: ReportPage,
) -> None:
    words = page.text("Data")

    assert "rivet: 2 of 3 views whose score lies beyond 2.50 standard deviations" in words
    assert (
        "beyond which 2 of 40 normal parts lie (fit_anomaly.false_reject_rate). The first" in words
    )
    assert page.images["Data"][2:] == ["least normal, rivet"]
    assert "4.25 part 007 · a/1.jpg" in words


def test_where_nothing_marks_a_defect_the_page_says_why_nothing_is_measured_and_what_would(
    html: str, report_on: Callable[..., str]
) -> None:
    words = ReportPage(report_on(LIMIT, marked=False)).text("Where the model looks")

    assert "Whether it looks at the defect is not measured on test: no defect" in words
    assert "None was compared: no defect of val that is named rightly is marked" in words
    assert words.count("Boxes drawn") == 2
    assert "Green" not in words
    assert "None was compared" not in html
    assert "not measured on test" not in html


def test_only_what_was_set_aside_counts_as_quarantined(page: ReportPage) -> None:
    words = page.text("Data")

    assert "Files quarantined: 2." in words
    assert "Findings noted: 2." in words
    assert words.index("a.jpg") < words.index("Findings noted") < words.index("c.txt")


def test_an_auroc_stands_under_the_detector_that_has_it(page: ReportPage) -> None:
    words = page.text("Verdicts by class")

    assert "AUROC by classifier by anomaly" in words
    assert re.search(r"slide 1 .* % \d\.\d{3} \d\.\d{3} – ", words)


def test_the_gallery_says_that_it_shows_defects_of_val_named_rightly(page: ReportPage) -> None:
    words = page.text("Where the model looks")

    assert "Measured on test, on 2 views of 2 parts whose defect is named rightly" in words
    assert "Defects of val, named rightly" in words
    assert page.images["Where the model looks"][0] == "val crop, dent"


def test_the_first_normal_parts_are_shown_and_look_cold(page: ReportPage) -> None:
    shown = [alt for alt in page.images["Where the model looks"] if alt.startswith("normal part")]
    heat = re.findall(r"peak heat (\d\.\d\d)", page.text("Where the model looks"))

    assert shown == [f"normal part {name}" for name in NORMALS[:6]]
    assert [float(peak) for peak in heat] == [0.0] * 6


def test_errors_are_shown_with_their_heat_the_worst_kind_first(page: ReportPage) -> None:
    assert page.images["Worst errors"] == ["overkill", "overkill", "wrong name", "wrong name"]


def test_confusion_curves_and_issues_are_there(page: ReportPage) -> None:
    assert page.tags["Confusion of the classifier"].count("td") == 3 * 4
    assert page.tags["Training"].count("polyline") == 3
    assert "s.jpg slide dent" in page.text("Data")


def test_views_that_only_a_near_duplicate_contradicts_are_counted_in_one_line(
    page: ReportPage,
) -> None:
    words = page.text("Data")

    assert "Label suspects: 1." in words
    assert "Besides, 2 views have a near-duplicate of another label" in words
    assert "m.jpg" not in words


def test_sentences_do_not_run_into_each_other(page: ReportPage) -> None:
    words = " ".join(page.text(section) for section in page.words if section)

    assert re.findall(r"[a-z0-9]\.[A-Z]\w+", words) == []


def test_nothing_is_loaded_from_elsewhere(page: ReportPage) -> None:
    assert page.loaded == []


def test_no_change_is_claimed_where_there_is_no_git(html: str) -> None:
    assert "revision unknown." in html
    assert "not committed" not in html


def test_a_threshold_that_no_score_reaches_is_words_in_words() -> None:
    usual = Thresholds(accept_below=0.25, reject_above=0.75)
    assert limits(usual, 0, 1) == "pass below 0.25, reject above 0.75"
    blind = Thresholds(accept_below=1.5881, reject_above=1.6)
    assert limits(blind, 0, 1) == "everything passes, nothing is rejected"
    assert limits(Thresholds(accept_below=-1e9, reject_above=1e9), 0, 1) == (
        "nothing passes, nothing is rejected"
    )


def test_what_a_limit_cannot_show_and_what_was_applied_stand_in_the_report(html: str) -> None:
    text = " ".join(html.split())
    assert LIMIT.sentence in text
    assert "1 pass when judged by thresholds set without them: at most 13.6 %" in text
    assert text.count("% of draws") == 4
    assert "It would help to look at 7 (dent). They stand first at the review desk." in text


def test_only_a_limit_that_somebody_asked_for_is_an_alarm(
    html: str, report_on: Callable[..., str]
) -> None:
    assert '<p class="bad">Limit on escapes: at most 1.0 % escapes is not supported' in html
    unlimited = report_on(replace(LIMIT, asked=None))
    assert '<p class="soft">Limit on escapes: no limit on escapes' in unlimited


def test_what_is_counted_and_what_costs_are_in_is_said_before_the_verdicts(html: str) -> None:
    above = html[: html.index("Verdicts by class")]
    assert "Overkill: normal parts, of class normal, that are rejected. Review: a person" in above
    assert "in units of one good part thrown away (assemble.costs" in above


def test_a_line_that_does_not_beat_review_says_so_before_its_rates(html: str) -> None:
    cost = html.index("Expected cost:")
    assert (cost < html.index('class="tiles"')) == ("does not beat" in html)
    assert "review all" in html
    assert "reject all" in html


def test_the_model_of_normal_parts_is_named_with_what_it_looks_at(html: str) -> None:
    assert "<th>anomaly alone</th><td>padim on features of the filters; review from" in html
