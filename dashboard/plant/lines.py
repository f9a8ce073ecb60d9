"""What is known of each line of a plant, from the files in its folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from dashboard.models.history import entries
from dashboard.places import RELEASES, VERDICTS, WATCHED
from dashboard.times import to_the_minute
from inspection.errors import InspectionError
from inspection.runtime.releases import champion, champion_line
from inspection.runtime.verdict import VERDICTS as OUTCOMES
from inspection.runtime.verdict_log import FILE, DailyCount, daily_verdicts
from inspection.storage import read_json

# A week of verdicts tells today from the usual, and fits beside the other lines.
N_DAYS = 7
# What of the promotion log puts another release in service, as pipelines/champions.py has it.
MOVES = ("promoted", "overridden", "synced", "rolled back")


@dataclass(frozen=True)
class LineToday:
    """A line by its name in `lines/`, '' for that in the root.

    `release` is the champion, '' where there is none, and then `problem` says why. `counts` are of
    the last N_DAYS days up to the last part that was judged; `watched` is what the watch has found.
    """

    name: str
    title: str
    release: str
    since: str
    problem: str
    counts: Sequence[DailyCount]
    watched: dict[str, Any] | None

    @property
    def n_alarms(self) -> int | None:
        """How many alarms the watch has raised; None where it has not looked yet."""
        return len(self.watched["alarms"]) if self.watched else None


def line_today(name: str, folder: Path) -> LineToday:
    """A line by its files; what cannot be read of it is its `problem`, and no other line's."""
    releases = folder / RELEASES
    title, release, problem = name, "", ""
    counts: Sequence[DailyCount] = ()
    try:
        release = champion(releases).name
        line = champion_line(releases)
        title = name or line
        if (folder / VERDICTS / FILE).is_file():
            counts = daily_verdicts(folder / VERDICTS, line, n_days=N_DAYS)
    except InspectionError as error:
        problem = str(error)

    watched = folder / WATCHED
    return LineToday(
        name=name,
        title=title or "the line in the root",
        release=release,
        since=_since(releases),
        problem=problem,
        counts=counts,
        watched=read_json(watched) if watched.is_file() else None,
    )


def overview(lines: Sequence[LineToday]) -> pd.DataFrame:
    """A row a line: its champion, since when, its verdicts on the last day that has any, alarms."""
    rows = []
    for line in lines:
        last = max((one.day for one in line.counts), default="")
        of_day = [one for one in line.counts if one.day == last]
        verdicts = {
            outcome: sum(one.n for one in of_day if one.verdict == outcome)
            for outcome in OUTCOMES
        }
        row = {
            "line": line.title,
            "champion": line.release or "none",
            "since": line.since or "-",
            "last day": last or "-",
            **(verdicts if last else dict.fromkeys(OUTCOMES)),
            "alarms": line.n_alarms,
        }
        rows.append(row)
    return pd.DataFrame(rows)


def _since(releases: Path) -> str:
    """When the champion was last made another one; '' where no log says so."""
    moves = [one for one in entries(releases) if one.get("outcome") in MOVES]
    return to_the_minute(str(moves[0].get("when", ""))) if moves else ""
