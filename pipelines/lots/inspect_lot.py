"""The champion's verdict on each part of a lot, as a parquet table; goes on where it was killed.

    python -m pipelines.lots.inspect_lot FRAMES --out verdicts.parquet

FRAMES is a folder, a glob in quotes, or a table (CSV, TSV, JSON lines, parquet) with a column of
paths and one of part ids. In a folder or glob the file's name says which part it shows, by
`validate.pattern` and `validate.part_from` of params.yaml; with --part-per-file each is a part.
Verdicts go into the verdict log as well, as those of the service do, which drift is watched by;
--no-log is for what is no production: frames that the line was trained on, or a trial.
With --dask tcp://HOST:8786 the workers of a Dask cluster judge, which must see the frames and
models/releases at the same paths as this machine.
The exit status is 0 also where parts are rejected or refused: the last line counts them.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.lots.places import LOCKS, name_of

if TYPE_CHECKING:
    from inspection.workers import Lost
    from pipelines.lots.judging import Judged, Release, Row
    from pipelines.lots.lot import Lot
    from pipelines.lots.part import LotPart
    from pipelines.lots.verdict_table import Plan

# What a kill costs at most: some ten seconds of one core at 50 ms a part. A file costs a few
# milliseconds to write and to sync.
SHARD_PARTS = 200
# What a shell says of a program that Ctrl-C has ended: 128 and the signal's number.
INTERRUPTED = 130


@dataclass(frozen=True)
class Summary:
    """What came out: parts by verdict ('' for those refused), and what this run did of it."""

    out: Path
    counts: Counter[str]
    n_judged: int
    seconds: float

    def __str__(self) -> str:
        n_parts = sum(self.counts.values())
        verdicts = ", ".join(
            f"{self.counts[verdict]} {verdict or 'refused'}"
            for verdict in ("pass", "review", "reject", "")
        )
        said = f"{self.out}: {n_parts} parts: {verdicts}"
        if not self.n_judged:
            return f"{said}; all of them judged before"
        before = n_parts - self.n_judged
        resumed = f", {before} judged before" if before else ""
        return f"{said}{resumed}; {self.n_judged / self.seconds:.1f} parts a second"


def main() -> None:
    """Inspect a lot, and say what came out."""
    given = _arguments()
    from inspection.plant import LineErrors
    from pipelines.lots.lot import TableColumns, find_lot

    with LineErrors("inspect_lot"):
        lot = find_lot(
            given.frames,
            part_per_file=given.part_per_file,
            columns=TableColumns(given.path_column, given.part_column),
            root=given.root,
        )
        sys.stderr.write(f"{described(lot)}\n")
        try:
            summary = inspect_lot(
                lot,
                given.out,
                n_workers=given.workers,
                dask=given.dask,
                anew=given.anew,
                releases=given.releases,
                log=given.log,
            )
        except KeyboardInterrupt:
            sys.stderr.write("stopped; the same command goes on where it was\n")
            raise SystemExit(INTERRUPTED) from None
    sys.stdout.write(f"{summary}\n")


def inspect_lot(
    lot: "Lot",
    out: Path,
    *,
    n_workers: int | None = None,
    dask: str | None = None,
    anew: bool = False,
    releases: Path | None = None,
    log: bool = True,
    shard_parts: int = SHARD_PARTS,
) -> Summary:
    """Write the verdict on each part to `out`, exactly once; what is there is not judged again.

    With `log` it stands in the verdict log, too.
    `dask` is the address of a Dask scheduler, whose workers judge then; where neither it nor
    `n_workers` is given, DASK_SCHEDULER_ADDRESS. Local workers are `n_workers`, or as many as there
    are cores, or as KNURL_PROCESSES says. Raises InspectionError, where another lot or another
    champion was begun with, too.
    """
    from inspection.storage import locked
    from pipelines.champions import RELEASES
    from pipelines.lots.judging import current_release, inspector_of
    from pipelines.lots.verdict_table import Plan, VerdictTable

    table = VerdictTable(out)
    release = current_release(releases or RELEASES)
    plan = Plan(
        lot_sha256=lot.sha256(),
        n_parts=len(lot.parts),
        release=release.folder.name,
        card_sha256=release.card_sha256,
    )
    with locked(_lock_of(out), holder=f"a run that writes {out}"):
        n_before = table.begin(plan, anew=anew)
        left = lot.parts[n_before:]
        if left:
            # what is wrong with the release is said once, and not by each worker
            inspector_of(release)

        began_s = time.monotonic()
        shard: list[Row] = []
        rows = _rows(left, release, n_workers, dask)
        if log:
            rows = _logged(rows, left, plan, n_before)
        for judged in rows:
            shard.append(judged.row)
            if len(shard) == shard_parts:
                table.add_shard(shard)
                shard = []
        if shard:
            table.add_shard(shard)
        table.finish(plan)
        seconds = time.monotonic() - began_s
    return Summary(out, table.counts(), len(left), seconds)


def described(lot: "Lot") -> str:
    """What a lot holds, and by what rule, in a line."""
    from inspection.errors import first_three

    said = f"{len(lot.parts)} parts of {lot.n_frames} frames; {lot.rule}"
    if lot.ignored:
        said += f"; {len(lot.ignored)} files are no images: {first_three(lot.ignored)}"
    return said


def _logged(
    found: "Iterator[Judged]", parts: "Sequence[LotPart]", plan: "Plan", first: int
) -> "Iterator[Judged]":
    """The same, each in the verdict log before it is in the table: a kill repeats, and never loses.

    `first` is the number of the first part in the lot.
    """
    from contextlib import closing

    from pipelines.lots.record import Record, lot_request

    with closing(Record()) as record:
        for number, (part, judged) in enumerate(
            zip(parts, found, strict=True), start=first
        ):
            request = lot_request(plan.lot_sha256, plan.card_sha256, number)
            record.note(judged, part.frames, request)
            yield judged


def _rows(
    parts: "Sequence[LotPart]",
    release: "Release",
    n_workers: int | None,
    dask: str | None,
) -> "Iterator[Judged]":
    from tqdm import tqdm

    from inspection.workers import Lost
    from pipelines.lots.judging import Judged, lost

    found = _found(parts, release, n_workers, dask)
    for one in tqdm(found, total=len(parts), desc="inspect", unit="part", disable=None):
        yield Judged(lost(one.item, release)) if isinstance(one, Lost) else one


def _found(
    parts: "Sequence[LotPart]",
    release: "Release",
    n_workers: int | None,
    dask: str | None,
) -> "Iterator[Judged | Lost[LotPart]]":
    """The verdicts in order, by a cluster where there is one to ask, else by local processes."""
    from functools import partial

    from inspection.cluster import address_of
    from inspection.workers import in_workers, n_processes
    from pipelines.lots.judging import judge

    address = address_of(dask, n_workers)
    if parts and address:
        from pipelines.lots.cluster_judging import judged_in_cluster

        return judged_in_cluster(parts, release, address)
    n_local = n_workers or n_processes(len(parts))
    return in_workers(partial(judge, release=release), parts, n_workers=n_local)


def _lock_of(out: Path) -> Path:
    return LOCKS / f"lot-{name_of(out)}.lock"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("frames", metavar="FRAMES", help="folder, glob or table")
    parser.add_argument("--out", type=Path, required=True, metavar="PARQUET")
    parser.add_argument(
        "--part-per-file", action="store_true", help="each file is a part of its own"
    )
    parser.add_argument("--path-column", default="path", metavar="NAME")
    parser.add_argument("--part-column", default="part_id", metavar="NAME")
    parser.add_argument(
        "--root", type=Path, help="where a table's paths begin (the table's folder)"
    )
    judges = parser.add_mutually_exclusive_group()
    judges.add_argument(
        "--workers", type=_positive, metavar="N", help="of this machine (the cores)"
    )
    judges.add_argument(
        "--dask",
        metavar="ADDRESS",
        help="of a Dask scheduler, whose workers judge (DASK_SCHEDULER_ADDRESS)",
    )
    parser.add_argument(
        "--anew", action="store_true", help="drop what an earlier run has judged"
    )
    parser.add_argument("--releases", type=Path, metavar="PATH")
    parser.add_argument(
        "--no-log",
        dest="log",
        action="store_false",
        help="keep it out of the verdict log",
    )
    return parser.parse_args()


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"should be 1 or more, got {number}")
    return number


if __name__ == "__main__":
    main()
