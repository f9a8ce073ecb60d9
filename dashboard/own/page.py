"""Own pictures: drop the views of one part; the same numbers as the service gives."""

import streamlit as st

from dashboard import errors, loading
from dashboard.explorer.page import COLOURS, choose_version
from dashboard.explorer.views import score_table
from dashboard.pictures import crop_and_heat, frame_of, heat_scale, jpeg, marked_frame
from inspection.errors import InspectionError
from inspection.runtime.bundle import Card
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

    card = version.card
    inspector = loading.inspector(version.folder)
    views = [View(file.name, file.getvalue()) for file in files]
    outputs = [inspector.measure(view) for view in views]
    verdict = judge_part(outputs, card)
    colour = COLOURS[verdict.verdict]
    cause = f" ({verdict.cause})" if verdict.cause else ""
    st.subheader(f":{colour}[{verdict.verdict}]: {verdict.label}{cause}")

    for view, seen, judged in zip(views, outputs, verdict.views, strict=True):
        decides = ", decides" if view.name == verdict.worst_view else ""
        st.markdown(f"**{judged.verdict}: {judged.label}{decides}**")
        st.text(view.name)
        left, right = st.columns([3, 2])
        frame = frame_of(view.content, card)
        marked = jpeg(marked_frame(frame, "[]", judged, card))
        left.image(marked, width="stretch", output_format="JPEG")
        left.caption("Boxes: :orange[found defect], :gray[crops]")
        with right:
            _show_heat(seen, judged, card)
        st.dataframe(score_table(judged, card), hide_index=True)
    st.image(
        heat_scale(), caption="heat 0 (as normal parts) to 1, the same for every part"
    )


def _show_heat(seen: ViewOutputs, judged: ViewVerdict, card: Card) -> None:
    for name, heat in judged.heat.items():
        region = card.detectors[name].region
        both = jpeg(crop_and_heat(seen.crops[region], heat))
        caption = f"{region}, and heat of {name}"
        st.image(both, caption=caption, width="stretch", output_format="JPEG")


if __name__ == "__main__":
    main()
