"""Draw a sample line: `python -m samples.draw --out data --truth samples/truth --parts 400`."""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import sys
from pathlib import Path

MARKER = ".drawn-line.json"
MAX_SIZE = (2464, 2056)
MAX_PARTS = 8000
log = logging.getLogger("samples.draw")


class LineError(Exception):
    """Something the user can mend."""


def main(argv: list[str] | None = None) -> int:
    """Command line; exit code 1 and one line for what the user can mend."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    args = _parser().parse_args(argv)
    try:
        draw_line(
            out=args.out, truth=args.truth, n_parts=args.parts, size=args.size, seed=args.seed,
            workers=args.workers, force=args.force,
        )  # fmt: skip
    except LineError as error:
        log.error("%s", error)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="python -m samples.draw", description=__doc__)
    p.add_argument(
        "--out", type=Path, default=Path("data"), help="where frames and labels go"
    )
    p.add_argument(
        "--truth",
        type=Path,
        default=Path("samples/truth"),
        help="where the truth goes; not in OUT",
    )
    p.add_argument(
        "--parts", type=int, default=400, help="parts on the line, 2-3 views each (400)"
    )
    p.add_argument(
        "--size", type=_size, default=(616, 514), help="frame WxH px (616x514)"
    )
    p.add_argument("--seed", type=int, default=7, help="same seed, same bytes (7)")
    p.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes (all cores)"
    )
    p.add_argument(
        "--force", action="store_true", help="replace folders that this did not make"
    )
    return p


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write it as 616x514")
    return int(width), int(height)


def draw_line(
    *, out: Path, truth: Path, n_parts: int = 400, size: tuple[int, int] = (616, 514),
    seed: int = 7, workers: int = 1, force: bool = False,
) -> dict[str, object]:  # fmt: skip
    """Draw the whole line and return the summary that stands in truth.json.

    Both folders are drawn beside their target and renamed at the end, `out` last: a run that was
    stopped leaves the targets as they were. Raises `LineError`.
    """
    _check(out, truth, n_parts, size, seed, workers, force)
    from samples.produce import produce

    fresh_out, fresh_truth = _fresh(out), _fresh(truth)
    try:
        summary = produce(fresh_out, fresh_truth, n_parts, size, seed, workers)
        for folder in (fresh_out, fresh_truth):
            _mark(folder, n_parts, size, seed)
        _swap(fresh_truth, truth)
        _swap(fresh_out, out)
    finally:
        shutil.rmtree(fresh_out, ignore_errors=True)
        shutil.rmtree(fresh_truth, ignore_errors=True)
    log.info("drawn: %s", json.dumps(summary, sort_keys=True))
    return summary


def _check(
    out: Path, truth: Path, n_parts: int, size: tuple[int, int], seed: int, workers: int,
    force: bool,
) -> None:  # fmt: skip
    problems = []
    if not 5 <= n_parts <= MAX_PARTS:
        problems.append(f"--parts: {n_parts}; use 5 to {MAX_PARTS}")
    if not (154 <= size[0] <= MAX_SIZE[0] and 128 <= size[1] <= MAX_SIZE[1]):
        problems.append(f"--size: {size[0]}x{size[1]}; use 154x128 to 2464x2056")
    if seed < 0:
        problems.append(f"--seed: {seed}; use 0 or more")
    if workers < 1:
        problems.append(f"--workers: {workers}; use 1 or more")
    a, b = out.resolve(), truth.resolve()
    if a == b or a in b.parents or b in a.parents:
        problems.append(
            f"--truth: {truth} and {out} overlap; keep the truth out of the data"
        )
    for folder in (out, truth):
        if not force and not _ours_or_empty(folder):
            problems.append(
                f"{folder}: not empty and not drawn by this; name another folder or add --force"
            )
    if problems:
        raise LineError("\n".join(problems))


def _ours_or_empty(folder: Path) -> bool:
    if not folder.exists():
        return True
    return folder.is_dir() and (
        (folder / MARKER).is_file() or not any(folder.iterdir())
    )


def _fresh(target: Path) -> Path:
    beside = target.parent / f".{target.name}.drawing"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    return beside


def _mark(folder: Path, n_parts: int, size: tuple[int, int], seed: int) -> None:
    """Leave word that this program made `folder`, so that it may replace it."""
    recipe = json.dumps(
        {"parts": n_parts, "seed": seed, "size": list(size)}, sort_keys=True
    )
    (folder / MARKER).write_text(recipe + "\n", encoding="utf-8")


def _swap(fresh: Path, target: Path) -> None:
    old = target.parent / f".{target.name}.old"
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    fresh.rename(target)
    shutil.rmtree(old, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
