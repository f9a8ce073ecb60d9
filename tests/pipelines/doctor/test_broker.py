from pathlib import Path

import pytest

from pipelines.doctor.broker import broker
from pipelines.doctor.finding import FAULT, OK
from tests.brokers import running
from tests.servers import HOST, INSTALL, free_port


def test_without_a_name_no_broker_is_asked() -> None:
    assert list(broker({})) == []


def test_a_broker_that_answers_is_well(tmp_path: Path) -> None:
    with running("rumqttd", tmp_path / "broker") as started:
        (found,) = broker({"KNURL_BROKER": started.url})

    assert (found.state, found.text) == (OK, f"{started.url}: answers")


def test_a_broker_that_does_not_let_us_in_is_a_fault(tmp_path: Path) -> None:
    with running("mosquitto", tmp_path / "broker", "allow_anonymous false") as started:
        (found,) = broker({"KNURL_BROKER": started.url})

    assert (found.state, "Not authorized" in found.text) == (FAULT, True)
    assert "KNURL_BROKER_USER" in found.remedy


def test_a_broker_that_is_away_or_misnamed_is_a_fault() -> None:
    pytest.importorskip("paho.mqtt", reason=INSTALL)
    (away,) = broker({"KNURL_BROKER": f"mqtt://{HOST}:{free_port()}"})
    (wrong,) = broker({"KNURL_BROKER": "broker"})

    assert (away.state, "no answer" in away.text) == (FAULT, True)
    assert (wrong.state, wrong.remedy) == (
        FAULT,
        "give mqtt://host:1883, or mqtts://host:8883 for TLS",
    )
