"""How long a person waits for the dashboard, in headless Chromium: first paint, and a next view.

Run it from the root of a project whose stages have run.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.apps.servers import Server, free_port, running
from benchmarks.chromium import Browser, browsing

APP = Path(__file__).parents[1] / "dashboard/app.py"
NEXT_PART = "ArrowRight"
PAGES = ("", "own", "review", "map", "report", "models", "study")
WIDTHS_PX = (1440, 1024)
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


def main() -> None:
    """Start the dashboard and a browser, and print what a person waits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=40, help="of the part")
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
            sys.stdout.write(f"{waits(browser, server, given.changes)}\n")
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
