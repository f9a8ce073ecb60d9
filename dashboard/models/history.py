"""The promotion log, as it lies beside the releases; and the gate's dry run, as a command."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from dashboard.times import to_the_minute

ROOT = Path(__file__).resolve().parents[2]
HISTORY = "history.jsonl"
# The gate judges two models on the test fold: minutes at most.
GATE_TIMEOUT_S = 900


def entries(releases: Path) -> list[dict[str, Any]]:
    """What happened to the versions, the latest first; a line that a power cut tore is left out."""
    path = releases / HISTORY
    if not path.is_file():
        return []
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        # what is left of a torn line may be a number, or a word in quotes
        if isinstance(entry, dict):
            found.append(entry)
    return found[::-1]


def log_table(found: list[dict[str, Any]]) -> pd.DataFrame:
    """One row per entry: when, what, from and to which version, who, why, which rules stop."""
    rows = []
    for entry in found:
        rules = entry.get("rules", [])
        stopped = [rule["name"] for rule in rules if not rule["passed"]]
        row = {
            "when": to_the_minute(str(entry.get("when", ""))),
            "outcome": entry.get("outcome", ""),
            "from": entry.get("from") or "-",
            "to": entry.get("to") or "-",
            "who": entry.get("who", ""),
            "why": entry.get("why", ""),
            "rules that stop": ", ".join(stopped) or "-",
        }
        rows.append(row)
    return pd.DataFrame(rows)


def rules_table(entry: dict[str, Any]) -> pd.DataFrame:
    """The gate's rules of one entry."""
    rows = []
    for rule in entry.get("rules", []):
        row = {
            "rule": rule["name"],
            "result": "ok" if rule["passed"] else "STOP",
            "found": str(rule["found"]),
            "allowed": str(rule["limit"]),
        }
        rows.append(row)
    return pd.DataFrame(rows, columns=["rule", "result", "found", "allowed"])


def dry_run(by: str, folder: Path = Path()) -> tuple[bool, str]:
    """Ask the gate of the line in a folder and move nothing; whether the command ended well, and
    what it said."""
    command = [sys.executable, "-m", "pipelines.promote", "--dry-run", "--by", by]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=GATE_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False, f"no answer within {GATE_TIMEOUT_S} s; run it in a terminal"

    is_well = done.returncode == 0
    said = done.stdout if is_well else f"{done.stdout}\n{done.stderr}"
    return is_well, said.strip()
