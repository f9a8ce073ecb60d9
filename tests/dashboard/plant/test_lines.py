from pathlib import Path

from dashboard.plant.lines import line_today, overview


def test_the_overview_has_a_row_for_each_line_with_what_it_judged_and_what_the_watch_found(
    plant: Path,
) -> None:
    rods = line_today("", plant)
    tiles = line_today("tiles", plant / "lines/tiles")
    new = line_today("new", plant / "lines/new")

    table = overview([rods, tiles, new]).astype(object)
    rows = table.where(table.notna(), None).to_dict("records")
    today = max(one.day for one in tiles.counts)
    since = "2026-11-25 10:42"
    none = {"pass": None, "review": None, "reject": None}
    assert rows == [
        {"line": "rods", "champion": "rods-1", "since": since, "last day": "-", **none,
         "alarms": None},
        {"line": "tiles", "champion": "tiles-1", "since": since, "last day": today, "pass": 1,
         "review": 0, "reject": 2, "alarms": 1},
        {"line": "new", "champion": "none", "since": "-", "last day": "-", **none,
         "alarms": None},
    ]  # fmt: skip
    assert "champion.json" in new.problem
    assert (rods.problem, tiles.problem) == ("", "")


def test_a_broken_pointer_is_the_problem_of_its_line(plant: Path) -> None:
    (plant / "models/releases/champion.json").write_text("{")

    broken = line_today("", plant)

    assert broken.release == ""
    assert "champion.json" in broken.problem
    assert broken.title == "the line in the root"
