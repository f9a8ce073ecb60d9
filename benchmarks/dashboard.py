"""How long a person waits for the dashboard, in headless Chromium: first paint, and a next view.

With `--views 2000` that many views are looked at instead, one after the other, and what the server
holds meanwhile is printed. Run it from the root of a project whose stages have run.
"""

import argparse
import itertools
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.apps.servers import Server, free_port, running
from benchmarks.chromium import Browser, browsing

APP = Path(__file__).parents[1] / "dashboard/app.py"
NEXT_PART = "ArrowRight"
PAGES = ("", "own", "review", "map", "report", "models", "study")
WIDTHS_PX = (1440, 1024)
FOLDS = ("train", "val", "test")
VIEW = "new URLSearchParams(location.search).get('view')"
MS_PER_S = 1000


@dataclass(frozen=True)
class Waits:
    """Seconds until a page had settled: script ended, every picture there.

    `cold_s` is the first visit after the start of the server, `warm_s` later ones, `view_s` each
    change to another view of a part, `part_s` each to the next part, whose views are measured.
    `memory_mb` is what the server holds after a tenth of all changes, and at the end.
    """

    cold_s: float
    warm_s: list[float]
    view_s: list[float]
    part_s: list[float]
    memory_mb: tuple[float, float]

    def __str__(self) -> str:
        return "\n".join(
            [
                f"first paint   {_seconds(self.warm_s)} (the first after a start: "
                f"{self.cold_s:.1f} s)",
                f"other view    {_milliseconds(self.view_s)}",
                f"next part     {_milliseconds(self.part_s)}",
                f"memory        {self.memory_mb[0]:.0f} MB of the server after a tenth of the "
                f"changes, {self.memory_mb[1]:.0f} MB at the end",
            ]
        )


@dataclass(frozen=True)
class Looks:
    """Views looked at one after the other, each with its heat, and the server's memory meanwhile.

    `memory_mb` is what it holds after the first view, in the middle and at the end, `change_s` the
    seconds to each next view.
    """

    views: list[str]
    change_s: list[float]
    memory_mb: tuple[float, float, float]

    def __str__(self) -> str:
        start_mb, middle_mb, end_mb = self.memory_mb
        n_distinct = len(set(self.views))
        return (
            f"views         {len(self.views)}, {n_distinct} of them distinct\n"
            f"next view     {_milliseconds(self.change_s)}\n"
            f"memory        {start_mb:.0f} MB of the server after the first view, {middle_mb:.0f} "
            f"MB in the middle, {end_mb:.0f} MB at the end"
        )


def main() -> None:
    """Start the dashboard and a browser, and print what a person waits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=40, help="of the part")
    parser.add_argument(
        "--views", type=int, help="look at so many views, and print the memory"
    )
    parser.add_argument(
        "--shots", type=Path, help="folder for screenshots of all pages"
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        command = dashboard_command(APP, port)
        with (
            running(command, port, Path(folder), {}, ready="/_stcore/health") as server,
            browsing() as browser,
        ):
            if given.views:
                found: Waits | Looks = looks(browser, server, given.views)
            else:
                found = waits(browser, server, given.changes)
            sys.stdout.write(f"{found}\n")
            if given.shots:
                shoot(browser, server, given.shots)


def dashboard_command(app: Path, port: int) -> list[str]:
    """How the dashboard is started."""
    command = [sys.executable, "-m", "streamlit", "run", str(app)]
    return [*command, "--server.port", str(port), "--server.headless", "true"]


def waits(
    browser: Browser, server: Server, n_changes: int, fold: str = "train"
) -> Waits:
    """Visit the explorer, and go to the next part `n_changes` times, looking at its other views.

    After the last part of the fold it begins again.
    """
    first = f"{server.address}/?fold={fold}"
    cold_s = browser.open(first)
    warm_s = [browser.open(first) for _ in range(3)]
    view_s, part_s, memory_mb = [], [], []
    for number in range(n_changes):
        if number == n_changes // 10:
            memory_mb.append(server.memory_mb())
        if not browser.is_enabled("Next"):
            browser.open(first)
        part_s.append(browser.change_s(NEXT_PART))
        for button, key in (("Down", "ArrowDown"), ("Up", "ArrowUp")):
            if browser.is_enabled(button):
                view_s.append(browser.change_s(key))
    return Waits(cold_s, warm_s, view_s, part_s, (memory_mb[0], server.memory_mb()))


def looks(browser: Browser, server: Server, n_views: int) -> Looks:
    """Look at every view of every part by keys, fold after fold, until there were `n_views`.

    After the last fold it begins again.
    """
    views: list[str] = []
    change_s, memory_mb = [], []
    middle = 1 + n_views // 2
    for waited_s in _walk(browser, server):
        views.append(browser.value(VIEW))
        if waited_s is not None:
            change_s.append(waited_s)
        if len(views) in (1, middle):
            memory_mb.append(server.memory_mb())
        if len(views) == n_views:
            break
    return Looks(views, change_s, (memory_mb[0], memory_mb[-1], server.memory_mb()))


def _walk(browser: Browser, server: Server) -> Iterator[float | None]:
    """View after view of every fold, without an end; the seconds to each, None for the first of a
    fold, which is opened by its address."""
    for fold in itertools.cycle(FOLDS):
        browser.open(f"{server.address}/?fold={fold}")
        yield None
        while True:
            # the view that decides is shown first, wherever it stands among those of its part
            is_last = not browser.is_enabled("Down")
            while browser.is_enabled("Up"):
                yield browser.change_s("ArrowUp")
            while browser.is_enabled("Down") and not is_last:
                yield browser.change_s("ArrowDown")
            if not browser.is_enabled("Next"):
                break
            yield browser.change_s(NEXT_PART)


def shoot(browser: Browser, server: Server, folder: Path) -> None:
    """Screenshots of every page at every width."""
    folder.mkdir(parents=True, exist_ok=True)
    for page in PAGES:
        browser.open(f"{server.address}/{page}")
        for width_px in WIDTHS_PX:
            name = f"{page or 'explorer'}-{width_px}.png"
            browser.screenshot(folder / name, width_px)


def _milliseconds(found_s: Sequence[float]) -> str:
    if not found_s:
        return "not measured"
    median_s, high_s = np.percentile(found_s, [50, 95])
    median = MS_PER_S * median_s
    high = MS_PER_S * high_s
    return f"{median:.0f} ms, 95 % within {high:.0f} ms (n = {len(found_s)})"


def _seconds(found_s: Sequence[float]) -> str:
    return f"{np.median(found_s):.2f} s"


if __name__ == "__main__":
    main()
