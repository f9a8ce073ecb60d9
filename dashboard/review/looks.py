"""What a reviewer looks at: the frame with its boxes, crops with heat, and similar views."""

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
from dashboard.versions import Version
from inspection.runtime.verdict import ViewVerdict, judge_part
from inspection.runtime.views import View, ViewOutputs

# Neighbours that fit beside a view in one row at a width of 1440 px.
N_ALIKE = 6
# Pictures beside each other are this wide at most: enough to see a dent in a crop.
STRIP_PX = 220


def measured(path: Path, version: Version) -> tuple[ViewOutputs, ViewVerdict]:
    inspector = loading.inspector(version.folder)
    outputs = inspector.measure(View(path.name, content(path)))
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
    card = version.card
    left, right = st.columns([3, 2])
    frame = frame_of(content(item.path), card)
    if editor is None:
        marked = jpeg(marked_frame(frame, item.boxes, judged, card))
        left.image(marked, width="stretch", output_format="JPEG")
    else:
        with left:
            editor.show_frame(marked_frame(frame, "[]", judged, card))
    left.caption(
        "Boxes: :green[labelled defect], :blue[labelled region], :orange[found defect], "
        ":gray[crops]"
    )
    said = f"{judged.label}: {judged.verdict}"
    left.caption(f"{version}: {said}; " + "; ".join(judged.reasons))

    with right:
        if editor is not None:
            editor.show_fields()
        for name, detector in card.detectors.items():
            region = detector.region
            if region not in outputs.crops:
                st.info(f"{region}: not found in this frame")
                continue
            crop, heat = outputs.crops[region], judged.heat[name]
            both = jpeg(crop_and_heat(crop, heat))
            caption = f"{region}, and heat of {name}: score {judged.scores[name]:.2f}"
            st.image(both, caption=caption, width="stretch", output_format="JPEG")
        st.image(heat_scale(), caption="heat 0 (as normal parts) to 1", width=STRIP_PX)


def show_alike(item: Item, outputs: ViewOutputs, version: Version) -> None:
    """The other views of the part, and the most similar ones of other parts, with their labels."""
    manifest = loading.clean_manifest()
    of_part = manifest[manifest["part_id"] == item.part_id]
    others = of_part[of_part["image_sha256"] != item.image_sha256]
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

    near = atlas.nearest(embedding, N_ALIKE, set(of_part["image_sha256"]))
    rows = manifest.drop_duplicates("image_sha256").set_index("image_sha256")
    # the atlas may be older than the manifest, which has lost a view since
    there = [sha256 for sha256 in near if sha256 in rows.index]
    found = rows.loc[there].reset_index()
    counts = found["label"].value_counts()
    labels = ", ".join(f"{n} x {name}" for name, n in counts.items())
    st.caption(f"Labelled {labels}")
    _strip(found, version)


def _strip(rows: pd.DataFrame, version: Version) -> None:
    with st.container(horizontal=True):
        for row in rows.head(N_ALIKE).to_dict("records"):
            held = ", held" if row["held"] else ""
            caption = f"{row['label']}{held} · part {row['part_id']}"
            st.image(
                _thumbnail(str(DATA / row["path"]), version),
                caption=caption,
                width=STRIP_PX,
                output_format="JPEG",
            )


@st.cache_data(max_entries=500, show_spinner=False)
def _thumbnail(path: str, _version: Version) -> bytes:
    # twice as wide as it is shown, for screens with two pixels to one
    frame = frame_of(content(Path(path)), _version.card)
    return jpeg(rgb(frame), 2 * STRIP_PX)
