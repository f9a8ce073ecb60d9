"""What is refused before an endpoint sees it: requests of two lengths, and pages of other sites."""

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.metrics import Metrics
from serving.refusals import RefusedError

# What a browser says of a request that a page of another site has caused (Fetch Metadata).
FOREIGN = frozenset({"cross-site", "same-site"})


class Gate:
    """ASGI middleware.

    `hosts` are the names under which browsers may reach this service, besides addresses and names
    without a dot; None: any name, since a token is asked for, which no other site's page has.
    """

    def __init__(
        self, app: ASGIApp, metrics: Metrics, hosts: Sequence[str] | None
    ) -> None:
        self.app = app
        self._metrics = metrics
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        problem = self._problem(scope) if scope["type"] == "http" else None
        if problem is None:
            await self.app(scope, receive, send)
            return

        self._metrics.count_refusal(problem.code)
        # closed: what follows on this connection cannot be told from the body
        headers = {"connection": "close"}
        response = JSONResponse(problem.as_json(), problem.status, headers)
        await response(scope, receive, send)

    def _problem(self, scope: Scope) -> RefusedError | None:
        headers = Headers(scope=scope)
        if "content-length" in headers and "transfer-encoding" in headers:
            return RefusedError(
                400, "two_lengths", "send either content-length or transfer-encoding"
            )

        host = headers.get("host", "")
        if self._hosts is not None and not _leads_here(host, self._hosts):
            return RefusedError(
                403,
                "foreign_name",
                f"host: {host[:80]!r} is not known as a name of this service; add it to "
                "KNURL_HOSTS, or set KNURL_TOKEN",
            )
        changes = scope["method"] not in ("GET", "HEAD")
        if changes and _is_of_another_site(headers, self._hosts or ()):
            return RefusedError(
                403,
                "foreign_page",
                "sent by a page of another site; use the page of this service",
            )
        return None


def _leads_here(host: str, names: Sequence[str]) -> bool:
    """Whether no stranger can have made this name lead here (DNS rebinding).

    Nobody gives out addresses, nor names without a dot or below `localhost` (RFC 6761), in the DNS.

    >>> [_leads_here(host, ["a.b"]) for host in ("[::1]:3000", "knurl", "a.b:80", "c.b")]
    [True, True, True, False]
    """
    name = _name(host)
    if "." not in name or name.endswith(".localhost") or name in names:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_of_another_site(headers: Headers, names: Sequence[str]) -> bool:
    """Whether a browser says so: by Fetch Metadata, or, where it sends none, by the origin.

    Browsers send none to a plain http address in a network.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in FOREIGN
    origin = headers.get("origin")
    if origin is None:
        return False
    named = urlsplit(origin).netloc
    return named != headers.get("host", "") and _name(named) not in names


def _name(host: str) -> str:
    """The name or address in a Host header, without brackets, port and the dot of the root."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        # no address in its brackets; what stands there is no name of ours
        name = host
    return name.removesuffix(".")
