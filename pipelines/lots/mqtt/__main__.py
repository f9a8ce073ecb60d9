"""Judge the parts that come as messages of an MQTT broker; publish the verdicts there.

    python -m pipelines.lots.mqtt --broker mqtt://host:1883 --frames knurl/line/parts \\
        --verdicts knurl/line/verdicts [--root FOLDER]

A message is JSON: {"part_id": "A-17", "views": [...], "camera": "Ch00", "taken_at": "..."}; a view
is {"path": "..."}, a file below --root, or {"name": "...", "content": "<base64>"}. Publish it with
QoS 1. It is acknowledged when the broker has the answer: a line of JSON with the verdict, or with
`error` and `reasons`. A part that comes again is answered by the same line, and not judged again.

KNURL_BROKER names the broker where --broker does not, KNURL_BROKER_USER and KNURL_BROKER_PASSWORD
say who asks, KNURL_BROKER_CA is a PEM file of who vouches for an mqtts:// broker.
"""

import argparse
import hashlib
import logging
import os
import signal
import sys
import threading
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.lots.places import DIGITS, LOCKS, STATE

if TYPE_CHECKING:
    from pipelines.lots.mqtt.address import Address

SHARED = "$share/"
# Of a topic's name in UTF-8, by MQTT.
MAX_TOPIC_BYTES = 65535


def main() -> None:
    """Answer until SIGTERM or Ctrl-C, and end after the part in hand."""
    given = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())

    from inspection.errors import InspectionError
    from inspection.plant import LineErrors

    with LineErrors("mqtt"):
        if find_spec("paho") is None:
            raise InspectionError(
                "paho-mqtt: is not installed; `make plant` installs it"
            )
        from pipelines.lots.mqtt.address import BROKER, address_of

        url = given.broker or os.environ.get(BROKER)
        if not url:
            raise InspectionError(
                f"--broker: none is named, nor in {BROKER}; give mqtt://host:1883"
            )
        connect(
            address_of(url),
            frames=given.frames,
            verdicts=given.verdicts,
            root=given.root,
            releases=given.releases,
            client_id=given.client_id,
            stopping=stopping,
        )


def connect(
    address: "Address",
    *,
    frames: str,
    verdicts: str,
    root: Path | None = None,
    releases: Path | None = None,
    client_id: str | None = None,
    stopping: threading.Event,
) -> None:
    """Answer the messages of topic `frames` on topic `verdicts` until `stopping`.

    Raises InspectionError.
    """
    from inspection.errors import InspectionError
    from inspection.storage import locked
    from pipelines.champions import RELEASES
    from pipelines.lots.champion import Champion
    from pipelines.lots.journal import Journal
    from pipelines.lots.mqtt.answering import Answering
    from pipelines.lots.mqtt.broker import Incoming, Publisher, Subscriber
    from pipelines.lots.mqtt.message import Reader
    from pipelines.lots.record import Record

    if is_among(verdicts, frames):
        raise InspectionError(
            f"--verdicts: {verdicts} is among {frames}, and verdicts would come back as parts; "
            "give a topic of its own"
        )
    if root is not None and not root.is_dir():
        raise InspectionError(f"{root}: no such folder; name where the frames lie")

    name = f"mqtt-{digest_of(frames)}"
    client = client_id or f"knurl-{digest_of(frames)}"
    with (
        locked(LOCKS / f"{name}.lock", holder=f"a connector of {frames}"),
        closing(Journal(STATE / f"{name}.db")) as journal,
        closing(Record()) as record,
    ):
        champion = Champion(releases or RELEASES)
        answering = Answering(Reader(root), champion, journal, record)
        with Publisher(address, verdicts, f"{client}-out", stopping) as publisher:

            def take(message: Incoming) -> bool:
                answer = answering.answer(message.payload)
                return publisher.publish(answer, message.correlation)

            Subscriber(address, frames, client, take, stopping).run()


def digest_of(topic: str) -> str:
    """What tells the connector of a topic from the others of the project.

    It stays when the broker moves: what was judged is not judged again then.
    """
    return hashlib.sha256(topic.encode("utf-8")).hexdigest()[:DIGITS]


def is_among(topic: str, pattern: str) -> bool:
    """Whether a topic is one of those that a subscription names, a shared one too."""
    from paho.mqtt.client import topic_matches_sub

    if pattern.startswith(SHARED):
        pattern = pattern.split("/", 2)[2]
    return topic_matches_sub(pattern, topic)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.lots.mqtt",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--broker", metavar="URL")
    parser.add_argument("--frames", type=_pattern, required=True, metavar="TOPIC")
    parser.add_argument("--verdicts", type=_topic, required=True, metavar="TOPIC")
    parser.add_argument(
        "--root", type=Path, metavar="FOLDER", help="where paths in messages begin"
    )
    parser.add_argument("--releases", type=Path, metavar="PATH")
    parser.add_argument(
        "--client-id", metavar="NAME", help="where another connector has this topic"
    )
    return parser.parse_args()


def _topic(text: str) -> str:
    if set(text) & {"+", "#"}:
        raise argparse.ArgumentTypeError("should be one topic, without + and #")
    return _pattern(text)


def _pattern(text: str) -> str:
    n_bytes = len(text.encode("utf-8"))
    if not 0 < n_bytes <= MAX_TOPIC_BYTES or not text.isprintable():
        raise argparse.ArgumentTypeError("should be a topic of printable characters")
    if text.startswith(SHARED) and text.count("/") < 2:
        raise argparse.ArgumentTypeError("should be $share/<group>/<topic>")
    return text


if __name__ == "__main__":
    main()
