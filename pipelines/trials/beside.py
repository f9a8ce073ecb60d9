"""What the trials have shown, in lines that stand below other numbers."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inspection.evaluation.rates import percent
from inspection.storage import read_json
from pipelines.trials.trial import state

EVIDENCE = Path("metrics/evidence.json")
DRILL = Path("metrics/drill.json")
SEEDS = Path("metrics/seeds.json")
STALE = " (of another bundle, before parameters, data or code changed: run it again)"


def tried_beside() -> str:
    """A paragraph of what was tried last, and whether it still holds; nothing where nothing was."""
    if not any(path.is_file() for path in (EVIDENCE, DRILL, SEEDS)):
        return ""
    lines = []
    now = state()
    if EVIDENCE.is_file():
        found = read_json(EVIDENCE)
        lines.append(
            f"make evidence: every part judged unseen, in {found['n_folds']} folds"
            f"{_age(found, now)}:"
        )
        lines.append(_evidence(found))
    if DRILL.is_file():
        found = read_json(DRILL)
        lines.append(f"make drill: defects that were never shown{_age(found, now)}:")
        lines.append(_drill(found["classes"]))
    if SEEDS.is_file():
        found = read_json(SEEDS)
        lines.append(
            f"make seeds: {found['n_seeds']} seeds of the training{_age(found, now)}:"
        )
        lines.append(_seeds(found["numbers"]))
    return "\n".join(["", *lines, ""])


def _age(found: dict[str, Any], now: Mapping[str, str | None]) -> str:
    """That trials may hold no more; '' where nothing has changed, or nothing that makes another
    bundle."""
    is_of_this_bundle = now["beside"] is not None and found["beside"] == now["beside"]
    return "" if is_of_this_bundle or found["design"] == now["design"] else STALE


def _evidence(found: dict[str, Any]) -> str:
    totals = found["totals"]
    return (
        f"  escapes {totals['escapes']} of {totals['n_defective']}, at most "
        f"{percent(totals['escape_upper_bound'])}; overkill {totals['overkill']} of "
        f"{totals['n_normal']}, at most {percent(totals['overkill_upper_bound'])}; to review "
        f"{totals['reviewed']} of {totals['n_parts']}; AUROC {found['fused_auroc']:.3f}, "
        f"macro-F1 {found['classifier']['macro_f1']:.3f}"
    )


def _drill(classes: dict[str, dict[str, Any]]) -> str:
    return "  " + "; ".join(
        f"{name} {one['pass']} of {one['n_parts']} passed, {one['review']} reviewed"
        for name, one in classes.items()
    )


def _seeds(numbers: dict[str, list[float]]) -> str:
    shown = ("cost a part", "fused AUROC", "macro-F1")
    return "  " + "; ".join(
        f"{name} {min(numbers[name]):.3f} to {max(numbers[name]):.3f}" for name in shown
    )
