import pytest

from inspection.errors import InspectionError
from pipelines.lots.mqtt.address import Address, address_of


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("mqtt://broker", Address("broker", 1883)),
        ("mqtts://broker/", Address("broker", 8883, tls=True)),
        ("mqtt://[::1]:1884", Address("::1", 1884)),
        ("mqtt://kim:p%40ss@broker:1", Address("broker", 1, user="kim", password="p@ss")),
    ],
)
def test_an_address_is_host_port_and_who_asks(url: str, address: Address) -> None:
    assert address_of(url, {}) == address


def test_who_asks_and_who_vouches_may_stand_in_the_environment() -> None:
    variables = {
        "KNURL_BROKER_USER": "kim",
        "KNURL_BROKER_PASSWORD": "secret",
        "KNURL_BROKER_CA": "ca.pem",
    }

    found = address_of("mqtts://broker", variables)

    assert found == Address("broker", 8883, True, "kim", "secret", "ca.pem")
    assert address_of("mqtt://lee:other@broker", variables).user == "lee"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "broker:1883",
        "http://:hidden@broker",
        "mqtt://:hidden@",
        "mqtt://kim:hidden@broker:70000",
        "mqtt://kim:hidden@broker/parts",
        "mqtt://kim:hidden@broker?a=b",
        "mqtt://kim:hidden@bro..ker",
        "mqtt://[broker",
    ],
)
def test_what_is_no_address_is_refused_without_its_secret(url: str) -> None:
    with pytest.raises(InspectionError, match="give mqtt://host:1883") as caught:
        address_of(url, {})

    assert "hidden" not in str(caught.value)


def test_a_password_without_a_user_is_refused() -> None:
    with pytest.raises(InspectionError, match="KNURL_BROKER_USER: a password without a user"):
        address_of("mqtt://:hidden@broker", {})


def test_what_is_shown_of_an_address_holds_no_secret() -> None:
    assert str(address_of("mqtts://kim:hidden@[::1]", {})) == "mqtts://[::1]:8883"
