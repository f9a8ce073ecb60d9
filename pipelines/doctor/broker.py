"""The MQTT broker that the environment names, if any: whether it lets the connector in."""

import os
import time
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

from inspection.errors import InspectionError
from pipelines.doctor.finding import FAULT, OK, Finding
from pipelines.lots.mqtt.address import BROKER, Address, address_of

SUBJECT = "MQTT broker"
ANSWER_S = 5.0  # a broker that is up answers within a second
REMEDY = "start it, or correct KNURL_BROKER"


def checks() -> Iterator[Finding]:
    """What can be said of the broker."""
    yield from broker(os.environ)


def broker(variables: Mapping[str, str]) -> Iterator[Finding]:
    """Whether the broker that KNURL_BROKER names answers, and lets in who asks."""
    url = variables.get(BROKER)
    if not url:
        return
    if find_spec("paho") is None:
        text = "paho-mqtt is not installed, so it is not asked"
        yield Finding(FAULT, SUBJECT, text, "`make plant`")
        return
    try:
        yield _asked(address_of(url, variables))
    except InspectionError as error:
        found, _, remedy = str(error).rpartition("; ")
        yield Finding(FAULT, SUBJECT, found, remedy)


def _asked(address: Address) -> Finding:
    """Raises InspectionError where the certificates to check it by cannot be used."""
    from pipelines.lots.mqtt.broker import FINAL, client_of

    answers: list[Any] = []
    # a name of its own: with the connector's that one would be cut off
    client = client_of(address, "knurl-doctor")
    client.on_connect = lambda _client, _data, _flags, reason, _more: answers.append(
        reason
    )
    try:
        client.connect(address.host, address.port, clean_start=True)
    except OSError as error:
        return Finding(FAULT, SUBJECT, f"{address}: no answer ({error})", REMEDY)
    until_s = time.monotonic() + ANSWER_S
    while not answers and time.monotonic() < until_s:
        if client.loop(0.1):
            break
    client.disconnect()

    if not answers:
        return Finding(FAULT, SUBJECT, f"{address}: is no MQTT broker", REMEDY)
    if answers[0].is_failure:
        text = f"{address}: refuses the connection ({answers[0]})"
        remedy = FINAL.get(answers[0].value, "see its log")
        return Finding(FAULT, SUBJECT, text, remedy)
    return Finding(OK, SUBJECT, f"{address}: answers")
