from dashboard.operating.findings import running, sentences
from inspection.runtime.verdict_log import DailyCount

LABELS = {"n_issues": 5, "n_held": 2, "n_views": 10, "n_reviewed": 1}


def test_a_shortcut_is_named_and_none_is_said_to_be_none() -> None:
    split = {"shortcuts": {"chance": 0.2, "camera": 0.9, "width": 0.22}}
    found = sentences(split, LABELS)
    assert "from camera (0.90) alone" in found[1]
    assert "width" not in found[1]
    assert "No shortcut" in sentences({"shortcuts": {"chance": 0.2, "camera": 0.25}}, LABELS)[1]


def test_leakage_is_told_where_it_was_measured() -> None:
    leakage = {"price": 0.6, "random_macro_f1": 0.9, "grouped_macro_f1": 0.3}
    assert "price of leakage is 0.600" in sentences({"leakage": leakage}, LABELS)[1]
    assert len(sentences({}, LABELS)) == 1


def test_verdicts_are_counted_by_day_and_release_the_latest_first() -> None:
    counts = [
        DailyCount(day="2026-01-01", release="v1", verdict="pass", n=1),
        DailyCount(day="2026-01-02", release="v1", verdict="pass", n=4),
        DailyCount(day="2026-01-02", release="v1", verdict="reject", n=2),
        DailyCount(day="2026-01-02", release="v2", verdict="pass", n=1),
    ]
    rows = running(counts).to_dict("records")
    assert [(r["day"], r["release"], r["parts"], r["pass"], r["reject"]) for r in rows] == [
        ("2026-01-02", "v2", 1, 1, 0),
        ("2026-01-02", "v1", 6, 4, 2),
        ("2026-01-01", "v1", 1, 1, 0),
    ]
    assert list(running([]).columns)[:3] == ["day", "release", "parts"]
