"""From uploaded parts to the bytes of an answer: decoded, judged and logged in a thread."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from inspection.runtime.bundle import Card
from serving.answers import (
    Inspected,
    LotAnswer,
    PartAnswer,
    inspect,
    part_answer,
)
from serving.budget import MAX_REQUEST_BYTES, Budget, Take, Work, work_of
from serving.champion import Served
from serving.forms import PartUpload
from serving.lanes import HEAVY_MS, heavy_lane, light_lane
from serving.metrics import Metrics
from serving.plant.line import LineAtWork
from serving.recorder import logged_part
from serving.uploads import COPIES

# Twice the time for the upload: what a client waits that sends slowly, and large frames.
TIMEOUT_S = 60.0
# BentoML's own limit, whose answer has another form: ours (60 s, and the view that is at work then)
# comes first. BentoML keeps a timer for each request until it is due, whether the answer was given
# or not, half a kilobyte each: with an hour here the worker would grow for an hour.
BACKSTOP_S = 120


@dataclass(frozen=True)
class Asked:
    """One request: its parts, whose they are, and how it wants them answered.

    `began_s` is of time.monotonic.
    """

    line: LineAtWork
    request_id: str
    began_s: float
    parts: Sequence[PartUpload]
    lot: bool
    heatmap: bool


class Inspections:
    """Inspects what is asked, within the limits of memory, threads and time.

    They are the machine's, so all lines share them.
    """

    def __init__(self, counts: Metrics, max_waiting: int) -> None:
        self._counts = counts
        self._light = light_lane(max_waiting)
        self._heavy = heavy_lane()
        self.memory = Budget()

    def check_room(self) -> None:
        """Raise RefusedError where too many wait; before a body is read that would be in vain."""
        self._light.check()

    async def answer(self, asked: Asked, take: Take) -> bytes:
        """The answer as JSON. Raises RefusedError; `take` is told of the memory for decoding."""

        def if_light() -> bytes | None:
            served, work = self._measured(asked)
            if work.time_ms > HEAVY_MS:
                return None
            take(work.n_bytes)
            return self._answered(served, asked)

        def whatever() -> bytes:
            served, work = self._measured(asked)
            take(work.n_bytes)
            return self._answered(served, asked)

        body = await self._light.run(if_light)
        return body if body is not None else await self._heavy.run(whatever)

    def _measured(self, asked: Asked) -> tuple[Served, Work]:
        # one release from the first view to the answer, whatever is promoted meanwhile
        served = asked.line.served()
        views = [view for part in asked.parts for view in part.views]
        line = served.inspector.card.line
        # its body was charged when it came in
        body = COPIES * sum(len(view.content) for view in views)
        limit = min(MAX_REQUEST_BYTES, self.memory.n_bytes) - body
        return served, work_of(views, line, limit)

    def _answered(self, served: Served, asked: Asked) -> bytes:
        # a lot is answered, logged and counted as a whole, or refused as a whole
        deadline_s = asked.began_s + TIMEOUT_S
        found = [
            inspect(served, part.views, deadline_s=deadline_s) for part in asked.parts
        ]

        answers = []
        for number, (part, one) in enumerate(zip(asked.parts, found, strict=True)):
            name = f"{asked.request_id}.{number}" if asked.lot else asked.request_id
            answer = part_answer(
                served,
                one,
                request_id=name,
                part_id=part.part_id,
                heatmap=asked.heatmap,
            )
            self._note(answer, one, part, served.inspector.card, asked)
            answers.append(answer)

        whole = LotAnswer(parts=answers) if asked.lot else answers[0]
        return whole.model_dump_json(exclude_none=True).encode("utf-8")

    def _note(
        self,
        answer: PartAnswer,
        found: Inspected,
        part: PartUpload,
        card: Card,
        asked: Asked,
    ) -> None:
        self._counts.count_part(answer, asked.line.name)
        if asked.line.recorder is not None:
            latency_ms = round(1000 * (time.monotonic() - asked.began_s), 1)
            logged = logged_part(answer, found, part, card, latency_ms=latency_ms)
            asked.line.recorder.record(logged, part.views)
