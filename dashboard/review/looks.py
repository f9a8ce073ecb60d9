"""What a reviewer looks at: the frame with its boxes, crops with heat, and similar views."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from dashboard import loading
from dashboard.embedding.atlas import embedding_of
from dashboard.pictures import (
    crop_and_heat,
    frame_of,
    heat_scale,
    jpeg,
    marked_frame,
    rgb,
)
from dashboard.places import DATA, content
from dashboard.review.box_editor import BoxEditor
from dashboard.review.queue import Item
from dashboard.switch import here
from dashboard.versions import Version
from inspection.runtime.bundle import Card
from inspection.runtime.verdict import ViewVerdict, judge_part
from inspection.runtime.views import View, ViewOutputs

# Neighbours that fit beside a view in one row at a width of 1440 px.
N_ALIKE = 6
# Pictures beside each other are this wide at most: enough to see a dent in a crop.
STRIP_PX = 220
# The frame, and the crops beside it. no outcome: how the width of the page is shared.
COLUMNS = (3, 2)
# no outcome: a picture that is no longer kept is drawn anew
MAX_THUMBNAILS = 500


def measured(path: Path, version: Version) -> tuple[ViewOutputs, ViewVerdict]:
    """What a model measures in a picture, and its verdict on that view alone."""
    inspector = loading.inspector(version.folder)
    view = View(path.name, content(path))
    outputs = inspector.measure(view)
    (judged,) = judge_part([outputs], version.card).views
    return outputs, judged


def show_pictures(
    item: Item,
    judged: ViewVerdict,
    outputs: ViewOutputs,
    version: Version,
    editor: BoxEditor | None,
) -> None:
    """The frame, on which boxes are drawn where there is an editor, and the crops beside it."""
    left, right = st.columns(COLUMNS)
    with left:
        _show_frame(item, judged, version, editor)
    with right:
        if editor is not None:
            editor.show_fields()
        _show_crops(judged, outputs, version.card)
        # no width: at 1024 px the column is narrower than a picture of a strip
        st.image(heat_scale(), caption="heat 0 (as normal parts) to 1")


def _show_frame(
    item: Item,
    judged: ViewVerdict,
    version: Version,
    editor: BoxEditor | None,
) -> None:
    card = version.card
    frame = frame_of(content(item.path), card)
    if editor is not None:
        # the labelled boxes are the editor's to draw
        unlabelled = marked_frame(frame, "[]", judged, card)
        editor.show_frame(unlabelled)
    else:
        marked = marked_frame(frame, item.boxes, judged, card)
        st.image(jpeg(marked), width="stretch", output_format="JPEG")
    st.caption(
        "Boxes: :green[labelled defect], :blue[labelled region], :orange[found defect], "
        ":gray[crops]"
    )
    reasons = "; ".join(judged.reasons)
    st.caption(f"{version}: {judged.label}: {judged.verdict}; {reasons}")


def _show_crops(judged: ViewVerdict, outputs: ViewOutputs, card: Card) -> None:
    """Each crop with its heat and its score."""
    for name, detector in card.detectors.items():
        region = detector.region
        if region not in outputs.crops:
            st.info(f"{region}: not found in this frame")
            continue

        crop = outputs.crops[region]
        both = crop_and_heat(crop, judged.heat[name])
        score = judged.scores[name]
        st.image(
            jpeg(both),
            caption=f"{region}, and heat of {name}: score {score:.2f}",
            width="stretch",
            output_format="JPEG",
        )


def show_alike(item: Item, outputs: ViewOutputs, version: Version) -> None:
    """The other views of the part, and the most similar ones of other parts, with their labels."""
    manifest = loading.clean_manifest()
    # the service's parts are numbered by themselves: the same number may be another part
    is_in_data = not item.request_id
    is_of_part = (manifest["part_id"] == item.part_id) & is_in_data
    of_part = manifest[is_of_part]
    is_other = of_part["image_sha256"] != item.image_sha256
    others = of_part[is_other]
    if len(others):
        st.markdown("**Other views of this part**")
        _strip(others, version)

    st.markdown("**Most similar views of other parts**")
    atlas = loading.atlas(version)
    if atlas is None:
        if st.button("Find them (embeds every view once)"):
            loading.make_atlas(version)
            st.rerun()
        return

    embedding = embedding_of(outputs.detectors, version.card)
    if embedding is None:
        st.caption("Not compared: the classified region was not found in this view.")
        return

    own = set(of_part["image_sha256"])
    near = atlas.nearest(embedding, N_ALIKE, without=own)
    found = _rows_of(near, manifest)
    counts = found["label"].value_counts()
    labels = ", ".join(f"{n} x {name}" for name, n in counts.items())
    st.caption(f"Labelled {labels}")
    _strip(found, version)


def _rows_of(images: Sequence[str], manifest: pd.DataFrame) -> pd.DataFrame:
    """One row for each of these hashes, in their order."""
    unique = manifest.drop_duplicates("image_sha256")
    rows = unique.set_index("image_sha256")
    # the atlas may be older than the manifest, which has lost a view since
    there = [sha256 for sha256 in images if sha256 in rows.index]
    return rows.loc[there].reset_index()


def _strip(rows: pd.DataFrame, version: Version) -> None:
    with st.container(horizontal=True):
        for row in rows.head(N_ALIKE).to_dict("records"):
            path = str(here(DATA) / row["path"])
            held = ", held" if row["held"] else ""
            st.image(
                _thumbnail(path, version),
                caption=f"{row['label']}{held} · part {row['part_id']}",
                width=STRIP_PX,
                output_format="JPEG",
            )


@st.cache_data(max_entries=MAX_THUMBNAILS, show_spinner=False)
def _thumbnail(path: str, _version: Version) -> bytes:
    file = content(Path(path))
    frame = frame_of(file, _version.card)
    # twice as wide as it is shown, for screens with two pixels to one
    return jpeg(rgb(frame), 2 * STRIP_PX)
