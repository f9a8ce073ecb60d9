"""What people call a class: the names that mean normal, and a plain name for each."""

import os
import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from inspection.line import fold_name

NORMAL_WORDS = frozenset({"good", "ok", "normal", "free", "pass", "gut", "io"})
DEFECT_WORDS = frozenset(
    {"defect", "defects", "defective", "def", "anomaly", "anomalous", "abnormal"}
    | {"ng", "nok", "ko", "bad", "faulty", "fail", "reject", "nio"}
    | {"crack", "cracks", "scratch", "dent", "hole", "broken"}
)
# In front of a normal word they mean a defect, in front of a defect word the opposite.
NEGATIONS = frozenset({"no", "not", "non", "without", "ohne", "nicht"})
GLUED = ("no", "non")  # as in NODefect_images
NORMAL_PARTS = ("정상", "양품", "합격", "良品", "合格", "正常")
DEFECT_PARTS = ("불량", "결함", "缺陷", "瑕疵", "欠陥", "不良")
ASIAN_PARTS = (*NORMAL_PARTS, *DEFECT_PARTS)
NEGATING_PARTS = ("비", "불", "무", "不", "非", "无", "無")
# The field's usual words: a report in English reads better than a romanised name.
ENGLISH = {
    "찍힘": "dent",
    "밀림": "slide",
    "이중선": "double_line",
    "미압입": "under_press",
    "긁힘": "scratch",
    "스크래치": "scratch",
    "크랙": "crack",
    "불량": "defect",
    "결함": "defect",
    "擦花": "scratch",
    "划痕": "scratch",
    "裂纹": "crack",
    "缺陷": "defect",
}


@dataclass(frozen=True)
class Normal:
    """The raw names of the normal class, and how that is known where no word says it."""

    names: frozenset[str]
    note: str = ""


def normal_among(names: Iterable[str], said: str = "") -> Normal:
    """The normal class among class names: those that are `said`, or those that mean normal.

    Of two classes of which one is plainly a defect, the other is the normal one.

    >>> sorted(normal_among(["MT_Free", "MT_Crack"]).names)
    ['MT_Free']
    >>> sorted(normal_among(["UD", "UW", "CD"], "UD, UW").names)
    ['UD', 'UW']
    >>> normal_among(["housing", "defective"]).note
    "'defective' is a defect, so 'housing', the only other class, is the normal one"
    """
    known = sorted(set(names) - {""})
    if said:
        wanted = {fold_name(one.strip()) for one in said.split(",")}
        return Normal(frozenset(n for n in known if fold_name(n) in wanted))

    meant = list(filter(means_normal, known))
    defects = list(filter(means_defect, known))
    if not meant and len(known) == 2 and len(defects) == 1:
        defect = defects[0]
        (other,) = set(known) - {defect}
        note = f"{defect!r} is a defect, so {other!r}, the only other class, is the normal one"
        return Normal(frozenset({other}), note)
    return Normal(frozenset(meant))


def means_normal(name: str) -> bool:
    """True when a class of this name holds the parts with nothing wrong.

    >>> [means_normal(name) for name in ("ok_front", "NODefect_images", "not ok", "비정상", "i.O.")]
    [True, True, False, False, True]
    """
    return _sense(name) == "normal"


def means_defect(name: str) -> bool:
    """True when the name says plainly that something is wrong.

    >>> [means_defect(name) for name in ("NG", "not ok", "불량", "defect-free", "housing")]
    [True, True, True, False, False]
    """
    return _sense(name) == "defect"


def _sense(name: str) -> str:
    """What a name says: normal, defect, or '' for neither. A negation turns it round."""
    words = _words(name)
    says_defect = _says(name, words, DEFECT_WORDS, DEFECT_PARTS)
    says_normal = _says(name, words, NORMAL_WORDS, NORMAL_PARTS)

    if says_defect:
        return "normal" if _is_negated(name, words) or "free" in words else "defect"
    if says_normal:
        return "defect" if _is_negated(name, words) else "normal"
    return ""


def _says(
    name: str, words: set[str], known: frozenset[str], parts: Sequence[str]
) -> bool:
    unglued = {word.removeprefix(sign) for word in words for sign in GLUED}
    has_word = bool((words | unglued) & known)
    return has_word or any(part in name for part in parts)


def _is_negated(name: str, words: set[str]) -> bool:
    glued = {sign + word for sign in GLUED for word in DEFECT_WORDS}
    if words & (NEGATIONS | glued):
        return True
    signed = [sign + part for sign in NEGATING_PARTS for part in ASIAN_PARTS]
    return any(one in name for one in signed)


def _words(name: str) -> set[str]:
    """The Latin words of a name; `i.O.` and `n.i.O.` count as one each."""
    folded = re.sub(r"\b(n?)\W?i\W?o\b", r"\1io", fold_name(name))
    return set(re.findall(r"[a-z]+", folded))


def canonical_names(raw: Iterable[str], normal: Collection[str]) -> dict[str, str]:
    """A plain ASCII name in snake case for each raw class name; equal names are one class.

    What all names start with (`MT_`, a product's name) is dropped; several names that mean normal
    are one class `normal`.

    >>> canonical_names(["MT_Free", "MT_Blowhole"], {"MT_Free"})
    {'MT_Free': 'free', 'MT_Blowhole': 'blowhole'}
    """
    names = list(dict.fromkeys(raw))
    prefix = _common_prefix(names)
    plain = {}
    for number, name in enumerate(names, 1):
        own = name[len(prefix) :]
        plain[name] = plain_name(own) or f"class_{number}"

    means_normal = [name for name in names if name in normal]
    called = {plain[name] for name in means_normal}
    together = called.pop() if len(called) == 1 else "normal"
    return plain | dict.fromkeys(means_normal, together)


def _common_prefix(names: Sequence[str]) -> str:
    """What all names start with, up to and including a separator; '' for one name alone."""
    if len(names) < 2:
        return ""
    shared = os.path.commonprefix(names)  # noqa: RUF071 - letter by letter is what is meant
    separators = list(re.finditer(r"[_\-\s.]+", shared))
    return shared[: separators[-1].end()] if separators else ""


def plain_name(name: str) -> str:
    """ASCII letters, digits and `_`: the English word, or Hangul romanised; '' where none is left.

    >>> [plain_name(name) for name in ("널링찍힘", "양품", "Öl-Fleck 2", "버")]
    ['dent', 'normal', 'ol_fleck_2', 'beo']
    """
    folded = fold_name(name)
    known = [word for word in ENGLISH if word in folded]
    if known:
        return ENGLISH[max(known, key=len)]
    if re.search("[^\x00-\x7f]", folded) and means_normal(name):
        return "normal"

    letters = "".join(map(_ascii, folded))
    return re.sub(r"[^a-z0-9]+", "_", letters).strip("_")


def _ascii(letter: str) -> str:
    """A Hangul syllable by its Unicode name (HANGUL SYLLABLE BEO); others without accents."""
    title = unicodedata.name(letter, "")
    if title.startswith("HANGUL SYLLABLE "):
        return title.split()[-1].lower()
    return unicodedata.normalize("NFKD", letter)[0]
