"""A Bento of the champion: the service, the one release that serves, and pinned requirements.

    python -m pipelines.shipping.bento

It holds what bentofile.yaml includes, of the releases the champion's alone, and as README.md the
model card of the registry. `bentoml serve TAG` needs neither this project nor torch or MLflow. It
is called `knurl`, and that of a line in `lines/` after it, as in `knurl-tiles`: the latest of one
is never that of another. Its version names the release and its content, so the same content is
built once.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from inspection.errors import InspectionError
from inspection.plant import LineErrors, line_of
from inspection.runtime.releases import champion, promote, release
from inspection.runtime.signatures import SIGNATURE
from inspection.storage import locked, write_bytes, write_text
from pipelines import alerts
from pipelines.champions import RELEASES
from pipelines.runs.store import opened
from stages.sections import read_yaml

# The sources of the service lie here, also for a line whose releases lie in a folder of its own.
ROOT = Path(__file__).resolve().parents[2]
BENTOFILE = Path("bentofile.yaml")
README = "README.md"
# BentoML's file that names the version which a tag without one, or `:latest`, stands for.
LATEST = "latest"
# Where BentoML keeps Bentos, unless BENTOML_HOME names another folder.
HOME = Path(".state/bentoml")
# What is copied to a line in seconds over a mobile connection; the largest backbone that adopt
# proposes makes a Bento of some 20.
MAX_MB = 60
# A tag of BentoML has 63 characters at most; ours ends with a hyphen and 8 of the content's digest.
N_DIGEST, N_RELEASE = 8, 54
# The first build on a machine compiles BentoML's byte code; a busy one takes its time.
BUILD_S = 300

SERVE = """
The artifacts lie with this version in the registry. The card is here, too: `src/models/releases/`.

## Serve it

In the folder of this Bento, with Python 3.11; `KNURL_VERDICTS` is the folder of the verdict log.

```console
$ python -m venv /srv/knurl && . /srv/knurl/bin/activate
$ pip install --require-hashes -r src/serving/requirements.txt
$ KNURL_VERDICTS=/srv/knurl/verdicts bentoml serve .
```
"""


def main() -> None:
    """Parse the command line, build, and say where it lies; errors end it with 1, untraced."""
    argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0]).parse_args()
    with LineErrors("bento"):
        said = of_champion()
    sys.stdout.write(said + "\n")


def of_champion() -> str:
    """Build the Bento of the version that serves; returns its tag and how to serve it."""
    _, _, registry = opened()
    number = registry.served()
    if number is None:
        raise InspectionError(
            f"{registry.line}: no version serves; run `python -m pipelines.promote` first"
        )
    built = build(registry.releases, registry.description(number))
    return (
        f"{tag_of(built)}: {megabytes(built):.1f} MB, in {built}\n"
        f"to serve it, anywhere: bentoml serve {built}"
    )


def of_what_serves() -> str:
    """As `of_champion`, for who has moved the champion: where it fails people are told.

    The move stands then, and so it serves; '' is returned.
    """
    try:
        return of_champion()
    except (InspectionError, OSError, subprocess.SubprocessError) as error:
        lines = str(error).splitlines()
        reason = ": ".join(dict.fromkeys([lines[0], lines[-1]]))
        alerts.tell(
            f"bento: none was packed of what serves ({reason}); to fix: `make bento`"
        )
        return ""


def build(releases: Path, card: str, variables: Mapping[str, str] = os.environ) -> Path:
    """Build the champion's Bento with this text as its README; returns its folder.

    Raises InspectionError.
    """
    home = Path(variables.get("BENTOML_HOME") or HOME).resolve()
    with (
        locked(home / "build.lock", "a build of a Bento", wait_s=BUILD_S),
        tempfile.TemporaryDirectory(prefix="knurl-bento-") as staging,
        tempfile.TemporaryDirectory(prefix="building-", dir=home) as storing,
    ):
        for left in set(home.glob("building-*")) - {Path(storing)}:
            shutil.rmtree(left)  # of a build that was killed
        # apart from each other: BentoML packs no file below a hidden folder, as `home` mostly is,
        # and only a folder on the same disk is put in its place by one step
        staged, store = Path(staging), Path(storing)
        released = stage(staged, releases, card)
        version = f"{released.lower()[:N_RELEASE]}-{digest_of(staged)[:N_DIGEST]}"
        name = name_for(line_of(Path()))
        place = Path("bentos") / name

        folder = home / place / version
        if not folder.is_dir():
            _run_bentoml(staged, name, version, _environment(variables, store))
            # a build that is killed leaves no half Bento under its tag
            folder.parent.mkdir(parents=True, exist_ok=True)
            (store / place / version).rename(folder)
        write_text(home / place / LATEST, version)
    if megabytes(folder) > MAX_MB:
        raise InspectionError(
            f"{folder}: holds {megabytes(folder):.0f} MB, {MAX_MB} are allowed; take a smaller "
            "backbone, or what is not needed out of bentofile.yaml"
        )
    return folder


def stage(staged: Path, releases: Path, card: str) -> str:
    """Copy what the Bento is to hold into an empty folder; returns the name of the release."""
    for pattern in [str(BENTOFILE), *included()]:
        for path in sorted(ROOT.glob(pattern)):
            if path.is_file():
                write_bytes(staged / path.relative_to(ROOT), path.read_bytes())

    folder = champion(releases)
    release(folder, staged / RELEASES, folder.name)
    promote(staged / RELEASES, folder.name)
    if (folder / SIGNATURE).is_file():
        shutil.copy(folder / SIGNATURE, staged / RELEASES / folder.name)
    write_text(staged / README, _without_pictures(card).rstrip() + "\n" + SERVE)
    return folder.name


def _without_pictures(card: str) -> str:
    """A model card whose pictures MLflow's server alone could show."""
    lines = card.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("!["))


def included() -> list[str]:
    """The patterns of bentofile.yaml, without those of releases."""
    patterns: list[str] = read_yaml(ROOT / BENTOFILE)["include"]
    return [one for one in patterns if not one.startswith(RELEASES.as_posix())]


def digest_of(folder: Path) -> str:
    """Hex SHA-256 of the names and the bytes of all files in a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{content} {path.relative_to(folder)}\n".encode())
    return digest.hexdigest()


def megabytes(folder: Path) -> float:
    """The size of all files in a folder, in MB."""
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / 1e6


def name_for(line: str) -> str:
    """What the Bento of a line is called, by the line's name in `lines/`, '' for the root's."""
    name = str(read_yaml(ROOT / BENTOFILE)["name"])
    return f"{name}-{line}" if line else name


def tag_of(bento: Path) -> str:
    """The tag of a Bento by its folder in the store: `<name>:<version>`."""
    return f"{bento.parent.name}:{bento.name}"


def _run_bentoml(
    staged: Path, name: str, version: str, environment: dict[str, str]
) -> None:
    """In a process of its own: BentoML imports the service from the folder that it packs."""
    tag = ("--name", name, "--version", version)
    command = [sys.executable, "-m", "bentoml", "build", *tag]
    done = subprocess.run(
        [*command, "--output", "tag", "."],
        cwd=staged,
        env=environment,
        capture_output=True,
        text=True,
        timeout=BUILD_S,
    )
    if done.returncode != 0:
        raise InspectionError(
            f"{BENTOFILE}: `bentoml build` has failed\n{done.stderr[-2000:].strip()}"
        )


def _environment(variables: Mapping[str, str], home: Path) -> dict[str, str]:
    """The variables of the build: none of the service's, whose paths lead elsewhere there."""
    kept = {
        name: value
        for name, value in variables.items()
        if not name.startswith("KNURL_") and name != "PYTHONPATH"
    }
    return kept | {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "True"}


if __name__ == "__main__":
    main()
