"""The CAM explorer: what a model sees in the views of a part, and where it errs."""

from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.explorer.views import (
    ALL,
    FOLDS,
    Mistake,
    labels_in,
    mistakes,
    score_table,
    selected,
    views_of,
)
from dashboard.pictures import heat_scale, marked_frame
from inspection.errors import InspectionError
from inspection.images import decode
from inspection.parts import part_label
from inspection.runtime.bundle import CARD, Card
from inspection.runtime.heat import overlay
from inspection.runtime.inspector import Inspector
from inspection.runtime.verdict import PartVerdict, ViewVerdict, judge_part
from inspection.runtime.views import View, ViewOutputs
from inspection.storage import read_table

DATA = Path("data")
BUNDLE = Path("models/bundle")
MANIFEST = Path("artifacts/labels/manifest.parquet")
FOLDS_TABLE = Path("artifacts/folds/folds.parquet")
NO_JUMP = "-"
COLOURS = {"pass": "green", "review": "orange", "reject": "red"}
# Crops wider than this, as width over height, fill their column; others would tower
# over the page and get NARROW_PX pixels of it.
WIDE_ASPECT = 1.3
NARROW_PX = 224


def main() -> None:
    """Draw the page."""
    try:
        inspector = _inspector(_stamp(BUNDLE / CARD))
        views = _views((_stamp(MANIFEST), _stamp(FOLDS_TABLE)))
        part = _choose(views, inspector)
        _show_part(part, inspector)
    except InspectionError as error:
        st.error(str(error))


def _choose(views: pd.DataFrame, inspector: Inspector) -> pd.Series:
    """The sidebar: fold, class, part and view; and the jump to an error."""
    card = inspector.card
    with st.sidebar:
        st.header("CAM explorer")
        st.caption(f"{card.line.name}, model {card.version}")
        fold = st.selectbox("Fold", FOLDS, key="fold")
        if fold == "test":
            st.warning("Test fold: look, but choose nothing by it.")

        # before the widgets below: a jump sets what they show
        in_fold = views[views["fold"] == fold]
        _offer_errors(in_fold, inspector, fold)

        label = st.selectbox("Class", labels_in(in_fold, card), key="label")
        kept = selected(views, fold=fold, label=label)
        if kept.empty:
            raise InspectionError(f"fold {fold}: has no views; choose another fold")
        return _chosen_view(kept)


def _chosen_view(kept: pd.DataFrame) -> pd.Series:
    part_ids = list(dict.fromkeys(kept["part_id"]))
    part_id = st.selectbox("Part", part_ids, key="part")

    of_part = kept[kept["part_id"] == part_id].set_index("path")
    path = st.selectbox("View", list(of_part.index), key="view")
    view: pd.Series = of_part.loc[path].copy()
    view["path"] = path
    return view


def _offer_errors(in_fold: pd.DataFrame, inspector: Inspector, fold: str) -> None:
    st.divider()
    asked = f"errors of {fold}"
    if st.button(f"Find the worst errors ({len(in_fold)} views)"):
        st.session_state[asked] = True
    if not st.session_state.get(asked):
        return

    stamps = (_stamp(BUNDLE / CARD), _stamp(FOLDS_TABLE))
    found = _mistakes(stamps, fold, in_fold, inspector)
    st.caption(f"{len(found)} parts judged wrongly, the worst first")

    def named(option: str | int) -> str:
        return NO_JUMP if isinstance(option, str) else str(found[option])

    numbers = range(len(found))
    st.selectbox(
        "Jump to",
        [NO_JUMP, *numbers],
        format_func=named,
        key="jump",
        on_change=_jump,
        args=(found,),
    )
    st.divider()


def _jump(found: list[Mistake]) -> None:
    chosen = st.session_state["jump"]
    if chosen == NO_JUMP:
        return
    mistake = found[chosen]
    st.session_state["label"] = ALL
    st.session_state["part"] = mistake.part_id
    st.session_state["view"] = mistake.worst_view


def _show_part(view: pd.Series, inspector: Inspector) -> None:
    card = inspector.card
    path = view["path"]
    content = _content(path)
    outputs = inspector.measure(View(path, content))
    verdict = judge_part([outputs], card)
    (judged,) = verdict.views
    _show_verdict(verdict, view["label"])

    frame = decode(content, channels=card.line.channels, bit_depth=card.line.bit_depth)
    marked = marked_frame(frame, view["boxes"], judged, card)
    left, middle, right = st.columns([5, 4, 4])
    with left:
        st.image(marked, width="stretch")
        st.caption(
            "Boxes: :green[labelled defect], :blue[labelled region], :orange[found defect], "
            ":gray[crops]"
        )
        _show_scores(judged, card)
    _show_crops(outputs, verdict, card, middle, right)


def _show_verdict(verdict: PartVerdict, label: str) -> None:
    colour = COLOURS[verdict.verdict]
    cause = f" ({verdict.cause})" if verdict.cause else ""
    st.subheader(
        f":{colour}[{verdict.verdict}]: {verdict.label}{cause}; labelled {label}"
    )


def _show_scores(view: ViewVerdict, card: Card) -> None:
    st.dataframe(score_table(view, card), hide_index=True)
    if view.probabilities:
        st.dataframe(pd.DataFrame([view.probabilities]), hide_index=True)
    for reason in view.reasons:
        st.write(reason)


def _show_crops(
    outputs: ViewOutputs, verdict: PartVerdict, card: Card, crops: Any, heated: Any
) -> None:
    for name, detector in card.detectors.items():
        region = detector.region
        heat = verdict.views[0].heat.get(name)
        if heat is None:
            crops.info(f"{region}: not found in this frame")
            continue

        crop = outputs.crops[region]
        height_px, width_px = crop.shape[:2]
        is_wide = width_px > WIDE_ASPECT * height_px
        width = "stretch" if is_wide else NARROW_PX

        is_turned = outputs.windows[region].turned
        turned = ", turned by 180 degrees" if is_turned else ""
        crops.image(crop, caption=f"{region}{turned}", width=width)
        caption = f"{name}: peak heat {heat.max():.2f}"
        heated.image(overlay(crop, heat), caption=caption, width=width)
    heated.image(
        heat_scale(), caption="heat 0 (as normal parts) to 1, the same for every part"
    )


@st.cache_resource(max_entries=1, show_spinner="Loading the bundle")
def _inspector(stamp: int) -> Inspector:  # the stamp is the cache's key
    return Inspector(BUNDLE, threads=2)


@st.cache_data(max_entries=1)
def _views(stamps: tuple[int, int]) -> pd.DataFrame:
    return views_of(read_table(MANIFEST), read_table(FOLDS_TABLE))


@st.cache_data(max_entries=6, show_spinner=False)
def _mistakes(
    stamps: tuple[int, int], fold: str, _in_fold: pd.DataFrame, _inspector: Inspector
) -> list[Mistake]:
    card = _inspector.card
    bar = st.progress(0.0, "Inspecting the fold")
    parts: list[tuple[str, str, PartVerdict]] = []
    groups = _in_fold.groupby("part_id", sort=False)
    for number, (part_id, of_part) in enumerate(groups, start=1):
        views = [View(path, _content(path)) for path in of_part["path"]]
        verdict = _inspector.inspect(views)
        label = part_label(list(of_part["label"]), card.line.normal)
        parts.append((str(part_id), label, verdict))
        bar.progress(number / len(groups), "Inspecting the fold")
    bar.empty()
    return mistakes(parts, card)


def _content(path: str) -> bytes:
    try:
        return (DATA / path).read_bytes()
    except FileNotFoundError as error:
        raise InspectionError(
            f"{DATA / path}: not found; fetch the data again"
        ) from error


def _stamp(path: Path) -> int:
    """When a file was last written: what is cached from it holds as long as this."""
    if not path.is_file():
        raise InspectionError(f"{path}: not found; run `dvc repro` to make it")
    return path.stat().st_mtime_ns


if __name__ == "__main__":
    main()
