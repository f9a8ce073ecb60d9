"""How soon the watch notices a dimmer lamp, and whether it keeps quiet before.

    python -m benchmarks.lamp [--parts 300] [--dimmed-to 0.7] [--drawn 700]

Draws a line that nothing has learned from, and sends its normal parts to the service, each as one
camera sees it and in a light that is a little off; then the same parts under the dimmer lamp. After
every ten parts the watch reads the verdict log. Exit 1: an alarm before, or none within 100 parts.
"""

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from benchmarks.serving import ours
from inspection.dataset.names import nfc
from inspection.errors import InspectionError
from inspection.failures import PlainErrors
from inspection.images import read_frame
from inspection.storage import read_json
from pipelines.champions import RELEASES
from pipelines.watch import watched
from samples.draw import draw_line
from serving.client import Client

# Another one than that of the sample line, which the champion has learned from.
SEED = 1901
# The watch is asked after so many parts: an alarm is then known to ten parts.
EVERY = 10
# What the watch promises of a lamp that gives 30 % less.
NOTICED_WITHIN = 100
# Spread of the light between parts, as a share: what lamps of the sample line do within an hour.
FLICKER = 0.02


@dataclass(frozen=True)
class Shot:
    """A normal part as one camera sees it."""

    part_id: str
    camera: str
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Heard:
    """After how many parts the watch gave its first alarms, and these; None where it gave none."""

    n_parts: int | None
    alarms: Sequence[str]


def main() -> None:
    """Run in a project with a champion."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument(
        "--parts", type=int, default=300, help="normal parts, before and after"
    )
    parser.add_argument(
        "--dimmed-to", type=float, default=0.7, help="share of the light, 0..1"
    )
    parser.add_argument(
        "--drawn", type=int, default=700, help="parts of the line that is drawn"
    )
    given = parser.parse_args()

    with PlainErrors("lamp"), tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw_line(
            out=folder / "data",
            truth=folder / "truth",
            n_parts=given.drawn,
            seed=SEED,
            workers=2,
        )
        shots = normal_shots(folder)
        if len(shots) < given.parts:
            raise InspectionError(
                f"--parts: {len(shots)} normal parts were drawn, and {given.parts} are asked for; "
                "draw more by --drawn"
            )
        usual, dim = replayed(shots[: given.parts], given.dimmed_to, folder)

    sys.stdout.write(told(usual, dim, given.parts, given.dimmed_to))
    is_held = usual.n_parts is None and (dim.n_parts or sys.maxsize) <= NOTICED_WITHIN
    sys.exit(0 if is_held else 1)


def normal_shots(folder: Path) -> list[Shot]:
    """The normal parts of a drawn line by camera, in an order that no date and no class shares."""
    files: dict[tuple[str, str], list[Path]] = defaultdict(list)
    views = read_json(folder / "truth/truth.json")["views"]
    on_disk = {nfc(path.name): path for path in (folder / "data/images").iterdir()}
    for name, view in views.items():
        is_good = (
            view["true_class"] == "normal" and not view["broken"] and not view["copy"]
        )
        if is_good and not view["borderline"]:
            files[view["part_id"], view["camera"]].append(on_disk[nfc(name)])

    shots = [
        Shot(part, camera, tuple(found))
        for (part, camera), found in sorted(files.items())
    ]
    order = np.random.default_rng(SEED).permutation(len(shots))
    return [shots[i] for i in order]


def replayed(
    shots: Sequence[Shot], dimmed_to: float, folder: Path
) -> tuple[Heard, Heard]:
    """Send all shots in the usual light, and again under the dimmer lamp, to a service."""
    light = np.random.default_rng(SEED)
    with ours(RELEASES.resolve(), folder) as server, Client(server.address) as client:
        heard = []
        for gain in (1.0, dimmed_to):
            gains = (gain * light.normal(1, FLICKER, len(shots))).tolist()
            heard.append(_watched_while_sent(client, shots, gains, folder / "verdicts"))
    usual, dim = heard
    return usual, dim


def _watched_while_sent(
    client: Client, shots: Sequence[Shot], gains: Sequence[float], verdicts: Path
) -> Heard:
    sent = list(zip(shots, gains, strict=True))
    for number, (shot, gain) in enumerate(tqdm(sent, unit="part", disable=None), 1):
        views = [(path.name, lit(path, gain)) for path in shot.files]
        client.inspect(
            views, part_id=f"{shot.part_id} in light {gain:.4f}", camera=shot.camera
        )
        if number % EVERY and number < len(shots):
            continue

        alarms = watched(verdicts).alarms
        if alarms:
            return Heard(number, [one.text for one in alarms])
    return Heard(None, ())


def lit(path: Path, gain: float) -> bytes:
    """A frame under a lamp of `gain` times the light, as JPEG."""
    frame = read_frame(path, channels=1, bit_depth=8)
    dimmed = np.clip(np.rint(frame * gain), 0, 255).astype(np.uint8)
    _, encoded = cv2.imencode(".jpg", dimmed)
    return encoded.tobytes()


def told(usual: Heard, dim: Heard, n_parts: int, dimmed_to: float) -> str:
    """What was heard, in two lines and one for each alarm."""
    rows = []
    for light, heard in (
        ("in the usual light", usual),
        (f"at {dimmed_to:.0%} of it", dim),
    ):
        alarm = (
            "no alarm" if heard.n_parts is None else f"an alarm after {heard.n_parts}"
        )
        rows.append(f"{n_parts} normal parts {light}: {alarm}\n")
        rows += [f"  {alarm}\n" for alarm in heard.alarms]
    return "".join(rows)


if __name__ == "__main__":
    main()
