"""Reads a report page: its sections, and every resource that it would load from elsewhere."""

import re
from html.parser import HTMLParser


class ReportPage(HTMLParser):
    """The page by section heading: the pictures, curves, tables and words under each `h2`."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.images: dict[str, list[str]] = {}
        self.tags: dict[str, list[str]] = {}
        self.words: dict[str, str] = {}
        self.loaded: list[str] = re.findall(r"@import[^;]*|url\([^)]*\)", html)
        self._section = ""
        self._in_heading = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the tag, and what it loads; a link to another page loads nothing."""
        if tag == "h2":
            self._section, self._in_heading = "", True
        self.tags.setdefault(self._section, []).append(tag)
        given = {name: value or "" for name, value in attrs}
        loads = [given[name] for name in ("src", "srcset", "data", "poster") if name in given]
        loads += [given["href"]] if tag != "a" and "href" in given else []
        self.loaded += [place for place in loads if not place.startswith("data:")]
        if tag == "img":
            self.images.setdefault(self._section, []).append(given.get("alt", ""))

    def handle_endtag(self, tag: str) -> None:
        """A heading ends: what follows belongs to it. Cells of a table stand apart."""
        if tag == "h2":
            self._in_heading = False
        elif tag in ("td", "th"):
            self.handle_data(" ")

    def handle_data(self, data: str) -> None:
        """The words of a section, and the heading's own."""
        if self._in_heading:
            self._section += data
        else:
            self.words[self._section] = self.words.get(self._section, "") + data

    def text(self, section: str) -> str:
        """The words of a section, blanks and line ends as one blank."""
        return " ".join(self.words[section].split())
