"""The weights of a training's last epochs, beside its classifier: a file each, named by its number.

Nothing here needs torch, so that what only lists the epochs starts at once.
"""

from collections.abc import Callable
from pathlib import Path

from inspection.storage import write_bytes

# The folder beside the weights that are deployed.
EPOCHS = "epochs"

# Gets each epoch: its number, from 0 on as in the curves, and its weights as safetensors.
KeepEpoch = Callable[[int, bytes], None]


def epoch_file(folder: Path, number: int) -> Path:
    """Where the weights of an epoch lie, in the folder of a classifier."""
    return folder / EPOCHS / f"{number:04d}.safetensors"


def kept_epochs(folder: Path) -> list[int]:
    """The numbers of the epochs whose weights lie in the folder of a classifier, in order."""
    files = (folder / EPOCHS).glob("[0-9]*.safetensors")
    return sorted(int(file.stem) for file in files)


def keeping_on_disk(folder: Path, n_epochs: int) -> KeepEpoch | None:
    """Writes each epoch to the folder of a classifier and removes the one that is too old.

    None where no epoch is to be kept.
    """

    def keep(number: int, weights: bytes) -> None:
        write_bytes(epoch_file(folder, number), weights)
        epoch_file(folder, number - n_epochs).unlink(missing_ok=True)

    return keep if n_epochs else None


def keeping_in_memory(kept: dict[int, bytes], n_epochs: int) -> KeepEpoch | None:
    """Puts each epoch into `kept` and takes out the one that is too old.

    None where no epoch is to be kept.
    """

    def keep(number: int, weights: bytes) -> None:
        kept[number] = weights
        kept.pop(number - n_epochs, None)

    return keep if n_epochs else None
