"""Own pictures: drop the views of one part; the same numbers as the service gives."""

import streamlit as st

from dashboard import errors, loading
from dashboard.explorer.page import COLUMNS, choose_version, headline
from dashboard.explorer.views import score_table
from dashboard.pictures import crop_and_heat, frame_of, heat_scale, jpeg, marked_frame
from dashboard.tables import show_table
from inspection.errors import InspectionError
from inspection.runtime.bundle import Card
from inspection.runtime.heat_recipes import heat_recipe
from inspection.runtime.verdict import ViewVerdict, judge_part
from inspection.runtime.views import View, ViewOutputs

# Views of one part that are judged at once, as many as a station of some cameras takes.
MAX_VIEWS = 16


@errors.shown
def main() -> None:
    """Draw the page."""
    st.header("Own pictures")
    version = choose_version(loading.models(), "model", "Model")
    files = st.file_uploader(
        "Views of one part", accept_multiple_files=True, key="files"
    )
    if not files:
        st.info(
            "Drop one or more pictures of one part here. They stay on this machine."
        )
        return
    if len(files) > MAX_VIEWS:
        raise InspectionError(
            f"views: {len(files)} pictures; a part has {MAX_VIEWS} at most, drop those of one part"
        )

    inspector = loading.inspector(version.folder)
    views = [View(file.name, file.getvalue()) for file in files]
    outputs = [inspector.measure(view) for view in views]
    verdict = judge_part(outputs, version.card)
    st.subheader(headline(verdict))
    for view, seen, judged in zip(views, outputs, verdict.views, strict=True):
        is_deciding = view.name == verdict.worst_view
        decides = ", decides" if is_deciding else ""
        st.markdown(f"**{judged.verdict}: {judged.label}{decides}**")
        _show_view(view, seen, judged, version.card)
    st.image(
        heat_scale(), caption="heat 0 (as normal parts) to 1, the same for every part"
    )


def _show_view(view: View, seen: ViewOutputs, judged: ViewVerdict, card: Card) -> None:
    st.text(view.name)
    left, right = st.columns(COLUMNS)
    frame = frame_of(view.content, card)
    # nobody has labelled this picture
    marked = marked_frame(frame, "[]", judged, card)
    left.image(jpeg(marked), width="stretch", output_format="JPEG")
    left.caption("Boxes: :orange[found defect], :gray[crops]")
    with right:
        _show_heat(seen, judged, card)
    show_table(score_table(judged, card), placeholder="-")


def _show_heat(seen: ViewOutputs, judged: ViewVerdict, card: Card) -> None:
    for name, heat in judged.heat.items():
        detector = card.detectors[name]
        region = detector.region
        both = crop_and_heat(seen.crops[region], heat)
        st.image(
            jpeg(both),
            caption=f"{region}, and heat of {name} ({heat_recipe(detector)})",
            width="stretch",
            output_format="JPEG",
        )


if __name__ == "__main__":
    main()
