"""The models page: what serves, what changed between two versions, and what the gate would say."""

from collections.abc import Hashable
from pathlib import Path

import pandas as pd
import streamlit as st

from dashboard import address, errors, loading
from dashboard.explorer.page import choose_version
from dashboard.models.changes import (
    DECIMALS,
    changed_verdicts,
    compared,
    differing,
    headlines,
)
from dashboard.models.history import dry_run, entries, log_table, rules_table
from dashboard.pictures import frame_of, jpeg, marked_frame
from dashboard.places import DATA, RECEIPT, RELEASES, content, file_name, stamp
from dashboard.places import FOLDS as FOLDS_TABLE
from dashboard.registered import not_here, not_here_sentence, registered
from dashboard.switch import here, typed
from dashboard.tables import show_table
from dashboard.versions import Version
from inspection.runtime.bundle import CARD
from inspection.runtime.verdict import PartVerdict, judge_part
from inspection.runtime.views import View

# Parts that are shown with pictures: more are in the table.
MAX_SHOWN = 12
# no outcome: how wide a picture, and the field of a name, are on the page
PICTURE_PX, NAME_PX = 260, 260
# no outcome: the same for the names of what is measured, beside which three versions fit at 1024 px
MEASURED_PX = 165
# no outcome: as much of a hash as tells two apart, and fits a column
REVISION_DIGITS = 8
# no outcome: verdicts of a model on val that are no longer kept are judged anew
MAX_JUDGED = 4


@errors.shown
def main() -> None:
    """Draw the page."""
    found = loading.models()
    st.header("Models")
    _show_versions(found)
    st.subheader("What changed between two versions")
    if len(found) < 2:
        st.info(
            typed(
                "There is one version only. Change something (a label at the review desk, a "
                "parameter), run `dvc repro`, and compare here what it did."
            )
        )
    else:
        _compare(found)
    _show_log()
    _offer_gate()


def _show_versions(found: list[Version]) -> None:
    rows = []
    for one in found:
        revision = str(one.card.lineage.get("git_revision", "-"))
        row = {
            "version": one.name,
            "role": one.role or "release",
            **headlines(one.card),
            "code": revision[:REVISION_DIGITS],
        }
        rows.append(row)

    # a column for each version: there are more numbers than versions
    table = pd.DataFrame(rows).set_index("version").T
    texts = table.map(_short)
    # names as a column: that of an index is cut, however wide the page
    _show_whole(texts.reset_index(names="of the version"), MEASURED_PX)
    st.caption(
        "Test fold by part, read once per version; rates with one-sided 95 % bounds."
    )
    at_hand = {one.card_sha256 for one in found}
    elsewhere = not_here(registered(here(RELEASES), here(RECEIPT)), at_hand)
    if sentence := not_here_sentence(elsewhere):
        st.caption(typed(sentence))


def _compare(found: list[Version]) -> None:
    is_chosen = "before" in st.session_state or "before" in st.query_params
    if not is_chosen:
        first, second, *_ = found
        st.session_state["before"] = first.name
        st.session_state["after"] = second.name
    left, right = st.columns(2)
    with left:
        old = choose_version(found, "before", "Before")
    with right:
        new = choose_version(found, "after", "After")
    if old.name == new.name:
        st.info("Choose two different versions.")
        return

    st.markdown("**Measured** (each on its own test fold)")
    _show_whole(compared(old.card, new.card))
    st.markdown("**Code, data, parameters, thresholds, models**")
    _show_whole(differing(old.card, new.card))
    st.caption(
        "Not listed: reviews of labels and boxes, which a card does not name; git shows reviews/."
    )
    _offer_verdicts(old, new)


def _show_whole(table: pd.DataFrame, names_px: int = NAME_PX) -> None:
    """A table without its index, and without a bar to scroll it down; its names stay in sight."""
    names = str(table.columns[0])
    # the first column is measured by its first rows alone, and longer names come later
    as_wide = {names: st.column_config.Column(width=names_px, pinned=True)}
    show_table(
        table,
        height="content",
        width="content",
        column_config=as_wide,
    )


def _offer_verdicts(old: Version, new: Version) -> None:
    """The parts of val whose verdict changed; the test fold is the gate's alone."""
    views = loading.views()
    val = views[views["fold"] == "val"]
    n_parts = val["part_id"].nunique()
    asked = f"{old.name} and {new.name}"
    if st.button(f"Judge the {n_parts} parts of val by both"):
        st.session_state["judged"] = asked
    if st.session_state.get("judged") != asked:
        return

    before = _verdicts_on_val(old)
    after = _verdicts_on_val(new)
    table = changed_verdicts(val, before, after, new.card.line.normal)
    counts = table["became"].value_counts()
    said = ", ".join(f"{n} {name}" for name, n in counts.items())
    detail = f": {said}" if said else ""
    st.markdown(f"**{len(table)} of {n_parts} parts changed**{detail}")
    if table.empty:
        return

    show_table(table.drop(columns="view"))
    st.caption(
        "Val may hold parts that the older version was trained on: it is then flattered."
    )
    boxes = dict(zip(val["path"], val["boxes"], strict=True))
    shown = table.head(MAX_SHOWN)
    with st.container(horizontal=True):
        for row in shown.to_dict("records"):
            _show_part(row, boxes, before, after, new)
    st.caption(
        "Boxes: :green[labelled defect], :blue[labelled region], :orange[found defect] and "
        f":gray[crops] by {new.name}"
    )


def _verdicts_on_val(version: Version) -> dict[str, PartVerdict]:
    folder = version.folder
    card = stamp(folder / CARD)
    folds = stamp(here(FOLDS_TABLE))
    return _judged_val(str(folder), card, folds, version)


def _show_part(
    row: dict[Hashable, str],
    boxes: dict[str, str],
    before: dict[str, PartVerdict],
    after: dict[str, PartVerdict],
    version: Version,
) -> None:
    card = version.card
    path, part_id = row["view"], row["part"]
    # heat and boxes of the newer version, which is the one to be judged here
    views = (*after[part_id].views, *before[part_id].views)
    view = next(one for one in views if one.name == path)

    frame = frame_of(content(here(DATA) / path), card)
    marked = marked_frame(frame, boxes[path], view, card)
    st.image(
        # twice as wide as it is shown, for screens with two pixels to one
        jpeg(marked, 2 * PICTURE_PX),
        caption=f"{row['became']}: part {part_id}, labelled {row['label']}, "
        f"{row['before']} became {row['after']} ({file_name(path)})",
        width=PICTURE_PX,
        output_format="JPEG",
    )


def _show_log() -> None:
    st.subheader("Promotion log")
    found = entries(here(RELEASES))
    if not found:
        st.info(
            typed(
                "Nothing was promoted yet: `python -m pipelines.promote` asks the gate."
            )
        )
        return

    show_table(log_table(found))
    last = found[0]
    outcome = last.get("outcome", "")
    with st.expander(f"What the gate found last ({outcome})"):
        rules = rules_table(last)
        show_table(rules, height="content")


def _offer_gate() -> None:
    st.subheader("Ask the gate")
    st.write(
        typed(
            "A dry run holds the challenger against the champion, rule by rule, and moves nothing. "
            "It counts as one use of the test fold. To promote: `python -m pipelines.promote`."
        )
    )
    address.recall_text("by")
    by = st.text_input("Who asks", key="by", width=NAME_PX)
    by = by.strip()
    address.note("by")
    if st.button("Dry run of the gate", disabled=not by):
        with st.spinner("The gate judges both models on the same parts"):
            is_well, said = dry_run(by, here(Path()))
        if is_well:
            st.success("ended well")
        else:
            st.error("stopped")
        st.code(said, language=None, wrap_lines=True)


@st.cache_data(max_entries=MAX_JUDGED, show_spinner=False)
def _judged_val(
    folder: str,
    card: int,
    folds: int,
    _version: Version,
) -> dict[str, PartVerdict]:
    """The verdict on every part of val; folder and times are the cache's key."""
    inspector = loading.inspector(_version.folder)
    views = loading.views()
    val = views[views["fold"] == "val"]
    groups = val.groupby("part_id", sort=False)

    doing = f"Judging val by {_version.name}"
    bar = st.progress(0.0, doing)
    verdicts = {}
    for number, (part_id, of_part) in enumerate(groups, start=1):
        named = [View(path, content(here(DATA) / path)) for path in of_part["path"]]
        outputs = [inspector.measure(view) for view in named]
        verdicts[str(part_id)] = judge_part(outputs, _version.card)
        bar.progress(number / len(groups), doing)
    bar.empty()
    return verdicts


def _short(value: object) -> str:
    """A cell as text: a number without zeros at its end, a dash where there is none."""
    if value is None or value != value:  # NaN is not itself
        return "-"
    if isinstance(value, int | float):
        return f"{round(value, DECIMALS):g}"
    return str(value)


if __name__ == "__main__":
    main()
