"""Boxes drawn by mouse or typed: the frame, its fields, and what is said of a whole view."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from dashboard.review import drawing
from dashboard.review.decisions import Vote
from dashboard.review.draft import NONE, Draft
from dashboard.review.queue import Item
from inspection.geometry import Box, Image
from inspection.line import Line

AS_LABELLED = "as labelled"
# The fields of a box, by their keys in the session.
FIELDS = {"x_px": "Left", "y_px": "Top", "width_px": "Width", "height_px": "Height"}


def drafts() -> dict[tuple[str, str], Draft]:
    """What was drawn in this session and not saved, by the hash of the image and the reviewer."""
    found: dict[tuple[str, str], Draft] = st.session_state.setdefault("drafts", {})
    return found


def begin_key(image_sha256: str, reviewer: str) -> str:
    """Where the session holds whose boxes a reviewer begins with."""
    return f"begin {image_sha256} {reviewer}"


@dataclass(frozen=True)
class BoxEditor:
    """The boxes of one view while a reviewer draws them; `save` takes those that are decided.

    `votes` are what people drew of this view. Drafts that are not saved stay in the session.
    """

    item: Item
    size_px: tuple[int, int]
    votes: Sequence[Vote]
    line: Line
    reviewer: str
    save: Callable[[Draft], None]

    def show_frame(self, frame: Image) -> None:
        """The frame (H, W, 3), on which boxes are drawn, moved and resized."""
        drawing.show(
            frame,
            self.draft,
            self._next_category(),
            self.line,
            key="drawing",
            on_drawn=self._place,
            on_picked=self._choose,
        )
        st.caption(
            "Drag to draw a box; click one to choose it, then drag it, or its corners."
        )

    def show_fields(self) -> None:
        """The same by keyboard: which box, what it marks, where it lies; and what is decided."""
        draft = self.draft
        self._show_begin()
        self._show_choice(draft)
        self._show_place(draft)
        self._show_changes(draft)
        self._show_decisions()
        if draft.is_changed:
            st.caption(":orange[Drawn and not saved.]")

    def _show_changes(self, draft: Draft) -> None:
        """What changes the draft, and what throws it away."""
        with st.container(horizontal=True):
            st.button("New box", shortcut="N", on_click=self._add)
            st.button(
                "Delete box",
                shortcut="D",
                on_click=self._delete,
                disabled=draft.box is None,
            )
            st.button(
                "Begin again",
                shortcut="A",
                on_click=self._forget,
                disabled=not draft.is_changed,
            )

    def _show_decisions(self) -> None:
        """What is said of the whole view, once a reviewer is named."""
        off = not self.reviewer
        with st.container(horizontal=True):
            st.button(
                "Save boxes",
                shortcut="S",
                type="primary",
                on_click=self._save,
                disabled=off,
                help="These boxes, all of them, take the place of those of this view.",
            )
            st.button(
                "No box here",
                shortcut="E",
                on_click=self._save_none,
                disabled=off,
            )

    @property
    def draft(self) -> Draft:
        """What was drawn and not saved, or what it begins with."""
        return drafts().get(self._draft_key, self._begun())

    @property
    def _draft_key(self) -> tuple[str, str]:
        return self.item.image_sha256, self.reviewer

    def _begun(self) -> Draft:
        """The boxes that somebody drew, where one is chosen to begin with, else the labelled ones.

        At first the reviewer's own, if there are any.
        """
        by_name = {vote.reviewer: vote.answer for vote in self.votes}
        key = begin_key(self.item.image_sha256, self.reviewer)
        chosen = st.session_state.get(key, self._first())
        boxes = by_name.get(chosen, self.item.boxes)
        return Draft.of(boxes, self.size_px)

    def _first(self) -> str:
        """Whose boxes are the first to be shown."""
        name = self.reviewer.casefold()
        for vote in self.votes:
            if vote.reviewer.casefold() == name:
                return vote.reviewer
        return AS_LABELLED

    def _keep(self, draft: Draft) -> None:
        drafts()[self._draft_key] = draft

    def _forget(self) -> None:
        drafts().pop(self._draft_key, None)

    def _show_begin(self) -> None:
        """Where people drew on this view: whose boxes to begin with."""
        if not self.votes:
            return
        key = begin_key(self.item.image_sha256, self.reviewer)
        st.session_state.setdefault(key, self._first())
        reviewers = [vote.reviewer for vote in self.votes]

        def named(one: str) -> str:
            return one if one == AS_LABELLED else f"of {one}"

        st.selectbox(
            "Begin with the boxes",
            [AS_LABELLED, *reviewers],
            format_func=named,
            key=key,
            on_change=self._forget,
        )

    def _show_choice(self, draft: Draft) -> None:
        names = {}
        for number, one in enumerate(draft.boxes):
            names[number] = f"{number + 1}: {one.category}"
        categories = [*self.line.defects, *self.line.regions, self.line.normal]
        category = draft.box.category if draft.box else self._next_category()
        st.session_state["box"] = draft.chosen
        st.session_state["category"] = category

        left, right = st.columns(2)
        left.selectbox(
            f"Box (of {len(names)})",
            [NONE, *names],
            format_func=lambda number: names.get(number, "none"),
            key="box",
            on_change=lambda: self._choose(st.session_state["box"]),
        )
        right.selectbox(
            "Marks" if draft.box else "The next marks",
            categories,
            key="category",
            on_change=lambda: self._name(st.session_state["category"]),
        )

    def _show_place(self, draft: Draft) -> None:
        """Four numbers in pixels of the frame: two rows, for a narrow column would cut them off."""
        frame_width_px, frame_height_px = self.size_px
        columns = [*st.columns(2), *st.columns(2)]
        for column, (name, head) in zip(columns, FIELDS.items(), strict=True):
            is_across = name in ("x_px", "width_px")
            most = frame_width_px if is_across else frame_height_px
            place = getattr(draft.box.box, name) if draft.box else 0.0
            st.session_state[name] = float(place)
            column.number_input(
                f"{head}, px",
                min_value=0.0,
                max_value=float(most),
                step=1.0,
                format="%.1f",
                key=name,
                disabled=draft.box is None,
                on_change=self._type,
            )

    def _next_category(self) -> str:
        """What a new box marks: as chosen last, else the defect that is spoken of."""
        defects = self.line.defects
        candidates = (self.item.label, self.item.suggested, *defects)
        first = next(name for name in candidates if name in defects)
        return str(st.session_state.get("next category", first))

    def _place(self, number: int, box: Box) -> None:
        placed = self.draft.placing(number, box, self._next_category())
        self._keep(placed)

    def _type(self) -> None:
        numbers = [float(st.session_state[name]) for name in FIELDS]
        typed = Box(*numbers)
        self._place(self.draft.chosen, typed)

    def _choose(self, number: int) -> None:
        self._keep(self.draft.choosing(number))

    def _name(self, category: str) -> None:
        st.session_state["next category"] = category
        self._keep(self.draft.naming(category))

    def _add(self) -> None:
        self._keep(self.draft.adding(self._next_category()))

    def _delete(self) -> None:
        self._keep(self.draft.deleting())

    def _save(self) -> None:
        self.save(self.draft)

    def _save_none(self) -> None:
        self.save(self.draft.emptied())
