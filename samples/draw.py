"""Draw a sample line: `python -m samples.draw --out data --truth samples/truth --parts 400`."""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from inspection.processors import hold_to_avx2

# the file by which a folder is known as drawn by this program
MARKER = ".drawn-line.json"
# one of each class
MIN_PARTS = 5
# numbers of four digits in file names, from 1000 on, leave room for the copies
MAX_PARTS = 8000
# width and height of a frame in px: a quarter of the default, where the rivet is still a shape
MIN_SIZE = (154, 128)
# the frame of the cameras on the line that this one is drawn after
MAX_SIZE = (2464, 2056)
log = logging.getLogger("samples.draw")


class LineError(Exception):
    """Something the user can fix."""


def main(argv: list[str] | None = None) -> int:
    """Command line; exit code 1 and one line for what the user can fix."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    hold_to_avx2()
    args = _parser().parse_args(argv)
    try:
        draw_line(
            out=args.out,
            truth=args.truth,
            n_parts=args.parts,
            size=args.size,
            seed=args.seed,
            workers=args.workers,
            force=args.force,
        )
    except LineError as error:
        log.error("%s", error)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="python -m samples.draw", description=__doc__)
    p.add_argument(
        "--out",
        type=Path,
        default=Path("data"),
        help="where frames and labels go",
    )
    p.add_argument(
        "--truth",
        type=Path,
        default=Path("samples/truth"),
        help="where the truth goes; not in OUT",
    )
    p.add_argument(
        "--parts",
        type=int,
        default=400,
        help="parts on the line, 2-3 views each (400)",
    )
    p.add_argument(
        "--size",
        type=_size,
        default=(616, 514),
        help="frame WxH px (616x514)",
    )
    p.add_argument(
        "--seed",
        type=int,
        default=7,
        help="same seed, same bytes (7)",
    )
    p.add_argument(
        "--workers",
        type=int,
        default=os.cpu_count() or 1,
        help="processes (all cores)",
    )
    p.add_argument(
        "--force",
        action="store_true",
        help="replace folders that this did not make",
    )
    return p


def _size(text: str) -> tuple[int, int]:
    """Width and height, from a text like 616x514."""
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write it as 616x514")
    return int(width), int(height)


def draw_line(
    *,
    out: Path,
    truth: Path,
    n_parts: int = 400,
    size: tuple[int, int] = (616, 514),
    seed: int = 7,
    workers: int = 1,
    force: bool = False,
) -> dict[str, object]:
    """Draw the whole line and return the summary that stands in truth.json.

    Both folders are drawn beside their target and renamed at the end, `out` last: a run that was
    stopped leaves the targets as they were. Raises `LineError`.
    """
    _check(out, truth, n_parts, size, seed, workers, force)
    began = time.monotonic()
    # only here: what is wrong with the options is said before anything heavy is imported
    from samples.produce import produce

    fresh_out = _fresh(out)
    fresh_truth = _fresh(truth)
    try:
        summary = produce(fresh_out, fresh_truth, n_parts, size, seed, workers)
        for folder in (fresh_out, fresh_truth):
            _mark(folder, n_parts, size, seed)
        _swap(fresh_truth, truth)
        _swap(fresh_out, out)
    finally:
        shutil.rmtree(fresh_out, ignore_errors=True)
        shutil.rmtree(fresh_truth, ignore_errors=True)

    seconds = time.monotonic() - began
    log.info("draw         %5.0f s   %s", seconds, in_words(summary))
    return summary


def _check(
    out: Path,
    truth: Path,
    n_parts: int,
    size: tuple[int, int],
    seed: int,
    workers: int,
    force: bool,
) -> None:
    """Raise `LineError` with all that is wrong, a line each."""
    problems = _number_problems(n_parts, size, seed, workers)
    problems += _overlap_problems(out, truth)
    if not force:
        problems += _occupied_problems(out, truth)
    if problems:
        raise LineError("\n".join(problems))


def _number_problems(
    n_parts: int,
    size: tuple[int, int],
    seed: int,
    workers: int,
) -> list[str]:
    problems = []
    if not MIN_PARTS <= n_parts <= MAX_PARTS:
        problems.append(f"--parts: {n_parts}; use {MIN_PARTS} to {MAX_PARTS}")

    if not _fits(size):
        least = _as_text(MIN_SIZE)
        most = _as_text(MAX_SIZE)
        problems.append(f"--size: {_as_text(size)}; use {least} to {most}")

    if seed < 0:
        problems.append(f"--seed: {seed}; use 0 or more")
    if workers < 1:
        problems.append(f"--workers: {workers}; use 1 or more")
    return problems


def _fits(size: tuple[int, int]) -> bool:
    """Whether a frame is neither too small nor too large, in both directions."""
    width, height = size
    min_width, min_height = MIN_SIZE
    max_width, max_height = MAX_SIZE
    is_width_fit = min_width <= width <= max_width
    is_height_fit = min_height <= height <= max_height
    return is_width_fit and is_height_fit


def _overlap_problems(out: Path, truth: Path) -> list[str]:
    """The truth must not lie among the data: whoever reads the data would read it too."""
    a = out.resolve()
    b = truth.resolve()
    is_apart = a != b and a not in b.parents and b not in a.parents
    if is_apart:
        return []

    return [f"--truth: {truth} and {out} overlap; keep the truth out of the data"]


def _occupied_problems(*folders: Path) -> list[str]:
    return [
        f"{folder}: not empty and not drawn by this; name another folder or add --force"
        for folder in folders
        if not _ours_or_empty(folder)
    ]


def _as_text(size: tuple[int, int]) -> str:
    width, height = size
    return f"{width}x{height}"


def in_words(summary: Mapping[str, Any]) -> str:
    """What was drawn, with the mess in it, on a line.

    >>> mess = {"spoiled": {"part": 2}, "broken": {}, "copy": {"exact": 1, "shifted": 1}}
    >>> in_words({"files": 24, "parts": 10, **mess})
    '24 files of 10 parts; 2 with a wrong label, 0 broken, 2 copies'
    """
    wrong = sum(summary["spoiled"].values())
    broken = sum(summary["broken"].values())
    copies = sum(summary["copy"].values())
    return (
        f"{summary['files']} files of {summary['parts']} parts; {wrong} with a wrong label, "
        f"{broken} broken, {copies} copies"
    )


def _ours_or_empty(folder: Path) -> bool:
    if not folder.exists():
        return True
    if not folder.is_dir():
        return False

    is_ours = (folder / MARKER).is_file()
    return is_ours or not any(folder.iterdir())


def _fresh(target: Path) -> Path:
    """An empty folder beside `target`: on one disk with it, so that renaming copies nothing."""
    beside = target.parent / f".{target.name}.drawing"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    return beside


def _mark(folder: Path, n_parts: int, size: tuple[int, int], seed: int) -> None:
    """Leave word that this program made `folder`, so that it may replace it."""
    options = {
        "parts": n_parts,
        "seed": seed,
        "size": list(size),
    }
    recipe = json.dumps(options, sort_keys=True)
    (folder / MARKER).write_text(recipe + "\n", encoding="utf-8")


def _swap(fresh: Path, target: Path) -> None:
    """Put `fresh` in the place of `target`, which is removed last."""
    old = target.parent / f".{target.name}.old"
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    fresh.rename(target)
    shutil.rmtree(old, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
