"""The embedding map: every view on a plane, and those of an area with their crops and heat."""

import itertools
from collections.abc import Iterable
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from dashboard import address, errors, loading
from dashboard.embedding.atlas import Atlas
from dashboard.embedding.clusters import N_CLUSTERS, clusters
from dashboard.embedding.plane import (
    CAMERA,
    COLOURED_BY,
    FOLD,
    HELD,
    LABEL,
    QUARTERS,
    TIME,
    VERDICT,
    Area,
    Plane,
    agreement,
    counted,
    plane,
    points_of,
)
from dashboard.explorer.page import choose_version
from dashboard.explorer.views import ALL, FOLDS
from dashboard.palette import PALETTE, class_colours
from dashboard.pictures import crop_and_heat, heat_scale, jpeg
from dashboard.places import SHORTCUTS, SPLIT, file_name
from dashboard.review.actions import EVERYTHING
from dashboard.switch import here, typed
from dashboard.tables import show_table
from dashboard.versions import Version
from inspection.line import Line
from inspection.runtime.detectors import CLASSIFIER
from inspection.runtime.verdict import VERDICTS, ViewVerdict, judge_part
from inspection.storage import read_json, read_table

WITHOUT_TEST, WITH_TEST = "without the test fold", "all views"
# The chart reports a brush, or the view that was clicked, under these names.
BRUSH, CLICK = "brush", "click"
# no outcome: height of the chart, and the area of a point
CHART_PX = 520
POINT_PX2 = 55
# no outcome: how plainly points inside and outside of the brush are seen; 1 hides what lies below
INSIDE_OPACITY, OUTSIDE_OPACITY = 0.9, 0.2
# Crops that are shown of an area: a dozen are measured in a third of a second. Of this width four
# stand beside each other at 1440 px.
MAX_SHOWN = 12
CROP_PX = 228
VERDICT_COLOURS = ("#009e73", "#e69f00", "#d62728")


@errors.shown
def main() -> None:
    """Draw the page."""
    with st.sidebar:
        st.header("Embedding map")
        version = choose_version(loading.models(), "model", "Model")
        colour, is_with_test = _choose_look()
    st.header("Views by what the model sees")

    atlas = loading.atlas(version)
    if atlas is None:
        _offer_atlas(version)
        return

    manifest, folds = loading.clean_manifest(), loading.folds()
    drawn = plane(atlas.embeddings)
    points = points_of(atlas, drawn.places, manifest, folds)
    shown = points
    if not is_with_test:
        shown = points[points[FOLD] != "test"]
    _show_plane(shown, drawn, colour, version)
    _show_agreement(atlas, shown, colour)
    _show_clusters(atlas, shown, version)

    n_absent = len(manifest) - len(points)
    if n_absent:
        region = version.card.classifier.region
        st.caption(f"{n_absent} views have no place: no {region} was found in them.")
    chosen = _chosen(shown)
    _show_chosen(chosen, version)


def _choose_look() -> tuple[str, bool]:
    """The sidebar: what colours the points, and whether those of the test fold are shown."""
    address.recall("colour", COLOURED_BY)
    colour = st.segmented_control(
        "Coloured by", COLOURED_BY, key="colour", required=True
    )
    options = (WITHOUT_TEST, WITH_TEST)
    address.recall("views", options)
    views = st.segmented_control("Views", options, key="views", required=True)
    if views == WITH_TEST:
        st.warning("Test fold: look, but choose nothing by it.")
    address.note("colour", "views")
    return str(colour), views == WITH_TEST


def _offer_atlas(version: Version) -> None:
    n_views = len(loading.clean_manifest())
    st.info(
        f"No view has been measured by {version} yet. *Measure all views* does it once and keeps "
        "what it finds: what a view takes in the service, for each."
    )
    if st.button(f"Measure all views ({n_views})", type="primary"):
        loading.make_atlas(version)
        st.rerun()


def _show_plane(
    points: pd.DataFrame, drawn: Plane, colour: str, version: Version
) -> None:
    """The chart. A brush or a click on it names an area in the address, and the area is drawn."""
    address.recall_text("area")
    address.recall_text("view")

    # The area that a link names is the chart's first brush. From then on the chart keeps its own:
    # were the brush of the spec to follow it, each drag would draw a new chart.
    look = f"{colour} {len(points)} {version.name}"
    is_new = st.session_state.get("look") != look
    if is_new:
        st.session_state["look"] = look
        st.session_state["first area"] = st.session_state["area"]
    first = Area.parse(st.session_state["first area"])

    chart = _chart(points, drawn, colour, version.card.line, first)
    st.altair_chart(chart, key=f"map {look}", on_select=_take_selection)
    address.note("area", "view")


def _take_selection() -> None:
    """What was brushed or clicked in the chart, into the state that the address holds."""
    look = st.session_state["look"]
    chart: Any = st.session_state[f"map {look}"]
    brush = chart.selection.get(BRUSH) or {}
    clicked = chart.selection.get(CLICK) or []

    area = view = ""
    is_brushed = "x" in brush and "y" in brush
    if is_brushed:
        brushed = Area.of(brush["x"], brush["y"])
        area = str(brushed)
    elif clicked:
        first = clicked[0]
        view = str(first["view_id"])
    st.session_state["area"] = area
    st.session_state["view"] = view


def _chart(
    points: pd.DataFrame,
    drawn: Plane,
    colour: str,
    line: Line,
    first: Area | None,
) -> alt.Chart:
    """The points, in their colours; `first` is brushed to begin with."""
    table = points[["view_id", "x", "y", *COLOURED_BY]].assign(
        file=points["path"].map(file_name),
        part=points["part_id"],
    )
    brush = _brush(first)
    click = alt.selection_point(name=CLICK, fields=["view_id"])
    shape, hue = _looks(table[colour], colour, line)
    opacity = alt.condition(
        brush,
        alt.value(INSIDE_OPACITY),
        alt.value(OUTSIDE_OPACITY),
    )

    across, up = (f"{100 * share:.0f} % of the variance" for share in drawn.shares)
    return (
        alt.Chart(table)
        .mark_point(filled=True, size=POINT_PX2)
        .encode(
            x=alt.X("x:Q", title=f"first principal component, {across}"),
            y=alt.Y("y:Q", title=f"second principal component, {up}"),
            color=hue,
            shape=shape,
            opacity=opacity,
            tooltip=["file", "part", *COLOURED_BY],
        )
        .add_params(brush, click)
        .properties(height=CHART_PX)
    )


def _looks(values: pd.Series, colour: str, line: Line) -> tuple[alt.Shape, alt.Color]:
    """How each value looks: its shape beside its colour, as not everybody tells all apart."""
    names, colours = _scale(values, colour, line)
    legend = alt.Legend(title=_title(colour), orient="top", columns=len(names))
    shape = alt.Shape(f"{colour}:N", legend=legend)
    hue = alt.Color(f"{colour}:N", legend=legend)
    return (
        shape.scale(domain=names),
        hue.scale(domain=names, range=colours),
    )


def _brush(first: Area | None) -> Any:
    """What drags a box over the chart; it begins with this area, if there is one."""
    # `value` must be absent, not None, where nothing is selected
    if first is None:
        return alt.selection_interval(name=BRUSH)

    value: Any = {"x": [first.left, first.right], "y": [first.bottom, first.top]}
    return alt.selection_interval(name=BRUSH, value=value)


def _scale(values: pd.Series, colour: str, line: Line) -> tuple[list[str], list[str]]:
    """The values that occur, in their usual order, and the colour of each."""
    usual: dict[str, Iterable[str]] = {
        LABEL: line.classes,
        VERDICT: VERDICTS,
        TIME: QUARTERS,
        FOLD: (*FOLDS, HELD),
    }
    occurring = set(values)
    known = [one for one in usual.get(colour, ()) if one in occurring]
    unknown = sorted(occurring.difference(known))
    found = known + unknown

    # more values than colours share these; the tooltip of a point names its value
    colours = dict(zip(found, itertools.cycle(PALETTE), strict=False))
    if colour == LABEL:
        colours = class_colours(line, unknown)
    if colour == VERDICT:
        colours |= dict(zip(VERDICTS, VERDICT_COLOURS, strict=True))
    return found, [colours[name] for name in found]


def _title(colour: str) -> str:
    titles = {VERDICT: "verdict on the part", TIME: "time, by the order of the parts"}
    return titles.get(colour, colour)


def _show_agreement(atlas: Atlas, points: pd.DataFrame, colour: str) -> None:
    found = agreement(atlas.embeddings, points, colour)
    if found is None:
        return
    share, chance = found
    said = (
        f"The most similar view of another part has the same {_title(colour)} for "
        f"{100 * share:.0f} % of the views; by chance it would for {100 * chance:.0f} %."
    )
    if colour == CAMERA:
        said += (
            " Far above chance, the model sees the camera; whether the camera also tells the "
            "class stands in the line report, under *Data and labels*."
        )
    st.caption(said)


def _show_clusters(atlas: Atlas, points: pd.DataFrame, version: Version) -> None:
    """The clusters that are a circumstance which tells a class, by the audit of stage split."""
    if not here(SHORTCUTS).is_file() or not here(SPLIT).is_file():
        said = "Which clusters are a camera or a day: `dvc repro split` audits it."
        st.caption(typed(said))
        return

    classes: dict[str, str] = read_json(here(SPLIT)).get("shortcut_classes", {})
    audited = read_table(here(SHORTCUTS))
    names = [name for name in classes if name in audited]
    found = clusters(atlas.embeddings, points, audited[["path", *names]])
    if not classes or not found:
        st.caption(
            "No cluster is a camera, a day or another circumstance that the shortcut audit names."
        )
        return

    lines = []
    for one in found:
        link = address.link(
            "map",
            model=version.name,
            colour=st.session_state["colour"],
            area=str(one.area),
        )
        lines.append(f"- {one.sentence(classes)} ([look at them]({link}))")
    with st.expander(
        f"{len(found)} of {N_CLUSTERS} clusters are a circumstance that tells a class: a model may "
        "read it instead of the defect"
    ):
        st.markdown("\n".join(lines))


def _chosen(points: pd.DataFrame) -> pd.DataFrame:
    """The points of the area, or the one that was clicked; none where nothing is chosen."""
    area = Area.parse(st.session_state["area"])
    if area is not None:
        is_inside = area.holds(points)
        return points[is_inside]

    is_clicked = points["view_id"] == st.session_state["view"]
    return points[is_clicked]


def _show_chosen(chosen: pd.DataFrame, version: Version) -> None:
    if chosen.empty:
        st.info(
            "Drag a box over some points, or click one: their crops, their heat and links into "
            "the explorer stand here. A click beside the points takes the box away."
        )
        return

    n_parts = chosen["part_id"].nunique()
    st.subheader(f"Views chosen: {len(chosen)}, parts: {n_parts}")
    st.markdown(
        f"Labelled {counted(chosen[LABEL])}. Their parts: {counted(chosen[VERDICT])}. "
        f"Cameras: {counted(chosen[CAMERA])}. Folds: {counted(chosen[FOLD])}."
    )

    links = {}
    for view in chosen.itertuples():
        links[str(view.view_id)] = _link(view, version)
    shown = chosen.head(MAX_SHOWN)
    with st.container(horizontal=True):
        for view in shown.itertuples():
            link = links[str(view.view_id)]
            _show_crop(view, link, version)
    st.image(
        heat_scale(),
        caption="heat 0 (as normal parts) to 1, the same for every part",
    )
    if len(chosen) > MAX_SHOWN:
        st.caption(
            f"The first {MAX_SHOWN} of {len(chosen)} by part; the table has all."
        )
    _show_table(chosen, links)


def _show_crop(view: Any, link: str, version: Version) -> None:
    """The crop in which the labelled defect shows, with its heat; a click opens the view."""
    outputs = loading.measured(version, view.path)
    (judged,) = judge_part([outputs], version.card).views
    name = _detector_of(view.label, judged, version)
    region = version.card.detectors[name].region
    both = crop_and_heat(outputs.crops[region], judged.heat[name])
    st.image(
        jpeg(both),
        caption=f"part {view.part_id}: labelled {view.label}, {view.verdict}",
        width=CROP_PX,
        output_format="JPEG",
        link=link,
    )


def _detector_of(label: str, judged: ViewVerdict, version: Version) -> str:
    """The detector in whose region a label shows; the classifier where none is found."""
    card = version.card
    for name, detector in card.detectors.items():
        region = card.line.regions[detector.region]
        is_found = name in judged.heat
        if is_found and label in region.shows:
            return name
    return CLASSIFIER


def _show_table(chosen: pd.DataFrame, links: dict[str, str]) -> None:
    columns = {
        "look": chosen["view_id"].map(links),
        "part": chosen["part_id"],
        LABEL: chosen[LABEL],
        VERDICT: chosen[VERDICT],
        CAMERA: chosen[CAMERA],
        FOLD: chosen[FOLD],
        "view": chosen["path"].map(file_name),
    }
    table = pd.DataFrame(columns)
    opens = st.column_config.LinkColumn("look", display_text="open")
    show_table(table, column_config={"look": opens})
    if HELD in set(chosen[FOLD]):
        st.caption(
            "Views that are held open at the review desk, all others in the explorer."
        )


def _link(view: Any, version: Version) -> str:
    """The view in the explorer; one that is held has no fold, and waits at the review desk."""
    if view.fold == HELD:
        return address.link("review", item=view.image_sha256, show=EVERYTHING)

    explorer = ""
    return address.link(
        explorer,
        model=version.name,
        fold=view.fold,
        label=ALL,
        part=view.part_id,
        view=view.path,
    )


if __name__ == "__main__":
    main()
