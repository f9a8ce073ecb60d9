"""A look at the images of a folder: what a sample of them is like, and which cannot be read."""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from tqdm import tqdm

from inspection.adoption.folder_guesses import class_of_folder, unread_kinds
from inspection.adoption.mask_guesses import mask_files
from inspection.adoption.region_guesses import FolderContents, look_at
from inspection.adoption.vocabulary import any_normal
from inspection.errors import InspectionError, first_three
from inspection.images import ImageError

LOOK_AT = 200
LOOK_IN = 4
MAX_MASKS = 5000


def look(
    source: Path, images: Sequence[str]
) -> tuple[dict[str, FolderContents], frozenset[str], list[str]]:
    """A sample of the images decoded, and all masks where these alone can tell the classes.

    The second are images of a kind that cannot be read, such as heights in floating point; the
    third are lines to tell. Raises InspectionError where no image can be read.
    """
    looked, refused = _decoded(source, _sample(images), "looking")
    unread = unread_kinds(images, looked, refused)
    left = [path for path in images if path not in unread]
    masks = mask_files(left, {path: one.is_mask for path, one in looked.items()})
    photos = [path for path in left if path not in masks]
    if (
        not any_normal(set(class_of_folder(photos).values()))
        and len(masks) <= MAX_MASKS
    ):
        more, also_refused = _decoded(
            source, sorted(masks - looked.keys()), "looking at masks"
        )
        looked, refused = looked | more, refused | also_refused
    if refused and not looked:
        raise InspectionError(
            f"none of the images can be read: {first_three(_told(refused))}"
        )
    single = {path: why for path, why in refused.items() if path not in unread}
    told = (
        f"mind: {len(single)} of {len(looked) + len(refused)} images looked at cannot be read: "
        f"{first_three(_told(single))}; stage validate sets them aside"
    )
    return looked, unread, [told] if single else []


def _told(refused: Mapping[str, str]) -> list[str]:
    return [f"{path} ({why})" for path, why in refused.items()]


def _sample(images: Sequence[str]) -> list[str]:
    """As many of each kind of file, and a few of each folder where these are not too many."""
    of_suffix: dict[str, list[str]] = {}
    of_folder: dict[tuple[str, str], list[str]] = {}
    for path in images:
        suffix = PurePosixPath(path).suffix.lower()
        of_suffix.setdefault(suffix, []).append(path)
        of_folder.setdefault((str(PurePosixPath(path).parent), suffix), []).append(path)
    sample = {
        path
        for some in of_suffix.values()
        for path in some[:: -(-len(some) // LOOK_AT)]
    }
    if len(of_folder) <= LOOK_AT:
        sample |= {
            p for some in of_folder.values() for p in some[:: -(-len(some) // LOOK_IN)]
        }
    return sorted(sample)


def _decoded(
    source: Path, sample: Sequence[str], what: str
) -> tuple[dict[str, FolderContents], dict[str, str]]:
    """What the images look like by path, and why others cannot be read."""
    looked: dict[str, FolderContents] = {}
    refused: dict[str, str] = {}
    for path in tqdm(sample, desc=what, unit="image", disable=None):
        content = (source / path).read_bytes()
        try:
            looked[path] = look_at(content)
        except ImageError as error:
            refused[path] = error.code
    return looked, refused
