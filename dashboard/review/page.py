"""The review desk: a queue of doubtful labels and boxes, decided by keys, written to reviews/."""

from collections.abc import Callable, Mapping, Sequence
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
from dashboard.review.doubts import from_doubts
from dashboard.review.effects import Effects, effects
from dashboard.review.journal import Journal, Places
from dashboard.review.labels import VAGUE, LabelTable
from dashboard.review.queue import (
    KINDS,
    SERVICE_REVIEW,
    Item,
    from_errors,
    from_issues,
    from_link,
    from_log,
    from_votes,
    merged,
    read_issues,
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
# What Markdown reads as more than a letter, and Streamlit's colours and icons with it.
READ_BY_MARKDOWN = frozenset("\\`*_{}[]()<>#+!|$~:-")


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
        of_item = votes.get(item.image_sha256, [])
        _show(item, of_item, journal, version, reviewer)
    _show_effects(raw, manifest, line)


def _items(
    line: Line, manifest: pd.DataFrame, votes: Mapping[str, Sequence[Vote]]
) -> list[Item]:
    """Everything that waits for a person, and the view that a link names."""
    found = list(_of_data(stamp(ISSUES), stamp(MANIFEST), manifest))
    found += _errors(manifest)
    found += from_votes(votes, manifest, DATA)
    found += _of_service(line, manifest)

    # a link may name a view that nobody doubts; it is shown all the same
    asked = st.session_state.get("item") or st.query_params.get("item", "")
    waiting = {one.image_sha256 for one in found}
    if asked not in waiting:
        found += from_link(asked, manifest, DATA)
    return merged(found)


def _of_service(line: Line, manifest: pd.DataFrame) -> list[Item]:
    """What the service's log doubts; nothing where it has not run."""
    if not (VERDICTS / FILE).is_file():
        return []

    known = dict.fromkeys(manifest["image_sha256"], "")
    said = read_feedback(VERDICTS)
    parts = read_doubtful(VERDICTS, line.name, at_most=MAX_LOGGED)
    return from_log(parts, said, line, known, VERDICTS)


def _errors(manifest: pd.DataFrame) -> list[Item]:
    """Errors and doubts on parts that the assembled bundle's models have not seen, where these
    have been measured."""
    card = read_card(BUNDLE)
    found = loading.evidence_at_hand(card)
    if found is None:
        return []
    return [
        *from_errors(found, card, manifest, DATA),
        *from_doubts(found, card, manifest, DATA),
    ]


def _offer_errors() -> None:
    """Where there are no scores out of fold: measure val by the assembled bundle, once."""
    card = read_card(BUNDLE)
    if loading.evidence_at_hand(card) is not None:
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
    # of what the service sent to review nobody has said anything yet
    said = "judged" if item.kind == SERVICE_REVIEW else "labelled"
    st.subheader(f"{KINDS[item.kind]}: {said} {item.label}{against}")
    st.markdown(f"{_plain(item.reason)}{held}")
    if votes:
        st.markdown(f"**Said so far:** {_plain(spoken(votes))}")
    _show_keys(item, journal, version.card.line, reviewer)

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


def _show_keys(item: Item, journal: Journal, line: Line, reviewer: str) -> None:
    """What can be decided, each by a key of its own."""
    decide = partial(actions.decide, item, journal, reviewer)
    off = not reviewer
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _offer_classes(item, line, decide, off=off)
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
            "Leave out",
            shortcut="X",
            on_click=decide,
            args=(EXCLUDED,),
            disabled=off,
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


def _offer_classes(
    item: Item,
    line: Line,
    decide: Callable[[str], None],
    *,
    off: bool,
) -> None:
    """To keep the label, and every other class in place of it."""
    is_class = item.label in line.classes
    st.button(
        f"Keep {item.label}" if is_class else "Keep",
        shortcut="K",
        type="primary",
        on_click=decide,
        args=(item.label,),
        disabled=off or not is_class,
    )
    for number, name in enumerate(line.classes, start=1):
        if name == item.label:
            continue
        # from the tenth class on there is no key of one digit
        has_key = number < 10
        st.button(
            name,
            shortcut=str(number) if has_key else None,
            on_click=decide,
            args=(name,),
            disabled=off,
            key=f"relabel {name}",
        )


def _show_boxes_key(item: Item) -> None:
    """What opens the boxes to be drawn, and closes them."""
    address.recall("boxes", (CLOSED, OPEN))
    is_open = st.session_state["boxes"] == OPEN
    is_off = bool(item.request_id)
    why_off = "Boxes of a picture of the service can be drawn once `take_feedback` has taken it."

    def turn() -> None:
        st.session_state["boxes"] = CLOSED if is_open else OPEN

    st.button(
        "Close boxes" if is_open else "Draw boxes",
        shortcut="B",
        on_click=turn,
        key="turn boxes",
        disabled=is_off,
        help=why_off if is_off else None,
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


@st.cache_resource(max_entries=1, show_spinner=False)
def _of_data(issues: int, stamp: int, _manifest: pd.DataFrame) -> tuple[Item, ...]:
    """The suspects and conflicts of the last run; the times of both files are the cache's key."""
    found = from_issues(_issues(issues), _manifest, DATA)
    return tuple(found)


@st.cache_data(max_entries=1, show_spinner=False)
def _issues(stamp: int) -> pd.DataFrame:
    return read_issues(ISSUES)


def _plain(text: str) -> str:
    """Text from outside, with nothing in it that Markdown reads."""
    escaped = [f"\\{one}" if one in READ_BY_MARKDOWN else one for one in text]
    return "".join(escaped)


if __name__ == "__main__":
    main()
