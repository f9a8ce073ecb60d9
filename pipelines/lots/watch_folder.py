"""Judge the parts whose frames come into a folder, each once; tell the verdict in a file, and to a
webhook.

    python -m pipelines.lots.watch_folder FOLDER --out verdicts.jsonl [--webhook URL]

A part is judged when for --settle seconds no file of it has come or changed. Which part a file
shows is said by its name, by `validate.pattern` and `validate.part_from` of params.yaml; with
--part-per-file each is a part. The folder stays as it is: who fills it may empty it. A part that
was refused is judged when a file of it comes or changes; a file that comes to a part that has its
verdict is told as `late_view`. Verdicts go into the verdict log, too, as those of the service do.
KNURL_WEBHOOK_KEY signs what is sent.
"""

import argparse
import logging
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.lots.places import LOCKS, STATE, name_of

if TYPE_CHECKING:
    from pipelines.lots.arrivals import Arrivals, Arrived, Stamp
    from pipelines.lots.journal import Journal
    from pipelines.lots.judging import Release, Row
    from pipelines.lots.record import Record
    from pipelines.lots.sender import Sender
    from pipelines.lots.verdict_lines import VerdictLines

# Cameras store the views of a part within a second; network shares pause for some.
SETTLE_S = 5.0
POLL_S = 0.5
# Of the time: a folder of so many files that a look takes long is looked at less often.
MAX_LOOKING = 0.1

logger = logging.getLogger("knurl.watch_folder")


def main() -> None:
    """Watch until Ctrl-C, or once."""
    given = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    # httpx logs each address that it posts to, and this one holds a secret
    logging.getLogger("httpx").setLevel(logging.WARNING)
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())

    from inspection.plant import LineErrors

    with LineErrors("watch_folder"):
        watch(
            given.folder,
            out=given.out,
            webhook=given.webhook,
            settle_s=given.settle,
            part_per_file=given.part_per_file,
            once=given.once,
            releases=given.releases,
            stopping=stopping,
        )


class Watcher:
    """Judges what has arrived, and writes it down."""

    def __init__(
        self, journal: "Journal", record: "Record", *, to_send: bool, releases: Path
    ) -> None:
        from pipelines.lots.champion import Champion

        self._journal = journal
        self._record = record
        self._to_send = to_send
        self._champion = Champion(releases)
        self.handled: dict[str, Stamp] = journal.handled()
        # told, and tried again at each look: a share may be away for a while
        self.unreadable: dict[str, Stamp] = {}

    def take(self, arrived: "Arrived") -> "Row | None":
        """Judge a part and note it; its row, None where it says nothing new."""
        from pipelines.lots.journal import key_of
        from pipelines.lots.judging import UNREADABLE, judge
        from pipelines.lots.record import folder_request

        part_id = arrived.part.part_id
        release = self._champion.now()
        if part_id and self._journal.has_verdict(part_id):
            row = self._late(arrived, release)
        else:
            judged = judge(arrived.part, release)
            row = judged.row
            # before the journal: a kill repeats, and never loses
            request = folder_request(key_of(row))
            self._record.note(judged, arrived.part.frames, request)

        if row is not None and row["error"] == UNREADABLE:
            self.unreadable |= arrived.stamps
            return self._noted(row, {})
        self.handled |= arrived.stamps
        return None if row is None else self._noted(row, arrived.stamps)

    def _noted(self, row: "Row", stamps: "Mapping[str, Stamp]") -> "Row | None":
        """Note a row with the frames that it settles; None where it was known."""
        dated = row | {"answered_at": _now()}
        is_new = self._journal.add(dated, stamps, to_send=self._to_send)
        return dated if is_new else None

    def _late(self, arrived: "Arrived", release: "Release") -> "Row | None":
        """The row of frames that came to a part with a verdict; None where they were seen before.

        A file whose bytes are what they were, after a copy say, is no news.
        """
        from pipelines.lots.judging import LATE, refused

        names = [frame.name for frame in arrived.part.frames]
        before = self._journal.hashes_of(names)
        hashes = {frame.name: frame.sha256() for frame in arrived.part.frames}
        new = [name for name in names if hashes[name] != before.get(name)]
        reasons = [f"{name}: came or changed after the part was judged" for name in new]
        row = refused(arrived.part, release, LATE, reasons, hashes)
        if not new:
            self._journal.note(row, arrived.stamps)
        return row if new else None


def watch(
    folder: Path,
    *,
    out: Path,
    webhook: str | None = None,
    settle_s: float = SETTLE_S,
    part_per_file: bool = False,
    once: bool = False,
    releases: Path | None = None,
    stopping: threading.Event | None = None,
) -> None:
    """Watch a folder until `stopping`; `once`: until all that is there is judged and sent, or was
    tried. Raises InspectionError."""
    from inspection.errors import InspectionError
    from inspection.storage import locked
    from pipelines.champions import RELEASES
    from pipelines.lots.arrivals import Arrivals
    from pipelines.lots.journal import Journal
    from pipelines.lots.lot import params_naming
    from pipelines.lots.record import Record
    from pipelines.lots.sender import Sender
    from pipelines.lots.verdict_lines import VerdictLines

    if not folder.is_dir():
        raise InspectionError(f"{folder}: no such folder; name where the frames come")
    naming = None if part_per_file else params_naming()
    arrivals = Arrivals(folder, naming, settle_s)
    name = name_of(folder)
    stopping = stopping or threading.Event()

    with (
        locked(LOCKS / f"watch-{name}.lock", holder=f"a watcher of {folder}"),
        closing(Journal(STATE / f"{name}.db")) as journal,
        closing(Record()) as record,
    ):
        lines = VerdictLines(out, journal)
        lines.catch_up()
        watcher = Watcher(
            journal, record, to_send=bool(webhook), releases=releases or RELEASES
        )
        sender = Sender(journal, webhook) if webhook else None
        with _sending(sender, once=once):
            _loop(arrivals, watcher, lines, stopping, once=once)
        if n_waiting := journal.n_to_send():
            logger.info("%d verdicts wait to be sent", n_waiting)


@contextmanager
def _sending(sender: "Sender | None", *, once: bool) -> Iterator[None]:
    """Send while the folder is watched; `once`: when all that was there is judged."""
    if sender is None:
        yield
    elif once:
        yield
        # a queue at a time, as long as the receiver takes any
        while sender.send_due(time.monotonic()):
            pass
    else:
        sender.start()
        try:
            yield
        finally:
            sender.stop()


def _loop(
    arrivals: "Arrivals",
    watcher: Watcher,
    lines: "VerdictLines",
    stopping: threading.Event,
    *,
    once: bool,
) -> None:
    """Look, judge and write down, one part after the other: parts that wait are files, no more."""
    from pipelines.lots.judging import said

    n_ignored = 0
    while not stopping.is_set():
        began_s = time.monotonic()
        try:
            found = arrivals.look(began_s, watcher.handled)
        except OSError as error:
            # a share that is away for a while
            logger.warning("%s: %s; tried again", error.filename, error.strerror)
            found = []
        looked_s = time.monotonic() - began_s
        for arrived in found:
            if stopping.is_set():
                return
            row = watcher.take(arrived)
            if row is not None:
                lines.catch_up()
                logger.info("%s", said(row))

        if len(arrivals.ignored) > n_ignored:
            n_ignored = len(arrivals.ignored)
            logger.info("%d files are no images, and ignored", n_ignored)
        if once and not arrivals.n_waiting(watcher.handled | watcher.unreadable):
            return
        stopping.wait(max(POLL_S, looked_s / MAX_LOOKING))


def _now() -> str:
    from inspection.runtime.pictures import now

    return now()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--out", type=Path, required=True, metavar="JSONL")
    parser.add_argument("--webhook", type=_address, metavar="URL")
    parser.add_argument("--settle", type=float, default=SETTLE_S, metavar="S")
    parser.add_argument(
        "--part-per-file", action="store_true", help="each file is a part of its own"
    )
    parser.add_argument(
        "--once", action="store_true", help="end when all that is there is judged"
    )
    parser.add_argument("--releases", type=Path, metavar="PATH")
    return parser.parse_args()


def _address(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError("should begin with http:// or https://")
    return text


if __name__ == "__main__":
    main()
