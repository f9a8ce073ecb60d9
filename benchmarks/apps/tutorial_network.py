"""What a tutorial's service runs: the backbone of a release, with a plain classifier on top."""

from typing import Any

from ruamel.yaml import YAML

from inspection.runtime.bundle import Card
from stages.params.train import TrainParams


def new_network(card: Card) -> Any:
    """A torch classifier of the backbone on the card, for as many classes as the line has."""
    import timm

    params = YAML(typ="safe").load(card.lineage["params"])
    trained = TrainParams.model_validate(params["train"])
    model = timm.create_model(
        trained.backbone,
        in_chans=card.line.channels,
        num_classes=len(card.line.classes),
        **(trained.backbone_args or {}),
    )
    return model.eval()
