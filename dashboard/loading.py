"""What several pages load, kept in memory as long as the files stay as they are."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pandas as pd
import streamlit as st

from dashboard.ahead import Ahead
from dashboard.embedding.atlas import (
    Atlas,
    atlas_of,
    atlas_path,
    load_atlas,
    save_atlas,
)
from dashboard.evidence import Evidence, measure, stored
from dashboard.explorer.altered import CropDetectors
from dashboard.explorer.views import views_in_order, views_of
from dashboard.places import (
    ANOMALY,
    BUNDLE,
    CLASSIFIER,
    DATA,
    FOLDS,
    KEPT,
    MANIFEST,
    RECEIPT,
    RELEASES,
    content,
    stamp,
    stamp_or_none,
)
from dashboard.registered import SEEN, registered
from dashboard.serving import Shown
from dashboard.serving import shown as of_evidence
from dashboard.switch import here
from dashboard.versions import Version, versions
from inspection.runtime.bundle import CARD, Card, read_card
from inspection.runtime.detectors import detector_folders
from inspection.runtime.inspector import Inspector
from inspection.runtime.releases import POINTER
from inspection.runtime.views import View, ViewOutputs
from inspection.storage import read_table

# Two models side by side, and the one before them.
MAX_INSPECTORS = 3
# Measured views that are kept: those of some dozen parts, 2 MB each with their heat.
MAX_MEASURED = 64
# no outcome: tables that are no longer kept are read anew; those in use are manifest and folds
MAX_TABLES = 4
THREADS = 2  # no outcome: it only decides how fast a model measures


def models() -> list[Version]:
    """The models at hand, the champion first. Raises InspectionError where there is none."""
    # the pointer and the aliases too: a promotion changes no card, but which version is what
    cards = [
        here(BUNDLE) / CARD,
        here(RELEASES) / POINTER,
        here(RELEASES) / SEEN,
        here(RECEIPT),
    ]
    cards += sorted(here(RELEASES).glob(f"*/{CARD}"))
    stamps = [(str(path), stamp_or_none(path)) for path in cards]
    return _models(tuple(stamps))


def shown() -> Shown:
    """The model whose unseen parts are shown, and a note where another one serves."""
    return of_evidence(models(), here(BUNDLE), read_card(here(BUNDLE)))


def inspector(folder: Path) -> Inspector:
    """The models of a folder at work; loaded anew when its card changes."""
    return _inspector(str(folder), stamp(folder / CARD))


def detectors(folder: Path) -> CropDetectors:
    """The detectors of a folder at work on crops; loaded anew when its card changes."""
    return _detectors(str(folder), stamp(folder / CARD))


def measured(version: Version, path: str) -> ViewOutputs:
    """What a model measures in a view of the data, by its path there."""
    return _measuring(version, path)()


def measure_ahead(version: Version, paths: Sequence[str]) -> None:
    """Measure these views in a thread, so that they are there when they are asked for."""
    ahead().ask([_measuring(version, path) for path in paths])


def _measuring(version: Version, path: str) -> Callable[[], ViewOutputs]:
    """How to measure a view; the line is that of the session, which no other thread knows."""
    folder, picture = version.folder, here(DATA) / path
    stamps = (stamp(folder / CARD), stamp_or_none(picture))
    return partial(_measured, str(folder), path, stamps, picture, inspector(folder))


@st.cache_resource(show_spinner=False)
def ahead() -> Ahead:
    """The thread that measures ahead, one for all sessions."""
    return Ahead()


def clean_manifest() -> pd.DataFrame:
    """The manifest of stage clean_labels: every view, those held included."""
    return _table(str(here(MANIFEST)), stamp(here(MANIFEST)))


def views() -> pd.DataFrame:
    """The views that have a fold, in the order of parts and paths."""
    return _views(stamp(here(MANIFEST)), stamp(here(FOLDS)))


def folds() -> pd.DataFrame:
    """The fold of every view that is not held."""
    return _table(str(here(FOLDS)), stamp(here(FOLDS)))


def atlas(version: Version) -> Atlas | None:
    """The embeddings of all views by a model; None before `make_atlas` has measured them."""
    path = atlas_path(here(KEPT), version.folder, clean_manifest())
    return _atlas(str(path), stamp_or_none(path))


def make_atlas(version: Version) -> None:
    """Embed every view by a model and keep that, with a bar that shows how far it is."""
    text = "Embedding the views"
    bar = st.progress(0.0, text)
    manifest = clean_manifest()
    path = atlas_path(here(KEPT), version.folder, manifest)

    def progress(share: float) -> None:
        bar.progress(share, text)

    made = atlas_of(inspector(version.folder), manifest, here(DATA), progress)
    save_atlas(path, made)
    bar.empty()


def evidence_at_hand(card: Card) -> Evidence | None:
    """Scores of parts that a model has not seen, by the card of `shown`; None before val is
    measured."""
    folders = detector_folders(
        card.line, classifier=here(CLASSIFIER), anomaly=here(ANOMALY)
    )
    # in the order of stage assemble: by it the folds are dealt that judge each part unseen
    in_order = _in_order(stamp(here(MANIFEST)), stamp(here(FOLDS)))
    return stored(in_order, card, folders, here(KEPT), card.version)


def measure_val() -> None:
    """Measure val by the assembled bundle, with a bar that shows how far it is."""
    bar = st.progress(0.0, "Measuring val")

    def progress(share: float) -> None:
        bar.progress(share, "Measuring val")

    measure(inspector(here(BUNDLE)), views(), here(DATA), here(KEPT), progress)
    bar.empty()


@st.cache_resource(max_entries=1, show_spinner=False)
def _models(stamps: tuple[tuple[str, int], ...]) -> list[Version]:
    return versions(
        here(RELEASES), here(BUNDLE), registered(here(RELEASES), here(RECEIPT))
    )


@st.cache_resource(max_entries=MAX_INSPECTORS, show_spinner="Loading the model")
def _inspector(folder: str, stamp: int) -> Inspector:  # the stamp is the cache's key
    return Inspector(Path(folder), threads=THREADS)


@st.cache_resource(max_entries=MAX_INSPECTORS, show_spinner="Loading the model")
def _detectors(folder: str, stamp: int) -> CropDetectors:
    return CropDetectors(Path(folder), read_card(Path(folder)), threads=THREADS)


@st.cache_data(max_entries=MAX_TABLES, show_spinner=False)
def _table(path: str, stamp: int) -> pd.DataFrame:
    return read_table(Path(path))


@st.cache_data(max_entries=1, show_spinner=False)
def _views(manifest: int, folds: int) -> pd.DataFrame:
    return views_of(read_table(here(MANIFEST)), read_table(here(FOLDS)))


@st.cache_data(max_entries=1, show_spinner=False)
def _in_order(manifest: int, folds: int) -> pd.DataFrame:
    return views_in_order(read_table(here(MANIFEST)), read_table(here(FOLDS)))


@st.cache_resource(max_entries=MAX_MEASURED, show_spinner=False)
def _measured(
    folder: str,
    path: str,
    stamps: tuple[int, int],
    _picture: Path,
    _inspector: Inspector,
) -> ViewOutputs:
    """Folder, path and the times of card and picture are the cache's key."""
    return _inspector.measure(View(path, content(_picture)))


@st.cache_resource(max_entries=MAX_INSPECTORS, show_spinner=False)
def _atlas(path: str, stamp: int) -> Atlas | None:
    return load_atlas(Path(path))
