from pathlib import Path

import numpy as np
import pytest

from inspection.evaluation.costs import Costs
from inspection.evaluation.operating_point import decided
from inspection.runtime.bundle import Card
from inspection.runtime.verdict import judge_part
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


def test_thresholds_from_val_separate_what_each_channel_sees(card: Card) -> None:
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


def test_a_channel_that_saw_nothing_on_val_sends_to_review(card: Card) -> None:
    blind = {name: [view(name, [1, 0, 0], None)] for name in ("good0", "good1")}
    new, _ = decided(card, blind, LABELS, Costs(), 0.01)
    later = judge_part([view("good0", [9, 0, 0], 0.0)], new)
    assert later.views[0].verdicts["anomaly"] == "review"


def test_the_rate_of_escapes_asked_for_binds_where_val_can_support_it(card: Card) -> None:
    """Of 400 dents 40 look normal: 2 % lets 3 of them pass; 400 parts cannot support 0.1 %."""
    logits = [*[[3.0, n / 40, 0.0] for n in range(40)], *[[0.0, 6.0, 0.0]] * 360]
    logits += [[3.0, n / 60, 0.0] for n in range(60)]
    parts = {str(n): [view(str(n), one, 0.0)] for n, one in enumerate(logits)}
    labels = {str(n): "dent" if n < 400 else "normal" for n in range(len(logits))}
    cheap = Costs(escape_cost=0.02, review_cost=1.0, overkill_cost=100.0)
    escapes = {}
    for wanted in (0.02, 0.001):
        new, claim = decided(card, parts, labels, cheap, wanted)
        views = [judge_part(parts[str(n)], new).views[0] for n in range(400)]
        escapes[wanted] = sum(one.verdicts["classifier"] == "pass" for one in views)
        assert claim["n_defective"] == 400
        assert new.costs["max_escape_rate"] == wanted
    assert escapes[0.02] <= 3
    assert escapes[0.001] >= 20


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
