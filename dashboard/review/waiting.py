"""What waits for a person at the review desk: suspects, errors, votes, and the service's doubts."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from dashboard import loading
from dashboard.places import (
    ANOMALY,
    DATA,
    ISSUES,
    MANIFEST,
    VERDICTS,
    stamp,
    stamp_or_none,
)
from dashboard.review.decisions import Decision, Vote
from dashboard.review.feedback import of_others
from dashboard.review.normals import from_least_normal
from dashboard.review.queue import (
    Item,
    disputed,
    from_issues,
    from_link,
    from_log,
    from_votes,
    merged,
    read_issues,
)
from dashboard.review.unseen import from_unseen
from dashboard.switch import here
from inspection.curation.least_normal import RANKED, LeastNormal, read_least_normal
from inspection.line import Line
from inspection.runtime.verdict_log import FILE, read_doubtful, read_feedback

# Of the service's doubtful parts the latest are offered: more than a person looks at in a day.
MAX_LOGGED = 500
MAX_REGIONS = 8  # no outcome: the list of a region that is no longer kept is read anew


def waiting_items(
    line: Line,
    manifest: pd.DataFrame,
    votes: Mapping[str, Sequence[Vote]],
    decisions: Sequence[Decision],
) -> list[Item]:
    """Everything that waits for a person, and the view that a link names.

    `votes` are by image, `decisions` the lines of the journal that they come from.
    """
    found = list(_of_data(stamp(here(ISSUES)), stamp(here(MANIFEST)), manifest))
    found += _errors(manifest)
    found += _least_normal(line, manifest)
    found += from_votes(votes, manifest, here(DATA))
    found += _of_service(line, manifest, votes, decisions)

    # a link may name a view that nobody doubts; it is shown all the same
    asked = st.session_state.get("item") or st.query_params.get("item", "")
    waiting = {one.image_sha256 for one in found}
    if asked not in waiting:
        found += from_link(asked, manifest, here(DATA))
    return merged(found)


def _of_service(
    line: Line,
    manifest: pd.DataFrame,
    votes: Mapping[str, Sequence[Vote]],
    decisions: Sequence[Decision],
) -> list[Item]:
    """What the service's log doubts; nothing where it has not run.

    What the desk said itself answers no doubt before the picture is in the data: it can be taken
    back, and another person may say otherwise.
    """
    if not (here(VERDICTS) / FILE).is_file():
        return []

    known = dict.fromkeys(manifest["image_sha256"], "")
    said = of_others(read_feedback(here(VERDICTS)), decisions)
    parts = read_doubtful(here(VERDICTS), line.name, at_most=MAX_LOGGED)
    found = from_log(parts, said, line, known, here(VERDICTS))
    return [*found, *disputed(found, votes)]


def _errors(manifest: pd.DataFrame) -> list[Item]:
    """What holds the thresholds, errors and doubts on parts that the model of `loading.shown` has
    not seen, where these have been measured."""
    card = loading.shown().card
    found = loading.evidence_at_hand(card)
    if found is None:
        return []
    return from_unseen(found, card, manifest, here(DATA))


def _least_normal(line: Line, manifest: pd.DataFrame) -> list[Item]:
    """The normals that look least normal to the anomaly models of the last training."""
    listed = {}
    for region in line.detect_anomalies:
        folder = here(ANOMALY) / region
        listed[region] = _listed(str(folder), stamp_or_none(folder / RANKED))
    return from_least_normal(listed, line, manifest, here(DATA))


@st.cache_resource(max_entries=MAX_REGIONS, show_spinner=False)
def _listed(folder: str, stamp: int) -> LeastNormal | None:
    return read_least_normal(Path(folder))


@st.cache_resource(max_entries=1, show_spinner=False)
def _of_data(issues: int, stamp: int, _manifest: pd.DataFrame) -> tuple[Item, ...]:
    """The suspects and conflicts of the last run; the times of both files are the cache's key."""
    found = from_issues(_issues(issues), _manifest, here(DATA))
    return tuple(found)


@st.cache_data(max_entries=1, show_spinner=False)
def _issues(stamp: int) -> pd.DataFrame:
    return read_issues(here(ISSUES))
