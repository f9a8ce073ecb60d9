import json
from pathlib import Path

import pytest

from dashboard.models.history import HISTORY, dry_run, entries, log_table, rules_table

RULE = {"name": "escapes", "passed": False, "found": 3, "limit": "<= 1"}


def entry(when: str, outcome: str, **more: object) -> dict[str, object]:
    return {"when": when, "outcome": outcome, "from": None, "to": "1", "who": "Kim", "why": "",
            "rules": []} | more  # fmt: skip


def test_the_latest_stands_first_and_a_torn_line_is_left_out(tmp_path: Path) -> None:
    lines = [json.dumps(entry("2026-01-01T10:00:00", "promoted")), '{"when": "2026', "12",
             json.dumps(entry("2026-01-02T10:00:00", "refused", rules=[RULE]))]  # fmt: skip
    (tmp_path / HISTORY).write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = entries(tmp_path)
    table = log_table(found)
    assert list(table["outcome"]) == ["refused", "promoted"]
    assert list(table["rules that stop"]) == ["escapes", "-"]
    assert table["when"][0] == "2026-01-02 10:00"
    assert rules_table(found[0]).to_dict("records") == [
        {"rule": "escapes", "result": "STOP", "found": "3", "allowed": "<= 1"}
    ]


def test_without_a_log_there_are_no_entries(tmp_path: Path) -> None:
    assert entries(tmp_path) == []


def test_a_dry_run_that_cannot_start_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command runs for real, in a folder without a project."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    monkeypatch.chdir(tmp_path)
    is_well, said = dry_run("Kim")
    assert not is_well
    assert "params.yaml" in said
