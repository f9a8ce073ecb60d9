import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from inspection.errors import InspectionError
from inspection.runtime.releases import POINTER
from inspection.runtime.signatures import make_keys, read_public_key
from serving.plant.wiring import plant_of, require_a_champion
from serving.settings import Settings


def test_the_service_may_start_where_one_line_has_a_champion(
    settings: Settings, plant: Path
) -> None:
    require_a_champion(settings)

    (plant / "models/releases" / POINTER).unlink()
    require_a_champion(settings)

    shutil.rmtree(plant / "lines")
    with pytest.raises(InspectionError, match="there is no champion yet"):
        require_a_champion(settings)


def test_a_line_serves_what_is_signed_only_as_that_in_the_root_does(
    settings: Settings, tmp_path: Path
) -> None:
    make_keys(tmp_path / "line.key")
    signed = replace(settings, public_key=read_public_key(tmp_path / "line.key.pub"))
    lines = plant_of(signed)
    lines.start()

    assert [line.state().ready for line in lines] == [False, False, False]
    assert all(line.state().problem for line in lines)
    lines.stop()
