"""Hold what the service sees against what it saw before, and verdicts against what people found.

Reads the verdict log. An alarm is logged, sent to the webhook in KNURL_WEBHOOK, and repeated until
somebody accepts it: from then on the new level is the usual one. Exit 1: an alarm, or an error.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspection.errors import InspectionError
from inspection.evaluation.rates import percent
from inspection.monitoring.outcomes import (
    Checked,
    Running,
    checked_parts,
    escape_rate,
    overkill_rate,
)
from inspection.monitoring.reference import Reference
from inspection.monitoring.watching import Alarm, alarms
from inspection.plant import as_typed
from inspection.runtime.bundle import Card, read_card
from inspection.runtime.pictures import now
from inspection.runtime.releases import champion
from inspection.runtime.verdict_log import last_request, read_feedback, read_parts
from inspection.storage import read_json, write_json
from pipelines import alerts
from pipelines.champions import RELEASES, usual_path

VERDICTS = Path("verdicts")
ACCEPTED = "accepted.jsonl"
TOLD = "told.json"
# What was found last, for the line report of the dashboard.
FOUND = "watched.json"
# What a camera sees on a line with a takt of ten seconds, in two shifts.
PARTS_A_DAY = 5000
# One false alarm in twenty days: rarer than real ones, or nobody will look.
FALSE_ALARMS_A_DAY = 0.05


@dataclass(frozen=True)
class Watched:
    """What came out: the alarms, and by verdict how many parts there were and were checked."""

    n_parts: int
    since: str
    alarms: list[Alarm]
    checked: dict[str, Checked]

    @property
    def escapes(self) -> Running:
        """Of the defective parts, how many were passed."""
        return escape_rate(self.checked)

    @property
    def overkill(self) -> Running:
        """Of the good parts, how many were rejected."""
        return overkill_rate(self.checked)


def main() -> None:
    """Watch once, or accept what has changed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--verdicts", type=Path, default=VERDICTS, metavar="PATH")
    parser.add_argument("--parts-a-day", type=int, default=PARTS_A_DAY, metavar="N")
    parser.add_argument(
        "--false-alarms-a-day", type=float, default=FALSE_ALARMS_A_DAY, metavar="RATE"
    )
    parser.add_argument(
        "--accept", metavar="REASON", help="what is seen from now on is the usual"
    )
    parser.add_argument(
        "--by", metavar="NAME", help="who accepts it; asked for --accept"
    )
    given = parser.parse_args()
    if given.accept and not given.by:
        parser.error("--accept: say who accepts it with --by NAME")
    try:
        if given.accept:
            accept(given.verdicts, why=given.accept, by=given.by)
            sys.stdout.write(
                f"accepted by {given.by}: what is seen from now on is the usual "
                f"({given.accept})\n"
            )
            return
        found = watched(
            given.verdicts,
            parts_a_day=given.parts_a_day,
            false_alarms_a_day=given.false_alarms_a_day,
        )
        tell_new(given.verdicts, found.alarms)
        keep(given.verdicts, found)
    except InspectionError as error:
        sys.stderr.write(as_typed(f"watch: failed\n{error}\n"))
        raise SystemExit(1) from error
    sys.stdout.write(text_of(found))
    if found.alarms:
        raise SystemExit(1)


def watched(
    folder: Path = VERDICTS,
    *,
    parts_a_day: int = PARTS_A_DAY,
    false_alarms_a_day: float = FALSE_ALARMS_A_DAY,
) -> Watched:
    """What the log says of the champion's line, since a person last accepted a change.

    Raises InspectionError.
    """
    _check(parts_a_day, false_alarms_a_day)
    release = champion(RELEASES)
    card = read_card(release)
    line, accepted = card.line, _accepted(folder)
    # what somebody accepts of a release is its usual level, whatever its card says
    is_accepted = accepted.get("release") == release.name
    since = accepted.get("at", "")
    after = accepted.get("after", "")
    parts = [
        part
        for part in read_parts(folder, after=after, since=since)
        if part.line == line.name
    ]
    return Watched(
        n_parts=len(parts),
        since=since,
        alarms=alarms(
            parts,
            false_alarms_a_day=false_alarms_a_day,
            parts_a_day=parts_a_day,
            reference=None if is_accepted else _reference(release.name, card),
        ),
        checked=checked_parts(parts, read_feedback(folder), normal=line.normal),
    )


def accept(folder: Path, *, why: str, by: str) -> None:
    """Note that what is seen from now on is the usual, and who says so; lines are added only."""
    release = champion(RELEASES).name
    # by the last part, not by the time alone: a clock that is set back would hide what follows
    after = last_request(folder)
    entry = {"at": now(), "after": after, "who": by, "why": why, "release": release}
    text = json.dumps(entry, ensure_ascii=False) + "\n"
    # one write to a file opened for appending: two people at once add a line each
    with (folder / ACCEPTED).open("a", encoding="utf-8") as file:
        file.write(text)


def tell_new(folder: Path, found: Sequence[Alarm]) -> list[Alarm]:
    """Tell people of the alarms that they do not know yet; returns these."""
    path = folder / TOLD
    known: list[str] = read_json(path) if path.is_file() else []
    new = [alarm for alarm in found if _name(alarm) not in known]
    for alarm in new:
        alerts.tell(f"watch: {alarm.text}")
    if new:
        write_json(path, sorted({*known, *map(_name, new)}))
    return new


def keep(folder: Path, found: Watched) -> None:
    """Write what was found beside the log, where the dashboard reads it."""
    content = {
        "at": now(),
        "since": found.since,
        "n_parts": found.n_parts,
        "rates": rates_table(found),
        "alarms": alarm_rows(found.alarms),
    }
    write_json(folder / FOUND, content)


def text_of(found: Watched) -> str:
    """The alarms and the running rates, as lines."""
    since = f" since {found.since}" if found.since else ""
    lines = [f"{found.n_parts} parts{since}, {len(found.alarms)} alarms"]
    lines += [f"ALARM  {alarm.text}" for alarm in found.alarms]
    for row in rates_table(found):
        lines.append(
            "{rate:9}  {estimate:>7}  at most {bound:>7}  {basis}".format(**row)
        )
    return "\n".join(lines) + "\n"


def rates_table(found: Watched) -> list[dict[str, str]]:
    """Escapes and overkill as they run, with their bounds and what these rest on."""
    counts = ", ".join(
        f"{one.n_checked} of {one.n_parts} {verdict}"
        for verdict, one in found.checked.items()
    )
    rates = {"escapes": found.escapes, "overkill": found.overkill}
    return [
        {
            "rate": name,
            "estimate": percent(running.estimate),
            "bound": percent(running.upper_bound),
            "basis": f"checked: {counts}",
        }
        for name, running in rates.items()
    ]


def alarm_rows(found: Sequence[Alarm]) -> list[dict[str, Any]]:
    """The alarms as rows of a table."""
    return [
        {
            "camera": alarm.camera,
            "lot": alarm.lot or "-",
            "measure": alarm.measure,
            "before": f"{alarm.before:.4g}",
            "after": f"{alarm.after:.4g}",
            "since": alarm.since,
            "noticed": alarm.noticed,
            "release": alarm.release,
        }
        for alarm in found
    ]


def _check(parts_a_day: int, false_alarms_a_day: float) -> None:
    if parts_a_day < 1:
        raise InspectionError(f"parts_a_day: got {parts_a_day}; give 1 or more")
    if not 0 < false_alarms_a_day < 1:
        raise InspectionError(
            f"false_alarms_a_day: got {false_alarms_a_day}; give a rate between 0 and 1"
        )


def _accepted(folder: Path) -> dict[str, str]:
    """The last that somebody accepted; empty where nobody has."""
    path = folder / ACCEPTED
    if not path.is_file():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(json.loads(lines[-1])) if lines else {}


def _reference(release: str, card: Card) -> Reference:
    """What the card says of verdicts, if it counts any, and what promotion kept of test parts."""
    is_counted = "verdicts" in card.metrics and "defect_rate" in card.costs
    # what was promoted here has it, or was followed
    usual = usual_path(RELEASES, release)
    return Reference(
        release=release,
        verdicts=card.metrics["verdicts"] if is_counted else {},
        normal=card.line.normal,
        defect_rate=card.costs["defect_rate"] if is_counted else 0.0,
        usual=read_json(usual) if usual.is_file() else {},
    )


def _name(alarm: Alarm) -> str:
    """What makes it the same alarm at the next look."""
    return "|".join(
        [alarm.release, alarm.camera, alarm.lot, alarm.measure, alarm.since]
    )


if __name__ == "__main__":
    main()
