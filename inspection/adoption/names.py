"""How file names are built: tokens between separators, and the expression that reads them."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from inspection.dataset.names import moment, nfc
from inspection.errors import InspectionError

SEPARATORS = "_- .()#+"
# Words in a row are one token (rolled-in_scale, oil stain); else what separators part.
WORDS = r"[^\W\d_]+(?:[_\-\s.]+[^\W\d_]+)*(?![^\W_])"
TOKEN = re.compile(rf"{WORDS}|[^{re.escape(SEPARATORS)}]+")
# Share of the names that are built alike: the other few are set aside by stage validate.
MIN_ALIKE = 0.95
# What Roboflow puts behind the name of each copy of an image.
EXPORTED = r"(?:_(?:jpe?g|png|bmp|tiff?))?\.rf\.[\w\-]+"
# What a pattern of the user may hold: <part>, {camera}, [optional].
FIELD = re.compile(r"<(\w+)>|\{(\w+)\}|([\[\]])")
READ = frozenset({"part", "camera", "label", "view", "number", "time"})
DIGITS = frozenset({"number"})
# A part or a label may hold separators (lot 7-12, oil_stain); other fields are one token.
LONG = frozenset({"part", "label", "time"})


@dataclass(frozen=True)
class Column:
    """One token of the names, counted from the left: its value in each name ('' if none)."""

    values: tuple[str, ...]
    regex: str

    @property
    def given(self) -> list[str]:
        """The values that are there."""
        return [value for value in self.values if value]

    @property
    def n_distinct(self) -> int:
        """How many different values there are."""
        return len(set(self.given))

    @property
    def is_number(self) -> bool:
        """True where every value is a number."""
        return all(value.isdecimal() for value in self.given)


@dataclass(frozen=True)
class Shape:
    """How most names are built: columns with `between` them, of which the last may be missing."""

    columns: tuple[Column, ...]
    between: str
    last_is_optional: bool

    def pattern(self, named: Mapping[tuple[int, int], str]) -> str:
        """The regular expression, with a named group for each span (first, last) of columns.

        Spans may nest; one of several columns may not end in a last column that may be missing.
        """
        pieces = []
        last_column = len(self.columns) - 1
        for i, column in enumerate(self.columns):
            piece = _opened(i, named) + column.regex + _closed(i, named)
            if i > 0:
                piece = self.between + piece
            if i == last_column and self.last_is_optional:
                piece = f"(?:{piece})?"
            pieces.append(piece)
        return "".join(pieces)


def _opened(i: int, named: Mapping[tuple[int, int], str]) -> str:
    """The groups that begin at a column, the longest outermost."""
    spans = [(-last, name) for (first, last), name in named.items() if first == i]
    return "".join(f"(?P<{name}>" for _, name in sorted(spans))


def _closed(i: int, named: Mapping[tuple[int, int], str]) -> str:
    """The ends of the groups that end at a column."""
    return ")" * sum(last == i for _, last in named)


def shape_of(stems: Sequence[str]) -> Shape | None:
    """The shape that nearly all names have, or None.

    >>> shape = shape_of(["Ch00_1000_dent_1", "Ch01_1001_no defect_2", "Ch01_1002_dent"])
    >>> shape.pattern({(1, 1): "part", (2, 2): "label"})
    '[^ _]+[ _]+(?P<part>\\\\d+)[ _]+(?P<label>\\\\D+?)(?:[ _]+\\\\d+)?'
    """
    names = [nfc(stem) for stem in stems]
    split = [TOKEN.findall(name) for name in names]
    counts = Counter(map(len, split))
    n = _usual_length(counts)
    is_optional = n > 1 and counts[n - 1] > 0
    fitting = [tokens for tokens in split if n - is_optional <= len(tokens) <= n]
    if n == 0 or len(fitting) < MIN_ALIKE * len(names):
        return None

    letters = set("".join(names))
    marks = "".join(sorted(letters & set(SEPARATORS)))
    padded = [tokens + [""] * (n - len(tokens)) for tokens in fitting]
    columns = zip(*padded, strict=True)
    bare = tuple(Column((), _regex(values, marks)) for values in columns)
    shape = Shape(bare, _between(marks, names), is_optional)
    return _filled(shape, names)


def _usual_length(counts: Counter[int]) -> int:
    """How many tokens most names have, where the last may be missing."""

    def names_of(n: int) -> tuple[int, int]:
        return counts[n] + counts[n - 1], counts[n]

    return max(counts, key=names_of, default=0)


def _filled(shape: Shape, names: Sequence[str]) -> Shape | None:
    """The shape with the values of all names ('' of those that it does not fit)."""
    groups = {(i, i): f"c{i}" for i in range(len(shape.columns))}
    whole = re.compile(shape.pattern(groups))
    matches = [whole.fullmatch(name) for name in names]
    n_fitting = sum(match is not None for match in matches)
    if n_fitting < MIN_ALIKE * len(names):
        return None

    columns = []
    for i, column in enumerate(shape.columns):
        found = [match[f"c{i}"] if match else None for match in matches]
        values = tuple(value or "" for value in found)
        columns.append(replace(column, values=values))
    return replace(shape, columns=tuple(columns))


def start_of_time(stem: str) -> int | None:
    """Where a date and a time of day begin in a name, year first; None where it holds none.

    >>> start_of_time("IMG_20240101_120000"), start_of_time("cast_def_0_12")
    (4, None)
    """
    for year in re.finditer(r"\d{4}", stem):
        if moment(stem[year.start() :]) is not None:
            return year.start()
    return None


def without_export(stems: Iterable[str]) -> list[str]:
    """The stems without what Roboflow puts behind them, the same for all copies but for a hash.

    >>> without_export(["cap_12_jpg.rf.0a1b", "cap_12_jpg.rf.ff03"])
    ['cap_12', 'cap_12']
    """
    return [re.sub(rf"{EXPORTED}$", "", stem) or stem for stem in stems]


def compiled(pattern: str) -> str:
    """The regular expression of a pattern that a user may write.

    `<field>` or `{field}` stands for a token, `[...]` for what may be missing. Fields are part,
    camera, label, view (or shot), number and time; any other name is skipped. Raises
    InspectionError for a pattern without part, number or time, or one that is no pattern.

    >>> compiled("<part>_<shot>")
    '(?P<part>.+?)_(?P<view>[^_]+)'
    >>> compiled("{camera}-{part}[_{view}]")
    '(?P<camera>[^\\\\-_]+)\\\\-(?P<part>.+?)(?:_(?P<view>[^\\\\-_]+))?'
    """
    # a token reaches to the next of the separators that the pattern has anywhere
    separators = FIELD.sub("", pattern)
    one = f"[^{_in_brackets(separators)}]+" if separators else ".+?"

    pieces = []
    at = 0
    for found in FIELD.finditer(pattern):
        between = pattern[at : found.start()]
        pieces += [re.escape(between), _piece(found, one)]
        at = found.end()
    pieces.append(re.escape(pattern[at:]))

    text = "".join(pieces)
    try:
        groups = re.compile(text).groupindex
    except re.error as error:
        raise InspectionError(f"PART={pattern}: is no pattern ({error})") from error
    if not {"part", "number", "time"} & set(groups):
        raise InspectionError(
            f"PART={pattern}: names no part; write <part> (or <number>, <time>) where it stands in "
            "the file name, as in <part>_<shot>"
        )
    return text


def _piece(found: re.Match[str], one: str) -> str:
    """What a field or a bracket of a user's pattern is as an expression."""
    if found[3]:
        return "(?:" if found[3] == "[" else ")?"

    name = found[1] or found[2]
    if name == "shot":
        name = "view"
    token = one
    if name in DIGITS:
        token = r"\d+"
    elif name in LONG:
        token = ".+?"
    return f"(?P<{name}>{token})" if name in READ else token


def _between(marks: str, names: Sequence[str]) -> str:
    """What stands between two tokens."""
    if not marks:
        return ""
    if len(marks) > 1:
        return f"[{_in_brackets(marks)}]+"

    one = re.escape(marks)
    is_doubled = any(marks * 2 in name for name in names)
    return f"{one}+" if is_doubled else one


def _regex(values: Sequence[str], marks: str) -> str:
    """The narrowest simple expression for the values of a column; its digits may be others."""
    given = {value for value in values if value}
    if len(given) == 1:
        return re.sub(r"\d+", r"\\d+", re.escape(given.pop()))
    if all(value.isdecimal() for value in given):
        return r"\d+"
    if any(mark in value for mark in marks for value in given):
        return r"\D+?"
    return f"[^{_in_brackets(marks)}]+" if marks else ".+?"


def _in_brackets(marks: str) -> str:
    return re.escape("".join(sorted(set(marks)))).replace(r"\ ", " ")
