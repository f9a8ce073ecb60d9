from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file

from inspection.errors import InspectionError
from inspection.models import weights
from inspection.models.classifier import DefectClassifier
from inspection.models.weights import build_backbone, load_packaged, normalisation
from tests.networks import tiny_architecture

LITE = "tf_efficientnet_lite0"
PING_PONG_BALL = 722  # its number among the classes of ImageNet


@pytest.fixture(scope="module")
def whole() -> Any:
    return filled(LITE)


def filled(name: str) -> Any:
    model = timm.create_model(name, pretrained=False)
    load_packaged(model, name)
    return model.eval()


@pytest.mark.parametrize("name", weights.PACKAGES)
def test_with_packaged_weights_an_orange_disc_is_a_ping_pong_ball(name: str) -> None:
    """Of a thousand classes; layers in another order, or images that enter otherwise, say else."""
    known = weights.packaged_weights(name)
    try:
        distribution(known.package)
    except PackageNotFoundError:
        if name == LITE:
            raise
        pytest.skip(f"not installed: {known.install}")
    y, x = torch.meshgrid(torch.linspace(-1, 1, 224), torch.linspace(-1, 1, 224), indexing="ij")
    disc = (x**2 + y**2 < 0.5).float()
    orange = torch.stack([disc, 0.55 * disc, 0 * disc])[None] * 2 - 1
    with torch.no_grad():
        assert int(filled(name)(orange).argmax()) == PING_PONG_BALL


def test_grey_crops_give_the_features_of_the_same_grey_in_colour() -> None:
    settings = {"features_only": True, "out_indices": (2, 3)}
    grey = build_backbone(LITE, "packaged", settings | {"in_chans": 1}).eval()
    colour = build_backbone(LITE, "packaged", settings).eval()
    image = torch.rand(2, 1, 64, 96) * 2 - 1
    with torch.no_grad():
        for one, other in zip(grey(image), colour(image.expand(-1, 3, -1, -1)), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_a_classifier_starts_from_packaged_weights(whole: Any) -> None:
    model = DefectClassifier(tiny_architecture(backbone=LITE, backbone_args={}), weights="packaged")
    learned = model.backbone.state_dict()["blocks.0.0.conv_pw.weight"]
    assert torch.equal(learned, whole.state_dict()["blocks.0.0.conv_pw.weight"])


def test_images_enter_as_the_weights_know_them() -> None:
    assert normalisation(LITE, "packaged", 1) == ((127.5,), (127.5,))
    mean, std = normalisation("resnet18", "hub", 3) or ((), ())
    assert mean == pytest.approx((123.675, 116.28, 103.53))
    assert normalisation("resnet18", "hub", 1) == (
        (pytest.approx(sum(mean) / 3),), (pytest.approx(sum(std) / 3),)
    )  # fmt: skip
    assert normalisation("resnet18", "none", 3) is None


def test_a_backbone_without_a_package_is_told_which_have_one() -> None:
    with pytest.raises(InspectionError, match=rf"no package has weights of 'resnet18'.*{LITE}"):
        build_backbone("resnet18", "packaged", {})


def test_a_package_that_is_not_there_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> None:
        raise PackageNotFoundError

    monkeypatch.setattr(weights, "distribution", missing)
    with pytest.raises(InspectionError, match="is not installed; run `make setup`") as caught:
        build_backbone(LITE, "packaged", {})
    assert "\n" not in str(caught.value)


def test_another_file_under_the_name_is_refused_before_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "weights.pth"
    other.write_bytes(b"not a pickle either")
    monkeypatch.setattr(weights, "_path_of", lambda _: other)
    with pytest.raises(InspectionError, match=r"has the hash \w{12}, not 579344248a93"):
        build_backbone(LITE, "packaged", {})


def test_a_timm_with_other_layers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_read", lambda _: [torch.zeros(3)])
    with pytest.raises(InspectionError, match="other layers than its packaged weights"):
        build_backbone(LITE, "packaged", {})


def test_without_the_hub_training_starts_from_scratch_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made = timm.create_model

    def no_network(name: str, *, pretrained: bool = False, **settings: Any) -> Any:
        if pretrained:
            raise OSError("no route to host")
        return made(name, **settings)

    monkeypatch.setattr(timm, "create_model", no_network)
    assert build_backbone("resnet10t", "hub", {}) is not None
    assert "the hub has no weights of resnet10t" in caplog.text


def test_weights_come_from_a_local_file(tmp_path: Path) -> None:
    given = timm.create_model("resnet10t").state_dict()
    save_file(given, tmp_path / "given.safetensors")
    started = build_backbone("resnet10t", str(tmp_path / "given.safetensors"), {})
    assert torch.equal(
        started.state_dict()["layer1.0.conv1.weight"], given["layer1.0.conv1.weight"]
    )
