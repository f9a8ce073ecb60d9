"""How file names are built, guessed from the names alone: which token stands where."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from inspection.dataset.names import moment, nfc

SEPARATORS = r"_\-\s.()#+"
WORDS = r"[^\W\d_]+(?:[_\-\s.]+[^\W\d_]+)*"
COARSE = re.compile(rf"{WORDS}(?![^\W_])|[^{SEPARATORS}]+")
MARK = re.compile(rf"[{SEPARATORS}]")
FINE = re.compile(rf"{WORDS}|\d+")
MIN_COVERAGE = 0.95
MAX_TIME_COLUMNS = 7
EXPORTED = r"(?:_(?:jpe?g|png|bmp|tiff?))?\.rf\.[\w\-]+"


@dataclass(frozen=True)
class Column:
    """One token of the names, counted from the left: its value in each name ('' if none)."""

    values: tuple[str, ...]
    regex: str

    @property
    def told(self) -> list[str]:
        """The values that are there."""
        return [value for value in self.values if value]

    @property
    def n_distinct(self) -> int:
        """How many different values there are."""
        return len(set(self.told))

    @property
    def is_number(self) -> bool:
        """True where every value is a number."""
        return all(value.isdecimal() for value in self.told)


@dataclass(frozen=True)
class Shape:
    """How most names are built: tokens with `between` them, of which the last may be missing."""

    columns: tuple[Column, ...]
    between: str
    around: str
    last_is_optional: bool

    @property
    def whole(self) -> tuple[int, int] | None:
        """The span of all columns, or None where the last may be missing."""
        return None if self.last_is_optional else (0, len(self.columns) - 1)

    @cached_property
    def time_span(self) -> tuple[int, int] | None:
        """The span of columns that hold a date and a time of day, or None."""
        for first in range(len(self.columns)):
            for last in range(first, min(first + MAX_TIME_COLUMNS, len(self.columns))):
                columns = self.columns[first : last + 1]
                parts = zip(*(column.values for column in columns), strict=True)
                texts = ["".join(one) for one in parts if all(one)]
                plain = last == first or (
                    columns[0].is_number
                    and columns[-1].is_number
                    and all(c.is_number or c.n_distinct == 1 for c in columns)
                )
                n_times = sum(moment(text) is not None for text in texts)
                if plain and n_times >= MIN_COVERAGE * len(columns[0].values):
                    return first, last
        return None

    def pattern(self, named: Mapping[tuple[int, int], str]) -> str:
        """The regular expression, with a named group for each span (first, last) of columns.

        Spans may nest; one of several columns may not end in a last column that may be missing.
        """
        inner = _pattern(
            [c.regex for c in self.columns], self.between, self.last_is_optional, named
        )
        return self.around + inner + self.around


def shapes_of(stems: Sequence[str]) -> list[Shape]:
    """The shapes that fit nearly all names: by separators, and by letters and digits apart.

    >>> shape, *_ = shapes_of(["Ch00_1000_dent_1", "Ch01_1001_no defect_2", "Ch01_1002_dent"])
    >>> shape.pattern({(1, 1): "part", (2, 2): "label"})
    '[^ _]+[ _]+(?P<part>\\\\d+)[ _]+(?P<label>\\\\D+?)(?:[ _]+\\\\d+)?'
    """
    composed = [nfc(stem) for stem in stems]
    shapes = [_shape(composed, tokens) for tokens in (COARSE, FINE)]
    return [shape for shape in shapes if shape is not None]


def without_export(stems: Sequence[str]) -> list[str]:
    """The stems without what Roboflow puts behind them, the same for all copies but for a hash.

    >>> without_export(["cap_12_jpg.rf.0a1b", "cap_12_jpg.rf.ff03"])
    ['cap_12', 'cap_12']
    """
    return [re.sub(rf"{EXPORTED}$", "", stem) or stem for stem in stems]


def _shape(stems: Sequence[str], tokens: re.Pattern[str]) -> Shape | None:
    split = [tokens.findall(stem) for stem in stems]
    counts = Counter(map(len, split))
    fits = {n: counts[n] + counts[n - 1] for n in [*counts]}
    n = max(fits, key=lambda n: (fits[n], counts[n], n), default=0)
    optional = n > 1 and counts[n - 1] > 0
    fitting = [
        one + [""] * (n - len(one)) for one in split if n - optional <= len(one) <= n
    ]
    if n == 0 or len(fitting) < MIN_COVERAGE * len(stems):
        return None
    marks = "".join(sorted({mark for stem in stems for mark in MARK.findall(stem)}))
    between = _between(marks, stems, touching=tokens is FINE)
    regexes = [_regex(values, marks) for values in zip(*fitting, strict=True)]
    spans = {(i, i): f"c{i}" for i in range(n)}
    edges = any(MARK.match(stem[0]) or MARK.match(stem[-1]) for stem in stems)
    around = f"[{_in_brackets(marks)}]*" if edges else ""
    whole = re.compile(around + _pattern(regexes, between, optional, spans) + around)
    matches = [whole.fullmatch(stem) for stem in stems]
    if sum(match is not None for match in matches) < MIN_COVERAGE * len(stems):
        return None
    told = [[m[f"c{i}"] or "" if m else "" for m in matches] for i in range(n)]
    columns = [
        Column(tuple(values), regex)
        for values, regex in zip(told, regexes, strict=True)
    ]
    return Shape(tuple(columns), between, around, optional)


def _between(marks: str, stems: Sequence[str], *, touching: bool) -> str:
    """What stands between two tokens; `touching` tokens may have nothing between them."""
    if not marks:
        return ""
    one = re.escape(marks) if len(marks) == 1 else f"[{_in_brackets(marks)}]"
    single = len(marks) == 1 and not any(marks * 2 in stem for stem in stems)
    return one + ("*" if touching else "" if single else "+")


def _regex(values: Sequence[str], marks: str) -> str:
    """The narrowest simple expression for the values of a column; its digits may be others."""
    told = [value for value in values if value]
    if len(set(told)) == 1:
        return re.sub(r"\d+", r"\\d+", re.escape(told[0]))
    if all(value.isdecimal() for value in told):
        return r"\d+"
    if any(mark in value for mark in marks for value in told):
        return ".+?" if _has_digits(told) else r"\D+?"
    return (
        f"[^{_in_brackets(marks)}]+"
        if marks
        else ".+?"
        if _has_digits(told)
        else r"\D+"
    )


def _has_digits(values: Sequence[str]) -> bool:
    return any(letter.isdecimal() for value in values for letter in value)


def _in_brackets(marks: str) -> str:
    return "".join(sorted(marks, key=lambda m: m == "-")).replace("-", r"\-")


def _pattern(
    regexes: Sequence[str],
    between: str,
    last_is_optional: bool,
    named: Mapping[tuple[int, int], str],
) -> str:
    pieces = []
    for i, regex in enumerate(regexes):
        opening = sorted(
            (-last, name) for (first, last), name in named.items() if first == i
        )
        closing = sum(last == i for _, last in named)
        start, end = "".join(f"(?P<{name}>" for _, name in opening), ")" * closing
        piece = (between if i else "") + start + regex + end
        optional = last_is_optional and i == len(regexes) - 1
        pieces.append(f"(?:{piece})?" if optional else piece)
    return "".join(pieces)
