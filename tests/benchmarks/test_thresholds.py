import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import thresholds as benchmark
from inspection.evaluation.costs import Costs
from inspection.evaluation.escape_limit import descent
from inspection.evaluation.thresholds import choose_thresholds


def test_the_command_prints_a_row_for_each_rule_and_writes_what_the_kept_one_did(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(benchmark, "SIZES", (10,))
    out = tmp_path / "study.json"
    arguments = ["thresholds", "--draws", "1", "--workers", "1", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", arguments)
    benchmark.main()
    printed = capsys.readouterr().out
    for rule in (*benchmark.RULES, "price steps (before)"):
        assert printed.count(f"| {rule} |") == 4 * 2 * 2
    assert len(json.loads(out.read_text())["rows"]) == 4 * 2


def test_the_kept_rule_is_the_one_that_sets_thresholds() -> None:
    for seed in range(5):
        generator = np.random.default_rng(seed)
        table, bad = benchmark.drawn(generator, "two detectors", 40, 80)
        costs = Costs(escape_cost=2)
        scores, _ = benchmark.as_one(table, bad, table)
        for asked in (0.3, 0.1, 0.01):
            cheapest = choose_thresholds(scores, bad, costs).thresholds
            steps = list(descent(cheapest.accept_below, scores, bad))
            kept = benchmark.kept(steps, 40, asked)
            chosen = choose_thresholds(scores, bad, costs, max_escape_rate=asked).thresholds
            assert kept == chosen.accept_below


def test_rules_allow_as_many_escapes_as_their_formulas() -> None:
    """Of 100 parts and 5 %: 5 empirically; (4 + 1) / 101 by risk control; 1 by the binomial."""
    scores = np.r_[np.zeros(50), np.linspace(0.1, 1, 100)]
    steps = list(descent(2.0, scores, np.arange(150) >= 50))
    escapes = {
        rule: sum(scores[50:] < accept(steps, 100, 0.05))
        for rule, accept in benchmark.RULES.items()
    }
    assert list(escapes.values()) == [100, 5, 4, 1, 1]
    assert benchmark.risk_control(steps, 10, 0.05) is None


def test_price_steps_drop_a_limit_that_the_parts_cannot_show() -> None:
    """The fault of the rule before: asking for 1 % of 30 parts passes more than asking for 10 %."""
    generator = np.random.default_rng(1)
    table, bad = benchmark.drawn(generator, "10 % near-normal", 30, 90)
    scores = table[:, 0]
    costs = Costs(escape_cost=0.5)
    passed = {
        asked: (scores < benchmark.price_steps(scores, bad, costs, asked).accept_below).sum()
        for asked in (0.1, 0.01)
    }
    assert passed[0.01] > passed[0.1]


def test_so_many_labels_are_wrong() -> None:
    wrong = benchmark.mislabelled(np.random.default_rng(0), np.zeros(10000, bool), 0.01)
    assert wrong.sum() == pytest.approx(100, abs=30)
