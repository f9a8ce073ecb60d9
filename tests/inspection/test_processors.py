import os
import platform

import pytest

from inspection.processors import HELD_TO_AVX2, X86_64, hold_to_avx2
from tests.architecture import ROOT


def test_every_command_of_the_makefile_is_held_to_avx2_too() -> None:
    lines = (ROOT / "project.env").read_text("utf-8").splitlines()

    for name, value in HELD_TO_AVX2.items():
        assert f"{name}={value}" in lines


@pytest.mark.skipif(platform.machine() not in X86_64, reason="not an x86 processor")
def test_what_a_user_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {"ATEN_CPU_CAPABILITY": "avx512"}
    monkeypatch.setattr(os, "environ", environment)

    hold_to_avx2()

    assert environment == HELD_TO_AVX2 | {"ATEN_CPU_CAPABILITY": "avx512"}


def test_another_kind_of_processor_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    environment: dict[str, str] = {}
    monkeypatch.setattr(os, "environ", environment)
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")

    hold_to_avx2()

    assert environment == {}
