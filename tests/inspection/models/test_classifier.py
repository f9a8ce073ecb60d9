import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load, save, save_file

from inspection.errors import InspectionError
from inspection.models.cam import ClassifierWithHeat
from inspection.models.classifier import (
    DefectClassifier,
    centre_of,
    load_classifier,
    load_classifier_of_epoch,
    new_classifier,
    pooled,
    save_classifier,
    weights_of_epoch,
)
from inspection.models.epochs import epoch_file
from inspection.storage import write_bytes
from tests.networks import tiny_architecture, tiny_classifier

CROPS = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 1, 32, 64), dtype=np.uint8))


def test_normality_is_averaged_and_one_place_suffices_for_a_defect() -> None:
    evidence = torch.zeros(1, 2, 2, 2)
    evidence[0, 0] = torch.tensor([[1.0, 2.0], [3.0, 6.0]])
    evidence[0, 1, 1, 0] = 30.0
    logits = pooled(evidence)
    assert logits[0, 0] == 3.0
    assert logits[0, 1] == pytest.approx(30 - math.log(4) / 2)


def test_evidence_that_is_the_same_everywhere_is_its_own_pool() -> None:
    torch.testing.assert_close(pooled(torch.full((2, 3, 4, 5), 1.5)), torch.full((2, 3), 1.5))


def test_logits_are_the_pooled_evidence() -> None:
    model = tiny_classifier()
    with torch.no_grad():
        evidence = model.evidence_maps(CROPS)
        torch.testing.assert_close(model(CROPS), pooled(evidence))
    assert evidence.shape == (3, 3, 4, 8)


def test_only_the_centre_is_looked_at() -> None:
    model = tiny_classifier(centre_fraction=(0.5, 0.5))
    assert centre_of(model.architecture) == (16, 8, 32, 16)
    edge, centre = CROPS.clone(), CROPS.clone()
    edge[:, :, :8], edge[..., :16] = 0, 0
    centre[:, :, 12:20, 24:40] = 0
    with torch.no_grad():
        torch.testing.assert_close(model(edge), model(CROPS))
        assert not torch.allclose(model(centre), model(CROPS))


def test_brightness_is_counted_from_the_mean_in_units_of_the_spread() -> None:
    plain = tiny_classifier(mean=(0.0,), std=(1.0,))
    shifted = tiny_classifier(mean=(100.0,), std=(2.0,))
    crops = torch.randn(2, 1, 32, 64)
    with torch.no_grad():
        torch.testing.assert_close(shifted(2 * crops + 100), plain(crops), rtol=1e-3, atol=1e-3)


def test_a_saved_classifier_gives_the_same_logits_when_loaded(tmp_path: Path) -> None:
    model = tiny_classifier(centre_fraction=(0.9, 0.8))
    save_classifier(model, tmp_path)
    loaded = load_classifier(tmp_path)
    assert loaded is not model
    assert loaded.architecture == model.architecture
    assert not loaded.training
    with torch.no_grad():
        assert torch.equal(loaded(CROPS), model(CROPS))


def test_an_epoch_of_a_whole_network_is_that_network(tmp_path: Path) -> None:
    deployed, earlier = tiny_classifier(seed=1), tiny_classifier(seed=2)
    save_classifier(deployed, tmp_path)
    write_bytes(epoch_file(tmp_path, 7), weights_of_epoch(earlier))
    loaded = load_classifier_of_epoch(tmp_path, 7)
    assert not loaded.training
    with torch.no_grad():
        assert torch.equal(loaded(CROPS), earlier(CROPS))


def test_an_epoch_of_a_head_alone_has_the_backbone_that_is_deployed(tmp_path: Path) -> None:
    deployed, earlier = tiny_classifier(seed=1), tiny_classifier(seed=2)
    save_classifier(deployed, tmp_path)
    write_bytes(epoch_file(tmp_path, 7), weights_of_epoch(earlier.head))
    loaded = load_classifier_of_epoch(tmp_path, 7)
    with torch.no_grad():
        assert torch.equal(loaded(CROPS), earlier.head(deployed.stages(CROPS)))
    smaller = epoch_file(tmp_path, 7).stat().st_size
    assert smaller < (tmp_path / "weights.safetensors").stat().st_size / 2


@pytest.mark.parametrize("left_out", ["head.evidence.bias", "backbone.conv1.0.weight"])
def test_an_epoch_that_lacks_weights_is_refused(tmp_path: Path, left_out: str) -> None:
    model = tiny_classifier()
    save_classifier(model, tmp_path)
    weights = load(weights_of_epoch(model))
    del weights[left_out]
    write_bytes(epoch_file(tmp_path, 7), save(weights))
    with pytest.raises(RuntimeError, match=left_out):
        load_classifier_of_epoch(tmp_path, 7)


def test_an_architecture_with_an_unknown_key_is_refused(tmp_path: Path) -> None:
    save_classifier(tiny_classifier(), tmp_path)
    path = tmp_path / "architecture.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"dims": 3}))
    with pytest.raises(ValueError, match="dims"):
        load_classifier(tmp_path)


def test_colour_crops_are_taken_as_they_come() -> None:
    model = tiny_classifier(mean=(90.0, 100.0, 110.0), std=(30.0,) * 3)
    with torch.no_grad():
        assert model(CROPS.expand(3, 3, 32, 64)).shape == (3, 3)


def test_with_mirror_average_a_crop_and_its_mirror_image_are_judged_alike() -> None:
    model = tiny_classifier(mirror_average=True)
    one_way = tiny_classifier()
    with torch.inference_mode():
        found = model(CROPS)
        torch.testing.assert_close(found, model(CROPS.flip(-1)))
        wanted = (one_way(CROPS) + one_way(CROPS.flip(-1))) / 2
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("backbone", ["vit_tiny_patch16_224", "swin_tiny_patch4_window7_224"])
def test_a_transformer_has_the_same_interface(backbone: str) -> None:
    args = {"swin_tiny_patch4_window7_224": {"embed_dim": 24, "depths": (1, 1, 1, 1)}}
    small = args.get(backbone, {"embed_dim": 48, "depth": 3})
    model = DefectClassifier(tiny_architecture(backbone=backbone, backbone_args=small)).eval()
    logits, heat = ClassifierWithHeat(model, "layercam")(CROPS.permute(0, 2, 3, 1))
    assert logits.shape == (3, 3)
    assert heat.shape == (3, 2, 8, 16)
    with torch.no_grad():
        maps = model.stages(CROPS)
    assert [m.shape[1] for m in maps] == model.backbone.feature_info.channels()


def test_an_unknown_backbone_is_refused_with_names_that_are_like_it() -> None:
    with pytest.raises(InspectionError, match=r"timm knows no 'resnet10x'; similar.*'resnet10t'"):
        DefectClassifier(tiny_architecture(backbone="resnet10x"))


@pytest.mark.parametrize("name", ["missing.safetensors", "weights.pth"])
def test_a_weights_file_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "weights.pth").write_bytes(b"")
    with pytest.raises(InspectionError, match=r"train\.weights: .* is not a safetensors"):
        DefectClassifier(tiny_architecture(), weights=str(tmp_path / name))


def test_the_backbone_starts_from_the_weights_of_a_local_file(tmp_path: Path) -> None:
    given = tiny_classifier(seed=1).backbone.state_dict()
    save_file(given, tmp_path / "backbone.safetensors")
    started = DefectClassifier(tiny_architecture(), weights=str(tmp_path / "backbone.safetensors"))
    for name, value in started.backbone.state_dict().items():
        assert torch.equal(value, given[name])


def test_a_backbone_that_cannot_look_at_the_crops_is_refused_before_it_is_trained() -> None:
    narrow = tiny_architecture(backbone="mobilenetv3_small_050", backbone_args={"channels": [8, 8]})
    with pytest.raises(InspectionError, match=r"train\.backbone: 'mobilenetv3_small_050' .*null"):
        new_classifier(narrow)


def test_a_new_classifier_is_ready_to_be_trained_and_has_seen_nothing() -> None:
    model = new_classifier(tiny_architecture())
    assert model.training
    tracked = [value for name, value in model.named_buffers() if "num_batches" in name]
    assert tracked
    assert not any(map(bool, tracked))


def test_evidence_of_two_is_pooled_between_its_mean_and_its_peak() -> None:
    evidence = torch.tensor([[[[0.0, 0.0]], [[0.0, 2.0]]]])
    expected = math.log((1 + math.exp(2 * 2.0)) / 2) / 2
    assert float(pooled(evidence)[0, 1]) == pytest.approx(expected)


def test_a_fifth_of_the_light_of_a_crop_stays_and_the_rest_is_taken_out() -> None:
    model = tiny_classifier(mean=(120.0,), std=(10.0,))
    crops = torch.full((1, 1, 32, 64), 120.0)
    assert model._prepared(crops).abs().max() == 0
    darker = model._prepared(crops - 50)
    torch.testing.assert_close(darker, torch.full_like(darker, -0.2 * 50 / 10))


def test_the_last_three_stages_are_fused_at_the_finest_of_their_resolutions() -> None:
    with torch.no_grad():
        sizes = [tuple(maps.shape[2:]) for maps in tiny_classifier().stages(CROPS)]
    assert sizes == [(4, 8), (2, 4), (1, 2)]
