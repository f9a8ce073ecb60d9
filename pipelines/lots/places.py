"""Where a lot's command keeps what is its own: locks, journals, and names that tell them apart."""

import hashlib
from pathlib import Path

LOCKS = Path(".state/locks")
STATE = Path(".state/lots")
# Hex digits of a hash: some dozens of folders and tables of one project never share twelve.
DIGITS = 12


def name_of(path: Path) -> str:
    """What tells a table or a folder from the others of the project, however its path is given."""
    digest = hashlib.sha256(str(path.resolve()).encode("utf-8")).hexdigest()
    return digest[:DIGITS]
