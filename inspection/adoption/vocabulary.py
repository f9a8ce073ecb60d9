"""What people call a class: which names mean that nothing is wrong, and plain names for all."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import takewhile

from inspection.line import fold_name

NORMAL_WORDS = frozenset(
    {
        "good",
        "ok",
        "okay",
        "normal",
        "free",
        "none",
        "pass",
        "passed",
        "perfect",
        "clean",
    }
    | {"intact", "undamaged", "flawless", "nodefect", "negative", "healthy", "approved"}
    | {
        "accept",
        "accepted",
        "acceptable",
        "qualified",
        "compliant",
        "conforming",
        "conformant",
    }
    | {
        "gut",
        "gute",
        "io",
        "ordnung",
        "fehlerfrei",
        "bon",
        "bonne",
        "bonnes",
        "bien",
        "bueno",
    }
    | {"buena", "buenos", "buenas", "buono", "buona", "buoni", "bom", "boa", "conforme"}
    | {"conformes", "conformi", "aceptado", "accettato", "accepte"}
)
NOT = frozenset({"not", "no", "non", "nicht", "ne", "pas", "nao"})
ABSENT = frozenset(
    {"no", "non", "not", "without", "free", "ohne", "sans", "senza", "sin", "sem"}
)
NEGATIONS = ("no", "non", "not", "un", "without")
DEFECT_WORDS = frozenset(
    {"defect", "defects", "defective", "fault", "faulty", "damage", "anomaly"}
    | {
        "fehler",
        "defekt",
        "defaut",
        "defauts",
        "defecto",
        "defectos",
        "defeito",
        "difetto",
    }
)
BAD_WORDS = (
    DEFECT_WORDS
    | {
        "ng",
        "nok",
        "ko",
        "bad",
        "fail",
        "failed",
        "reject",
        "rejected",
        "rejects",
        "nio",
    }
    | {
        "abnormal",
        "anomalous",
        "anomalies",
        "damaged",
        "defekte",
        "schlecht",
        "malo",
        "mauvais",
    }
)
ASIAN_BAD = ("불량", "결함", "이상", "하자", "缺陷", "欠陥", "异常", "異常")
IN_ORDER = re.compile(r"\b(n\W*)?i\.\W*o\b", re.IGNORECASE)
ASIAN_NORMAL = ("정상", "양품", "합격", "양호", "良品", "合格", "正常", "良好")
ASIAN_NOT = (
    "비정상",
    "불합격",
    "비양품",
    "불양호",
    "不良",
    "不合格",
    "不正常",
    "非正常",
    "非良品",
)
ASIAN_ABSENT = re.compile(
    r"(불량|결함|이상|하자)\s*(없음|무)|무(결함|불량|결점)|[无無](缺陷|欠陥|异常|不良)|"
    r"(缺陷|欠陥|異常|不良)\s*(なし|無し)"
)
ENGLISH = {
    "찍힘": "dent",
    "눌림": "press_mark",
    "밀림": "slide",
    "이중선": "double_line",
    "미압입": "under_press",
    "긁힘": "scratch",
    "스크래치": "scratch",
    "크랙": "crack",
    "균열": "crack",
    "깨짐": "break",
    "파손": "break",
    "기공": "pore",
    "오염": "stain",
    "얼룩": "stain",
    "이물": "foreign_matter",
    "변색": "discoloration",
    "휨": "bend",
    "변형": "deformation",
    "녹": "rust",
    "마모": "wear",
    "버": "burr",
    "결함": "defect",
    "불량": "defect",
    "비정상": "abnormal",
    "불합격": "reject",
    "비양품": "defect",
    "정상": "normal",
    "양품": "normal",
    "양호": "normal",
    "합격": "normal",
    "不良": "defect",
    "不良品": "defect",
    "不合格": "reject",
    "异常": "anomaly",
    "異常": "anomaly",
    "缺陷": "defect",
    "欠陥": "defect",
    "划痕": "scratch",
    "裂纹": "crack",
    "良品": "normal",
    "合格": "normal",
    "正常": "normal",
}
GENERAL = frozenset({"결함", "불량", "缺陷", "欠陥", "不良"})
INITIALS = "g kk n d tt r m b pp s ss - j jj ch k t p h".split()  # noqa: SIM905
VOWELS = "a ae ya yae eo e yeo ye o wa wae oe yo u wo we wi yu eu ui i".split()  # noqa: SIM905
FINALS = "- k k k n n n t l k m l l l p l m p p t t ng t t k t p t".split()  # noqa: SIM905
HANGUL = range(0xAC00, 0xD7A4)


def means_normal(name: str) -> bool:
    """True when a class of this name holds the parts with nothing wrong.

    >>> [means_normal(name) for name in ("MT_Free", "defect-free", "not ok", "비정상", "불량 없음")]
    [True, True, False, False, True]
    """
    folded = fold_name(name)
    if ASIAN_ABSENT.search(folded):
        return True
    if any(word in folded for word in ASIAN_NOT):
        return False
    if any(word in folded for word in ASIAN_NORMAL):
        return True
    words = _words(folded)
    if DEFECT_WORDS & words:
        return bool(ABSENT & words)
    return bool(NORMAL_WORDS & words) and not (NOT & words)


def means_bad(name: str) -> bool:
    """True where a name says that something is wrong, and not what: its kinds may lie within.

    >>> [means_bad(name) for name in ("NG", "불량", "Defects", "crack", "good")]
    [True, True, True, False, False]
    """
    folded = fold_name(name)
    told = any(word in folded for word in (*ASIAN_NOT, *ASIAN_BAD)) or bool(
        BAD_WORDS & _words(folded)
    )
    return told and not means_normal(name)


def normal_among(names: Iterable[str]) -> frozenset[str]:
    """Those of the class names that mean normal, by themselves; where none does, as the absence
    of another.

    >>> sorted(normal_among(["crack", "no_crack"])), sorted(normal_among(["ok", "not ok"]))
    (['no_crack'], ['ok'])
    >>> sorted(normal_among(["good", "cap", "no_cap"]))
    ['good']
    """
    known = set(names)
    normal = frozenset(name for name in known if means_normal(name))
    if normal:
        return normal
    plain = {
        name: re.sub(r"[\W_]+", "", fold_name(name)).removesuffix("s") for name in known
    }
    there = set(plain.values()) - {""}
    return frozenset(name for name in known if _absent(plain[name]) & there)


def any_normal(names: Iterable[str]) -> bool:
    """Whether one of the class names means normal."""
    return bool(normal_among(names))


def _words(folded: str) -> set[str]:
    """The words of a name, those of Latin letters without accents and apart from other scripts.

    >>> sorted(_words("n.i.o. décor")), sorted(_words("ok品"))
    (['decor', 'nio'], ['ok', '品'])
    """
    short = IN_ORDER.sub(lambda found: "nio" if found.group(1) else "io", folded)
    letters = (
        one
        for one in unicodedata.normalize("NFD", short)
        if not unicodedata.combining(one)
    )
    plain = unicodedata.normalize("NFC", "".join(letters))
    return set(re.findall(r"[a-z]+|[^\W\d_a-z]+", plain))


def _absent(name: str) -> set[str]:
    """What `nocrack`, `uncracked` or `withoutcrack` may say is not there."""
    return {name.removeprefix(one) for one in NEGATIONS if name.startswith(one)}


def canonical_names(raw: Iterable[str]) -> dict[str, str]:
    """A plain ASCII name in snake case for each raw class name; equal names are one class.

    What all names start with (`MT_`, a product's name) is dropped. Hangul becomes English where
    the word is known, and is romanised otherwise; names that mean normal are all one class.

    >>> canonical_names(["MT_Free", "MT_Blowhole"])
    {'MT_Free': 'free', 'MT_Blowhole': 'blowhole'}
    """
    names = list(dict.fromkeys(raw))
    prefix = common_prefix(names)
    plain = {
        name: plain_name(name[len(prefix) :]) or f"class_{i}"
        for i, name in enumerate(names, 1)
    }
    known = normal_among(names)
    normal = [name for name in names if name in known]
    shared = (
        plain[normal[0]] if len({plain[name] for name in normal}) == 1 else "normal"
    )
    return plain | dict.fromkeys(normal, shared)


def common_prefix(names: Sequence[str]) -> str:
    """What all names start with, up to and including a separator; '' for one name alone."""
    if len(names) < 2:
        return ""
    shared = len(names[0])
    for name in names[1:]:
        agree = (
            one == other for one, other in zip(names[0][:shared], name, strict=False)
        )
        shared = sum(1 for _ in takewhile(bool, agree))
    ends = [match.end() for match in re.finditer(r"[_\-\s.]+", names[0][:shared])]
    return names[0][: ends[-1]] if ends else ""


def plain_name(name: str) -> str:
    """ASCII letters, digits and `_`; '' where none is left."""
    folded = fold_name(name)
    known = [korean for korean in ENGLISH if korean in folded]
    if known:
        return ENGLISH[
            max(known, key=lambda korean: (korean not in GENERAL, len(korean)))
        ]
    romanised = "".join(map(_romanised, folded))
    return re.sub(r"[^a-z0-9]+", "_", romanised).strip("_")


def _romanised(letter: str) -> str:
    """A Hangul syllable in the revised romanisation, letter by letter; others without accents."""
    if ord(letter) not in HANGUL:
        return unicodedata.normalize("NFKD", letter)[0]
    index = ord(letter) - HANGUL.start
    sounds = (INITIALS[index // 588], VOWELS[index % 588 // 28], FINALS[index % 28])
    return "".join(sounds).replace("-", "")
