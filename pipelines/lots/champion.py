"""The champion that judges parts as they come, while others are promoted."""

import logging
from pathlib import Path

from inspection.errors import InspectionError
from pipelines.lots.judging import Release, current_release, inspector_of

logger = logging.getLogger("knurl.champion")


class Champion:
    """The champion as it changes; where the next one is broken, the last good one stays."""

    def __init__(self, releases: Path) -> None:
        self._releases = releases
        self._release = current_release(releases)
        self._problem = ""
        inspector_of(self._release)

    def now(self) -> Release:
        """The release that judges the next part."""
        try:
            found = current_release(self._releases)
            if found != self._release:
                inspector_of(found)
                logger.info("judging by %s", found.folder.name)
            self._release, self._problem = found, ""
        except (InspectionError, OSError) as error:
            if str(error) != self._problem:
                kept = self._release.folder.name
                logger.warning("a release is refused, %s stays: %s", kept, error)
            self._problem = str(error)
        return self._release
