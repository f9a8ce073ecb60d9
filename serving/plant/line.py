"""One line at work: the champion that judges its parts, and the log that keeps the verdicts."""

from dataclasses import dataclass

from inspection.plant import as_typed
from serving.champion import NothingServesError, Served, Serving
from serving.plant.answers import LineState
from serving.recorder import Recorder, RecorderState
from serving.refusals import RefusedError


@dataclass(frozen=True)
class LineAtWork:
    """A line by its name in paths and metrics, '' for the one in the root.

    Without a `recorder` no verdict is logged.
    """

    name: str
    champion: Serving
    recorder: Recorder | None

    @property
    def path(self) -> str:
        """What stands before /inspect."""
        return f"/lines/{self.name}" if self.name else ""

    def served(self) -> Served:
        """The release at work. Raises RefusedError where there is none yet."""
        try:
            return self.champion.current()
        except NothingServesError as error:
            raise RefusedError(
                503, "no_release", "no release of this line serves; see /readyz"
            ) from error

    def log(self) -> Recorder:
        """The verdict log. Raises RefusedError where none is kept."""
        if self.recorder is None:
            raise RefusedError(503, "no_log", "this service keeps no verdict log")
        return self.recorder

    def log_state(self) -> RecorderState:
        """How the log fares."""
        return self.recorder.state() if self.recorder else RecorderState("", 0, 0)

    def state(self) -> LineState:
        """Whether parts can be inspected, by which release, and what is wrong."""
        state = self.champion.state()
        # the line in the root is called by what its card says
        name = self.name
        if not name and state.release:
            name = self.champion.current().inspector.card.line.name
        return LineState(
            name=name,
            path=self.path,
            # a broken release does not take the good one out of service; a thread that has died
            # would let the service grow old without a word
            ready=bool(state.release and state.following),
            release=state.release,
            card_sha256=state.card_sha256,
            problem=as_typed(state.problem, self.name) or None,
            log_problem=self.log_state().problem or None,
        )
