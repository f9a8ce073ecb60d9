"""The service judges parts while the disk of its log fills up, and after there is room again."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from starlette.testclient import TestClient

from benchmarks.drills.kills import Outcome
from benchmarks.drills.small_disk import SmallDisk
from inspection.errors import InspectionError
from inspection.runtime.pictures import FOLDER
from inspection.runtime.recording import KeepingPolicy
from inspection.runtime.verdict_log import read_parts
from inspection.storage import sha256_of
from serving.api import create_app
from serving.champion import Champion
from serving.recorder import Recorder

VERDICTS = Path("verdicts")
# Noise, which no encoder makes smaller: some 80 kB a picture.
FRAME_PX = (240, 320)
# Room for some pictures: both a row and a picture are to be the first that does not fit.
LEFT_BYTES = 300_000
# Parts: twelve pictures take about three times LEFT_BYTES, so that most do not fit.
N_WITH_ROOM, N_WITHOUT = 3, 12
# Every picture is kept; a gigabyte is far more than all of them take.
KEPT = KeepingPolicy(pass_fraction=1.0, max_bytes=10**9)


def fill_under_the_log(disk: SmallDisk, releases: Path) -> Outcome:
    """What came of it: how many verdicts could not be logged, and what was lost."""
    outcome = Outcome("service's log")
    champion = Champion(releases)
    recorder = Recorder(VERDICTS, KEPT)
    champion.start()
    try:
        app = create_app(champion, recorder=recorder)
        with TestClient(app, raise_server_exceptions=False) as client:
            wanted = _judged_while_it_fills(client, disk, outcome)
    finally:
        champion.stop()
        recorder.close()
    outcome.n_killed = recorder.state().n_failed
    if not outcome.n_killed:
        outcome.lost["the disk never was too full for a row or a picture"] += 1
    _check_log(wanted, outcome)
    return outcome


def _judged_while_it_fills(
    client: TestClient, disk: SmallDisk, outcome: Outcome
) -> list[str]:
    """Returns the ids of the requests that were judged while there was room."""
    pictures = _pictures()

    def judge(n_parts: int) -> list[str]:
        ids = []
        for _ in range(n_parts):
            files = {"views": ("drill.png", next(pictures))}
            answer = client.post("/inspect", files=files)
            if answer.status_code == 200:
                ids.append(str(answer.json()["request_id"]))
            else:
                outcome.lost[f"a part is answered with {answer.status_code}"] += 1
        return ids

    before = judge(N_WITH_ROOM)
    disk.leave(LEFT_BYTES)
    judge(N_WITHOUT)
    if client.get("/readyz").json()["log_problem"] is None:
        outcome.lost["nobody is told that nothing is logged"] += 1

    disk.make_room()
    after = judge(N_WITH_ROOM)
    if client.get("/readyz").json()["log_problem"] is not None:
        outcome.lost["the log does not go on when there is room"] += 1
    return [*before, *after]


def _check_log(wanted: list[str], outcome: Outcome) -> None:
    """What was judged with room is logged once; no row and no picture is half there."""
    try:
        logged = [part.request_id for part in read_parts(VERDICTS)]
    except InspectionError as error:
        outcome.lost[f"the log cannot be read: {error}"] += 1
        return
    if [one for one in logged if one in wanted] != wanted:
        outcome.lost["a verdict is not in the log, twice, or out of order"] += 1
    for path in (VERDICTS / FOLDER).rglob("*"):
        if path.is_file() and sha256_of(path) != path.name:
            outcome.lost["a picture is not whole"] += 1


def _pictures() -> Iterator[bytes]:
    """Pictures of which no two are the same."""
    generator = np.random.default_rng(0)
    while True:
        frame = generator.integers(0, 256, FRAME_PX, np.uint8)
        _, encoded = cv2.imencode(".png", frame)
        yield encoded.tobytes()
