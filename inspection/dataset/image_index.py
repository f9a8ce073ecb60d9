"""Which image an annotation names, wherever its paths start."""

from collections.abc import Iterable
from pathlib import PurePosixPath

from inspection.dataset.names import nfc


class ImageIndex:
    """Finds the image that an annotation names, without knowing where its paths start."""

    def __init__(
        self,
        images: Iterable[str],
        *,
        suffixes: bool,
    ) -> None:
        self._suffixes = suffixes
        self._by_tail: dict[tuple[str, ...], list[str]] = {}
        for path in images:
            parts = self._parts(path)
            # by every end of the path: annotation files hold paths of another machine
            for start in range(len(parts)):
                self._by_tail.setdefault(parts[start:], []).append(path)

    def find(self, key: str) -> str | None:
        """The image whose path shares the longest end with `key`; None if none or several do.

        >>> index = ImageIndex(["train/images/a.jpg", "val/images/a.jpg"], suffixes=True)
        >>> index.find("C:\\\\shots\\\\train\\\\images\\\\a.jpg")
        'train/images/a.jpg'
        >>> index.find("a.jpg")
        """
        wanted = self._parts(key.replace("\\", "/"))
        for start in range(len(wanted)):
            found = self._by_tail.get(wanted[start:])
            if found is not None:
                return found[0] if len(found) == 1 else None
        return None

    def _parts(self, path: str) -> tuple[str, ...]:
        pure = PurePosixPath(nfc(path))
        return (pure if self._suffixes else pure.with_suffix("")).parts
