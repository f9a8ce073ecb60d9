"""What the keys of the review desk do: a decision is written, and the next view is shown."""

from collections.abc import Sequence

import streamlit as st

from dashboard.places import VERDICTS, file_name
from dashboard.review.box_editor import begin_key, drafts
from dashboard.review.decisions import Vote
from dashboard.review.draft import Draft
from dashboard.review.feedback import settle
from dashboard.review.journal import Journal
from dashboard.review.queue import Item, waits_for
from dashboard.switch import here, typed
from inspection.errors import InspectionError

TO_DO, DECIDED, EVERYTHING = "to decide", "decided", "everything"


def save_boxes(item: Item, journal: Journal, reviewer: str, draft: Draft) -> None:
    """Write what was drawn of a view; the next one follows where nothing else is asked of it."""
    note = st.session_state.get("note", "")
    try:
        journal.draw(item.image_sha256, draft.boxes, draft.size_px, reviewer, note)
    except InspectionError as error:
        st.session_state["problem"] = typed(str(error))
        return

    sha256 = item.image_sha256
    drafts().pop((sha256, reviewer), None)
    st.session_state.pop(begin_key(sha256, reviewer), None)
    saved = f"{len(draft.boxes)} saved" if draft.boxes else "there is none"
    _finish(item, journal, reviewer, f"boxes: {saved}")


def decide(item: Item, journal: Journal, reviewer: str, answer: str) -> None:
    """Write what is said of a label; the next view follows where nothing else is asked of it."""
    note = st.session_state.get("note", "")
    try:
        journal.decide(item.image_sha256, answer, reviewer, note, item.request_id)
        settle(journal, here(VERDICTS))
    except InspectionError as error:
        st.session_state["problem"] = typed(str(error))
        return

    said = answer
    draft = drafts().get((item.image_sha256, reviewer))
    if draft is not None and draft.is_changed:
        said += "; boxes drawn, not saved"
    _finish(item, journal, reviewer, said)


def undo(journal: Journal, reviewer: str) -> None:
    """Take the reviewer's last decision back, and show the view that it was about."""
    try:
        sha256 = journal.undo(reviewer)
        settle(journal, here(VERDICTS))
    except InspectionError as error:
        st.session_state["problem"] = typed(str(error))
        return

    if not sha256:
        st.session_state["done"] = "nothing to take back"
        return

    is_asked = _is_asked(journal, sha256, reviewer)
    st.session_state["item"] = sha256
    st.session_state["show"] = TO_DO if is_asked else EVERYTHING
    st.session_state["done"] = "taken back"


def go(ids: Sequence[str], place: int) -> None:
    """Show the view at this place of the list, if there is one."""
    if 0 <= place < len(ids):
        st.session_state["item"] = ids[place]


def by_image(votes: Sequence[Vote]) -> dict[str, list[Vote]]:
    """Votes by the hash of the image that they are about."""
    found: dict[str, list[Vote]] = {}
    for vote in votes:
        of_image = found.setdefault(vote.image_sha256, [])
        of_image.append(vote)
    return found


def _finish(item: Item, journal: Journal, reviewer: str, said: str) -> None:
    st.session_state["note"] = ""
    st.session_state["done"] = f"{file_name(item.path)}: {said}"
    if _is_asked(journal, item.image_sha256, reviewer):
        return

    ids = st.session_state.get("ids", [])
    is_listed = item.image_sha256 in ids
    following = ids.index(item.image_sha256) + 1 if is_listed else 0
    go(ids, following)


def _is_asked(journal: Journal, sha256: str, reviewer: str) -> bool:
    """Whether an image still waits for this reviewer."""
    votes = by_image(journal.votes())
    return waits_for(reviewer, votes.get(sha256, []))
