"""What differs between two versions: measured numbers, parameters, data, code, thresholds."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from inspection.parts import labels_of_parts
from inspection.runtime.bundle import Card
from inspection.runtime.detectors import anomaly_regions
from inspection.runtime.verdict import VERDICTS, PartVerdict

# What a version is judged by first, as it stands in the card's metrics of the test fold.
HEADLINES = {
    "escapes": ("totals", "escapes"),
    "of defective parts": ("totals", "n_defective"),
    "escape rate, at most": ("totals", "escape_upper_bound"),
    "overkill": ("totals", "overkill"),
    "of normal parts": ("totals", "n_normal"),
    "overkill rate, at most": ("totals", "overkill_upper_bound"),
    "sent to review": ("totals", "reviewed"),
    "expected cost a part": ("cost", "line", "value"),
    "cost to review all": ("cost", "review_all"),
    "macro-F1": ("classifier", "macro_f1"),
    "fused AUROC": ("fused_auroc",),
    "heat on the defect": ("cam", "pointing"),
}
# As bounds of some hundred parts are no finer.
DECIMALS = 3
# no outcome: as much of a hash as tells two apart, and fits a column
HASH_DIGITS = 8
# no outcome: of the hash of the data; the number of its files is shorter
ENTRY_DIGITS = 12


def headlines(card: Card) -> dict[str, float | None]:
    """The numbers of the test fold that a version is judged by; None where one was not measured."""
    keys_of: dict[str, tuple[str, ...]] = dict(HEADLINES)
    for name in anomaly_regions(card.line):
        keys_of[f"{name} AUROC"] = (f"{name}_auroc",)
    return {name: _at(card.metrics, keys) for name, keys in keys_of.items()}


def compared(old: Card, new: Card) -> pd.DataFrame:
    """The headlines of two versions side by side, with what changed."""
    before, after = headlines(old), headlines(new)
    rows = []
    for name in before | after:
        first, second = before.get(name), after.get(name)
        change = None
        if first is not None and second is not None:
            change = second - first
        row = {
            "measured": name,
            "before": first,
            "after": second,
            "change": change,
        }
        rows.append(row)

    numbers = {"before": float, "after": float, "change": float}
    table = pd.DataFrame(rows).astype(numbers)
    return table.round(DECIMALS)


def differing(old: Card, new: Card) -> pd.DataFrame:
    """Parameters, thresholds, data, code and models that are not the same, one row each."""
    before, after = _described(old), _described(new)
    rows = []
    for name in before | after:
        first, second = before.get(name, "-"), after.get(name, "-")
        if before.get(name) != after.get(name):
            rows.append({"what": name, "before": first, "after": second})
    return pd.DataFrame(rows, columns=["what", "before", "after"])


def changed_verdicts(
    views: pd.DataFrame,
    before: Mapping[str, PartVerdict],
    after: Mapping[str, PartVerdict],
    normal: str,
) -> pd.DataFrame:
    """The parts on which two versions differ, what became worse first.

    A row holds part, label, both verdicts, whether it became `better`, `worse` or `other`, and
    the deciding view of the one that is stricter.
    """
    labels = labels_of_parts(views, normal)
    rows = []
    for part_id, old in before.items():
        new = after[part_id]
        if (old.verdict, old.label) == (new.verdict, new.label):
            continue

        label = labels[part_id]
        stricter = max(old, new, key=_strictness)
        row = {
            "part": part_id,
            "label": label,
            "before": f"{old.verdict}: {old.label}",
            "after": f"{new.verdict}: {new.label}",
            "became": _became(old, new, is_good=label == normal),
            "view": stricter.worst_view,
        }
        rows.append(row)

    columns = ["part", "label", "before", "after", "became", "view"]
    table = pd.DataFrame(rows, columns=columns)
    order = {"worse": 0, "other": 1, "better": 2}
    return table.sort_values("became", key=lambda one: one.map(order), kind="stable")


def _strictness(one: PartVerdict) -> int:
    """The place of a verdict from pass to reject."""
    return VERDICTS.index(one.verdict)


def _became(old: PartVerdict, new: PartVerdict, *, is_good: bool) -> str:
    """A good part should pass, a defective one should not: the level alone tells."""
    step = _strictness(new) - _strictness(old)
    if step == 0:
        return "other"
    is_milder = step < 0
    return "better" if is_milder == is_good else "worse"


def _described(card: Card) -> dict[str, str]:
    """All that may differ, as texts by name."""
    lineage = card.lineage
    data_dvc = lineage.get("data", "")
    found = {
        "code (git revision)": _short(lineage.get("git_revision", "-")),
        "data (data.dvc)": _entry(data_dvc, "md5"),
        "data, files": _entry(data_dvc, "nfiles"),
        "run that trained it": _short(lineage.get("mlflow_run", "-")),
    }
    for name, limits in card.thresholds.items():
        found[f"{name}: passes below"] = f"{limits.accept_below:.4g}"
        found[f"{name}: rejected above"] = f"{limits.reject_above:.4g}"

    params = _params(lineage.get("params", ""))
    for key, value in _flat(params).items():
        found[f"params: {key}"] = str(value)

    for name, digest in sorted(card.files.items()):
        found[f"model {name}"] = _short(digest)
    return found


def _short(digest: object) -> str:
    """The beginning of a hash."""
    return str(digest)[:HASH_DIGITS]


def _params(text: str) -> Any:
    reader = YAML(typ="safe")
    # a card whose params cannot be read is still compared by all the rest
    try:
        found = reader.load(text)
    except YAMLError:
        return {}
    return found or {}


def _entry(data_dvc: str, key: str) -> str:
    """A value of data.dvc, which is YAML with one output."""
    leaves = _flat(_params(data_dvc))
    value = leaves.get(f"outs.0.{key}", "-")
    return str(value)[:ENTRY_DIGITS]


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Every leaf by its dotted name."""
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list):
        pairs = list(enumerate(value))
    else:
        return {prefix: value}

    found: dict[str, Any] = {}
    for key, one in pairs:
        name = f"{prefix}.{key}" if prefix else str(key)
        found |= _flat(one, name)
    return found


def _at(metrics: Any, keys: tuple[str, ...]) -> float | None:
    """The number at the end of these keys; None where there is none."""
    found = metrics
    for key in keys:
        if not isinstance(found, dict):
            return None
        found = found.get(key)
    return float(found) if isinstance(found, int | float) else None
