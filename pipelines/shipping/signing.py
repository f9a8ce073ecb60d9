"""Keys for signed releases: make a pair, and sign a release that lies there already.

    python -m pipelines.shipping.signing make-key FILE
    python -m pipelines.shipping.signing sign FILE [--release NAME]

Promotion signs by itself where KNURL_SIGNING_KEY names the private key; the service asks for the
signature where KNURL_PUBLIC_KEY names the public one.
"""

import argparse
import sys
from pathlib import Path

from inspection.plant import LineErrors
from inspection.runtime.bundle import verified
from inspection.runtime.releases import champion
from inspection.runtime.signatures import make_keys, read_private_key, sign
from pipelines.champions import RELEASES


def main() -> None:
    """Parse the command line, make keys or sign; errors end it with 1, untraced."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    made = verbs.add_parser("make-key", help="write a private key and FILE.pub")
    made.add_argument("key", metavar="FILE", type=Path)
    signed = verbs.add_parser("sign", help="sign a release with a private key")
    signed.add_argument("key", metavar="FILE", type=Path)
    signed.add_argument("--release", help="a folder of models/releases; the champion")

    given = parser.parse_args()
    with LineErrors("signing"):
        if given.verb == "make-key":
            said = new_keys(given.key)
        else:
            said = signed_release(given.key, RELEASES, given.release)
    sys.stdout.write(said + "\n")


def new_keys(private: Path) -> str:
    """Make a pair of keys; returns what to do with them."""
    public = make_keys(private)
    return (
        f"{private}: keep it where releases are promoted; KNURL_SIGNING_KEY={private}\n"
        f"{public}: give it to the service; KNURL_PUBLIC_KEY={public}"
    )


def signed_release(private: Path, releases: Path, name: str | None) -> str:
    """Sign a whole release, the champion where none is named; returns what was signed."""
    key = read_private_key(private)
    folder = releases / name if name else champion(releases)
    verified(folder)
    sign(folder, key)
    return f"{folder}: signed"


if __name__ == "__main__":
    main()
