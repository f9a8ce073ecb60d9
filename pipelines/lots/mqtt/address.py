"""Where a broker is, and how one shows who asks: from a URL and the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from inspection.errors import InspectionError

BROKER = "KNURL_BROKER"
USER, PASSWORD = "KNURL_BROKER_USER", "KNURL_BROKER_PASSWORD"
CA = "KNURL_BROKER_CA"
# The ports that the Internet Assigned Numbers Authority keeps for MQTT, and for MQTT over TLS.
PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True)
class Address:
    """A broker. `ca` is a PEM file of who vouches for it, None for whom this machine trusts."""

    host: str
    port: int
    tls: bool = False
    user: str | None = None
    password: str | None = None
    ca: str | None = None

    def __str__(self) -> str:
        """The address without a secret."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"


def address_of(url: str, variables: Mapping[str, str] = os.environ) -> Address:
    """The address that a URL names: `mqtt://host`, or `mqtts://user:password@host:8883` with TLS.

    What the URL does not say of user and password is in KNURL_BROKER_USER and
    KNURL_BROKER_PASSWORD, where the list of processes does not show it. Raises InspectionError,
    which does not repeat the URL.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        # as a look-up will do it
        (host or "").encode("idna")
    except ValueError as error:
        raise _wrong(str(error)) from error
    if parts.scheme not in PORTS or not host:
        raise _wrong("is no address of a broker")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise _wrong("holds more than host and port")

    user = unquote(parts.username or "") or variables.get(USER) or None
    password = unquote(parts.password or "") or variables.get(PASSWORD) or None
    if password and not user:
        raise InspectionError(f"{USER}: a password without a user; set it")
    tls = parts.scheme == "mqtts"
    ca = variables.get(CA) or None
    return Address(host, port or PORTS[parts.scheme], tls, user, password, ca)


def _wrong(found: str) -> InspectionError:
    return InspectionError(
        f"--broker: {found}; give mqtt://host:1883, or mqtts://host:8883 for TLS"
    )
