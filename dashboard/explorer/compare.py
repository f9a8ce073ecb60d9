"""Two configurations side by side on one view, and what changed between them.

A configuration is a model or an epoch of its training, a CAM method and layer, and an alteration
of the crop.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import address, loading
from dashboard.explorer.alterations import (
    MAX_DRAW,
    MIN_DRAW,
    Alteration,
    alterations,
    is_drawn,
)
from dashboard.explorer.altered import altered_outputs
from dashboard.explorer.heats import (
    LIKELIEST,
    Epoch,
    Recipe,
    deployed_heat,
    epoch_output,
    epochs_of,
    recipe_heats,
    recipes_of,
)
from dashboard.explorer.sides import Configuration, Side, difference, side_of
from dashboard.pictures import jpeg
from dashboard.places import BUNDLE, CLASSIFIER, DATA, stamp, stamp_or_none
from dashboard.switch import here
from dashboard.versions import Version
from inspection.geometry import Floats
from inspection.models.epochs import epoch_file
from inspection.runtime.bundle import CARD, Card, read_card
from inspection.runtime.detectors import CLASSIFIER as CLASSIFIES
from inspection.runtime.heat import scaled
from inspection.runtime.views import DetectorOutput, ViewOutputs

ALTERED = "Preprocessing or augmentation"
TABLE = Path("artifacts/cam/table.csv")
CHOSEN = Path("artifacts/cam/recipe.json")
# Heat of all recipes of a crop takes about 2 MB.
MAX_CROPS = 32
# Altered views that are kept, 2 MB each with their heat: two sides of some views.
MAX_ALTERED = 16
# Outputs for epochs that are kept, some 50 kB each: all of the epochs for some crops.
MAX_OF_EPOCHS = 200
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

    region = version.card.classifier.region
    st.subheader(f"Heat on the {region}, side by side")
    columns = st.columns(2)
    names, changes = _choose_configurations(columns, version, found)
    # pictures and what changed stand above what else can be chosen of them
    pictures = [column.container() for column in columns]
    below = st.container()
    draw = _choose_draw(changes)
    label, threshold = _choose_look(version)

    sides: dict[Configuration, Side] = {}
    for box, name, change in zip(pictures, names, changes, strict=True):
        configuration = Configuration(name, Alteration(change, draw))
        # two that are alike are drawn once
        side = sides.get(configuration) or _side(
            configuration, path, outputs, version, found, label, threshold
        )
        sides[configuration] = side
        box.image(jpeg(side.shown.picture), width="stretch", output_format="JPEG")
        box.caption(str(side))
        if _epoch(name) is not None:
            box.caption(
                "Score and verdict, too, are those of the epoch's classifier, by the calibration "
                f"and thresholds of {version.name}."
            )
    if len(sides) > 1:
        below.markdown(difference(*sides.values()))


def _choose_configurations(
    columns: Sequence[DeltaGenerator], version: Version, found: Sequence[Version]
) -> tuple[list[str], list[str]]:
    """What stands left and right: the names of models or recipes, and those of alterations."""
    options = _names(version, found)
    # another model where there is one: the graphs answer at once, other recipes load torch
    last = len(options) - 1 if len(found) > 1 else 0
    names, changes = [], []
    for column, keys, title, place in (
        (columns[0], ("heat", "crop"), "Left", 0),
        (columns[1], ("beside", "crop_beside"), "Right", last),
    ):
        model, change = keys
        with column:
            names.append(_choose(model, title, options, place))
            changes.append(_choose(change, ALTERED, alterations(), 0))
    return names, changes


def _choose_draw(names: Sequence[str]) -> int:
    """Which draw of a recipe of training is shown; asked for where one is."""
    if not any(is_drawn(name) for name in names):
        address.note_number("draw", MIN_DRAW, MIN_DRAW)
        return MIN_DRAW

    address.recall_number("draw", "draw", (MIN_DRAW, MAX_DRAW), MIN_DRAW)
    draw = st.number_input(
        "Draw of the augmentation: the same number draws the same picture",
        MIN_DRAW,
        MAX_DRAW,
        step=1,
        key="draw",
    )
    address.note_number("draw", draw, MIN_DRAW)
    return int(draw)


def _choose_look(version: Version) -> tuple[str, float]:
    """The class whose heat is shown, and the heat from which on it is boxed."""
    classifier = version.card.classifier
    # the first class is the normal one, of which there is no heat
    _, *defects = classifier.classes
    label = _choose("of", "Heat of", [LIKELIEST, *defects], 0)

    # of each model its own: a threshold that nobody has moved follows the card
    key = f"boxed by {version.name}"
    default = float(classifier.heat.box_threshold)
    address.recall_number(key, "boxed", (MIN_THRESHOLD, MAX_THRESHOLD), default)
    threshold = st.slider(
        "Boxed from this heat on",
        MIN_THRESHOLD,
        MAX_THRESHOLD,
        step=THRESHOLD_STEP,
        key=key,
    )
    address.note_number("boxed", threshold, default)
    return label, threshold


def _names(version: Version, found: Sequence[Version]) -> list[str]:
    """This model as deployed, its other recipes and epochs where they lie there, and the other
    models."""
    names = [_as_deployed(version)]
    if _is_last(version.card):
        recipes = _recipes(stamp_or_none(here(TABLE)))
        names += [recipe.name for recipe in recipes]
        names += [epoch.name for epoch in epochs_of(here(CLASSIFIER), here(CHOSEN))]

    for one in found:
        if one.name != version.name:
            names.append(_as_deployed(one))
    return names


def _as_deployed(version: Version) -> str:
    """What the choice and the address call the heat of a model as it serves."""
    return f"{version.name}, as deployed"


def _is_last(card: Card) -> bool:
    """Whether the recipes and the classifier of the last run are those of this model."""
    assembled = _assembled(stamp_or_none(here(BUNDLE) / CARD))
    return card.version == assembled


def _choose(key: str, title: str, options: Sequence[str], place: int) -> str:
    address.recall(key, options, options[place])
    chosen = st.selectbox(title, options, key=key)
    address.note(key)
    return str(chosen)


def _side(
    configuration: Configuration,
    path: str,
    outputs: ViewOutputs,
    version: Version,
    found: Sequence[Version],
    label: str,
    threshold: float,
) -> Side:
    """What a configuration makes of the view."""
    name, alteration = configuration.name, configuration.alteration
    recipe, epoch = _recipe(name), _epoch(name)
    model = version
    if recipe is None and epoch is None:
        model = next(one for one in found if name == _as_deployed(one))

    as_it_is = outputs
    if model.name != version.name:
        as_it_is = loading.measured(model, path)
    seen = _altered(alteration, as_it_is, model, path)
    if epoch is not None:
        seen = _by_epoch(epoch, alteration, seen, model)
    heat = _heat(recipe, alteration, seen, model, label)

    return side_of(
        as_it_is,
        seen,
        heat,
        alteration=alteration,
        threshold=threshold,
        card=model.card,
    )


def _altered(
    alteration: Alteration, outputs: ViewOutputs, model: Version, path: str
) -> ViewOutputs:
    """What a model measures in a view whose crops are altered."""
    if alteration.is_none:
        return outputs

    folder = model.folder
    stamps = (stamp(folder / CARD), stamp_or_none(here(DATA) / path))
    return _measured(str(folder), path, alteration, stamps, outputs, model)


def _heat(
    recipe: Recipe | None,
    alteration: Alteration,
    seen: ViewOutputs,
    model: Version,
    label: str,
) -> Floats:
    """Heat 0..1 of a class by the deployed method, or by another recipe."""
    if recipe is None:
        return deployed_heat(seen.detectors[CLASSIFIES], model.card, label)

    weights = stamp(here(CLASSIFIER) / "weights.safetensors")
    raw = _raw_heats(seen.sha256, alteration, label, weights, seen, model)
    heat = raw[recipe.method, recipe.layer]
    return scaled(heat, recipe.cold, recipe.hot)


def _by_epoch(
    epoch: Epoch, alteration: Alteration, seen: ViewOutputs, model: Version
) -> ViewOutputs:
    """What was measured, had the classifier stopped learning after an epoch."""
    stamps = (
        stamp(here(CLASSIFIER) / "weights.safetensors"),
        stamp(epoch_file(here(CLASSIFIER), epoch.number)),
    )
    output = _of_epoch(seen.sha256, alteration, epoch, stamps, seen, model)
    return replace(seen, detectors=seen.detectors | {CLASSIFIES: output})


def _epoch(name: str) -> Epoch | None:
    """The epoch of this name; None where a model as deployed or a recipe is meant."""
    for epoch in epochs_of(here(CLASSIFIER), here(CHOSEN)):
        if epoch.name == name:
            return epoch
    return None


def _recipe(name: str) -> Recipe | None:
    """The CAM recipe of this name; None where a model as deployed is meant."""
    for recipe in _recipes(stamp_or_none(here(TABLE))):
        if recipe.name == name:
            return recipe
    return None


@st.cache_data(max_entries=1, show_spinner=False)
def _recipes(stamp: int) -> list[Recipe]:
    return recipes_of(here(TABLE))


@st.cache_data(max_entries=1, show_spinner=False)
def _assembled(stamp: int) -> str | None:
    """The version of the bundle that was assembled last; None where there is none."""
    return read_card(here(BUNDLE)).version if stamp else None


@st.cache_resource(max_entries=MAX_ALTERED, show_spinner=False)
def _measured(
    folder: str,
    path: str,
    alteration: Alteration,
    stamps: tuple[int, int],
    _outputs: ViewOutputs,
    _model: Version,
) -> ViewOutputs:
    """Folder, path, alteration and the times of card and picture are the cache's key."""
    detectors = loading.detectors(_model.folder)
    region = _model.card.classifier.region
    return altered_outputs(_outputs, alteration, region, detectors)


@st.cache_data(
    max_entries=MAX_OF_EPOCHS, show_spinner="Computing what the epoch's classifier says"
)
def _of_epoch(
    sha256: str,
    alteration: Alteration,
    epoch: Epoch,
    stamps: tuple[int, int],
    _outputs: ViewOutputs,
    _version: Version,
) -> DetectorOutput:
    """The times of both files of weights are part of the cache's key."""
    card = _version.card
    crop = _outputs.crops[card.classifier.region]
    return epoch_output(here(CLASSIFIER), epoch, crop, card)


@st.cache_data(max_entries=MAX_CROPS, show_spinner="Computing the heat of every recipe")
def _raw_heats(
    sha256: str,
    alteration: Alteration,
    label: str,
    weights: int,
    _outputs: ViewOutputs,
    _version: Version,
) -> dict[tuple[str, str], Floats]:
    card = _version.card
    crop = _outputs.crops[card.classifier.region]
    output = _outputs.detectors[CLASSIFIES]
    return recipe_heats(here(CLASSIFIER), crop, output, card, label)
