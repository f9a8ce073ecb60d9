"""MQTT brokers, real ones, on the loopback device, and a camera that sends parts to them.

rumqttd comes with the wheel `iotcore` of tests/requirements.txt; Mosquitto is taken where it is
installed. Where one is missing its test is skipped, and says so.
"""

import base64
import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from inspection.processes import die_with_parent
from tests.servers import HOST, INSTALL, free_port
from tests.waiting import wait_until

KINDS = ("rumqttd", "mosquitto")
FRAMES, VERDICTS = "knurl/test-line/parts", "knurl/test-line/verdicts"
# rumqttd keeps sessions in memory, and sends as many at once as it likes.
RUMQTTD = """\
id = 0
[router]
id = 0
max_connections = 100
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 10
[v5.1]
name = "v5"
listen = "{host}:{port}"
next_connection_delay_ms = 1
[v5.1.connections]
connection_timeout_ms = 60000
max_payload_size = 268435455
max_inflight_count = 100
{more}
"""
# `user`: begun by root it becomes another one, who may not write here.
MOSQUITTO = """\
user root
listener {port} {host}
persistence true
persistence_location {folder}/
{more}
"""


class Broker:
    """A broker that can be stopped and started again; Mosquitto keeps its sessions meanwhile.

    `more` is what stands besides in its configuration.
    """

    def __init__(self, kind: str, folder: Path, more: str = "") -> None:
        self.kind = kind
        self.port = free_port()
        self._folder = folder
        self._command = self._prepared(more)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address."""
        return f"mqtt://{HOST}:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it listens."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, preexec_fn=die_with_parent
            )
        # on a busy machine Python alone takes its time to begin
        wait_until(self._listens, 180)

    def stop(self) -> None:
        """Stop it, and wait for its end."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)
            self._process = None

    def _prepared(self, more: str) -> list[str]:
        """The command that starts it, once its configuration is written."""
        # rumqttd tells the format by the name
        path = self._folder / "broker.toml"
        if self.kind == "rumqttd":
            pytest.importorskip("iotcore", reason=INSTALL)
            path.write_text(RUMQTTD.format(host=HOST, port=self.port, more=more))
            return [sys.executable, "-m", "iotcore", "--config", str(path)]

        program = shutil.which("mosquitto")
        if program is None:
            pytest.skip("mosquitto is not installed")
        more = more if "allow_anonymous" in more else f"allow_anonymous true\n{more}"
        text = MOSQUITTO.format(host=HOST, port=self.port, folder=self._folder, more=more)
        path.write_text(text)
        return [program, "-c", str(path)]

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "log").read_text(errors="replace")
        with suppress(OSError), socket.create_connection((HOST, self.port), 1):
            return True
        return False


@contextmanager
def running(kind: str, folder: Path, more: str = "") -> Iterator[Broker]:
    """A broker for as long as the block lasts, with its files in a new folder."""
    pytest.importorskip("paho.mqtt", reason=INSTALL)
    folder.mkdir()
    broker = Broker(kind, folder, more)
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()


class Camera:
    """Sends parts with QoS 1, and gathers what comes back."""

    def __init__(self, broker: Broker, user: str | None = None, password: str | None = None):
        import paho.mqtt.client as paho
        from paho.mqtt.enums import CallbackAPIVersion

        self.lines: list[bytes] = []
        self.correlations: list[bytes | None] = []
        self._subscribed = threading.Event()
        client = paho.Client(CallbackAPIVersion.VERSION2, "camera", protocol=paho.MQTTv5)
        if user:
            client.username_pw_set(user, password)
        client.reconnect_delay_set(1, 1)
        client.on_connect = lambda *_: client.subscribe(VERDICTS, qos=1)
        client.on_subscribe = lambda *_: self._subscribed.set()
        client.on_disconnect = lambda *_: self._subscribed.clear()
        client.on_message = self._on_message
        client.connect(HOST, broker.port, clean_start=True)
        client.loop_start()
        self.client = client
        wait_until(self.is_subscribed)

    def is_subscribed(self) -> bool:
        """Whether it gets the answers."""
        return self._subscribed.is_set()

    @property
    def answers(self) -> list[dict[str, Any]]:
        """The answers so far, in order."""
        return [json.loads(line) for line in list(self.lines)]

    def send(self, message: Any, correlation: bytes | None = None) -> None:
        """Publish a message, or bytes as they are, and wait until the broker has it."""
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties

        properties = Properties(PacketTypes.PUBLISH)
        if correlation is not None:
            properties.CorrelationData = correlation
        payload = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.client.publish(FRAMES, payload, 1, properties=properties).wait_for_publish(60)

    def wait_for(self, n_answers: int) -> list[dict[str, Any]]:
        """The answers, once there are so many."""
        wait_until(lambda: len(self.lines) >= n_answers)
        return self.answers

    def close(self) -> None:
        """Disconnect."""
        self.client.disconnect()
        self.client.loop_stop()

    def _on_message(self, _client: Any, _data: Any, message: Any) -> None:
        self.correlations.append(getattr(message.properties, "CorrelationData", None))
        self.lines.append(bytes(message.payload))


def part_message(part_id: str, **views: bytes) -> dict[str, Any]:
    """A message that holds views, by name."""
    sent = [
        {"name": name, "content": base64.b64encode(content).decode()}
        for name, content in views.items()
    ]
    return {"part_id": part_id, "views": sent}
