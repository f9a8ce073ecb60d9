"""The lines of the settings: where the releases and the verdicts of each lie."""

from collections.abc import Iterator
from pathlib import Path

from inspection.errors import InspectionError
from inspection.plant import lines_in
from inspection.runtime.recording import VERDICTS
from inspection.runtime.releases import champion_card
from serving.champion import Champion, load
from serving.plant.line import LineAtWork
from serving.plant.lines import Lines
from serving.recorder import Recorder
from serving.settings import RELEASES, Settings


def plant_of(settings: Settings) -> Lines:
    """The line in the root and those of the folder `lines`, not started yet."""
    champion = Champion(settings.releases, settings.public_key)
    root = LineAtWork("", champion, Recorder(settings.verdicts, settings.policy))

    def make(name: str, folder: Path) -> LineAtWork:
        champion = Champion(folder / RELEASES, settings.public_key)
        recorder = Recorder(folder / VERDICTS, settings.policy)
        return LineAtWork(name, champion, recorder)

    return Lines(root, settings.lines, make)


def require_a_champion(settings: Settings) -> None:
    """Raise InspectionError where no line has a champion that can serve.

    What is said is what the root's line lacks, which most have alone.
    """
    problems = []
    for releases in _releases_of(settings):
        try:
            load(*champion_card(releases, settings.public_key))
        except InspectionError as error:
            problems.append(error)
        else:
            return
    raise problems[0]


def _releases_of(settings: Settings) -> Iterator[Path]:
    yield settings.releases
    for folder in lines_in(settings.lines).values():
        yield folder / RELEASES
