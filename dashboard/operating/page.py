"""The line report: operating points at other costs, what a part costs, and what is known."""

from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from dashboard import address, errors, loading
from dashboard.evidence import Evidence
from dashboard.operating.findings import sentences
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
from dashboard.operating.running import show_running
from dashboard.operating.trials import (
    AUROC,
    NEVER_SHOWN,
    age_sentence,
    drill_table,
    evidence_sentence,
    evidence_table,
)
from dashboard.palette import class_colours, legend
from dashboard.places import SPLIT, stamp
from dashboard.switch import here, typed
from dashboard.tables import show_table
from inspection.evaluation.costs import Costs
from inspection.evaluation.escape_limit import EscapeLimit
from inspection.evaluation.rates import parts_needed, percent
from inspection.runtime.bundle import CARD, Card
from inspection.runtime.detectors import FUSED, log_odds
from inspection.runtime.verdict import VERDICTS as PART_VERDICTS
from inspection.storage import read_json

LABELS = Path("metrics/clean_labels.json")
EVIDENCE, DRILL = Path("metrics/evidence.json"), Path("metrics/drill.json")
OFF = "no limit"
# Steps of the sliders; the card's own values are put among them.
ESCAPE_COSTS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
REVIEW_COSTS = (0.01, 0.03, 0.1, 0.3, 0.5, 1.0)
DEFECT_RATES = (0.001, 0.003, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
LIMITS = (0.001, 0.003, 0.01, 0.02, 0.05, 0.1)
# no outcome: the height of the histograms
CHART_PX = 220
# What stands where a table has no value.
ABSENT = "-"
# no outcome: bars of a histogram at most, and lengths in px of the dashes of a threshold
MAX_BARS, DASHES_PX = 20, [4, 3]
# What the columns of `reliability` are called on the page.
RELIABILITY = {
    "bin": "fused score",
    "n": "parts",
    "share": "defective",
    "low": "at least",
    "high": "at most",
}
# no outcome: decimals of the reliability table; some hundred parts give no finer ones
DECIMALS = 3
# no outcome: operating points that are no longer kept are chosen anew
MAX_POINTS = 64
# What a claim takes is said for 0, 1 and 2 escapes among the parts.
N_CLAIMS = 3
# On paper: no sidebar, no buttons, and two columns of text of 6 points, so that it fits a page.
# What is drawn keeps the width that it has on the screen, unless it is told to shrink.
PRINTED = """<style>@media print {
  [data-testid="stSidebar"], [data-testid="stHeader"], [data-testid="stSlider"], button
    { display: none !important; }
  [data-testid="stMainBlockContainer"] { padding: 0 !important; zoom: 0.55; }
  [data-testid="stMainBlockContainer"] > [data-testid="stVerticalBlock"]
    { display: block; columns: 2; column-gap: 2rem; }
  [data-testid="stMainBlockContainer"] > [data-testid="stVerticalBlock"] > *
    { break-inside: avoid; margin-bottom: 0.7rem; }
  [data-testid="stElementContainer"]:has(h2, h3) { break-after: avoid; }
  [data-testid="stVegaLiteChart"] svg { max-width: 100%; height: auto; }
  @page { size: A4; margin: 10mm; }
}</style>"""


@errors.shown
def main() -> None:
    """Draw the page."""
    st.html(PRINTED)
    shown = loading.shown()
    card = shown.card
    st.header(f"Line report: {card.line.name}")
    if shown.note:
        st.markdown(shown.note)
    evidence = loading.evidence_at_hand(card)
    if evidence is None:
        _offer_measuring(card)
        return

    costs, limit = _sliders(card)
    card_file = shown.folder / CARD
    found = _operation(
        (str(card_file), stamp(card_file)),
        costs.model_dump_json(),
        limit,
        evidence,
        card,
    )
    _show_operation(found, evidence, card, costs)
    _show_scores(found, evidence)
    show_running(card)
    _show_trials(card)
    _show_findings()


def _offer_measuring(card: Card) -> None:
    is_val = loading.views()["fold"] == "val"
    n_views = int(is_val.sum())
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
            "defects",
            "Defective on the line",
            DEFECT_RATES,
            own.defect_rate,
        )
        asked = _slider(
            "limit",
            "Escapes allowed, of defective parts",
            LIMITS,
            limit,
            OFF,
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
    key: str,
    title: str,
    steps: tuple[float, ...],
    own: float | None,
    off: str = "",
) -> str:
    """What is chosen among the steps, `own` and `off`; at first `own`, or `off` without one."""
    # the model's own value is a step too, wherever it lies: what it does can be set again
    values = set(steps)
    if own is not None:
        values.add(own)
    options = [_written(value) for value in sorted(values)]
    if off:
        options.append(off)

    default = off if own is None else _written(own)
    address.recall(key, options, default)
    chosen = st.select_slider(title, options, key=key)
    address.note(key)
    return str(chosen)


def _written(value: float) -> str:
    """The shortest text that is read back as the same value."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


def _reset() -> None:
    for key in ("escape", "review", "defects", "limit"):
        st.session_state.pop(key, None)
        st.query_params.pop(key, None)


def _show_operation(
    found: Operation, evidence: Evidence, card: Card, costs: Costs
) -> None:
    n = len(found.verdicts)
    st.markdown(f"**{_capital(found.report.sentence)}.**")
    where = "out of fold" if evidence.source == "out_of_fold" else "the val fold"
    st.caption(
        f"Bundle {card.version}; {n} parts ({where}), none of them learned by the model that "
        "judges them, but the thresholds are set on them: see the escapes judged unseen below."
    )
    _show_counts(found)

    labels = [evidence.labels[part_id] for part_id in evidence.parts]
    classes = by_class(labels, found.verdicts, card.line)
    show_table(classes, width="content", height="content")
    st.caption(
        "An error is an escape of a defect, or overkill of a normal part; *at most*: its one-sided "
        "95 % bound."
    )
    _show_limit(found.point.limit)

    show_table(cost_table(found.report), width="content")
    thresholds = threshold_table(found.settings, card)
    show_table(thresholds, width="content", placeholder=ABSENT)
    for advice in found.report.advice:
        st.markdown(f"Would help: {advice}.")


def _show_counts(found: Operation) -> None:
    """How many parts got each verdict, and what a part costs; large."""
    verdicts = found.verdicts
    n = len(verdicts)
    *boxes, last_box = st.columns(len(PART_VERDICTS) + 1)
    for box, verdict in zip(boxes, PART_VERDICTS, strict=True):
        count = verdicts.count(verdict)
        box.metric(f"{verdict}, of {n}", count, border=True)

    cost = found.report.line.value
    text = "-" if cost is None else f"{cost:.3f}"
    last_box.metric("cost a part", text, border=True)


def _show_limit(limit: EscapeLimit) -> None:
    """What is known of escapes, and how many parts it takes to claim what was asked for."""
    st.markdown(f"**Escapes:** {limit.sentence}.")
    if limit.unseen_escapes is not None:
        bound = percent(limit.unseen_upper_bound)
        st.markdown(
            f"Judged by thresholds that were set without them, {limit.unseen_escapes} of "
            f"{limit.n_defective} defective parts pass, at most {bound}."
        )
    if limit.asked is None:
        return

    claims = []
    for n_escapes in range(N_CLAIMS):
        needed = parts_needed(limit.asked, failures=n_escapes)
        claims.append(f"{needed} with {n_escapes}")
    st.markdown(
        f"To claim at most {percent(limit.asked)} takes so many defective parts, with so many "
        f"escapes: {', '.join(claims)}."
    )


def _show_scores(found: Operation, evidence: Evidence) -> None:
    st.subheader("Scores and reliability")
    rows = score_rows(evidence, found.settings)
    labels = sorted(set(rows["label"]))
    colours = class_colours(found.settings.line, labels)
    shown = {name: colour for name, colour in colours.items() if name in labels}
    st.html(legend(shown))

    names = found.settings.thresholds
    boxes = st.columns(len(names))
    for box, name in zip(boxes, names, strict=True):
        chart = _histogram(rows, name, found, shown)
        box.altair_chart(chart)
    st.caption(
        "Parts by the score of their worst view; lines: passes below, rejected above. `fused` is "
        "shown as log-odds: 0 is as likely from a defective part as from a normal one."
    )
    st.markdown("Of parts with this fused score, so many are defective:")
    table = reliability(rows, found.settings.line.normal).rename(columns=RELIABILITY)
    show_table(table.round(DECIMALS), width="content", height="content")
    st.caption(
        "A score that means what it says has its mean between *at least* and *at most*, one-sided "
        "95 % bounds of the share."
    )


def _histogram(
    rows: pd.DataFrame, name: str, found: Operation, colours: dict[str, str]
) -> alt.LayerChart:
    """Parts by one score, coloured by label, with the thresholds as lines."""
    own = rows[rows["by"] == name]
    limits = found.settings.thresholds[name]
    drawn = pd.DataFrame({"score": [limits.accept_below, limits.reject_above]})
    # probabilities crowd at 0 and 1, where the thresholds lie
    if name == FUSED:
        own = own.assign(score=log_odds(own["score"]))
        drawn = drawn.assign(score=log_odds(drawn["score"]))

    bins = alt.Bin(maxbins=MAX_BARS)
    scale = alt.Scale(domain=list(colours), range=list(colours.values()))
    bars = (
        alt.Chart(own)
        .mark_bar()
        .encode(
            # two lines: a name fits a third of a page of 1024 px, and not much more
            x=alt.X("score:Q", bin=bins, title=["score of", name]),
            y=alt.Y("count():Q", title="parts"),
            color=alt.Color("label:N", scale=scale, legend=None),
        )
    )

    # a threshold that no score reaches would squeeze all bars into a corner
    low, high = own["score"].min(), own["score"].max()
    is_within = drawn["score"].between(low, high)
    lines = alt.Chart(drawn[is_within]).mark_rule(strokeDash=DASHES_PX)
    rules = lines.encode(x="score:Q")
    return (bars + rules).properties(height=CHART_PX)


def _show_trials(card: Card) -> None:
    """What the line did with parts and defects that were held back, where that was tried."""
    st.subheader("Parts and defects never seen")
    if not here(EVIDENCE).is_file() and not here(DRILL).is_file():
        st.caption(typed("Not tried yet: `make evidence`, `make drill`."))
    if here(EVIDENCE).is_file():
        found = read_json(here(EVIDENCE))
        st.markdown(evidence_sentence(found))
        table = evidence_table(found, card.line.normal)
        show_table(table, width="content", height="content", placeholder=ABSENT)
        _note_age(found, card, "make evidence")
    if here(DRILL).is_file():
        found = read_json(here(DRILL))
        st.markdown("Each defect judged by a line that was never shown it:")
        table = drill_table(found, card.line)
        scores = [name for name in table if str(name).startswith(AUROC)]
        verdicts = table.drop(columns=scores)
        show_table(verdicts, width="content", height="content")
        st.markdown("How well each score tells them from the normal parts, as AUROC:")
        aurocs = table[[NEVER_SHOWN, *scores]]
        show_table(
            aurocs.rename(columns=lambda name: str(name).removeprefix(AUROC)),
            width="content",
            height="content",
            placeholder=ABSENT,
        )
        _note_age(found, card, "make drill")


def _note_age(found: dict[str, Any], card: Card, command: str) -> None:
    sentence = age_sentence(found, card.version, command)
    if sentence:
        st.caption(typed(sentence))


def _show_findings() -> None:
    st.subheader("Data and labels")
    split, labels = read_json(here(SPLIT)), read_json(here(LABELS))
    for sentence in sentences(split, labels):
        st.markdown(sentence)


@st.cache_data(max_entries=MAX_POINTS, show_spinner="Choosing thresholds")
def _operation(
    stamps: tuple[str, int],
    costs: str,
    limit: float | None,
    _evidence: Evidence,
    _card: Card,
) -> Operation:
    """The operating point; the card's place and time, costs and limit are the cache's key."""
    parsed = Costs.model_validate_json(costs)
    return operation(_evidence, _card, parsed, limit)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


if __name__ == "__main__":
    main()
