"""The plant: a row a line, and below it each line's verdicts by day, its alarms, and its pages."""

from urllib.parse import urlencode

import streamlit as st

from dashboard import errors
from dashboard.operating.findings import drift, running, watched_sentence
from dashboard.plant.lines import N_DAYS, LineToday, line_today, overview
from dashboard.switch import folder_of
from dashboard.tables import show_table
from inspection.plant import LINES, as_typed, lines_in

# The pages of a line that a person asks for first, by their paths.
PAGES = {
    "report": "line report",
    "review": "review desk",
    "models": "models",
    "explorer": "CAM explorer",
}


@errors.shown
def main() -> None:
    """Draw the page."""
    st.header("Plant")
    lines = [line_today(name, folder_of(name)) for name in ("", *lines_in(LINES))]
    show_table(overview(lines), placeholder="-")
    st.caption(
        "Verdicts of the service on the last day (UTC) that has any; alarms as `make watch` found "
        "them last, - where it has not looked."
    )
    for line in lines:
        _show(line)


def _show(line: LineToday) -> None:
    st.subheader(line.title)
    st.markdown(
        " | ".join(f"[{text}]({_link(page, line)})" for page, text in PAGES.items())
    )
    if line.problem:
        st.warning(as_typed(line.problem, line.name))
    if line.counts:
        show_table(running(line.counts), width="content")
        st.caption(f"The last {N_DAYS} days up to the last part.")
    elif not line.problem:
        st.info("Nothing is logged yet.")

    if line.watched is None:
        return
    st.markdown(watched_sentence(line.watched))
    if line.watched["alarms"]:
        show_table(drift(line.watched), width="content")


def _link(page: str, line: LineToday) -> str:
    """A page of this line, whichever is chosen now; the root's is named by an empty name."""
    return f"./{page}?{urlencode({'line': line.name})}"


if __name__ == "__main__":
    main()
