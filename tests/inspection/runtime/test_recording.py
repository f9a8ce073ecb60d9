import pytest

from inspection.errors import InspectionError
from inspection.geometry import Box
from inspection.runtime.inspector import Inspector
from inspection.runtime.recording import (
    KeepingPolicy,
    keeping_policy,
    logged_views,
    verdicts_folder,
)
from inspection.runtime.verdict import judge_part
from inspection.runtime.views import View, ViewOutputs
from tests.bundles import draw_part, make_bundle
from tests.pictures import encoded


def test_one_passed_part_in_fifty_is_kept_and_two_gigabytes_of_pictures() -> None:
    assert keeping_policy({}) == KeepingPolicy(pass_fraction=0.02, max_bytes=2_048_000_000)


def test_all_passed_pictures_may_be_kept_and_no_more_than_all() -> None:
    assert keeping_policy({"KNURL_KEEP_PASS_PERCENT": "100"}).pass_fraction == 1.0
    with pytest.raises(InspectionError, match=r"got '100\.1'; give a number from 0 to 100"):
        keeping_policy({"KNURL_KEEP_PASS_PERCENT": "100.1"})


def test_room_for_no_picture_is_room_and_less_is_none() -> None:
    assert keeping_policy({"KNURL_PICTURES_MB": "0"}).max_bytes == 0
    with pytest.raises(InspectionError, match="KNURL_PICTURES_MB: got '-1'"):
        keeping_policy({"KNURL_PICTURES_MB": "-1"})


def test_the_folder_is_the_one_that_the_environment_names() -> None:
    assert verdicts_folder({}) == verdicts_folder({"KNURL_VERDICTS": ""}) == "verdicts"
    assert verdicts_folder({"KNURL_VERDICTS": "/srv/log"}) == "/srv/log"


@pytest.fixture(scope="module")
def inspector(tmp_path_factory: pytest.TempPathFactory) -> Inspector:
    folder = tmp_path_factory.mktemp("bundle")
    make_bundle(folder)
    return Inspector(folder)


@pytest.fixture(scope="module")
def seen(inspector: Inspector) -> ViewOutputs:
    return inspector.measure(View("top.png", encoded(draw_part("normal"))))


def test_a_view_is_logged_with_what_its_verdict_rests_on(
    inspector: Inspector, seen: ViewOutputs
) -> None:
    part = judge_part([seen], inspector.card)

    (logged,) = logged_views([seen], part, inspector.card)

    (view,) = part.views
    assert (logged.name, logged.verdict, logged.label) == ("top.png", view.verdict, view.label)
    assert (logged.width_px, logged.height_px) == seen.frame_size_px
    assert logged.scores == view.scores
    # a score may have no threshold of its own: the fused one decides
    assert set(logged.thresholds) == set(view.scores) & set(inspector.card.thresholds)
    assert logged.thresholds["fused"] == inspector.card.thresholds["fused"]
    assert set(logged.regions) == set(seen.windows)


def test_the_look_of_a_region_is_measured_on_its_crop_and_placed_in_the_frame(
    inspector: Inspector, seen: ViewOutputs
) -> None:
    (logged,) = logged_views([seen], judge_part([seen], inspector.card), inspector.card)

    for region, look in logged.regions.items():
        window, crop = seen.windows[region], seen.crops[region]
        whole = Box(0, 0, *map(float, window.size_px))
        placed = window.to_frame(whole).rounded()
        assert {edge: getattr(look, edge) for edge in placed} == placed
        assert look.brightness == pytest.approx(crop.mean(), abs=1)
