"""A confusion table as a picture (SVG), for pages that show no tables."""

from collections.abc import Sequence
from html import escape
from typing import Any

# Of a cell of the table, and of the margin with the names of the classes.
# no outcome: a picture that shows the table whole at any of them
CELL_PX, ROW_PX, MARGIN_PX = 96, 36, 130


def confusion_svg(rows: Sequence[dict[str, Any]]) -> str:
    """A picture of counts: a row per actual class, a column per predicted one.

    Each of `rows` has the class `actual`, and the count of each predicted class by its name. The
    diagonal is green, errors are red, each as strong as its share of the row.
    """
    names = [name for name in rows[0] if name != "actual"]
    width, height = MARGIN_PX + CELL_PX * len(names), ROW_PX * (len(rows) + 1)
    cells = [
        _text(MARGIN_PX + CELL_PX * column + CELL_PX / 2, ROW_PX / 2, name)
        for column, name in enumerate(names)
    ]
    for number, row in enumerate(rows, start=1):
        cells.append(_text(MARGIN_PX / 2, ROW_PX * number + ROW_PX / 2, row["actual"]))
        total = max(1, sum(row[name] for name in names))
        for column, name in enumerate(names):
            hue = "0,128,0" if name == row["actual"] else "200,0,0"
            place = (MARGIN_PX + CELL_PX * column, ROW_PX * number)
            cells.append(
                _cell(*place, row[name], f"rgba({hue},{row[name] / total:.2f})")
            )

    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'font-family="sans-serif" font-size="13">'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(cells)}</svg>'
    )


def _cell(x: float, y: float, count: int, colour: str) -> str:
    box = f'<rect x="{x}" y="{y}" width="{CELL_PX}" height="{ROW_PX}" fill="{colour}" '
    middle = (x + CELL_PX / 2, y + ROW_PX / 2)
    return f'{box}stroke="#ccc"/>{_text(*middle, str(count))}'


def _text(x: float, y: float, text: str) -> str:
    where = f'x="{x}" y="{y}" text-anchor="middle" dominant-baseline="central"'
    return f"<text {where}>{escape(text)}</text>"
