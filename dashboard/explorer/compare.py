"""Two configurations side by side on one view: model, CAM method and layer, and what changed."""

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from dashboard import address, loading
from dashboard.explorer.heats import (
    LIKELIEST,
    Recipe,
    Shown,
    deployed_heat,
    moved_px,
    recipe_heats,
    recipes_of,
    shown,
)
from dashboard.pictures import jpeg
from dashboard.places import BUNDLE, CLASSIFIER, stamp, stamp_or_none
from dashboard.versions import Version
from inspection.geometry import Floats
from inspection.runtime.bundle import CARD, Card, read_card
from inspection.runtime.detectors import CLASSIFIER as CLASSIFIES
from inspection.runtime.heat import scaled
from inspection.runtime.views import ViewOutputs

TABLE = Path("artifacts/cam/table.csv")
# Heat of all recipes of a crop takes about 2 MB.
MAX_CROPS = 32


@st.fragment
def show_comparison(
    path: str, outputs: ViewOutputs, version: Version, found: Sequence[Version]
) -> None:
    """The section below a view: heat of the classifier in two configurations.

    A fragment: what is chosen in it draws nothing else anew.
    """
    card = version.card
    region = card.classifier.region
    if CLASSIFIES not in outputs.detectors:
        return
    st.subheader(f"Heat on the {region}, side by side")
    names = _configurations(version, found)
    first, second = st.columns(2)
    with first:
        left = _choose("heat", "Left", names, 0)
    with second:
        # another model where there is one: the graphs answer at once, other recipes load torch
        last = len(names) - 1 if len(found) > 1 else 0
        right = _choose("beside", "Right", names, last)
    label = _choose("of", "Heat of", [LIKELIEST, *card.classifier.classes[1:]], 0)
    default = card.classifier.heat.box_threshold
    threshold = st.slider("Boxed from this heat on", 0.05, 1.0, float(default), 0.05)

    crop = outputs.crops[region]
    pair: list[Shown] = []
    for box, name in ((first, left), (second, right)):
        heat, score = _heat(name, path, outputs, version, found, label)
        one = shown(crop, heat, threshold)
        box.image(jpeg(one.picture), width="stretch", output_format="JPEG")
        box.caption(
            f"peak {one.peak:.2f}, {one.n_boxes} boxes, classifier's score {score:.4f}"
        )
        pair.append(one)
    if left != right:
        height_px, width_px = crop.shape[:2]
        before, after = pair
        distance = moved_px(before.heat, after.heat, (width_px, height_px))
        change = after.peak - before.peak
        more_boxes = after.n_boxes - before.n_boxes
        st.caption(
            f"From left to right the hottest place moves by {distance:.0f} px of the crop, its "
            f"heat by {change:+.2f}, the boxes by {more_boxes:+d}."
        )


def _configurations(version: Version, found: Sequence[Version]) -> list[str]:
    """This model as deployed, its other recipes where they lie there, and the other models."""
    names = [f"{version.name}, as deployed"]
    if _is_last(version.card):
        names += [recipe.name for recipe in _recipes(stamp_or_none(TABLE))]
    others = [one.name for one in found if one.name != version.name]
    return names + [f"{name}, as deployed" for name in others]


def _is_last(card: Card) -> bool:
    """Whether the recipes and the classifier of the last run are those of this model."""
    return card.version == _assembled(stamp_or_none(BUNDLE / CARD))


def _choose(key: str, title: str, options: Sequence[str], place: int) -> str:
    address.recall(key, options, options[place])
    chosen = st.selectbox(title, options, key=key)
    address.note(key)
    return str(chosen)


def _heat(
    name: str,
    path: str,
    outputs: ViewOutputs,
    version: Version,
    found: Sequence[Version],
    label: str,
) -> tuple[Floats, float]:
    """Heat and the classifier's score in a configuration."""
    recipes = {recipe.name: recipe for recipe in _recipes(stamp_or_none(TABLE))}
    if name in recipes:
        heat = _recipe_heat(recipes[name], outputs, version, label)
        return heat, _score(outputs, version.card)

    other = next(one for one in found if name == f"{one.name}, as deployed")
    seen = outputs
    if other.name != version.name:
        seen = loading.measured(other, path)
    heat = deployed_heat(seen.detectors[CLASSIFIES], other.card, label)
    return heat, _score(seen, other.card)


def _recipe_heat(
    recipe: Recipe, outputs: ViewOutputs, version: Version, label: str
) -> Floats:
    weights = stamp(CLASSIFIER / "weights.safetensors")
    raw = _raw_heats(outputs.sha256, label, weights, outputs, version)
    return scaled(raw[recipe.method, recipe.layer], recipe.cold, recipe.hot)


def _score(outputs: ViewOutputs, card: Card) -> float:
    return card.classifier.score(outputs.detectors[CLASSIFIES])


@st.cache_data(max_entries=1, show_spinner=False)
def _recipes(stamp: int) -> list[Recipe]:
    return recipes_of(TABLE)


@st.cache_data(max_entries=1, show_spinner=False)
def _assembled(stamp: int) -> str | None:
    """The version of the bundle that was assembled last; None where there is none."""
    return read_card(BUNDLE).version if stamp else None


@st.cache_data(max_entries=MAX_CROPS, show_spinner="Computing the heat of every recipe")
def _raw_heats(
    sha256: str, label: str, weights: int, _outputs: ViewOutputs, _version: Version
) -> dict[tuple[str, str], Floats]:
    card = _version.card
    crop = _outputs.crops[card.classifier.region]
    output = _outputs.detectors[CLASSIFIES]
    return recipe_heats(CLASSIFIER, crop, output, card, label)
