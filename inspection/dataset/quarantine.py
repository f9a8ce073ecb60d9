"""What was set aside or is worth knowing about the data: never skipped in silence."""

from collections.abc import Iterable
from dataclasses import astuple, dataclass

import pandas as pd

COLUMNS = ["path", "reason", "detail", "view_kept"]


@dataclass(
    frozen=True,
    order=True,
)
class Finding:
    """A file or one of its boxes, the reason in one word, and the detail.

    `view_kept` is True where the view itself stays in the manifest.
    """

    path: str
    reason: str
    detail: str
    view_kept: bool = False


def as_table(findings: Iterable[Finding]) -> pd.DataFrame:
    """The quarantine list: findings sorted, each once."""
    # once: two expectations or two annotation files may find the same
    return pd.DataFrame(
        [astuple(one) for one in sorted(set(findings))], columns=COLUMNS
    )
