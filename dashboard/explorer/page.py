"""The CAM explorer: what a model sees in all views of a part, its verdict, and where it errs."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from dashboard import address, errors, loading
from dashboard.explorer.compare import show_comparison
from dashboard.explorer.views import (
    EVERY_PART,
    FOLDS,
    ONLY,
    Mistake,
    labels_in,
    mistakes,
    neighbours,
    score_table,
    selected,
)
from dashboard.pictures import (
    KINDS,
    MAX_SENT_PX,
    crop_and_heat,
    frame_of,
    heat_scale,
    jpeg,
    marked_frame,
)
from dashboard.places import DATA, content, file_name, stamp, stamp_or_none
from dashboard.places import FOLDS as FOLDS_TABLE
from dashboard.review.actions import EVERYTHING
from dashboard.switch import here
from dashboard.tables import show_table
from dashboard.versions import Version, named
from inspection.errors import InspectionError
from inspection.parts import part_label
from inspection.runtime.bundle import CARD, Card
from inspection.runtime.heat_recipes import heat_recipe
from inspection.runtime.inspector import Inspector
from inspection.runtime.verdict import PartVerdict, ViewVerdict, judge_part
from inspection.runtime.views import View, ViewOutputs

COLOURS = {"pass": "green", "review": "orange", "reject": "red"}
# Views of a part beside each other, at this width: three fit beside the sidebar at 1024 px.
STRIP_PX = 165
# Marked frames that are kept as JPEG, some 100 kB each: those of some hundred parts.
MAX_FRAMES = 512
# The frame, and the crops beside it. no outcome: how the width of the page is shared.
COLUMNS = (3, 2)
# no outcome: mistakes of a fold by a model that are no longer kept are looked for anew
MAX_SEARCHES = 6


@errors.shown
def main() -> None:
    """Draw the page."""
    with st.sidebar:
        st.header("CAM explorer")
        version = choose_version(loading.models(), "model", "Model")
        views = loading.views()
        of_part, beside = _choose_part(views, version)
    if of_part.empty:
        desk = address.link("review", kind="escape")
        st.success(
            "No part of this fold and class is one of these. Choose *every part*, another class "
            "or another fold. Errors on parts that the model had not learned wait at the "
            f"[review desk]({desk})."
        )
        return

    card = version.card
    outputs = [loading.measured(version, path) for path in of_part["path"]]
    verdict = judge_part(outputs, card)
    labels = list(of_part["label"])
    label = part_label(labels, card.line.normal)
    _show_verdict(verdict, label, version)
    if len(of_part) > 1:
        _show_strip(of_part, verdict, version)
    _show_chosen_view(of_part, outputs, verdict, version)
    # last: what is shown comes first
    loading.measure_ahead(version, beside)


@st.fragment
def _show_chosen_view(
    of_part: pd.DataFrame,
    outputs: list[ViewOutputs],
    verdict: PartVerdict,
    version: Version,
) -> None:
    """One view, large. A fragment: another view of the part draws nothing else anew."""
    paths = list(of_part["path"])
    path = _choose_view(paths, verdict)
    number = paths.index(path)

    row = of_part.iloc[number]
    seen = outputs[number]
    judged = verdict.views[number]
    _show_view(row, path, seen, judged, version)
    show_comparison(path, seen, version, loading.models())


def choose_version(found: Sequence[Version], key: str, title: str) -> Version:
    """A choice of the models at hand, by name in the address."""
    names: list[str] = [one.name for one in found]
    address.recall(key, names)

    def with_role(name: str) -> str:
        return str(named(found, name))

    st.selectbox(title, names, format_func=with_role, key=key)
    address.note(key)
    return named(found, st.session_state[key])


def _choose_part(
    views: pd.DataFrame, version: Version
) -> tuple[pd.DataFrame, list[str]]:
    """The sidebar: fold, which of its parts, class and part.

    Returns the views of the part, none where no part is one of those that were asked for, and the
    paths of the views that the next key will ask for: of the next part, then of the one before.
    """
    address.recall("fold", FOLDS)
    fold = st.selectbox("Fold", FOLDS, key="fold")
    if fold == "test":
        st.warning("Test fold: look, but choose nothing by it.")

    in_fold = views[views["fold"] == fold]
    address.recall("only", list(ONLY))
    only = st.selectbox("Show", list(ONLY), key="only")
    labels = labels_in(in_fold, version.card)
    address.recall("label", labels)
    label = st.selectbox("Class", labels, key="label")
    kept = selected(views, fold=fold, label=label)
    if kept.empty:
        raise InspectionError(f"fold {fold}: has no views; choose another fold")

    parts = _parts_shown(only, kept, in_fold, version)
    address.note("fold", "only", "label")
    if not parts:
        return in_fold.head(0), []

    part_ids = list(parts)
    address.recall("part", part_ids)
    part_id = st.selectbox("Part", part_ids, key="part", format_func=parts.__getitem__)
    _offer_neighbours(
        "part",
        part_ids,
        back=("Back", "Left"),
        forth=("Next", "Right"),
    )
    address.note("part")

    beside: list[str] = []
    for neighbour in neighbours(part_ids, part_id):
        beside += list(in_fold["path"][in_fold["part_id"] == neighbour])
    return in_fold[in_fold["part_id"] == part_id], beside


def _choose_view(paths: list[str], verdict: PartVerdict) -> str:
    """The view that is shown large; the deciding one unless another is asked for."""
    address.recall("view", paths, verdict.worst_view)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _offer_neighbours("view", paths, back=("Up", "Up"), forth=("Down", "Down"))
        path = st.selectbox(
            "View",
            paths,
            key="view",
            format_func=file_name,
            label_visibility="collapsed",
        )
    address.note("view")
    return str(path)


def _offer_neighbours(
    key: str,
    options: Sequence[str],
    *,
    back: tuple[str, str],
    forth: tuple[str, str],
) -> None:
    """Buttons to the options beside the chosen one; of each its title and its key."""
    chosen = st.session_state[key]
    place = list(options).index(chosen)
    buttons = ((back, place - 1), (forth, place + 1))
    with st.container(horizontal=True, width="content"):
        for (title, pressed), there in buttons:
            st.button(
                title,
                shortcut=pressed,
                on_click=_go,
                args=(key, options, there),
                disabled=not 0 <= there < len(options),
            )


def _go(key: str, options: Sequence[str], place: int) -> None:
    # two quick presses can ask for a place beyond the end
    if 0 <= place < len(options):
        st.session_state[key] = options[place]


def _parts_shown(
    only: str, kept: pd.DataFrame, in_fold: pd.DataFrame, version: Version
) -> dict[str, str]:
    """The parts that can be chosen and how each is called; mistakes alone come the worst first."""
    part_ids = list(dict.fromkeys(kept["part_id"]))
    if only == EVERY_PART:
        return {part_id: part_id for part_id in part_ids}

    folder = version.folder
    stamps = (str(folder), stamp(folder / CARD), stamp(here(FOLDS_TABLE)))
    fold = in_fold["fold"].iloc[0]
    found = _mistakes(stamps, fold, in_fold, loading.inspector(folder))
    asked = [one for one in found if one.kind in ONLY[only] and one.part_id in part_ids]
    st.caption(f"{len(asked)} of {len(part_ids)} parts, the worst first")
    return {one.part_id: str(one) for one in asked}


def _show_verdict(verdict: PartVerdict, label: str, version: Version) -> None:
    st.subheader(f"{headline(verdict)}; labelled {label}")
    n_views = len(verdict.views)
    decides = ""
    if n_views > 1:
        name = file_name(verdict.worst_view)
        decides = f", decided by {name}"
    st.caption(f"Verdict on the part from {n_views} views by {version}{decides}")


def headline(verdict: PartVerdict) -> str:
    """The verdict on a part in its colour, the label, and the cause where it is known."""
    colour = COLOURS[verdict.verdict]
    cause = f" ({verdict.cause})" if verdict.cause else ""
    return f":{colour}[{verdict.verdict}]: {verdict.label}{cause}"


def _show_strip(of_part: pd.DataFrame, verdict: PartVerdict, version: Version) -> None:
    """All views of the part; the deciding one is marked."""
    views = zip(of_part["boxes"], verdict.views, strict=True)
    with st.container(horizontal=True):
        for boxes, view in views:
            # twice as wide as it is shown, for screens with two pixels to one
            marked = _marked_frame(version, boxes, view, 2 * STRIP_PX)
            is_deciding = view.name == verdict.worst_view
            decides = " **decides**" if is_deciding else ""
            colour = COLOURS[view.verdict]
            st.image(
                marked,
                caption=f":{colour}[{view.verdict}]: {view.label}{decides}",
                width=STRIP_PX,
                output_format="JPEG",
            )


def _show_view(
    row: pd.Series,
    path: str,
    outputs: ViewOutputs,
    judged: ViewVerdict,
    version: Version,
) -> None:
    card = version.card
    name, label = file_name(path), row["label"]
    link = address.link("review", item=row["image_sha256"], show=EVERYTHING)
    st.markdown(f"**{name}**, labelled {label} ([review it]({link}))")

    left, right = st.columns(COLUMNS)
    with left:
        frame = st.container()
        kinds = _choose_kinds()
    marked = _marked_frame(version, row["boxes"], judged, MAX_SENT_PX, kinds)
    frame.image(marked, width="stretch", output_format="JPEG")
    with right:
        _show_crops(outputs, judged, card)
    _show_scores(judged, card)


def _choose_kinds() -> tuple[str, ...]:
    """The legend of the boxes, by which each kind can be hidden; the address says which are."""
    if "kinds" not in st.session_state:
        hidden = st.query_params.get("hidden", "").split(",")
        st.session_state["kinds"] = [kind for kind in KINDS if kind not in hidden]

    def coloured(kind: str) -> str:
        return f":{KINDS[kind]}[■ {kind}]"

    chosen = st.pills(
        "Boxes: click to hide or show",
        list(KINDS),
        selection_mode="multi",
        format_func=coloured,
        key="kinds",
        wrap=True,
    )
    hidden = [kind for kind in KINDS if kind not in chosen]
    address.note_text("hidden", ",".join(hidden))
    return tuple(kind for kind in KINDS if kind in chosen)


def _show_scores(view: ViewVerdict, card: Card) -> None:
    show_table(score_table(view, card), placeholder="-")
    if view.probabilities:
        one_row = pd.DataFrame([view.probabilities])
        show_table(one_row)
        st.caption("The probability of each class, by the classifier.")
    for reason in view.reasons:
        st.write(reason)


def _show_crops(outputs: ViewOutputs, judged: ViewVerdict, card: Card) -> None:
    """Each crop with its heat."""
    for name, detector in card.detectors.items():
        region = detector.region
        heat = judged.heat.get(name)
        if heat is None:
            st.info(f"{region}: not found in this frame")
            continue

        both = crop_and_heat(outputs.crops[region], heat)
        is_turned = outputs.windows[region].turned
        turned = ", turned by 180 degrees" if is_turned else ""
        recipe = heat_recipe(detector)
        peak = heat.max()
        st.image(
            jpeg(both),
            caption=f"{region}{turned}, and heat of {name} ({recipe}): peak {peak:.2f}",
            width="stretch",
            output_format="JPEG",
        )
    st.image(
        heat_scale(), caption="heat 0 (as normal parts) to 1, the same for every part"
    )


def _marked_frame(
    version: Version,
    boxes: str,
    judged: ViewVerdict,
    width_px: int,
    kinds: tuple[str, ...] = tuple(KINDS),
) -> bytes:
    folder, path = version.folder, judged.name
    stamps = (stamp(folder / CARD), stamp_or_none(here(DATA) / path))
    return _jpeg_of_frame(
        str(folder),
        stamps,
        path,
        boxes,
        width_px,
        kinds,
        judged,
        version.card,
    )


@st.cache_data(max_entries=MAX_FRAMES, show_spinner=False)
def _jpeg_of_frame(
    folder: str,
    stamps: tuple[int, int],
    path: str,
    boxes: str,
    width_px: int,
    kinds: tuple[str, ...],
    _judged: ViewVerdict,
    _card: Card,
) -> bytes:
    """The marked frame; what it is made of, with the times of both files, is the cache's key."""
    frame = frame_of(content(here(DATA) / path), _card)
    marked = marked_frame(frame, boxes, _judged, _card, kinds)
    return jpeg(marked, width_px)


@st.cache_data(max_entries=MAX_SEARCHES, show_spinner=False)
def _mistakes(
    stamps: tuple[str, int, int],
    fold: str,
    _in_fold: pd.DataFrame,
    _inspector: Inspector,
) -> list[Mistake]:
    card = _inspector.card
    doing = f"Inspecting the fold ({len(_in_fold)} views)"
    bar = st.progress(0.0, doing)

    parts: list[tuple[str, str, PartVerdict]] = []
    groups = _in_fold.groupby("part_id", sort=False)
    for number, (part_id, of_part) in enumerate(groups, start=1):
        views = [View(path, content(here(DATA) / path)) for path in of_part["path"]]
        verdict = _inspector.inspect(views)
        labels = list(of_part["label"])
        label = part_label(labels, card.line.normal)
        parts.append((str(part_id), label, verdict))
        bar.progress(number / len(groups), doing)
    bar.empty()

    boxes = dict(zip(_in_fold["path"], _in_fold["boxes"], strict=True))
    return mistakes(parts, card, boxes)


if __name__ == "__main__":
    main()
