import json
import re
from pathlib import Path
from typing import Any

import pytest

from inspection.errors import InspectionError
from inspection.runtime.bundle import CARD, Card, read_card, verified, version_of
from tests.bundles import make_bundle, settings_of_two_anomaly_regions


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    make_bundle(tmp_path / "bundle")
    return tmp_path / "bundle"


def change_card(bundle: Path, **changes: Any) -> None:
    content = json.loads((bundle / CARD).read_text("utf-8"))
    (bundle / CARD).write_text(json.dumps(content | changes), "utf-8")


def test_a_card_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = make_bundle(tmp_path, version="7")
    read = verified(tmp_path)
    assert isinstance(read, Card)
    assert read == written


def test_a_tampered_file_is_refused_by_name(bundle: Path) -> None:
    model = bundle / "classifier.onnx"
    content = bytearray(model.read_bytes())
    content[-1] ^= 1
    model.write_bytes(content)
    with pytest.raises(InspectionError, match=r"classifier\.onnx: its hash is not the one on the"):
        verified(bundle)


def test_all_files_that_are_missing_or_changed_are_named_at_once(bundle: Path) -> None:
    (bundle / "anomaly.onnx").unlink()
    (bundle / "locator.onnx").write_bytes(b"")
    with pytest.raises(InspectionError) as caught:
        verified(bundle)
    missing, changed = str(caught.value).splitlines()
    assert missing.endswith("anomaly.onnx: missing; fetch the bundle again")
    assert "locator.onnx: its hash" in changed


def test_a_file_outside_the_bundle_is_refused_even_when_its_hash_is_right(bundle: Path) -> None:
    card = read_card(bundle)
    outside = {"../anomaly.onnx": card.files["anomaly.onnx"]}
    (bundle.parent / "anomaly.onnx").write_bytes((bundle / "anomaly.onnx").read_bytes())
    change_card(bundle, files=card.files | outside)
    with pytest.raises(InspectionError, match="missing"):
        verified(bundle)


def test_a_model_without_a_hash_is_refused(bundle: Path) -> None:
    files = dict(read_card(bundle).files)
    del files["anomaly.onnx"]
    change_card(bundle, files=files)
    with pytest.raises(InspectionError, match=r"card\.json: gives no hash of 'anomaly\.onnx'"):
        verified(bundle)


def test_the_detectors_are_those_of_the_line_in_its_order(bundle: Path) -> None:
    settings = settings_of_two_anomaly_regions()
    assert list(settings.detectors) == ["classifier", "anomaly_rod", "anomaly_rivet"]
    line = read_card(bundle).line.model_dump() | {"detect_anomalies": ["rod", "rivet"]}
    change_card(bundle, line=line)
    with pytest.raises(InspectionError, match=r"should be \['anomaly_rivet', 'anomaly_rod', 'clas"):
        read_card(bundle)


def test_a_bundle_without_a_card_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(InspectionError, match=r"card\.json: not found; run `dvc repro`"):
        read_card(tmp_path)


def test_a_card_of_another_schema_version_is_refused(bundle: Path) -> None:
    change_card(bundle, schema_version=99)
    with pytest.raises(InspectionError, match="schema version 99, this software reads 4; assemble"):
        read_card(bundle)


@pytest.mark.parametrize("content", [b"{", b"{}", b"\xff\xfe"], ids=["cut", "empty", "not text"])
def test_a_file_that_is_no_card_is_refused(bundle: Path, content: bytes) -> None:
    (bundle / CARD).write_bytes(content)
    with pytest.raises(InspectionError, match=r"card\.json: is not a card of this schema"):
        read_card(bundle)


def test_a_card_with_an_unknown_key_is_refused(bundle: Path) -> None:
    change_card(bundle, treshold=0.5)
    with pytest.raises(InspectionError, match="treshold"):
        read_card(bundle)


def test_a_version_has_twelve_hex_digits(bundle: Path) -> None:
    card = read_card(bundle)
    assert re.fullmatch("[0-9a-f]{12}", version_of(card, card.files))
