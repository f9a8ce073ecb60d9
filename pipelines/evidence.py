"""What the gate is shown: the verdicts of both models on the same parts, and the facts.

What the challenger sees of the normal test parts is kept with its release: the watch holds the
first parts of production against it.
"""

import hashlib
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from inspection.errors import InspectionError, first_three
from inspection.evaluation.costs import Costs
from inspection.monitoring.measures import NO_CAMERA, Usual, looks_of
from inspection.parts import labels_of_parts
from inspection.promotion.gate import (
    Facts,
    GateParams,
    Rule,
    golden_rule,
    paired_rules,
    standing_rules,
)
from inspection.runtime.bundle import Card
from inspection.runtime.inspector import Inspector
from inspection.runtime.recording import logged_views
from inspection.runtime.verdict import judge_part
from inspection.runtime.verdict_log import LoggedView
from inspection.runtime.views import View
from inspection.storage import read_table, sha256_of
from pipelines.champions import Registry

GOLDEN = Path("reviews/golden.csv")
DATA = Path("data")
MANIFEST = Path("artifacts/manifest/manifest.parquet")
PRICES = tuple(Costs.model_fields)


@dataclass(frozen=True)
class Judgement:
    """The rules with their results, the fold that they rest on, and its usual parts."""

    rules: list[Rule]
    fold_sha256: str
    usual: Usual

    @property
    def passed(self) -> bool:
        """Whether every rule lets the challenger through."""
        return all(rule.passed for rule in self.rules)


def judge(
    registry: Registry, challenger: str, champion: str | None, params: GateParams
) -> Judgement:
    """Hold the challenger against the gate; without a champion, only against the limits.

    The parts are those of the challenger's test fold as it was registered: the list of its images
    with their hashes lies in the registry, so that data added later does not move it. Parts of it
    that either model was trained on are left out.
    """
    inspector = Inspector(registry.released(challenger))
    views = _views(registry, challenger)
    fold = views[views["fold"] == "test"]
    golden = _golden(views, registry.line)
    needed = pd.concat([fold, golden.views]).drop_duplicates("view_id")
    judged = _judged(inspector, needed)

    card = inspector.card
    facts = Facts(
        parity=card.parity,
        cam_edge=card.metrics.get("cam", {}).get("edge"),
        quarantined_fraction=_number(registry, challenger, "quarantined_fraction"),
        ms_per_part=judged.ms_per_part,
    )
    rules = [
        golden_rule(judged.outcomes, golden.expected),
        *standing_rules(facts, params),
        *_not_rolled_back(registry, challenger),
    ]
    if champion is not None:
        rules = [*_against(registry, champion, views, judged, card, params), *rules]
    usual = _usual(fold, judged.looks, card.line.normal)
    return Judgement(rules, _digest(fold), usual)


def _against(
    registry: Registry,
    champion: str,
    views: pd.DataFrame,
    judged: "_Judged",
    card: Card,
    params: GateParams,
) -> list[Rule]:
    """The rules that compare a challenger with the champion on the parts that neither knows.

    A champion that cannot judge them stops it: a lost one, or one of before a change of the card.
    """
    try:
        inspector = Inspector(registry.released(champion))
    except InspectionError as error:
        wanted = "it judges the same parts; --override goes without it"
        return [Rule("champion", False, str(error), wanted)]

    fold = views[views["fold"] == "test"]
    trained_on = _trained_on(views) | _trained_on(_views(registry, champion))
    unseen = _without(fold, trained_on)
    theirs = _judged(inspector, unseen).outcomes
    ours = judged.outcomes
    ours = ours[ours["part_id"].isin(unseen["part_id"])]

    costs = Costs(**{name: card.costs[name] for name in PRICES})
    normal = card.line.normal
    return paired_rules(theirs, ours, normal=normal, costs=costs, params=params)


@dataclass(frozen=True)
class _Golden:
    views: pd.DataFrame
    expected: pd.DataFrame


def _golden(views: pd.DataFrame, line: str) -> _Golden:
    """The golden parts of this line, by the hash of one of their images, with all their views."""
    if not GOLDEN.is_file():
        raise InspectionError(
            f"{GOLDEN}: not found; list the parts that must never flip, or its heading alone: "
            "line,image_sha256,expected,reviewer,note"
        )
    listed = pd.read_csv(GOLDEN, dtype=str, keep_default_na=False)
    listed = listed[listed["line"] == line]
    odd = sorted(set(listed["expected"]) - {"caught", "pass"})
    lost = sorted(set(listed["image_sha256"]) - set(views["image_sha256"]))
    if odd or lost:
        raise InspectionError(
            f"{GOLDEN}: expected is 'caught' or 'pass', got {first_three(odd) or 'these'}; images "
            f"that the data do not hold: {first_three(lost) or 'none'}; correct these rows"
        )
    named = views.merge(listed, on="image_sha256")
    expected = named[["part_id", "expected"]].drop_duplicates()
    return _Golden(views[views["part_id"].isin(expected["part_id"])], expected)


def _not_rolled_back(registry: Registry, number: str) -> list[Rule]:
    reason = registry.tags(number).get("rolled_back")
    limit = "was never rolled back"
    return [Rule("not rolled back", False, reason, limit)] if reason else []


def _views(registry: Registry, number: str) -> pd.DataFrame:
    with tempfile.TemporaryDirectory() as folder:
        path = registry.artifact(number, "lineage/views.parquet", Path(folder))
        return pd.read_parquet(path)


def _trained_on(views: pd.DataFrame) -> set[str]:
    """The images that a model was trained on, or its thresholds set on."""
    return set(views.loc[views["fold"] != "test", "image_sha256"])


def _without(fold: pd.DataFrame, images: set[str]) -> pd.DataFrame:
    """The parts of which none of the images is among these."""
    known = set(fold.loc[fold["image_sha256"].isin(images), "part_id"])
    return fold[~fold["part_id"].isin(known)]


def _digest(fold: pd.DataFrame) -> str:
    """What names a fold: the hash of its images, parts and labels."""
    rows = sorted(fold["image_sha256"] + fold["part_id"] + fold["label"])
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


@dataclass(frozen=True)
class _Judged:
    """The verdict on every part, the median time that one took (ms), the look of each view."""

    outcomes: pd.DataFrame
    ms_per_part: float
    looks: dict[str, LoggedView]


def _judged(inspector: Inspector, views: pd.DataFrame) -> _Judged:
    _require_images(views)
    labels = labels_of_parts(views, inspector.card.line.normal)
    rows, times = [], []
    looks: dict[str, LoggedView] = {}
    for part_id, of_part in views.groupby("part_id", sort=False):
        files = [View(path, (DATA / path).read_bytes()) for path in of_part["path"]]
        began = time.perf_counter()
        seen = [inspector.measure(file) for file in files]
        part = judge_part(seen, inspector.card)
        times.append(1000 * (time.perf_counter() - began))

        rows.append((str(part_id), labels[str(part_id)], part.verdict))
        logged = logged_views(seen, part, inspector.card)
        looks |= dict(zip(of_part["view_id"], logged, strict=True))
    table = pd.DataFrame(rows, columns=["part_id", "label", "verdict"])
    return _Judged(table, statistics.median(times) if times else float("nan"), looks)


def _usual(fold: pd.DataFrame, looks: dict[str, LoggedView], normal: str) -> Usual:
    """The measures of the normal test parts by camera; none where no manifest names the cameras."""
    if not MANIFEST.is_file():
        return {}
    manifest = read_table(MANIFEST)
    if "camera" not in manifest:
        return {}
    cameras = manifest[["image_sha256", "camera"]].drop_duplicates()
    views = fold.merge(cameras.fillna(NO_CAMERA), on="image_sha256")
    labels = labels_of_parts(fold, normal)

    usual: dict[str, dict[str, list[float]]] = {}
    for (part_id, camera), of_part in views.groupby(["part_id", "camera"]):
        if labels[str(part_id)] != normal:
            continue
        values = usual.setdefault(str(camera), {})
        for name, value in looks_of([looks[one] for one in of_part["view_id"]]).items():
            values.setdefault(name, []).append(round(value, 4))
    return usual


def _require_images(views: pd.DataFrame) -> None:
    """Refuse to judge other images than those that were registered."""
    changed = [
        path
        for path, wanted in zip(views["path"], views["image_sha256"], strict=True)
        if not (DATA / path).is_file() or sha256_of(DATA / path) != wanted
    ]
    if changed:
        raise InspectionError(
            f"{DATA}: {len(changed)} images of the frozen fold are missing or changed: "
            f"{first_three(changed)}; bring them back with `dvc checkout data.dvc`, or run "
            "`dvc repro` on the data that are there"
        )


def _number(registry: Registry, number: str, tag: str) -> float | None:
    value = registry.tags(number).get(tag)
    return None if value is None else float(value)
