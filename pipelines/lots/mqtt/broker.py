"""The two connections to a broker: one brings messages, the other takes answers there.

MQTT 5, by paho. A message is handled within its delivery: while one is in hand nothing more is read
from its connection, so that what waits is at the broker, whatever the broker thinks of Receive
Maximum (Mosquitto 2.0.11 sends more than that after the first acknowledgement). That is why
answers, and the broker's word that it has them, go over a connection of their own.
"""

import logging
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from inspection.errors import InspectionError
from pipelines.lots.mqtt.address import CA, PASSWORD, USER, Address

# The part in hand, and the next one, so that no part waits for the network.
RECEIVE_MAXIMUM = 2
# For how long the broker keeps what comes while the connector is away (s): over a week's shutdown,
# and not for ever what is meant for a connector that nobody starts again.
SESSION_S = 14 * 24 * 3600
# The broker gives up a client from which it has heard nothing for one and a half of these, and the
# slowest part, of 16 views of 64 megapixels, takes less (s).
KEEP_ALIVE_S = 60
# A broker that restarts is back within seconds; each further try waits twice as long, and a line is
# at work again within a minute of its broker (s).
FIRST_RETRY_S = 1
LONGEST_RETRY_S = 60
# A connection that is lost so often in a row, each time within a minute, is no restart's doing.
MANY_FAILURES = 3
# How soon a stop is noticed (s).
POLL_S = 0.2
# A broker that is up confirms within milliseconds; a longer wait is told (s).
UNCONFIRMED_S = 5.0
# Who stops a connector kills it after this (s): docker stop.
STOP_S = 10.0
# Reason codes of MQTT 5 that waiting does not change, with what does.
FINAL = {
    0x84: "the broker speaks no MQTT 5; take one that does",
    0x85: "give another --client-id",
    0x86: f"set {USER} and {PASSWORD}",
    0x87: f"set {USER} and {PASSWORD}, or let the broker's access list allow both topics",
    0x8A: "let the broker allow this client again",
    0x8C: f"set {USER} and {PASSWORD}",
    0x8E: "another connector has this client id; stop one, or give it a --client-id of its own",
    0x8F: "give another --frames",
    0x9E: "the broker knows no shared subscriptions; give --frames without $share",
}

logger = logging.getLogger("knurl.mqtt")


@dataclass(frozen=True)
class Incoming:
    """A message. `correlation` is what its sender will know the answer by."""

    payload: bytes
    correlation: bytes | None = None


class Subscriber:
    """Takes the messages of a topic, one after the other.

    One is acknowledged when `take` has returned True, and comes again where it has not.
    """

    def __init__(
        self,
        address: Address,
        topic: str,
        client_id: str,
        take: Callable[[Incoming], bool],
        stopping: threading.Event,
    ) -> None:
        self._address = address
        self._topic = topic
        self._take = take
        self._stopping = stopping
        # how often in a row it was tried in vain, or lost soon; since when it waits for parts (s)
        self._n_failed = 0
        self._since_s = 0.0
        self._problem = ""
        self._is_refused = False
        self._refusal: InspectionError | None = None
        self._client = client_of(address, client_id)
        self._client.manual_ack_set(True)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.on_disconnect = self._on_disconnect

    def run(self) -> None:
        """Take messages until `stopping`; where the broker is away, wait for it.

        Raises InspectionError where the broker refuses for a reason that waiting does not change.
        """
        try:
            while not self._stopping.is_set():
                self._connected()
                if self._refusal is not None:
                    raise self._refusal
                self._stopping.wait(retry_after_s(self._n_failed))
                self._n_failed += 1
        finally:
            self._client.disconnect()

    def _connected(self) -> None:
        """Take messages for as long as a connection lasts."""
        self._is_refused = False
        properties = Properties(PacketTypes.CONNECT)
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
        properties.SessionExpiryInterval = SESSION_S
        try:
            self._client.connect(
                self._address.host,
                self._address.port,
                KEEP_ALIVE_S,
                clean_start=False,
                properties=properties,
            )
        except OSError as error:
            self._tell(f"no connection ({error})")
            return
        while not self._stopping.is_set() and not self._is_refused:
            if self._client.loop(POLL_S) != paho.MQTT_ERR_SUCCESS:
                return

    def _on_connect(
        self, client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any
    ) -> None:
        if reason.is_failure:
            self._refused("the connection", reason)
            return
        # each time: a broker that has lost its sessions has lost this, too
        client.subscribe(self._topic, qos=1)

    def _on_subscribe(
        self, _client: Any, _data: Any, _number: int, reasons: Any, _properties: Any
    ) -> None:
        for reason in reasons:
            if reason.is_failure:
                self._refused(self._topic, reason)
                return
        logger.info("%s: connected, parts come by %s", self._address, self._topic)
        self._since_s = time.monotonic()
        self._problem = ""

    def _on_message(self, client: Any, _data: Any, message: Any) -> None:
        if self._stopping.is_set():
            # it comes again to the next one
            return
        correlation = getattr(message.properties, "CorrelationData", None)
        if self._take(Incoming(bytes(message.payload), correlation)):
            client.ack(message.mid, message.qos)

    def _on_disconnect(
        self, _client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any
    ) -> None:
        if self._stopping.is_set() or self._is_refused:
            return
        if reason.value in FINAL:
            self._refused("the connection", reason)
        elif time.monotonic() - self._since_s > LONGEST_RETRY_S:
            self._n_failed = 0
            self._tell("the connection is lost")
        elif self._n_failed < MANY_FAILURES:
            self._tell("the connection is lost")
        else:
            # Mosquitto 2.0.11 does not say so
            self._tell(
                f"the connection is lost again and again, as where {FINAL[0x8E]}"
            )

    def _refused(self, what: str, reason: Any) -> None:
        self._is_refused = True
        if reason.value not in FINAL:
            # the broker is busy, say
            self._tell(f"refuses {what} ({reason})")
            return
        self._refusal = InspectionError(
            f"{self._address}: refuses {what} ({reason}); {FINAL[reason.value]}"
        )

    def _tell(self, problem: str) -> None:
        """Log once what is wrong with the broker, not at each try."""
        if not self._problem:
            logger.warning(
                "%s: %s; tried again until it is back", self._address, problem
            )
        self._problem = problem


class Publisher:
    """Publishes to a topic, and waits for the broker's word that it has the message.

    A context manager. Where the broker is away it waits for it.
    """

    def __init__(
        self, address: Address, topic: str, client_id: str, stopping: threading.Event
    ) -> None:
        self._address = address
        self._topic = topic
        self._stopping = stopping
        self._arrived = threading.Condition()
        self._reasons: dict[int, Any] = {}
        self._client = client_of(address, client_id)
        self._client.reconnect_delay_set(FIRST_RETRY_S, LONGEST_RETRY_S)
        self._client.on_publish = self._on_publish

    def __enter__(self) -> "Publisher":
        self._client.connect_async(
            self._address.host, self._address.port, KEEP_ALIVE_S, clean_start=True
        )
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, payload: bytes, correlation: bytes | None = None) -> bool:
        """Publish a message at least once; True when the broker has it.

        False where it is to stop, and the broker does not answer in time.
        """
        n_refused = 0
        while True:
            reason = self._confirmation(payload, correlation)
            if reason is None:
                return False
            if not reason.is_failure:
                return True
            if not n_refused:
                remedy = FINAL.get(reason.value, "see the broker's log")
                logger.warning("%s: refuses a verdict on %s (%s); %s; tried again",
                               self._address, self._topic, reason, remedy)  # fmt: skip
            if self._stopping.wait(retry_after_s(n_refused)):
                return False
            n_refused += 1

    def _confirmation(self, payload: bytes, correlation: bytes | None) -> Any:
        """The broker's answer to a message; None where it is to stop before one comes."""
        properties = Properties(PacketTypes.PUBLISH)
        properties.ContentType = "application/json"
        if correlation is not None:
            properties.CorrelationData = correlation
        # without a connection it is kept, and sent when there is one
        number = self._client.publish(
            self._topic, payload, qos=1, properties=properties
        ).mid

        began_s = time.monotonic()
        is_told = False
        with self._arrived:
            while number not in self._reasons:
                self._arrived.wait(POLL_S)
                waited_s = time.monotonic() - began_s
                if self._stopping.is_set() and waited_s > STOP_S:
                    return None
                if waited_s > UNCONFIRMED_S and not is_told:
                    logger.warning(
                        "%s: does not confirm a verdict; waited for", self._address
                    )
                    is_told = True
            return self._reasons.pop(number)

    def _on_publish(
        self, _client: Any, _data: Any, number: int, reason: Any, _properties: Any
    ) -> None:
        with self._arrived:
            self._reasons[number] = reason
            self._arrived.notify_all()


def retry_after_s(n_failed: int) -> int:
    """How long to wait after so many failures, in seconds: 1, 2, 4 ... 60."""
    # beyond 2^6 s the limit holds in any case
    return min(FIRST_RETRY_S * 2 ** min(n_failed, 6), LONGEST_RETRY_S)


def client_of(address: Address, client_id: str) -> paho.Client:
    """A client that is not connected. Raises InspectionError."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id, protocol=paho.MQTTv5)
    if address.user:
        client.username_pw_set(address.user, address.password)
    if address.tls:
        try:
            client.tls_set(ca_certs=address.ca)
        except (OSError, ssl.SSLError) as error:
            raise InspectionError(
                f"{CA}: {address.ca} cannot be used ({error}); name a PEM file of certificates"
            ) from error
    return client
