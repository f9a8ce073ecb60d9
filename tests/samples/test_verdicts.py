from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from inspection.evaluation.costs import Costs
from samples.verdicts import WEAK_SEVERITY, against_truth, group_of, main, table
from tests.samples.conftest import Line


def view(**changes: Any) -> dict[str, Any]:
    usual = {
        "part_id": "1",
        "true_class": "dent",
        "spoiled": "",
        "severity": 0.9,
        "borderline": False,
    }
    return usual | changes


@pytest.mark.parametrize(
    ("changes", "group"),
    [
        ({}, "plain defect"),
        ({"severity": WEAK_SEVERITY}, "plain defect"),
        ({"severity": WEAK_SEVERITY - 0.01}, "weak defect"),
        ({"borderline": True, "severity": 0.01}, "borderline"),
        ({"true_class": "normal", "severity": None}, "normal"),
        ({"true_class": "normal", "severity": None, "spoiled": "part"}, "wrong label"),
        # one view of several: the part is named after the others
        ({"spoiled": "view"}, "plain defect"),
    ],
)
def test_a_part_is_what_the_truth_says(changes: dict[str, Any], group: str) -> None:
    assert group_of(view(**changes)) == group


def test_verdicts_are_counted_by_group() -> None:
    views = {"a": view(), "b": view(), "c": view(part_id="2", true_class="normal")}
    rows = {row.group: row.verdicts for row in table({"1": "reject", "2": "pass"}, views)}
    assert rows["plain defect"] == {"reject": 1}
    assert rows["normal"] == {"pass": 1}
    assert rows["borderline"].total() == 0


def test_against_the_truth_a_wrong_label_is_no_escape_and_a_passed_defect_is_one() -> None:
    views = {
        "a": view(part_id="1"),
        "b": view(part_id="2", true_class="normal", spoiled="part"),
        # the second view of a part shows the defect that the first does not
        "c": view(part_id="3", true_class="normal"),
        "d": view(part_id="3"),
        "of no judged part": view(part_id="4"),
    }
    verdicts = {"1": "reject", "2": "pass", "3": "pass"}
    said = against_truth(verdicts, views, Costs())
    assert said.startswith("against the truth: escapes 1 of 2, overkill 0 of 1, cost 2.5")


def test_without_good_parts_nothing_is_said_of_costs() -> None:
    said = against_truth({"1": "reject"}, {"a": view()}, Costs())
    assert said == "against the truth: escapes 0 of 1, overkill 0 of 0"


def test_the_command_prints_a_table_of_all_parts(
    line: Line, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    parts = sorted({one["part_id"] for one in line.views.values()})
    with (tmp_path / "parts.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["part_id", "verdict"])
        writer.writerows([part, "review"] for part in parts)

    caplog.set_level("INFO")
    arguments = ["--parts", str(tmp_path / "parts.csv"), "--truth", str(line.truth_dir)]
    assert main(arguments) == 0
    rows = [record.getMessage().split() for record in caplog.records[1:-1]]
    assert sum(int(row[-4]) for row in rows) == len(parts)
    assert all(row[-4] == row[-2] for row in rows)
    assert caplog.records[-1].getMessage().startswith("against the truth: escapes 0 of ")


def test_without_a_run_it_says_what_to_do(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert main(["--parts", str(tmp_path / "parts.csv"), "--truth", str(tmp_path)]) == 1
    assert "run 'make demo' first" in caplog.text
