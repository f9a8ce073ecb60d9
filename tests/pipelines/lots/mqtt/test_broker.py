"""Who the broker lets in, and what it is told, with a real rumqttd and a real Mosquitto."""

import base64
import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest

from inspection.errors import InspectionError
from pipelines.lots.mqtt.address import Address
from tests.brokers import FRAMES, VERDICTS, Camera, running
from tests.servers import HOST, INSTALL, free_port
from tests.waiting import wait_until

pytest.importorskip("paho.mqtt", reason=INSTALL)
from pipelines.lots.mqtt.broker import Incoming, Publisher, Subscriber, retry_after_s

USER = '[v5.1.connections.auth]\nline = "secret"'


def subscriber(address: Address, stopping: threading.Event, topic: str = FRAMES) -> Subscriber:
    """A subscriber that takes everything and keeps nothing."""
    return Subscriber(address, topic, "knurl-1", lambda _: True, stopping)


@contextmanager
def subscribed(address: Address) -> Iterator[list[Incoming]]:
    """What comes to a topic while the block lasts."""
    came: list[Incoming] = []
    stopping = threading.Event()

    def take(message: Incoming) -> bool:
        came.append(message)
        return True

    one = Subscriber(address, FRAMES, "knurl-1", take, stopping)
    thread = threading.Thread(target=one.run)
    thread.start()
    try:
        yield came
    finally:
        stopping.set()
        thread.join()


@contextmanager
def answering(*answers: bytes) -> Iterator[Address]:
    """A broker of one connection that answers one packet after the other by these bytes."""
    with socket.create_server((HOST, 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            for answer in answers:
                connection.recv(1000)
                connection.sendall(answer)
            connection.recv(1000)
            connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield Address(HOST, server.getsockname()[1])
        thread.join()


def mosquitto_user(folder: Path) -> str:
    """Mosquitto's configuration with the user `line` and no other; writes its file of passwords."""
    salt = b"twelve bytes"
    digest = hashlib.pbkdf2_hmac("sha512", b"secret", salt, 101, 64)
    told = "$".join(base64.b64encode(one).decode() for one in (salt, digest))
    (folder / "passwords").write_text(f"line:$7$101${told}\n")
    return f"allow_anonymous false\npassword_file {folder}/passwords"


def test_who_is_not_let_in_is_told_with_the_remedy_and_not_kept_waiting(tmp_path: Path) -> None:
    with running("mosquitto", tmp_path / "broker", mosquitto_user(tmp_path)) as broker:
        address = Address(HOST, broker.port, user="line", password="wrong")
        with pytest.raises(InspectionError, match=r"refuses the connection .*KNURL_BROKER_USER"):
            subscriber(address, threading.Event()).run()


@pytest.mark.parametrize("kind", ["rumqttd", "mosquitto"])
def test_who_shows_user_and_password_is_let_in(kind: str, tmp_path: Path) -> None:
    more = USER if kind == "rumqttd" else mosquitto_user(tmp_path)
    with running(kind, tmp_path / "broker", more) as broker:
        address = Address(HOST, broker.port, user="line", password="secret")
        with subscribed(address) as came:
            camera = Camera(broker, "line", "secret")
            camera.send(b"hello", b"7")
            wait_until(lambda: bool(came))
            camera.close()

    assert came[0] == Incoming(b"hello", b"7")


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ([b"\x20\x03\0\0\0", b"\x90\4\0\1\0\x87"], f"refuses {FRAMES} .*access list"),
        ([b"\x20\x03\0\x85\0"], "refuses the connection .*another --client-id"),
        ([b"\x20\x03\0\x84\0"], "the broker speaks no MQTT 5; take one that does"),
        (
            [b"\x20\x03\0\0\0", b"\x90\4\0\1\0\1\xe0\2\x8e\0"],
            "another connector has this client id; stop one",
        ),
        # as MQTT 3.1.1 has it
        ([b"\x20\x02\0\1"], "the broker speaks no MQTT 5; take one that does"),
    ],
)
def test_a_refusal_that_waiting_does_not_change_ends_it_with_the_remedy(
    answers: list[bytes], told: str
) -> None:
    with answering(*answers) as address, pytest.raises(InspectionError, match=told):
        subscriber(address, threading.Event()).run()


def test_a_refusal_that_may_pass_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    stopping = threading.Event()
    # 0x89: server busy; 0x97: quota exceeded
    busy, full = b"\x20\x03\0\x89\0", b"\x90\4\0\1\0\x97"
    with answering(busy) as address:
        thread = threading.Thread(target=subscriber(address, stopping).run)
        thread.start()
        wait_until(lambda: "refuses the connection (Server busy)" in caplog.text)
        stopping.set()
        thread.join()
    with answering(b"\x20\x03\0\0\0", full) as address:
        stopping.clear()
        thread = threading.Thread(target=subscriber(address, stopping).run)
        thread.start()
        wait_until(lambda: f"refuses {FRAMES} (Quota exceeded)" in caplog.text)
        stopping.set()
        thread.join()


def test_a_verdict_that_may_not_be_published_is_tried_again_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "acl").write_text(f"topic readwrite {FRAMES}\n")
    stopping = threading.Event()
    threading.Timer(4.0, stopping.set).start()
    with running("mosquitto", tmp_path / "broker", f"acl_file {tmp_path}/acl") as broker:
        address = Address(HOST, broker.port)
        with Publisher(address, VERDICTS, "knurl-1-out", stopping) as publisher:
            assert not publisher.publish(b"{}")

    (told,) = [text for text in caplog.messages if "refuses a verdict" in text]
    assert "let the broker's access list allow both topics" in told


def test_two_with_one_client_id_that_the_broker_does_not_tell_of_it_suspect_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.lots.mqtt.broker.FIRST_RETRY_S", 0)
    with running("mosquitto", tmp_path / "broker") as broker:
        address = Address(HOST, broker.port)
        with subscribed(address), subscribed(address):
            wait_until(lambda: "another connector has this client id" in caplog.text)


def test_a_verdict_without_a_broker_is_given_up_some_time_after_a_stop(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("pipelines.lots.mqtt.broker.STOP_S", 0.5)
    monkeypatch.setattr("pipelines.lots.mqtt.broker.UNCONFIRMED_S", 0.1)
    stopping = threading.Event()
    stopping.set()
    with Publisher(Address(HOST, free_port()), VERDICTS, "knurl-1-out", stopping) as publisher:
        assert not publisher.publish(b"{}")
    assert caplog.text.count("does not confirm a verdict") == 1


def test_the_broker_is_told_to_keep_the_session_and_to_send_two_at_a_time() -> None:
    """By the bytes of the first packet, against MQTT 5, 3.1."""
    with socket.create_server((HOST, 0)) as server:
        stopping = threading.Event()
        address = Address(HOST, server.getsockname()[1])
        thread = threading.Thread(target=subscriber(address, stopping).run)
        thread.start()
        connection, _ = server.accept()
        packet = connection.recv(1000)
        stopping.set()
        thread.join()
        connection.close()

    assert packet[2:9] == b"\0\4MQTT\5"
    assert packet[9] & 0b10 == 0  # no clean start
    assert b"\x21\0\2" in packet  # Receive Maximum
    assert b"\x11" + (14 * 24 * 3600).to_bytes(4) in packet  # Session Expiry Interval


def test_an_encrypted_broker_is_trusted_where_its_certificate_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    certificate, key = _certificate(tmp_path)
    more = f"certfile {certificate}\nkeyfile {key}"
    with running("mosquitto", tmp_path / "broker", more) as broker:
        trusted = Address(HOST, broker.port, tls=True, ca=str(certificate))
        stopping = threading.Event()
        with (
            subscribed(trusted) as came,
            Publisher(trusted, FRAMES, "knurl-2-out", stopping) as publisher,
        ):
            wait_until(lambda: "parts come by" in caplog.text)
            assert publisher.publish(b"{}")
            wait_until(lambda: bool(came))


# paho forgets to close the socket of a handshake that has failed
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_certificate_that_nobody_vouches_for_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    certificate, key = _certificate(tmp_path)
    more = f"certfile {certificate}\nkeyfile {key}"
    with running("mosquitto", tmp_path / "broker", more) as broker:
        stopping = threading.Event()
        stranger = Address(HOST, broker.port, tls=True)
        thread = threading.Thread(target=subscriber(stranger, stopping).run)
        thread.start()
        wait_until(lambda: "certificate verify failed" in caplog.text)
        stopping.set()
        thread.join()


def test_a_file_that_is_no_certificate_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("none")
    address = Address(HOST, 1, tls=True, ca=str(tmp_path / "ca.pem"))
    with pytest.raises(InspectionError, match=r"KNURL_BROKER_CA: .*ca\.pem cannot be used"):
        subscriber(address, threading.Event())


def test_waits_grow_to_a_minute() -> None:
    assert [retry_after_s(n) for n in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of the loopback device that vouches for itself, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    alternative = x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))])
    today = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(alternative, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    paths = folder / "broker.pem", folder / "broker.key"
    paths[0].write_bytes(certificate.public_bytes(pem))
    form = serialization.PrivateFormat.PKCS8
    paths[1].write_bytes(key.private_bytes(pem, form, plain))
    return paths
