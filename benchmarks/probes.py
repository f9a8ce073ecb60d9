"""Requests that are not quite HTTP: no protocol, no host, no end, two lengths, too much of it."""

HOST = b"host: a\r\n"
PROBES = [
    b"\x00" * 1000,
    b"\x16\x03\x01\x02\x00" + b"a" * 500,
    b"GET / HTTP/9.9\r\n" + HOST + b"\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b"a: " + b"b" * 100_000 + b"\r\n\r\n",
    b"POST /inspect HTTP/1.1\r\n"
    + HOST
    + b"content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /inspect HTTP/1.1\r\n" + HOST + b"content-length: -1\r\n\r\n",
    b"POST /inspect HTTP/1.1\r\n" + HOST + b"content-length: 1\r\ncontent-length: 2\r\n\r\nab",
    b"POST /inspect HTTP/1.1\r\n" + HOST + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
    b"GET /../../etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /%00%ff HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET / HTTP/1.1\r\n" + HOST + b"connection: upgrade\r\nupgrade: websocket\r\n\r\n",
    b"CONNECT a:1 HTTP/1.1\r\n" + HOST + b"\r\n",
]  # fmt: skip
