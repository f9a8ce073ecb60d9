import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from serving.server import connections
from serving.server.connections import GuardedProtocol, max_connections

REQUEST = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers every request: a POST once its body is whole, /large with more than buffers hold."""
    more_body = scope["method"] == "POST"
    while more_body:
        message = await receive()
        more_body = message.get("more_body", False)
    if scope["path"] == "/large":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(100):
            await send({"type": "http.response.body", "body": bytes(10**6), "more_body": True})
        return
    headers = [(b"content-length", b"4")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"here"})


@pytest.fixture
def port() -> Iterator[int]:
    """A real server with the protocol on a free port."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, http=GuardedProtocol, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join()


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=5)


def answer(connection: socket.socket) -> bytes:
    """One whole answer, or what came of it before the server ended the connection."""
    received = b""
    while not received.endswith(b"here"):
        more = connection.recv(1000)
        if not more:
            break
        received += more
    return received


def is_closed(connection: socket.socket, within_s: float) -> bool:
    """Whether the server ends the connection within a time."""
    connection.settimeout(within_s)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("sent", [b"", b"GET / HT", REQUEST[:-2]])
def test_headers_that_do_not_come_end_the_connection(
    port: int, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(connections, "HEADER_TIMEOUT_S", 0.3)
    with connect(port) as connection:
        connection.sendall(sent)

        assert not is_closed(connection, within_s=0.1)
        assert is_closed(connection, within_s=1)


def test_headers_that_trickle_in_gain_no_time(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEADER_TIMEOUT_S", 0.3)
    began_s = time.monotonic()
    with connect(port) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        while not is_closed(connection, within_s=0.05):
            try:
                connection.sendall(b"a: b\r\n")
            except OSError:
                break
            assert time.monotonic() - began_s < 2


def test_the_limit_for_headers_is_ten_seconds_and_a_second_request_has_its_own() -> None:
    assert connections.HEADER_TIMEOUT_S == 10.0


def test_a_second_request_on_a_connection_has_its_own_time(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEADER_TIMEOUT_S", 0.3)
    with connect(port) as connection:
        for _ in range(3):
            connection.sendall(REQUEST)
            assert answer(connection).startswith(b"HTTP/1.1 200")
            time.sleep(0.2)
        connection.sendall(b"GET /")
        assert is_closed(connection, within_s=1)


def test_idle_connections_make_room_for_a_new_one(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 5)
    idle = [connect(port) for _ in range(20)]
    with connect(port) as connection:
        connection.sendall(REQUEST)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")

    assert sum(is_closed(one, within_s=0.05) for one in idle) >= 15
    for one in idle:
        one.close()


def test_a_client_between_two_requests_keeps_its_connection(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 5)
    with connect(port) as client:
        client.sendall(REQUEST)
        answer(client)
        idle = [connect(port) for _ in range(20)]
        client.sendall(REQUEST)
        assert answer(client).startswith(b"HTTP/1.1 200")

    for one in idle:
        one.close()


ASKED_FOR_MUCH = b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n"
BODY_TO_COME = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nslow"


@pytest.mark.parametrize(
    "sent", [REQUEST, BODY_TO_COME, ASKED_FOR_MUCH], ids=["asks again", "sends", "does not read"]
)
def test_clients_that_hold_all_places_slowly_make_room_for_a_new_one(
    port: int, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    """None of them is idle by its headers: each has sent a whole one."""
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 5)
    slow = []
    for _ in range(5):
        connection = connect(port)
        connection.sendall(sent)
        slow.append(connection)
    # until the server has read them, and its buffers are full
    time.sleep(0.5)
    for _ in range(2):
        with connect(port) as client:
            client.sendall(REQUEST)
            assert answer(client).startswith(b"HTTP/1.1 200")

    for one in slow:
        one.close()


def test_a_client_that_has_just_come_is_not_pushed_out_by_the_next_one(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All other places are held by clients that ask again and again."""
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 16)
    held = [connect(port) for _ in range(15)]
    for one in held:
        one.sendall(REQUEST)
        answer(one)
    with connect(port) as client:
        # until the server has taken it in
        time.sleep(0.2)
        held.append(connect(port))
        time.sleep(0.2)
        client.sendall(REQUEST)
        assert answer(client).startswith(b"HTTP/1.1 200")

    assert is_closed(held[0], within_s=1)
    for one in held:
        one.close()


def test_of_slow_clients_the_one_that_has_waited_longest_makes_room(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A camera that keeps its connection for hours, and has just begun to send, is not the one."""
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 2)
    with connect(port) as camera, connect(port) as slow:
        camera.sendall(REQUEST)
        answer(camera)
        slow.sendall(BODY_TO_COME)
        time.sleep(0.2)
        camera.sendall(BODY_TO_COME)
        time.sleep(0.2)
        with connect(port) as client:
            client.sendall(REQUEST)
            assert answer(client).startswith(b"HTTP/1.1 200")

        assert is_closed(slow, within_s=1)
        camera.sendall(bytes(96))
        assert answer(camera).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(("descriptors", "expected"), [(1024, 512), (1022, 511), (10**6, 512)])
def test_the_limit_leaves_half_of_the_descriptors(
    monkeypatch: pytest.MonkeyPatch, descriptors: int, expected: int
) -> None:
    limit = (descriptors, descriptors)
    monkeypatch.setattr(connections.resource, "getrlimit", lambda _: limit)

    assert max_connections() == expected


def test_a_burst_leaves_descriptors() -> None:
    assert connections.MAX_CONNECTIONS + connections.BACKLOG < 1024 - 256


def test_no_other_protocol_is_spoken(port: int) -> None:
    upgrade = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
    with connect(port) as connection:
        connection.sendall(upgrade)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
