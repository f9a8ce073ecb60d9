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

from benchmarks.chromium import Browser, browsing
from benchmarks.servers import Server, free_port, running

APP = Path(__file__).parents[1] / "dashboard/app.py"
NEXT_VIEW, NEXT_PART = "ArrowDown", "ArrowRight"
PAGES = ("", "own", "review", "map", "report", "models")
WIDTHS_PX = (1440, 1024)
MS_PER_S = 1000


@dataclass(frozen=True)
class Waits:
    """Seconds until a page had settled: script ended, every picture there.

    `cold_s` is the first visit after the start of the server, `warm_s` later ones, `view_s` each
    change to the next view of a part, `part_s` each to the next part, whose views are measured.
    """

    cold_s: float
    warm_s: list[float]
    view_s: list[float]
    part_s: list[float]
    memory_mb: float

    def __str__(self) -> str:
        return "\n".join(
            [
                f"first paint   {_seconds(self.warm_s)} (the first after a start: "
                f"{self.cold_s:.1f} s)",
                f"next view     {_milliseconds(self.view_s)}",
                f"next part     {_milliseconds(self.part_s)}",
                f"memory        {self.memory_mb:.0f} MB of the server at the end",
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
        command = [sys.executable, "-m", "streamlit", "run", str(APP)]
        command += ["--server.port", str(port), "--server.headless", "true"]
        with (
            running(command, port, Path(folder), {}, ready="/_stcore/health") as server,
            browsing() as browser,
        ):
            sys.stdout.write(f"{waits(browser, server, given.changes)}\n")
            if given.shots:
                shoot(browser, server, given.shots)


def waits(browser: Browser, server: Server, n_changes: int) -> Waits:
    """Visit the explorer, and go through `n_changes` parts, each with a look at a second view."""
    first = f"{server.address}/?fold=train"
    cold_s = browser.open(first)
    warm_s = [browser.open(first) for _ in range(3)]
    view_s, part_s = [], []
    for _ in range(n_changes):
        part_s.append(browser.change_s(NEXT_PART))
        if has_next_view(browser):
            view_s.append(browser.change_s(NEXT_VIEW))
    return Waits(cold_s, warm_s, view_s, part_s, server.memory_mb())


def has_next_view(browser: Browser) -> bool:
    """Whether the shown view is not the last one of its part."""
    button = "[...document.querySelectorAll('button')].find(b => b.innerText.includes('Down'))"
    return not browser.value(f"{button}.disabled")


def shoot(browser: Browser, server: Server, folder: Path) -> None:
    """Screenshots of every page at every width."""
    folder.mkdir(parents=True, exist_ok=True)
    for page in PAGES:
        for width_px in WIDTHS_PX:
            browser.resize(width_px, 900)
            browser.open(f"{server.address}/{page}")
            browser.screenshot(
                folder / f"{page or 'explorer'}-{width_px}.png", width_px
            )


def _milliseconds(found_s: Sequence[float]) -> str:
    if not found_s:
        return "not measured"
    median, high = np.percentile(found_s, [50, 95]) * MS_PER_S
    return f"{median:.0f} ms, 95 % within {high:.0f} ms (n = {len(found_s)})"


def _seconds(found_s: Sequence[float]) -> str:
    return f"{np.median(found_s):.2f} s"


if __name__ == "__main__":
    main()
