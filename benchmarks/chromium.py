"""Headless Chromium, driven by its own protocol: what a person sees, and how long they wait.

The protocol: https://chromedevtools.github.io/devtools-protocol/.
"""

import base64
import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import connect
from websockets.sync.connection import Connection

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
# Written by Chromium into its profile: the port that it has chosen, and a path.
PORT_FILE = "DevToolsActivePort"
# Longer than either takes on a busy machine: after that something is wrong.
START_WITHIN_S = 30.0
SETTLE_WITHIN_S = 60.0
# Charts follow the width of the window in a moment of their own.
CHART_S = 0.5
# A screenshot of a whole page stops here: what is longer is a table that nobody scrolls through.
MAX_HEIGHT_PX = 6000
# What begins a sheet of a PDF as Chromium writes it; /Pages is the list of them.
SHEET_OF_PDF = re.compile(rb"/Type\s*/Page\b")

# True when Streamlit has run its script to the end, nothing that it will replace is left, and
# every picture is there.
SETTLED = """
(() => {
  const app = document.querySelector('[data-testid=stApp]');
  const page = document.querySelector('[data-testid=stMainBlockContainer]');
  return app?.dataset.testScriptState === 'notRunning' && page?.innerText.length > 40
    && !document.querySelector('[data-stale=true], [data-testid=stSkeleton]')
    && [...document.images].every(one => one.complete);
})()"""

# Calls `done` with the moment from which on a condition has held for HOLD_MS: between the messages
# of a run there are frames in which a page looks settled and is not.
HOLD_MS = 200
HELD = """
const held = (condition, done) => {
  let since = null;
  const look = () => {
    since = condition() ? since ?? performance.now() : null;
    if (since !== null && performance.now() - since > HOLD_MS) done(since);
    else requestAnimationFrame(look);
  };
  look();
};""".replace("HOLD_MS", str(HOLD_MS))

# Resolves to the milliseconds from the next key to the first frame in which the address has
# changed and the page has settled.
CHANGE = """
window.change = new Promise((resolve, reject) => {
  HELD
  const before = location.search;
  setTimeout(() => reject('the page has not changed'), WITHIN_MS);
  addEventListener('keydown', () => {
    const start = performance.now();
    held(() => location.search !== before && SETTLED, since => resolve(since - start));
  }, {once: true, capture: true});
}); 0""".replace("HELD", HELD).replace("SETTLED", SETTLED)
CHANGE = CHANGE.replace("WITHIN_MS", str(round(1000 * SETTLE_WITHIN_S)))

# Resolves to the milliseconds from the beginning of the navigation.
PAINT = """
new Promise(resolve => {
  HELD
  held(() => SETTLED, resolve);
})""".replace("HELD", HELD).replace("SETTLED", SETTLED)


class Browser:
    """One tab of a Chromium at work."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._n_calls = 0
        # The addresses that were asked for since the last page was opened, in their order.
        self.requests: list[str] = []
        self.call("Network.enable")

    def call(self, method: str, **given: Any) -> dict[str, Any]:
        """The result of a command of the protocol; what Chromium refuses is a RuntimeError."""
        self._n_calls += 1
        call = {"id": self._n_calls, "method": method, "params": given}
        self._connection.send(json.dumps(call))
        while True:
            answer = json.loads(self._connection.recv())
            if answer.get("id") != self._n_calls:
                self._take_event(answer)
                continue
            if "error" in answer:
                raise RuntimeError(f"{method}: {answer['error']}")
            result: dict[str, Any] = answer["result"]
            return result

    def value(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise is waited for."""
        found = self.call(
            "Runtime.evaluate",
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
        )
        if "exceptionDetails" in found:
            raise RuntimeError(f"{expression[:80]}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def resize(self, width_px: int, height_px: int) -> None:
        """Set the size of the window."""
        size = {"width": width_px, "height": height_px}
        self.call(
            "Emulation.setDeviceMetricsOverride",
            **size,
            deviceScaleFactor=1,
            mobile=False,
        )

    def open(self, address: str) -> float:
        """Go to a page of the dashboard; the seconds until it had settled."""
        self.go(address)
        return float(self.value(PAINT)) / 1000

    def go(self, address: str) -> None:
        """Go to any page, and wait until it is there; its scripts may still be at work."""
        self.call("Page.navigate", url="about:blank")
        self.requests.clear()
        self.call("Page.navigate", url=address)
        self.wait(f"location.href.startsWith({json.dumps(address.split('?')[0])})")
        self.wait("document.readyState === 'complete'")

    def wait(self, expression: str = SETTLED) -> None:
        """Wait until an expression holds, by default until the page has settled."""
        deadline = time.monotonic() + SETTLE_WITHIN_S
        while not self.value(expression):
            if time.monotonic() > deadline:
                raise TimeoutError(f"not true in {SETTLE_WITHIN_S:.0f} s: {expression}")
            time.sleep(0.05)

    def press(self, key: str) -> None:
        """Press a key by its name, as `ArrowDown`, `s` or `2`."""
        given = {"key": key, "code": _code(key)}
        self.call("Input.dispatchKeyEvent", type="keyDown", **given)
        self.call("Input.dispatchKeyEvent", type="keyUp", **given)

    def click(self, text: str) -> None:
        """Click the first button that holds this text; a RuntimeError where there is none."""
        self.value(f"{_button(text)}.click()")

    def is_enabled(self, text: str) -> bool:
        """Whether the first button that holds this text can be pressed; refused as by `click`."""
        return not self.value(f"{_button(text)}.disabled")

    def box(self, selector: str) -> tuple[float, float, float, float]:
        """Where the first such element lies in the window: left, top, width, height."""
        element = f"document.querySelector({json.dumps(selector)})"
        found = self.value(
            f"(r => [r.x, r.y, r.width, r.height])({element}.getBoundingClientRect())"
        )
        left, top, width, height = found
        return left, top, width, height

    def change_s(self, key: str) -> float:
        """Press a key that changes the address; the seconds until the page had settled."""
        self.value(CHANGE)
        self.press(key)
        return float(self.value("window.change")) / 1000

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drag the mouse from one place of the window to another; the same place is a click."""
        self._mouse("mouseMoved", start)
        self._mouse("mousePressed", start, button="left", clickCount=1)
        if start != end:
            x = (start[0] + end[0]) / 2
            y = (start[1] + end[1]) / 2
            self._mouse("mouseMoved", (x, y), button="left")
            self._mouse("mouseMoved", end, button="left")
        self._mouse("mouseReleased", end, button="left", clickCount=1)

    def choose_files(self, selector: str, *paths: Path) -> None:
        """Choose files in the first such field, as a person does in the dialog that it opens."""
        element = f"document.querySelector({json.dumps(selector)})"
        found = self.call("Runtime.evaluate", expression=element)["result"]
        files = [str(path) for path in paths]
        self.call("DOM.setFileInputFiles", files=files, objectId=found["objectId"])

    def drop_files(self, selector: str, *paths: Path) -> None:
        """Drag files from elsewhere over the middle of the first such element, and drop them."""
        left, top, width, height = self.box(selector)
        files = [str(path) for path in paths]
        # 1: they may be copied
        data = {"items": [], "files": files, "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.call(
                "Input.dispatchDragEvent",
                type=kind,
                x=left + width / 2,
                y=top + height / 2,
                data=data,
            )

    def print_pdf(self, path: Path) -> int:
        """The page as it comes out of a printer, on the paper that it asks for; its sheets."""
        printed = self.call("Page.printToPDF", preferCSSPageSize=True)
        content = base64.b64decode(printed["data"])
        path.write_bytes(content)
        return len(SHEET_OF_PDF.findall(content))

    def screenshot(self, path: Path, width_px: int) -> None:
        """The whole page at this width of the window, as PNG."""
        main = "document.querySelector('[data-testid=stMain]').scrollHeight"
        self.resize(width_px, 900)
        self.wait()
        height_px = int(self.value(main))
        self.resize(width_px, min(height_px + 20, MAX_HEIGHT_PX))
        time.sleep(CHART_S)
        shot = self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(shot["data"]))
        self.resize(width_px, 900)

    def _take_event(self, event: dict[str, Any]) -> None:
        """Note what the page asks for; other events tell nothing that anybody here asks."""
        given = event.get("params", {})
        if event.get("method") == "Network.requestWillBeSent":
            self.requests.append(given["request"]["url"])
        elif event.get("method") == "Network.webSocketCreated":
            self.requests.append(given["url"])

    def _mouse(self, kind: str, place: tuple[float, float], **more: Any) -> None:
        x, y = place
        self.call(
            "Input.dispatchMouseEvent",
            type=kind,
            x=x,
            y=y,
            **more,
        )


def _code(key: str) -> str:
    """What the protocol calls the place of a key on the keyboard."""
    if len(key) > 1:
        return key
    return f"Digit{key}" if key.isdigit() else f"Key{key.upper()}"


def _button(text: str) -> str:
    """The JavaScript expression of the first button that holds this text."""
    buttons = "[...document.querySelectorAll('button')]"
    return f"{buttons}.find(one => one.innerText.includes({json.dumps(text)}))"


def chromium() -> str | None:
    """The Chromium of this machine; None where there is none."""
    for name in NAMES:
        path = shutil.which(name)
        if path is not None:
            return path
    return None


@contextmanager
def browsing(width_px: int = 1440, height_px: int = 900) -> Iterator[Browser]:
    """A Chromium of its own profile, on a free port; raises SystemExit where there is none."""
    program = chromium()
    if program is None:
        raise SystemExit(f"none of {', '.join(NAMES)} is installed; install Chromium")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            program,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--remote-debugging-port=0",
            f"--user-data-dir={profile}",
            "about:blank",
        ]
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            with connect(_tab(Path(profile)), max_size=None) as connection:
                browser = Browser(connection)
                browser.resize(width_px, height_px)
                yield browser
        finally:
            process.terminate()
            process.wait()


def _tab(profile: Path) -> str:
    """The address of the first tab, once Chromium has written where it listens."""
    deadline = time.monotonic() + START_WITHIN_S
    while time.monotonic() < deadline:
        try:
            port = (profile / PORT_FILE).read_text().splitlines()[0]
            tabs = httpx.get(f"http://127.0.0.1:{port}/json").json()
            pages = (tab for tab in tabs if tab["type"] == "page")
            first = next(pages)
            return str(first["webSocketDebuggerUrl"])
        except (FileNotFoundError, IndexError, httpx.TransportError, StopIteration):
            time.sleep(0.1)
    raise SystemExit(f"Chromium was not ready within {START_WITHIN_S:.0f} s")
