"""The line report: operating points at other costs, what a part costs, and what is known."""

from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from dashboard import address, errors, loading
from dashboard.evidence import Evidence
from dashboard.operating.findings import running, sentences
from dashboard.operating.points import (
    Operation,
    by_class,
    cost_table,
    limit_of,
    operation,
    reliability,
    score_rows,
    threshold_table,
)
from dashboard.operating.trials import drill_table, evidence_sentence, evidence_table
from dashboard.places import BUNDLE, VERDICTS, stamp
from inspection.evaluation.costs import Costs
from inspection.evaluation.rates import parts_needed, percent
from inspection.runtime.bundle import CARD, Card, read_card
from inspection.runtime.detectors import FUSED, log_odds
from inspection.runtime.verdict import VERDICTS as PART_VERDICTS
from inspection.runtime.verdict_log import FILE, daily_verdicts
from inspection.storage import read_json

SPLIT, LABELS = Path("metrics/split.json"), Path("metrics/clean_labels.json")
EVIDENCE, DRILL = Path("metrics/evidence.json"), Path("metrics/drill.json")
OFF = "no limit"
# Steps of the sliders; the card's own values are put among them.
ESCAPE_COSTS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
REVIEW_COSTS = (0.01, 0.03, 0.1, 0.3, 0.5, 1.0)
DEFECT_RATES = (0.001, 0.003, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
LIMITS = (0.001, 0.003, 0.01, 0.02, 0.05, 0.1)
# Of which legend and axis take the lower half.
CHART_PX = 320
# A quarter of a year of the service's verdicts: more days make no table that a person reads.
N_DAYS = 90
# On paper: no sidebar, no buttons, and shrunk so that it fits a page.
PRINTED = """<style>@media print {
  [data-testid="stSidebar"], [data-testid="stHeader"], [data-testid="stSlider"], button
    { display: none !important; }
  [data-testid="stMainBlockContainer"] { padding: 0 !important; zoom: 0.45; }
  @page { size: A4; margin: 10mm; }
}</style>"""


@errors.shown
def main() -> None:
    """Draw the page."""
    st.html(PRINTED)
    card = read_card(BUNDLE)
    st.header(f"Line report: {card.line.name}")
    evidence = loading.evidence_at_hand(card)
    if evidence is None:
        _offer_measuring(card)
        return

    costs, limit = _sliders(card)
    found = _operation(
        stamp(BUNDLE / CARD), costs.model_dump_json(), limit, evidence, card
    )
    _show_operation(found, evidence, card, costs)
    _show_scores(found, evidence)
    _show_running(card)
    _show_trials(card)
    _show_findings()


def _offer_measuring(card: Card) -> None:
    n_views = int((loading.views()["fold"] == "val").sum())
    st.info(
        "No scores are kept of parts that the model has not learned. Measure the val fold once, or "
        "set `train.freeze_backbone` for scores out of fold."
    )
    if st.button(f"Measure val ({n_views} views)"):
        loading.measure_val()
        st.rerun()


def _sliders(card: Card) -> tuple[Costs, float | None]:
    """What an error costs and how many escapes are allowed; the card's values unless moved."""
    own, limit = Costs.of_card(card), limit_of(card)
    with st.sidebar:
        st.header("Line report")
        st.caption("Costs in units of one good part thrown away")
        escape = _slider("escape", "An escape costs", ESCAPE_COSTS, own.escape_cost)
        review = _slider("review", "A review costs", REVIEW_COSTS, own.review_cost)
        rate = _slider(
            "defects", "Defective on the line", DEFECT_RATES, own.defect_rate
        )
        asked = _slider(
            "limit", "Escapes allowed, of defective parts", LIMITS, limit, OFF
        )
        st.button("As on the card", on_click=_reset)
    costs = Costs(
        escape_cost=float(escape),
        overkill_cost=own.overkill_cost,
        review_cost=float(review),
        defect_rate=float(rate),
    )
    return costs, None if asked == OFF else float(asked)


def _slider(
    key: str, title: str, steps: tuple[float, ...], own: float | None, off: str = ""
) -> str:
    # the model's own value is a step too, wherever it lies: what it does can be set again
    values = set(steps) if own is None else {*steps, own}
    options = [f"{value:g}" for value in sorted(values)]
    if off:
        options.append(off)
    address.recall(key, options, off if own is None else f"{own:g}")
    chosen = st.select_slider(title, options, key=key)
    address.note(key)
    return str(chosen)


def _reset() -> None:
    for key in ("escape", "review", "defects", "limit"):
        st.session_state.pop(key, None)
        st.query_params.pop(key, None)


def _show_operation(
    found: Operation, evidence: Evidence, card: Card, costs: Costs
) -> None:
    labels = [evidence.labels[part_id] for part_id in evidence.parts]
    verdicts = found.verdicts
    n = len(verdicts)
    st.markdown(f"**{_capital(found.report.sentence)}.**")
    where = "out of fold" if evidence.source == "out_of_fold" else "the val fold"
    st.caption(
        f"Bundle {card.version}; {n} parts ({where}), none of them learned by the model that "
        "judges them, but the thresholds are set on them: see the escapes judged unseen below."
    )
    boxes = st.columns(4)
    for box, verdict in zip(boxes, PART_VERDICTS, strict=False):
        box.metric(f"{verdict}, of {n}", verdicts.count(verdict), border=True)
    cost = found.report.line.value
    boxes[3].metric("cost a part", "-" if cost is None else f"{cost:.3f}", border=True)

    st.dataframe(
        by_class(labels, verdicts, card.line), hide_index=True, height="content"
    )
    limit = found.point.limit
    st.markdown(f"**Escapes:** {limit.sentence}.")
    if limit.unseen_escapes is not None:
        bound = percent(limit.unseen_upper_bound)
        st.markdown(
            f"Judged by thresholds that were set without them, {limit.unseen_escapes} of "
            f"{limit.n_defective} defective parts pass, at most {bound}."
        )
    if limit.asked is not None:
        needed = [f"{parts_needed(limit.asked, failures=k)} with {k}" for k in range(3)]
        st.markdown(
            f"To claim at most {percent(limit.asked)} takes so many defective parts, with so many "
            f"escapes: {', '.join(needed)}."
        )
    st.dataframe(cost_table(found.report), hide_index=True, width="content")
    thresholds = threshold_table(found.settings, card)
    st.dataframe(thresholds, hide_index=True, width="content")
    for advice in found.report.advice:
        st.markdown(f"Would help: {advice}.")


def _show_scores(found: Operation, evidence: Evidence) -> None:
    st.subheader("Scores and reliability")
    rows = score_rows(evidence, found.settings)
    names = found.settings.thresholds
    for box, name in zip(st.columns(len(names)), names, strict=True):
        box.altair_chart(_histogram(rows, name, found))
    st.caption(
        "Parts by the score of their worst view; lines: passes below, rejected above. `fused` is "
        "shown as log-odds: 0 is as likely from a defective part as from a normal one."
    )
    st.markdown("Of parts with this fused score, so many are defective:")
    table = reliability(rows, found.settings.line.normal)
    st.dataframe(table.round(3), hide_index=True, height="content")


def _histogram(rows: pd.DataFrame, name: str, found: Operation) -> alt.LayerChart:
    own = rows[rows["by"] == name]
    limits = found.settings.thresholds[name]
    drawn = pd.DataFrame({"score": [limits.accept_below, limits.reject_above]})
    # probabilities crowd at 0 and 1, where the thresholds lie
    if name == FUSED:
        own = own.assign(score=log_odds(own["score"]))
        drawn = drawn.assign(score=log_odds(drawn["score"]))

    legend = alt.Legend(orient="bottom", columns=2)
    bars = (
        alt.Chart(own)
        .mark_bar()
        .encode(
            x=alt.X("score:Q", bin=alt.Bin(maxbins=30), title=f"score of {name}"),
            y=alt.Y("count():Q", title="parts"),
            color=alt.Color("label:N", legend=legend),
        )
    )
    # a threshold that no score reaches would squeeze all bars into a corner
    low, high = own["score"].min(), own["score"].max()
    within = drawn[drawn["score"].between(low, high)]
    rules = alt.Chart(within).mark_rule(strokeDash=[4, 3]).encode(x="score:Q")
    return (bars + rules).properties(height=CHART_PX)


def _show_running(card: Card) -> None:
    st.subheader("The service, day by day")
    if not (VERDICTS / FILE).is_file():
        st.info("Nothing is logged yet: `make serve` writes `verdicts/`.")
        return
    table = running(daily_verdicts(VERDICTS, card.line.name, n_days=N_DAYS))
    st.dataframe(table, hide_index=True)
    st.caption(
        f"The last {N_DAYS} days up to the last part. Running rates of escapes and overkill, with "
        "bounds, and drift: `make watch` tells them."
    )


def _show_trials(card: Card) -> None:
    """What the line did with parts and defects that were held back, where that was tried."""
    st.subheader("Parts and defects never seen")
    if not EVIDENCE.is_file() and not DRILL.is_file():
        st.caption("Not tried yet: `make evidence`, `make drill`.")
    if EVIDENCE.is_file():
        found = read_json(EVIDENCE)
        st.markdown(evidence_sentence(found))
        table = evidence_table(found, card.line.normal)
        st.dataframe(table, hide_index=True, height="content")
        _note_age(found, card, "make evidence")
    if DRILL.is_file():
        found = read_json(DRILL)
        st.markdown("Each defect judged by a line that was never shown it:")
        st.dataframe(drill_table(found, card.line), hide_index=True, height="content")
        _note_age(found, card, "make drill")


def _note_age(found: dict[str, Any], card: Card, command: str) -> None:
    if found["beside"] != card.version:
        st.caption(
            f"Tried beside bundle {found['beside'] or '-'}; this is {card.version}: `{command}`."
        )


def _show_findings() -> None:
    st.subheader("Data and labels")
    for sentence in sentences(read_json(SPLIT), read_json(LABELS)):
        st.markdown(sentence)


@st.cache_data(max_entries=64, show_spinner="Choosing thresholds")
def _operation(
    stamp: int, costs: str, limit: float | None, _evidence: Evidence, _card: Card
) -> Operation:
    """The operating point; the card's time, costs and limit are the cache's key."""
    return operation(_evidence, _card, Costs.model_validate_json(costs), limit)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


if __name__ == "__main__":
    main()
