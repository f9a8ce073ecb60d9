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
from inspection.geometry import Floats, Image
from inspection.runtime.bundle import CARD, Card, read_card
from inspection.runtime.detectors import CLASSIFIER as CLASSIFIES
from inspection.runtime.heat import scaled
from inspection.runtime.views import ViewOutputs

TABLE = Path("artifacts/cam/table.csv")
# Heat of all recipes of a crop takes about 2 MB.
MAX_CROPS = 32
# Ends and steps of the slider for the heat that is boxed: from 0 on, the whole crop is one box.
MIN_THRESHOLD, MAX_THRESHOLD, THRESHOLD_STEP = 0.05, 1.0, 0.05


@st.fragment
def show_comparison(
    path: str, outputs: ViewOutputs, version: Version, found: Sequence[Version]
) -> None:
    """The section below a view: heat of the classifier in two configurations.

    A fragment: what is chosen in it draws nothing else anew.
    """
    if CLASSIFIES not in outputs.detectors:
        return

    card = version.card
    region = card.classifier.region
    st.subheader(f"Heat on the {region}, side by side")
    names = _configurations(version, found)
    first, second = st.columns(2)
    with first:
        left = _choose("heat", "Left", names, 0)
    with second:
        # another model where there is one: the graphs answer at once, other recipes load torch
        last = len(names) - 1 if len(found) > 1 else 0
        right = _choose("beside", "Right", names, last)
    label, threshold = _choose_look(card)

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
        before, after = pair
        _show_change(before, after, crop)


def _choose_look(card: Card) -> tuple[str, float]:
    """The class whose heat is shown, and the heat from which on it is boxed."""
    classifier = card.classifier
    # the first class is the normal one, of which there is no heat
    _, *defects = classifier.classes
    label = _choose("of", "Heat of", [LIKELIEST, *defects], 0)
    threshold = st.slider(
        "Boxed from this heat on",
        MIN_THRESHOLD,
        MAX_THRESHOLD,
        float(classifier.heat.box_threshold),
        THRESHOLD_STEP,
    )
    return label, threshold


def _show_change(before: Shown, after: Shown, crop: Image) -> None:
    """What is different to the right of what is left."""
    height_px, width_px = crop.shape[:2]
    distance_px = moved_px(before.heat, after.heat, (width_px, height_px))
    hotter = after.peak - before.peak
    more_boxes = after.n_boxes - before.n_boxes
    st.caption(
        f"From left to right the hottest place moves by {distance_px:.0f} px of the crop, its "
        f"heat by {hotter:+.2f}, the boxes by {more_boxes:+d}."
    )


def _configurations(version: Version, found: Sequence[Version]) -> list[str]:
    """This model as deployed, its other recipes where they lie there, and the other models."""
    names = [_as_deployed(version)]
    if _is_last(version.card):
        recipes = _recipes(stamp_or_none(TABLE))
        names += [recipe.name for recipe in recipes]

    for one in found:
        if one.name != version.name:
            names.append(_as_deployed(one))
    return names


def _as_deployed(version: Version) -> str:
    """What the choice and the address call the heat of a model as it serves."""
    return f"{version.name}, as deployed"


def _is_last(card: Card) -> bool:
    """Whether the recipes and the classifier of the last run are those of this model."""
    assembled = _assembled(stamp_or_none(BUNDLE / CARD))
    return card.version == assembled


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
    for recipe in _recipes(stamp_or_none(TABLE)):
        if recipe.name == name:
            heat = _recipe_heat(recipe, outputs, version, label)
            return heat, _score(outputs, version.card)

    other = next(one for one in found if name == _as_deployed(one))
    seen = outputs
    if other.name != version.name:
        seen = loading.measured(other, path)
    classified = seen.detectors[CLASSIFIES]
    heat = deployed_heat(classified, other.card, label)
    return heat, _score(seen, other.card)


def _recipe_heat(
    recipe: Recipe, outputs: ViewOutputs, version: Version, label: str
) -> Floats:
    weights = stamp(CLASSIFIER / "weights.safetensors")
    raw = _raw_heats(outputs.sha256, label, weights, outputs, version)
    heat = raw[recipe.method, recipe.layer]
    return scaled(heat, recipe.cold, recipe.hot)


def _score(outputs: ViewOutputs, card: Card) -> float:
    classified = outputs.detectors[CLASSIFIES]
    return card.classifier.score(classified)


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
