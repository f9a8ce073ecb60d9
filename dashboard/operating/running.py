"""The part of the line report about the service: its verdicts by day, running rates, drift."""

import streamlit as st

from dashboard.operating.findings import drift, rates, running, watched_sentence
from dashboard.places import VERDICTS, WATCHED
from dashboard.switch import here, typed
from dashboard.tables import show_table
from inspection.runtime.bundle import Card
from inspection.runtime.verdict_log import FILE, daily_verdicts
from inspection.storage import read_json

# A quarter of a year of the service's verdicts: more days make no table that a person reads.
N_DAYS = 90


def show_running(card: Card) -> None:
    """What the service judged by day, and what the watch has found."""
    st.subheader("The service, day by day")
    if not (here(VERDICTS) / FILE).is_file():
        st.info("Nothing is logged yet: `make serve` writes `verdicts/`.")
        return

    counts = daily_verdicts(here(VERDICTS), card.line.name, n_days=N_DAYS)
    show_table(running(counts), width="content")
    st.caption(f"The last {N_DAYS} days up to the last part.")
    _show_watched()


def _show_watched() -> None:
    """Running rates and drift, as the watch has found them."""
    st.markdown("**Running rates and drift**")
    if not here(WATCHED).is_file():
        st.info(
            typed(
                "Nobody has looked yet: `make watch` holds what the service sees against what it "
                "saw before, and its verdicts against what people said of the parts."
            )
        )
        return

    found = read_json(here(WATCHED))
    st.markdown(watched_sentence(found))
    show_table(rates(found), width="content")
    if found["alarms"]:
        show_table(drift(found), width="content")
        st.caption(
            typed(
                "Where the change is meant, `python -m pipelines.watch --accept REASON` makes the "
                "new level the usual one."
            )
        )
    st.caption(
        typed(
            "Rates hold where the checked parts of a verdict were drawn without looking; *at most* "
            "is a one-sided 95 % bound. `make watch` looks anew."
        )
    )
