from dashboard.operating.findings import running, sentences
from inspection.runtime.verdict_log import DailyCount

LABELS = {"n_issues": 5, "n_held": 2, "n_views": 10, "n_reviewed": 1}


def test_a_shortcut_is_named_and_none_is_said_to_be_none() -> None:
    shortcuts = {"camera": 0.9, "width": 0.52}
    found = sentences({"shortcuts": shortcuts, "shortcut_classes": {"camera": "dent"}}, LABELS)
    assert "camera tells dent (0.90)" in found[1]
    assert "width" not in found[1]
    none = sentences({"shortcuts": shortcuts, "shortcut_classes": {}}, LABELS)
    assert "No shortcut" in none[1]


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
