"""The review desk: a queue of doubtful labels and boxes, decided by keys, written to reviews/."""

from collections.abc import Mapping, Sequence
from functools import partial

import pandas as pd
import streamlit as st

from dashboard import address, errors, loading
from dashboard.places import (
    BUNDLE,
    DATA,
    ISSUES,
    MANIFEST,
    RAW_MANIFEST,
    VERDICTS,
    file_name,
    stamp,
)
from dashboard.review import actions, looks
from dashboard.review.actions import DECIDED, EVERYTHING, TO_DO
from dashboard.review.box_editor import BoxEditor
from dashboard.review.boxes import BoxTable
from dashboard.review.decisions import BOXES, Vote, about
from dashboard.review.effects import effects
from dashboard.review.journal import Journal, Places
from dashboard.review.labels import VAGUE, LabelTable
from dashboard.review.queue import (
    KINDS,
    Item,
    from_errors,
    from_issues,
    from_link,
    from_log,
    from_votes,
    merged,
    spoken,
    state,
    waits_for,
)
from dashboard.review.tables import read_rows
from dashboard.versions import Version
from inspection.curation.reviews import EXCLUDED
from inspection.line import Line
from inspection.runtime.bundle import read_card
from inspection.runtime.verdict_log import (
    FILE,
    read_doubtful,
    read_feedback,
)
from inspection.storage import read_table

PLACES = Places()
ALL = "all"
# Of the service's doubtful parts the latest are offered: more than a person looks at in a day.
MAX_LOGGED = 500
# Whether boxes are drawn.
CLOSED, OPEN = "", "open"


@errors.shown
def main() -> None:
    """Draw the page."""
    version = loading.models()[0]
    line = version.card.line
    manifest = loading.clean_manifest()
    raw = read_table(RAW_MANIFEST)
    journal = Journal(line, set(raw["image_sha256"]), PLACES)
    votes = actions.by_image(journal.votes())
    items = _items(line, manifest, votes)

    with st.sidebar:
        reviewer, chosen = _choice(items, votes)
        _offer_errors()
    _progress(items, votes, reviewer)
    if not reviewer:
        st.info(
            "Say who decides: your name stands beside every decision. Field *Reviewer*, left."
        )
    if not chosen:
        _nothing_left(items)
    else:
        item = _current(chosen)
        _show(item, votes.get(item.image_sha256, []), journal, version, reviewer)
    _show_effects(raw, manifest, line)


def _items(
    line: Line, manifest: pd.DataFrame, votes: Mapping[str, Sequence[Vote]]
) -> list[Item]:
    """Everything that waits for a person, and the view that a link names."""
    found = list(_of_data(stamp(ISSUES), stamp(MANIFEST), manifest))
    found += _errors(manifest)
    found += from_votes(votes, manifest, DATA)
    if (VERDICTS / FILE).is_file():
        known = dict.fromkeys(manifest["image_sha256"], "")
        said = read_feedback(VERDICTS)
        parts = read_doubtful(VERDICTS, line.name, at_most=MAX_LOGGED)
        found += from_log(parts, said, line, known, VERDICTS)

    # a link may name a view that nobody doubts; it is shown all the same
    asked = st.session_state.get("item") or st.query_params.get("item", "")
    if all(one.image_sha256 != asked for one in found):
        found += from_link(asked, manifest, DATA)
    return merged(found)


def _errors(manifest: pd.DataFrame) -> list[Item]:
    """Errors on parts that the assembled bundle has not seen, where they have been measured."""
    card = read_card(BUNDLE)
    found = loading.evidence_at_hand(card)
    return [] if found is None else from_errors(found, card, manifest, DATA)


def _offer_errors() -> None:
    """Where there are no scores out of fold: measure val by the assembled bundle, once."""
    if loading.evidence_at_hand(read_card(BUNDLE)) is not None:
        return
    n_views = int((loading.views()["fold"] == "val").sum())
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
    reviewer = " ".join(st.text_input("Reviewer", key="reviewer").split())

    shows = [TO_DO, DECIDED, EVERYTHING]
    address.recall("show", shows)
    show = st.segmented_control("Show", shows, key="show", required=True)

    def to_do(item: Item) -> bool:
        return waits_for(reviewer, votes.get(item.image_sha256, []))

    def named(kind: str) -> str:
        of_kind = _of_kind(items, kind)
        n = sum(map(to_do, of_kind))
        return f"{KINDS.get(kind, 'All')} ({n} of {len(of_kind)} to decide)"

    # a reason that nothing waits for would be a choice that shows nothing
    occurring = {one.kind for one in items}
    kinds = [ALL, *(kind for kind in KINDS if kind in occurring)]
    address.recall("kind", kinds)
    kind = st.selectbox("Reason", kinds, format_func=named, key="kind")
    address.note("reviewer", "show", "kind")

    chosen = _of_kind(items, str(kind))
    if show == TO_DO:
        chosen = list(filter(to_do, chosen))
    elif show == DECIDED:
        chosen = [one for one in chosen if not to_do(one)]
    return reviewer, chosen


def _of_kind(items: Sequence[Item], kind: str) -> list[Item]:
    """The items of a kind, or all of them."""
    return [one for one in items if kind in (ALL, one.kind)]


def _progress(
    items: Sequence[Item], votes: dict[str, list[Vote]], reviewer: str
) -> None:
    if not items:
        return

    of_items = [votes.get(one.image_sha256, []) for one in items]
    done = sum(not waits_for(reviewer, some) for some in of_items)
    disputed = sum(state(some) == "disputed" for some in of_items)
    asked = f"; {disputed} ask for another person" if disputed else ""
    st.progress(done / len(items), f"{done} of {len(items)} done{asked}")


def _nothing_left(items: Sequence[Item]) -> None:
    if items:
        st.success(
            "Nothing left to decide here. Choose another reason, or run `dvc repro`."
        )
    else:
        st.success(
            "No label is doubted. `dvc repro clean_labels` lists suspects of new data; "
            "`make serve` logs verdicts, and those sent to review wait here."
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
        name = file_name(one.path)
        return f"{place} of {len(ids)}: part {one.part_id}, {one.label}, {name}"

    place = ids.index(st.session_state["item"])
    is_first, is_last = place == 0, place == len(ids) - 1
    with st.container(horizontal=True, vertical_alignment="bottom"):
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
        st.selectbox(
            "View", ids, format_func=named, key="item", label_visibility="collapsed"
        )
    address.note("item")
    return by_id[st.session_state["item"]]


def _show(
    item: Item, votes: Sequence[Vote], journal: Journal, version: Version, reviewer: str
) -> None:
    against = f", {item.suggested}?" if item.suggested not in ("", item.label) else ""
    held = " · held until decided" if item.held else ""
    st.subheader(f"{KINDS[item.kind]}: labelled {item.label}{against}")
    st.markdown(f"{_plain(item.reason)}{held}")
    if votes:
        st.markdown(f"**Said so far:** {_plain(spoken(votes))}")
    _show_keys(item, journal, version.card.line, reviewer)

    outputs, judged = looks.measured(item.path, version)
    editor = None
    if st.session_state["boxes"] == OPEN and not item.request_id:
        editor = BoxEditor(
            item=item,
            size_px=outputs.frame_size_px,
            votes=about(votes, BOXES),
            line=version.card.line,
            reviewer=reviewer,
            save=partial(actions.save_boxes, item, journal, reviewer),
        )
    looks.show_pictures(item, judged, outputs, version, editor)
    if not item.request_id:
        looks.show_alike(item, outputs, version)


def _show_keys(item: Item, journal: Journal, line: Line, reviewer: str) -> None:
    """What can be decided, each by a key of its own."""
    decide = partial(actions.decide, item, journal, reviewer)
    off = not reviewer
    with st.container(horizontal=True, vertical_alignment="bottom"):
        keep = f"Keep {item.label}" if item.label in line.classes else "Keep"
        st.button(
            keep,
            shortcut="K",
            type="primary",
            on_click=decide,
            args=(item.label,),
            disabled=off or item.label not in line.classes,
        )
        for number, name in enumerate(line.classes, start=1):
            if name != item.label:
                key = str(number) if number < 10 else None
                st.button(
                    name,
                    shortcut=key,
                    on_click=decide,
                    args=(name,),
                    disabled=off,
                    key=f"relabel {name}",
                )
        st.button(
            "Vague",
            shortcut="V",
            on_click=decide,
            args=(VAGUE,),
            disabled=off,
            help="Nobody can tell from this picture. Another person is asked; two who say "
            "so leave the view out.",
        )
        st.button(
            "Leave out", shortcut="X", on_click=decide, args=(EXCLUDED,), disabled=off
        )
        st.button(
            "Undo",
            shortcut="U",
            on_click=actions.undo,
            args=(journal, reviewer),
            disabled=off,
        )
        _show_boxes_key(item)
    st.text_input(
        "Note",
        key="note",
        placeholder="Note to the next decision (optional)",
        label_visibility="collapsed",
    )
    if problem := st.session_state.pop("problem", ""):
        st.error(problem)
    if done := st.session_state.pop("done", ""):
        st.toast(done)


def _show_boxes_key(item: Item) -> None:
    """What opens the boxes to be drawn, and closes them."""
    address.recall("boxes", (CLOSED, OPEN))
    is_open = st.session_state["boxes"] == OPEN

    def turn() -> None:
        st.session_state["boxes"] = CLOSED if is_open else OPEN

    st.button(
        "Close boxes" if is_open else "Draw boxes",
        shortcut="B",
        on_click=turn,
        key="turn boxes",
        disabled=bool(item.request_id),
        help="Boxes of a picture of the service can be drawn once `take_feedback` has taken it."
        if item.request_id
        else None,
    )
    address.note("boxes")


def _show_effects(raw: pd.DataFrame, manifest: pd.DataFrame, line: Line) -> None:
    rows = read_rows(PLACES.labels, LabelTable.columns)
    box_rows = read_rows(PLACES.boxes, BoxTable.columns)
    found = effects(raw, manifest, rows, line, box_rows)
    with st.expander(f"The next `dvc repro` changes: {found}"):
        if not found:
            return

        st.dataframe(found.counts, hide_index=True, width="content")
        lines = []
        for path, before, after in found.labels:
            lines.append(f"{path}: {before} becomes {after}")
        for path, before, after in found.boxes:
            lines.append(f"{path}: boxes {before} become {after}")
        lines += [f"{path}: left out" for path in found.left_out]
        lines += [f"{path}: no longer held" for path in found.released]
        lines += [f"{path}: held" for path in found.held]
        st.text("\n".join(lines))


@st.cache_resource(max_entries=1, show_spinner=False)
def _of_data(issues: int, stamp: int, _manifest: pd.DataFrame) -> tuple[Item, ...]:
    """The suspects and conflicts of the last run; the times of both files are the cache's key."""
    return tuple(from_issues(_issues(issues), _manifest, DATA))


@st.cache_data(max_entries=1, show_spinner=False)
def _issues(stamp: int) -> pd.DataFrame:
    return pd.read_csv(
        ISSUES, dtype={"view_id": str, "part_id": str}, keep_default_na=False
    )


def _plain(text: str) -> str:
    """Text from outside, with nothing in it that Markdown reads."""
    return "".join(
        f"\\{one}" if one in "\\`*_{}[]()<>#+!|$~:-" else one for one in text
    )


if __name__ == "__main__":
    main()
