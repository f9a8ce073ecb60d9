from pathlib import Path

import numpy as np
import pytest

from inspection.evaluation.costs import Costs
from inspection.evaluation.operating_point import decided, operating_point
from inspection.runtime.bundle import Card
from inspection.runtime.verdict import decide, judge_part
from inspection.runtime.views import ViewOutputs
from tests.bundles import make_bundle


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> Card:
    folder: Path = tmp_path_factory.mktemp("bundle")
    return make_bundle(folder)


def view(name: str, logits: list[float] | None, anomaly: float | None) -> ViewOutputs:
    return ViewOutputs(
        name=name,
        sha256="",
        frame_size_px=(320, 256),
        windows={},
        crops={},
        logits=None if logits is None else np.array(logits, np.float32),
        raw_heat=None,
        raw_anomaly=anomaly,
        raw_map=None,
    )


def parts(n: int = 12) -> tuple[dict[str, list[ViewOutputs]], dict[str, str]]:
    """As many normal parts as dents and as loose rivets, and the labels of their views."""
    generator = np.random.default_rng(0)
    kinds = {"good": ([4, 0, 0], 0.2), "dented": ([0, 5, 0], 0.2), "loose": ([4, 0, 0], 9.0)}
    found, labels = {}, {}
    for kind, (logits, anomaly) in kinds.items():
        for number in range(n):
            name = f"{kind}{number}"
            noisy = generator.normal(logits, 0.3)
            seen = view(name, noisy.tolist(), anomaly + float(generator.normal(0, 0.1)))
            found[name] = [seen]
            labels[name] = {"good": "normal", "dented": "dent", "loose": "under_press"}[kind]
    return found, labels


PARTS, LABELS = parts()


def test_thresholds_from_val_separate_what_each_detector_sees(card: Card) -> None:
    new, _ = decided(card, PARTS, LABELS, Costs(), 0.01)
    limits = {"classifier": new.classifier.thresholds, "anomaly": new.anomaly.thresholds}
    assert limits["anomaly"].verdict(9.0) == "reject"
    assert limits["anomaly"].verdict(0.2) == "pass"
    assert limits["classifier"].verdict(1.0) == "reject"
    assert limits["classifier"].verdict(0.0) == "pass"
    assert 0 < new.costs["expected_cost_on_val"] < 0.05
    assert new.costs["escape_cost"] == Costs().escape_cost


def test_between_what_was_seen_and_beyond_all_certainty_thresholds_stay_in_order(
    card: Card,
) -> None:
    new, _ = decided(card, PARTS, LABELS, Costs(), 0.01)
    limits = new.classifier.thresholds
    assert 0 < limits.accept_below < limits.reject_above < 1
    sure = judge_part([view("sure", [90, 0, 0], 0.2)], new).views[0]
    assert sure.scores["classifier"] == 0.0
    assert sure.verdicts["classifier"] == "pass"


def test_the_temperature_of_a_classifier_that_is_always_right_is_below_one(card: Card) -> None:
    new, _ = decided(card, PARTS, LABELS, Costs(), 0.01)
    assert new.classifier.temperature < 1
    assert 0 <= new.costs["calibration_error_on_val"] < 0.1


def test_a_part_with_one_defective_view_is_defective(card: Card) -> None:
    two_views = {
        **{f"good{n}": PARTS[f"good{n}"] for n in range(6)},
        **{f"part{n}": [PARTS[f"good{n}"][0], PARTS[f"dented{n}"][0]] for n in range(6, 12)},
    }
    new, claim = decided(card, two_views, LABELS, Costs(), 0.01)
    assert claim["n_defective"] == 6
    assert new.classifier.thresholds.verdict(0.99999) == "reject"


def test_a_detector_that_saw_nothing_on_val_sends_to_review(card: Card) -> None:
    blind = {name: [view(name, [1, 0, 0], None)] for name in ("good0", "good1")}
    new, _ = decided(card, blind, LABELS, Costs(), 0.01)
    later = judge_part([view("good0", [9, 0, 0], 0.0)], new)
    assert later.views[0].verdicts["anomaly"] == "review"


def test_the_rate_of_escapes_asked_for_binds_and_a_stricter_one_binds_more(card: Card) -> None:
    """Of 400 dents 40 look normal: 2 % lets 3 of them pass; 0.1 % is more than 400 can show."""
    logits = [*[[3.0, n / 40, 0.0] for n in range(40)], *[[0.0, 6.0, 0.0]] * 360]
    logits += [[3.0, n / 60, 0.0] for n in range(60)]
    parts = {str(n): [view(str(n), one, 0.0)] for n, one in enumerate(logits)}
    labels = {str(n): "dent" if n < 400 else "normal" for n in range(len(logits))}
    cheap = Costs(escape_cost=0.02, review_cost=1.0, overkill_cost=100.0)
    escapes, limits = {}, {}
    for wanted in (0.02, 0.001, None):
        new, limit = decided(card, parts, labels, cheap, wanted)
        views = [judge_part(parts[str(n)], new).views[0] for n in range(400)]
        escapes[wanted] = sum(one.verdicts["classifier"] == "pass" for one in views)
        limits[wanted] = limit
        assert limit["n_defective"] == 400
        assert new.costs["max_escape_rate"] == wanted
    assert escapes[None] >= 20
    assert escapes[0.02] == limits[0.02]["escapes"] == 3
    assert escapes[0.001] == 0
    assert limits[0.02]["applied"] == "limit"
    assert (limits[0.001]["supported"], limits[0.001]["applied"]) == (False, "no_known_escape")
    assert limits[None]["applied"] == "off"


def test_what_is_claimed_is_judged_by_thresholds_that_did_not_see_the_part(card: Card) -> None:
    """The one dent that looks normal holds the threshold down; set without it, it passes."""
    more, labels = parts(30)
    more = {**more, "odd": [view("odd", [3.5, 0.2, 0.0], 0.2)]}
    _, limit = decided(card, more, labels | {"odd": "dent"}, Costs(escape_cost=0.5), 0.05)
    assert limit["escapes"] == 0
    assert limit["unseen_escapes"] >= 1


def test_runtimes_that_differ_by_the_tolerance_give_the_same_verdicts() -> None:
    """A difference of 4 tolerances in log-odds is one tolerance of probability, at the most."""
    generator = np.random.default_rng(0)
    odds, bad = generator.normal(0, 2, 300), np.arange(300) >= 200
    odds[bad] += 4
    scores = np.c_[1 / (1 + np.exp(-odds)), generator.normal(bad * 3.0, 1)]
    tolerance = 0.001
    point = operating_point(scores, bad, Costs(), 0.1, tolerance)
    wanted = decide(scores, point.thresholds)
    for way in (-1, 1):
        other = np.c_[
            1 / (1 + np.exp(-(odds + way * 4 * tolerance))), scores[:, 1] + way * tolerance
        ]
        assert np.abs(other[:, 0] - scores[:, 0]).max() <= tolerance
        assert decide(other, point.thresholds) == wanted
    for number, limits in enumerate(point.thresholds[1:], 1):
        gaps = np.abs(scores[:, number] - limits.accept_below)
        assert gaps.min() >= 2 * tolerance * (1 - 1e-9)


def test_without_a_defective_part_in_val_only_what_looks_like_its_normals_passes(
    card: Card,
) -> None:
    good = {name: views for name, views in PARTS.items() if name.startswith("good")}
    new, claim = decided(card, good, LABELS, Costs(), 0.01)
    assert claim["n_defective"] == 0
    assert new.classifier.temperature == 1.0
    verdicts = [new.classifier.thresholds.verdict(p) for p in (0.01, 0.5, 0.99)]
    assert verdicts == ["pass", "review", "review"]
    assert [new.anomaly.thresholds.verdict(s) for s in (0.2, 3.0, 9.0)] == [
        "pass", "review", "review"
    ]  # fmt: skip
