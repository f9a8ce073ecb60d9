"""The review desk: a queue of doubtful labels and boxes, decided by keys, written to reviews/."""

from collections.abc import Callable, Sequence
from functools import partial

import pandas as pd
import streamlit as st

from dashboard import address, errors, loading
from dashboard.places import (
    RAW_MANIFEST,
    VERDICTS,
    file_name,
)
from dashboard.review import actions, looks
from dashboard.review.actions import DECIDED, EVERYTHING, TO_DO
from dashboard.review.box_editor import BoxEditor
from dashboard.review.boxes import BoxTable
from dashboard.review.decisions import BOXES, Vote, about
from dashboard.review.effects import Effects, effects
from dashboard.review.feedback import settle
from dashboard.review.journal import Journal, Places
from dashboard.review.keys import OPEN, offer_undo, show_keys, show_outcome
from dashboard.review.labels import LabelTable
from dashboard.review.queue import (
    KINDS,
    Item,
    spoken,
    state,
    waits_for,
)
from dashboard.review.tables import read_rows
from dashboard.review.waiting import waiting_items
from dashboard.switch import here, typed
from dashboard.tables import show_table
from dashboard.versions import Version
from inspection.line import Line
from inspection.storage import read_table

ALL = "all"
# What Markdown reads as more than a letter, and Streamlit's colours and icons with it.
READ_BY_MARKDOWN = frozenset("\\`*_{}[]()<>#+!|$~:-")


@errors.shown
def main() -> None:
    """Draw the page."""
    version = loading.models()[0]
    line = version.card.line
    manifest = loading.clean_manifest()
    raw = read_table(here(RAW_MANIFEST))
    journal = Journal(line, set(raw["image_sha256"]), _places())
    # a process killed between the journal and the log has left the log behind
    settle(journal, here(VERDICTS))
    votes = actions.by_image(journal.votes())
    items = waiting_items(line, manifest, votes, journal.decisions())

    with st.sidebar:
        reviewer, chosen = _choice(items, votes)
        _offer_errors()
    _progress(items, votes, reviewer)
    if note := loading.shown().note:
        st.caption(note)
    if not reviewer:
        st.info(
            "Say who decides: your name stands beside every decision. Field *Reviewer*, left."
        )
    if not chosen:
        _nothing_left(items)
        # the last decision of a list can be taken back like all before it
        offer_undo(journal, reviewer)
        show_outcome()
    else:
        item = _current(chosen)
        of_item = votes.get(item.image_sha256, [])
        _show(item, of_item, journal, version, reviewer)
    _show_effects(raw, manifest, line)


def _offer_errors() -> None:
    """Where there are no scores out of fold: measure val by the assembled bundle, once."""
    if loading.evidence_at_hand(loading.shown().card) is not None:
        return

    is_val = loading.views()["fold"] == "val"
    n_views = int(is_val.sum())
    asked = st.button(
        f"Look for errors on val ({n_views} views)",
        help="Measures the val fold by the assembled bundle, once; adds escapes and overkill.",
    )
    if asked:
        loading.measure_val()
        st.rerun()


def _choice(
    items: Sequence[Item], votes: dict[str, list[Vote]]
) -> tuple[str, list[Item]]:
    """The sidebar: who decides, and which items are shown."""
    st.header("Review desk")
    address.recall_text("reviewer")
    typed = st.text_input("Reviewer", key="reviewer")
    reviewer = " ".join(typed.split())

    shows = [TO_DO, DECIDED, EVERYTHING]
    address.recall("show", shows)
    show = st.segmented_control("Show", shows, key="show", required=True)

    def to_do(item: Item) -> bool:
        return waits_for(reviewer, votes.get(item.image_sha256, []))

    kind = _choose_kind(items, to_do)
    address.note("reviewer", "show", "kind")

    chosen = _of_kind(items, kind)
    if show == TO_DO:
        chosen = [one for one in chosen if to_do(one)]
    elif show == DECIDED:
        chosen = [one for one in chosen if not to_do(one)]
    return reviewer, chosen


def _choose_kind(items: Sequence[Item], to_do: Callable[[Item], bool]) -> str:
    """For which reason the items are here; each reason with how many are still `to_do`."""

    def named(kind: str) -> str:
        of_kind = _of_kind(items, kind)
        n = sum(map(to_do, of_kind))
        title = KINDS.get(kind, "All")
        return f"{title} ({n} of {len(of_kind)} to decide)"

    # a reason that nothing waits for would be a choice that shows nothing
    occurring = {one.kind for one in items}
    kinds = [ALL]
    kinds += [kind for kind in KINDS if kind in occurring]
    address.recall("kind", kinds)
    kind = st.selectbox("Reason", kinds, format_func=named, key="kind")
    return str(kind)


def _of_kind(items: Sequence[Item], kind: str) -> list[Item]:
    """The items of a kind, or all of them."""
    return [one for one in items if kind in (ALL, one.kind)]


def _progress(
    items: Sequence[Item], votes: dict[str, list[Vote]], reviewer: str
) -> None:
    if not items:
        return

    of_items = [votes.get(one.image_sha256, []) for one in items]
    n = len(of_items)
    n_done = sum(not waits_for(reviewer, some) for some in of_items)
    n_disputed = sum(state(some) == "disputed" for some in of_items)
    asked = f"; {n_disputed} ask for another person" if n_disputed else ""
    st.progress(n_done / n, f"{n_done} of {n} done{asked}")


def _nothing_left(items: Sequence[Item]) -> None:
    if items:
        st.success(
            typed(
                "Nothing left to decide here. Choose another reason, or run `dvc repro`."
            )
        )
    else:
        st.success(
            typed(
                "No label is doubted. `dvc repro clean_labels` lists suspects of new data; "
                "`make serve` logs verdicts, and those sent to review wait here."
            )
        )


def _current(chosen: Sequence[Item]) -> Item:
    """The item that the address names, or the first."""
    by_id = {one.image_sha256: one for one in chosen}
    ids = list(by_id)
    address.recall("item", ids)
    st.session_state["ids"] = ids

    def named(sha256: str) -> str:
        one = by_id[sha256]
        place = 1 + ids.index(sha256)
        # a picture of the service is kept by its hash, which tells a person nothing
        name = "" if one.request_id else f", {file_name(one.path)}"
        return f"{place} of {len(ids)}: part {one.part_id}, {one.label}{name}"

    with st.container(horizontal=True, vertical_alignment="bottom"):
        _offer_neighbours(ids)
        st.selectbox(
            "View",
            ids,
            format_func=named,
            key="item",
            label_visibility="collapsed",
        )
    address.note("item")
    return by_id[st.session_state["item"]]


def _offer_neighbours(ids: list[str]) -> None:
    """Buttons to the views before and behind the one that is shown."""
    place = ids.index(st.session_state["item"])
    is_first = place == 0
    is_last = place == len(ids) - 1
    st.button(
        "Back",
        shortcut="Left",
        on_click=actions.go,
        args=(ids, place - 1),
        disabled=is_first,
    )
    st.button(
        "Next",
        shortcut="Right",
        on_click=actions.go,
        args=(ids, place + 1),
        disabled=is_last,
    )


def _show(
    item: Item,
    votes: Sequence[Vote],
    journal: Journal,
    version: Version,
    reviewer: str,
) -> None:
    """One view: why it waits, what can be decided, and what helps to decide."""
    is_suggested = item.suggested not in ("", item.label)
    against = f", {item.suggested}?" if is_suggested else ""
    held = " · held until decided" if item.held else ""
    # what the service sent to review has no label, but what it was judged to be
    is_judged = bool(item.request_id) and item.kind != "feedback"
    said = "judged" if is_judged else "labelled"
    st.subheader(f"{KINDS[item.kind]}: {said} {item.label}{against}")
    st.markdown(f"{_plain(item.reason)}{held}")
    if votes:
        st.markdown(f"**Said so far:** {_plain(spoken(votes))}")
    show_keys(item, journal, version.card.line, reviewer)

    outputs, judged = looks.measured(item.path, version)
    editor = None
    is_in_data = not item.request_id
    is_open = st.session_state["boxes"] == OPEN
    if is_open and is_in_data:
        editor = BoxEditor(
            item=item,
            size_px=outputs.frame_size_px,
            votes=about(votes, BOXES),
            line=version.card.line,
            reviewer=reviewer,
            save=partial(actions.save_boxes, item, journal, reviewer),
        )
    looks.show_pictures(item, judged, outputs, version, editor)
    looks.show_alike(item, outputs, version)


def _show_effects(raw: pd.DataFrame, manifest: pd.DataFrame, line: Line) -> None:
    rows = read_rows(_places().labels, LabelTable.columns)
    box_rows = read_rows(_places().boxes, BoxTable.columns)
    found = effects(raw, manifest, rows, line, box_rows)
    with st.expander(typed(f"The next `dvc repro` changes: {found}")):
        if not found:
            return

        show_table(found.counts, width="content")
        st.text("\n".join(_lines(found)))


def _lines(found: Effects) -> list[str]:
    """What changes, a line for each view and what becomes of it."""
    lines = []
    for path, before, after in found.labels:
        lines.append(f"{path}: {before} becomes {after}")
    for path, before, after in found.boxes:
        lines.append(f"{path}: boxes {before} become {after}")
    for path in found.left_out:
        lines.append(f"{path}: left out")
    for path in found.released:
        lines.append(f"{path}: no longer held")
    for path in found.held:
        lines.append(f"{path}: held")
    return lines


def _plain(text: str) -> str:
    """Text from outside, with nothing in it that Markdown reads."""
    escaped = [f"\\{one}" if one in READ_BY_MARKDOWN else one for one in text]
    return "".join(escaped)


def _places() -> Places:
    """Those of the chosen line."""
    root = Places()
    return Places(
        here(root.journal), here(root.labels), here(root.boxes), here(root.lock)
    )


if __name__ == "__main__":
    main()
