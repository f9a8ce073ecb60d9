"""What a machine does to a program, said in a line with the remedy instead of a traceback."""

import errno
import locale
import re
import sys
from collections.abc import Iterator
from types import TracebackType

from inspection.errors import InspectionError

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
# As the kernel's word comes through libraries of other languages, and as sqlite has it.
NO_SPACE_TEXTS = ("no space left on device", "database or disk is full")
# numpy.ndarray.tofile says how much it got rid of, and neither why nor where: with an OSError that
# has no number, that is a disk on which the rest found no room.
CUT_SHORT = re.compile(r"\d+ requested and \d+ written")
DAMAGED_TEXTS = ("file is not a database", "database disk image is malformed")


class PlainErrors:
    """A block in which errors that the user can fix end the program with 1, untraced.

    Those are InspectionError, a full disk and a damaged database, through whatever library they
    come. Every other error passes, with its traceback: it is a bug.
    """

    def __init__(self, program: str) -> None:
        self._program = program

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        said = explained(error) if error is not None else None
        if said is not None:
            sys.stderr.write(f"{self._program}: failed\n{said}\n")
            raise SystemExit(1) from error


def explained(error: BaseException) -> str | None:
    """What the user can do about an error, by its chain of causes; None where it is a bug."""
    for one in _chain(error):
        if isinstance(one, InspectionError):
            return str(one)
        if _is_of_space(one):
            place = getattr(one, "filename", None) or "disk"
            return (
                f"{place}: no space left; free some and run it again: "
                "what was finished before is kept"
            )
        if _says(one, DAMAGED_TEXTS):
            return (
                f"database: is damaged ({_first_line(one)}); copy it back from a backup, or move "
                "it away and run `dvc repro -f -s register`"
            )
    return None


def require_utf8() -> None:
    """Raise InspectionError where names of files and text are not read as UTF-8.

    A class may be called 찍힘: in ASCII its files are there under names that nobody can write.
    """
    used = {sys.getfilesystemencoding(), locale.getpreferredencoding(False)}
    wrong = sorted(name for name in used if name.lower().replace("-", "") != "utf8")
    if wrong:
        raise InspectionError(
            f"environment: text is read as {wrong[0]}; set PYTHONUTF8=1 (`set -a; . "
            "./project.env`), or LC_ALL=C.UTF-8, and run it again"
        )


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__


def _is_of_space(error: BaseException) -> bool:
    if isinstance(error, OSError):
        was_cut_short = CUT_SHORT.fullmatch(str(error)) is not None
        if was_cut_short or error.errno in NO_SPACE:
            return True
    return _says(error, NO_SPACE_TEXTS)


def _says(error: BaseException, texts: tuple[str, ...]) -> bool:
    said = str(error).lower()
    return any(text in said for text in texts)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0]
