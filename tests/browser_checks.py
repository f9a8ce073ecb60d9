"""What no page may do, asked in a real browser: cut what it shows, or ask others for anything."""

import time
from urllib.parse import urlparse

from benchmarks.chromium import Browser

# Longer than a table needs on a busy machine to follow the width of the window.
FOLLOWED_WITHIN_S = 2.0
# What must hold all that is in it; of other elements, those alone that cut or scroll what they
# hold: the handles of a table and of the sidebar reach some pixels out of what they belong to.
WHOLE = ", ".join(
    f"[data-testid={name}]"
    for name in (
        "stMain",
        "stMainBlockContainer",
        "stHorizontalBlock",
        "stColumn",
        "stMetric",
        "stCaptionContainer",
        "stMarkdownContainer",
        "stAlert",
        "stButton",
    )
)

# The elements that hold more than they show: cut off, cut by an ellipsis, or to be scrolled
# sideways. Streamlit's own frame cuts at the window, so the document never overflows: each element
# is asked. Rounding may add a pixel. What is a pixel wide is there for screen readers alone.
CUT = """
(() => {
  const regions = document.querySelectorAll('[data-testid=stMain], [data-testid=stSidebar]');
  const all = [...regions].flatMap(one => [one, ...one.querySelectorAll('*')]);
  const isSeen = one => {
    const box = one.getBoundingClientRect();
    return box.width > 1 && box.height > 1 && getComputedStyle(one).visibility !== 'hidden';
  };
  const isAsked = one => one instanceof HTMLElement
    && (one.matches('WHOLE') || getComputedStyle(one).overflowX !== 'visible');
  const isCut = one => one.clientWidth > 1 && one.scrollWidth > one.clientWidth + 1;
  const words = one => {
    const name = one.closest('[data-testid]').dataset.testid;
    const text = (one.innerText || one.value || '').trim().replaceAll('\\n', ' ').slice(0, 60);
    return `${name}: ${one.scrollWidth} px in ${one.clientWidth}: ${text}`;
  };
  return all.filter(one => isCut(one) && isAsked(one) && isSeen(one)).map(words);
})()""".replace("WHOLE", WHOLE)


def cut(browser: Browser, within_s: float = FOLLOWED_WITHIN_S) -> list[str]:
    """The elements of the open page that show less than they hold, each in words.

    Tables follow the width of the window in a moment of their own: they are given so long.
    """
    deadline = time.monotonic() + within_s
    found: list[str] = browser.value(CUT)
    while found and time.monotonic() < deadline:
        time.sleep(0.1)
        found = browser.value(CUT)
    return found


def foreign(browser: Browser) -> list[str]:
    """What the open page has asked of others than the machine that it comes from."""
    return [address for address in browser.requests if not _is_own(address)]


def _is_own(address: str) -> bool:
    parsed = urlparse(address)
    return parsed.scheme in ("data", "blob") or parsed.hostname == "127.0.0.1"
